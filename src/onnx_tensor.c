#include "onnx_parser.h"

#include <string.h>

#include "half.h"
#include "param.h"

static float double_of(uint64_t bits)
{
    double value;

    memcpy(&value, &bits, 8);
    return (float)value;
}

// Bytes of an element in raw data, 0: a type that is not read.
static int width_of(int type)
{
    switch (type) {
    case LAM_ONNX_BOOL:
        return 1;
    case LAM_ONNX_HALF:
    case LAM_ONNX_BFLOAT:
        return 2;
    case LAM_ONNX_FLOAT:
    case LAM_ONNX_INT32:
        return 4;
    case LAM_ONNX_INT64:
    case LAM_ONNX_DOUBLE:
        return 8;
    default:
        return 0;
    }
}

static bool is_real(int type)
{
    return type == LAM_ONNX_FLOAT || type == LAM_ONNX_DOUBLE ||
           type == LAM_ONNX_HALF || type == LAM_ONNX_BFLOAT;
}

// An element from its bits.
static void put_number(const struct lam_onnx_tensor *t, int64_t i,
                       uint64_t bits)
{
    if (t->floats)
        ((float *)t->floats)[i] =
            t->type == LAM_ONNX_FLOAT    ? lam_pb_float(bits)
            : t->type == LAM_ONNX_HALF   ? lam_half_float((uint16_t)bits)
            : t->type == LAM_ONNX_BFLOAT ? lam_bfloat_float((uint16_t)bits)
                                         : double_of(bits);
    else
        ((int64_t *)t->whole)[i] =
            t->type == LAM_ONNX_INT32 ? (int32_t)bits : (int64_t)bits;
}

// Appends the numbers of a field, packed or not; only counts without a tensor.
// false: broken, or more than the tensor has.
static bool take_numbers(const struct lam_pb_field *f, int wire,
                         const struct lam_onnx_tensor *t, int64_t *n)
{
    struct lam_pb_reader r = f->bytes;
    const int width = wire == LAM_PB_64 ? 8 : 4;

    if (f->wire == wire) {
        if (t && *n < t->n)
            put_number(t, *n, f->value);
        *n += 1;
    } else if (f->wire != LAM_PB_BYTES) {
        return false;
    }
    while (r.at < r.end) {
        uint64_t bits = 0;

        if (wire == LAM_PB_VARINT) {
            if (!lam_pb_varint(&r, &bits))
                return false;
        } else {
            if (r.end - r.at < width)
                return false;
            for (int i = 0; i < width; i++)
                bits |= (uint64_t)*r.at++ << (8 * i);
        }
        if (t && *n < t->n)
            put_number(t, *n, bits);
        *n += 1;
    }
    return !t || *n <= t->n;
}

static bool take_raw(const struct lam_pb_reader *r,
                     const struct lam_onnx_tensor *t)
{
    const int width = width_of(t->type);
    const unsigned char *at = r->at;

    if ((uint64_t)(r->end - r->at) != (uint64_t)t->n * (uint64_t)width)
        return false;
    for (int64_t i = 0; i < t->n; i++) {
        uint64_t bits = 0;

        for (int k = 0; k < width; k++)
            bits |= (uint64_t)*at++ << (8 * k);
        put_number(t, i, bits);
    }
    return true;
}

static int take_dims(const struct lam_onnx_parser *p,
                     const struct lam_pb_field *f, struct lam_onnx_tensor *t)
{
    struct lam_pb_reader r = f->bytes;
    uint64_t d = f->value;
    bool more = f->wire == LAM_PB_VARINT;

    while (more || r.at < r.end) {
        if (!more && !lam_pb_varint(&r, &d))
            return lam_onnx_broken(p, "a shape is cut");
        more = false;
        if (t->rank == LAM_ONNX_MAX_RANK)
            return lam_onnx_broken(p, "a tensor has more than 8 dimensions");
        if (d > LAM_ONNX_MAX_FILE ||
            (d && t->n > LAM_ONNX_MAX_FILE / (int64_t)d))
            return lam_onnx_broken(p, "a tensor is larger than 2 GiB");
        t->n *= (int64_t)d;
        t->dim[t->rank++] = (int64_t)d;
    }
    return LAM_OK;
}

