#include "npy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "param.h"
#include "shape.h"

enum { MAGIC = 8, MAX_HEADER = 65535 };
static const char magic[] = "\x93NUMPY";

static const struct kind {
    const char *name;
    int bytes;
    char sort; // f: float, u: unsigned, i: signed
} kinds[] = {{"<f4", 4, 'f'}, {"<f8", 8, 'f'}, {"|u1", 1, 'u'},
             {"<u2", 2, 'u'}, {"<i4", 4, 'i'}, {"<i8", 8, 'i'}};
enum { N_KINDS = sizeof(kinds) / sizeof(kinds[0]) };

static int fail(struct lam_context *ctx, const char *name, const char *problem)
{
    return lam_fail(ctx, LAM_EDATA, "%s: %s", name, problem);
}

// The text behind 'key': of the header's dictionary.
static const char *value_of(const char *header, const char *key)
{
    char quoted[32];
    const char *at;

    snprintf(quoted, sizeof(quoted), "'%s':", key);
    at = strstr(header, quoted);
    if (!at)
        return "";
    at += strlen(quoted);
    return at + strspn(at, " ");
}

static int parse_shape(struct lam_context *ctx, const char *name,
                       const char *text, struct lam_shape *shape)
{
    int64_t n = 1;

    *shape = (struct lam_shape){.dtype = LAM_F32};
    if (*text++ != '(')
        return fail(ctx, name, "its header has no shape");
    while (*text != ')') {
        char digits[20];
        const size_t length = strspn(text, "0123456789");
        int64_t d;

        if (length == 0 || length >= sizeof(digits))
            return fail(ctx, name, "its shape is no list of sizes");
        memcpy(digits, text, length);
        digits[length] = '\0';
        if (!lam_parse_int(digits, &d) || d < 1 || d > INT32_MAX ||
            n > INT32_MAX / d)
            return fail(ctx, name, "a tensor of this size is not read");
        if (shape->rank == LAM_MAX_RANK)
            return fail(ctx, name, "it has more than 6 dimensions");
        n *= d;
        shape->dim[shape->rank++] = d;
        text += length;
        text += strspn(text, ", ");
    }
    if (shape->rank == 0) // a single number
        shape->dim[shape->rank++] = 1;
    return LAM_OK;
}

static float number_of(const unsigned char *at, const struct kind *kind)
{
    uint64_t bits = 0;
    double wide;
    float narrow;

    for (int i = 0; i < kind->bytes; i++)
        bits |= (uint64_t)at[i] << (8 * i);
    if (kind->sort == 'f' && kind->bytes == 8) {
        memcpy(&wide, &bits, 8);
        return (float)wide;
    }
    if (kind->sort == 'f') {
        const uint32_t low = (uint32_t)bits;

        memcpy(&narrow, &low, 4);
        return narrow;
    }
    return kind->sort == 'u'  ? (float)bits
           : kind->bytes == 4 ? (float)(int32_t)bits
                              : (float)(int64_t)bits;
}

static int parse_header(struct lam_context *ctx, const char *name,
                        const char *header, const struct kind **kind,
                        struct lam_shape *shape)
{
    const char *descr = value_of(header, "descr");

    for (int i = 0; i < N_KINDS; i++)
        if (*descr && strncmp(descr + 1, kinds[i].name, 3) == 0 &&
            (descr[4] == '\'' || descr[4] == '"'))
            *kind = &kinds[i];
    if (!*kind)
        return fail(ctx, name,
                    "its type is none of little-endian float32, float64, "
                    "uint8, uint16, int32 and int64");
    if (strncmp(value_of(header, "fortran_order"), "False", 5) != 0)
        return fail(ctx, name,
                    "it is in Fortran order: save "
                    "numpy.ascontiguousarray(x)");
    return parse_shape(ctx, name, value_of(header, "shape"), shape);
}

int lam_npy_parse(struct lam_context *ctx, const char *name, const void *bytes,
                  size_t size, struct lam_shape *shape, float **data)
{
    const unsigned char *at = bytes;
    const struct kind *kind = NULL;
    size_t start, length;
    char *header;
    int64_t n;
    int err;

    *data = NULL;
    if (size < MAGIC + 4 || memcmp(at, magic, 6) != 0 || at[6] < 1 || at[6] > 3)
        return fail(ctx, name, "it is no NPY file");
    start = at[6] == 1 ? MAGIC + 2 : MAGIC + 4;
    length = (size_t)at[8] | (size_t)at[9] << 8;
    if (at[6] > 1)
        length |= (size_t)at[10] << 16 | (size_t)at[11] << 24;
    if (length > MAX_HEADER || length > size - start)
        return fail(ctx, name, "its header is longer than the file");
    header = calloc(length + 1, 1);
    if (!header)
        return lam_fail(ctx, LAM_EMEMORY, "out of memory");
    memcpy(header, at + start, length);
    err = parse_header(ctx, name, header, &kind, shape);
    free(header);
    if (err)
        return err;
    n = lam_shape_elements(shape);
    at += start + length;
    if ((uint64_t)n * (uint64_t)kind->bytes != size - start - length)
        return fail(ctx, name, "its data is not as long as its shape says");
    *data = malloc((size_t)n * sizeof(**data));
    if (!*data)
        return lam_fail(ctx, LAM_EMEMORY, "out of memory");
    for (int64_t i = 0; i < n; i++)
        (*data)[i] = number_of(at + i * kind->bytes, kind);
    return LAM_OK;
}

int lam_npy_read(struct lam_context *ctx, const char *path,
                 struct lam_shape *shape, float **data)
{
    size_t size;
    void *bytes;
    int err = lam_file_read(ctx, path, &bytes, &size);

    *data = NULL;
    if (err)
        return err;
    err = lam_npy_parse(ctx, path, bytes, size, shape, data);
    free(bytes);
    return err;
}

int lam_npy_write(struct lam_context *ctx, const char *path,
                  const struct lam_shape *shape, const void *data)
{
    const char *type = shape->dtype == LAM_F64   ? "<f8"
                       : shape->dtype == LAM_I32 ? "<i4"
                                                 : "<f4";
    char dict[256];
    size_t used = (size_t)snprintf(
        dict, sizeof(dict),
        "{'descr': '%s', 'fortran_order': False, 'shape': (", type);
    struct lam_piece pieces[3];
    unsigned char head[MAGIC + 2];

    for (int i = 0; i < shape->rank; i++)
        used += (size_t)snprintf(dict + used, sizeof(dict) - used, "%lld, ",
                                 (long long)shape->dim[i]);
    used += (size_t)snprintf(dict + used, sizeof(dict) - used, "), }");
    // Data begins at a multiple of 64 bytes, after a line's end.
    while ((sizeof(head) + used + 1) % 64)
        dict[used++] = ' ';
    dict[used++] = '\n';
    memcpy(head, magic, 6);
    head[6] = 1;
    head[7] = 0;
    head[8] = (unsigned char)used;
    head[9] = (unsigned char)(used >> 8);
    pieces[0] = (struct lam_piece){head, sizeof(head)};
    pieces[1] = (struct lam_piece){dict, used};
    pieces[2] = (struct lam_piece){data, lam_shape_bytes(shape)};
    return lam_file_write(ctx, path, pieces, 3);
}