// Field and wire type of TensorProto's data that is not raw.
static bool is_data(const struct lam_onnx_tensor *t,
                    const struct lam_pb_field *f, int *wire)
{
    static const struct {
        int type;
        uint32_t number;
        int wire;
    } rows[] = {
        {LAM_ONNX_FLOAT, 4, LAM_PB_32},      {LAM_ONNX_INT32, 5, LAM_PB_VARINT},
        {LAM_ONNX_BOOL, 5, LAM_PB_VARINT},   {LAM_ONNX_HALF, 5, LAM_PB_VARINT},
        {LAM_ONNX_BFLOAT, 5, LAM_PB_VARINT}, {LAM_ONNX_INT64, 7, LAM_PB_VARINT},
        {LAM_ONNX_DOUBLE, 10, LAM_PB_64}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (rows[i].type == t->type && rows[i].number == f->number) {
            *wire = rows[i].wire;
            return true;
        }
    return false;
}

static bool make_room(const struct lam_onnx_parser *p,
                      struct lam_onnx_tensor *t)
{
    if (is_real(t->type))
        t->floats = lam_onnx_alloc(p->onnx, (size_t)t->n, sizeof(float));
    else
        t->whole = lam_onnx_alloc(p->onnx, (size_t)t->n, sizeof(int64_t));
    return t->floats || t->whole;
}

static int take_data(const struct lam_onnx_parser *p, struct lam_pb_reader r,
                     struct lam_onnx_tensor *t)
{
    const int64_t most = r.end - r.at;
    struct lam_pb_field f;
    bool ok = t->n == 0;
    int64_t n = 0;
    int wire;

    // Each element takes a byte of the file at least.
    if (t->n > most)
        return lam_onnx_broken(p, "a tensor has less data than its shape says");
    if (!make_room(p, t))
        return lam_onnx_no_memory(p);
    while (lam_pb_next(&r, &f) > 0) {
        if (f.number == 9 && f.wire == LAM_PB_BYTES) {
            ok = n == 0 && take_raw(&f.bytes, t);
            n = t->n;
        } else if (is_data(t, &f, &wire)) {
            ok = take_numbers(&f, wire, t, &n) && n <= t->n;
        } else {
            continue;
        }
        if (!ok && n > t->n)
            break;
    }
    return ok && n == t->n
               ? LAM_OK
               : lam_onnx_broken(
                     p, "a tensor's data is not as long as its shape says");
}

int lam_onnx_take_outside(const struct lam_onnx_parser *p, const void *bytes,
                          size_t size, struct lam_onnx_tensor *t)
{
    const size_t wanted = (size_t)t->n * (size_t)width_of(t->type);
    struct lam_pb_reader r = {bytes, bytes};

    if (t->offset < 0 || (uint64_t)t->offset > size ||
        wanted > size - (size_t)t->offset)
        return lam_onnx_broken(p, "a tensor's data lies behind the end of its "
                                  "file");
    if (!make_room(p, t))
        return lam_onnx_no_memory(p);
    r.at += t->offset;
    r.end = r.at + wanted;
    take_raw(&r, t);
    t->unusable = NULL;
    return LAM_OK;
}

// One key and value of where a tensor's data lies.
static int take_place(const struct lam_onnx_parser *p,
                      const struct lam_pb_field *f, struct lam_onnx_tensor *t)
{
    const char *key, *value;
    int64_t number;
    const int err = lam_onnx_take_pair(p, f->bytes, &key, &value, &number);

    if (!err && strcmp(key, "location") == 0)
        t->location = value;
    if (!err && strcmp(key, "offset") == 0 && !lam_parse_int(value, &t->offset))
        return lam_onnx_broken(p, "a tensor's offset is no number");
    return err;
}

int lam_onnx_take_tensor(const struct lam_onnx_parser *p,
                         struct lam_pb_reader r, struct lam_onnx_tensor *t)
{
    const struct lam_pb_reader whole = r;
    struct lam_pb_field f;
    int more, err = LAM_OK;

    *t = (struct lam_onnx_tensor){.name = "", .n = 1};
    while (!err && (more = lam_pb_next(&r, &f)) != 0) {
        if (more < 0)
            return lam_onnx_broken(p, "a tensor is cut");
        if (f.number == 1)
            err = take_dims(p, &f, t);
        else if (f.number == 2)
            t->type = f.value > 1000 ? 0 : (int)f.value;
        else if (f.number == 8)
            err = lam_onnx_take_text(p, &f, &t->name);
        else if (f.number == 13)
            err = take_place(p, &f, t);
        else if (f.number == 14 && f.value == 1)
            t->unusable = "its data is in another file";
    }
    if (width_of(t->type) == 0) {
        t->unusable = "its type is none of float, double, float16, int32, "
                      "int64 and bool";
        t->location = NULL;
    }
    if (!t->unusable)
        t->location = NULL;
    return err || t->unusable ? err : take_data(p, whole, t);
}

// A list of numbers of an attribute as a tensor's.
int lam_onnx_take_list(const struct lam_onnx_parser *p, struct lam_pb_reader r,
                       uint32_t number, int type, struct lam_onnx_attribute *a)
{
    const int wire = type == LAM_ONNX_FLOAT ? LAM_PB_32 : LAM_PB_VARINT;
    struct lam_onnx_tensor t = {.type = type};
    struct lam_pb_reader again = r;
    struct lam_pb_field f;
    int64_t n = 0;

    while (lam_pb_next(&r, &f) > 0)
        if (f.number == number && !take_numbers(&f, wire, NULL, &t.n))
            return lam_onnx_broken(p, "a list of numbers is cut");
    if (t.n > INT32_MAX)
        return lam_onnx_broken(p, "a list of numbers has no end");
    if (!make_room(p, &t))
        return lam_onnx_no_memory(p);
    while (lam_pb_next(&again, &f) > 0)
        if (f.number == number)
            take_numbers(&f, wire, &t, &n);
    a->n = (int)t.n;
    a->floats = t.floats;
    a->ints = t.whole;
    return LAM_OK;
}
