#include "safetensors.h"

#include <inttypes.h>
#include <jansson.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "half.h"
#include "sha256.h"
#include "shape.h"

static const uint64_t max_header = 100000000;

struct lam_safetensors {
    unsigned char *bytes;
    json_t *header;
    struct lam_stored *tensors;
    float **widened; // by tensor: its numbers where the file has halves
    int n_tensors, n_skipped;
};

static void little_endian(uint64_t n, unsigned char bytes[8])
{
    for (int i = 0; i < 8; i++)
        bytes[i] = (unsigned char)(n >> (8 * i));
}

// NULL when memory is short, as below; jansson passes such a NULL on.
static json_t *entry_of(const struct lam_stored *t, size_t begin)
{
    json_t *shape = json_array();
    bool ok = shape != NULL;

    for (int i = 0; i < t->shape.rank && ok; i++)
        ok = json_array_append_new(shape, json_integer(t->shape.dim[i])) == 0;
    if (!ok) {
        json_decref(shape);
        return NULL;
    }
    return json_pack("{s:s, s:o, s:[II]}", "dtype",
                     t->shape.dtype == LAM_F64 ? "F64" : "F32", "shape", shape,
                     "data_offsets", (json_int_t)begin,
                     (json_int_t)(begin + lam_shape_bytes(&t->shape)));
}

static char *make_header(const struct lam_stored *tensors, int n_tensors,
                         const struct lam_pair *metadata, int n_metadata)
{
    json_t *header = json_object(), *meta = json_object();
    unsigned char digest[32];
    struct lam_sha256 sha;
    size_t at = 0;
    char hex[65], *text = NULL;
    bool ok = true;

    lam_sha256_init(&sha);
    for (int i = 0; i < n_tensors; i++)
        lam_sha256_add(&sha, tensors[i].data,
                       lam_shape_bytes(&tensors[i].shape));
    lam_sha256_finish(&sha, digest);
    lam_sha256_hex(digest, hex);
    for (int i = 0; i < n_metadata && ok; i++)
        ok = json_object_set_new(meta, metadata[i].key,
                                 json_string(metadata[i].value)) == 0;
    ok = ok && json_object_set_new(meta, "sha256", json_string(hex)) == 0;
    ok = json_object_set_new(header, "__metadata__", meta) == 0 && ok;
    for (int i = 0; i < n_tensors && ok; i++) {
        ok = json_object_set_new(header, tensors[i].name,
                                 entry_of(&tensors[i], at)) == 0;
        at += lam_shape_bytes(&tensors[i].shape);
    }
    if (ok)
        text = json_dumps(header, JSON_COMPACT);
    json_decref(header);
    return text;
}

int lam_safetensors_write(struct lam_context *ctx, const char *path,
                          const struct lam_stored *tensors, int n_tensors,
                          const struct lam_pair *metadata, int n_metadata)
{
    char *header = make_header(tensors, n_tensors, metadata, n_metadata);
    struct lam_piece *pieces = calloc((size_t)n_tensors + 2, sizeof(*pieces));
    unsigned char length[8];
    int err;

    if (!header || !pieces) {
        free(header);
        free(pieces);
        return lam_fail(ctx, LAM_EMEMORY, "out of memory");
    }
    little_endian(strlen(header), length);
    pieces[0] = (struct lam_piece){length, 8};
    pieces[1] = (struct lam_piece){header, strlen(header)};
    for (int i = 0; i < n_tensors; i++)
        pieces[i + 2] = (struct lam_piece){tensors[i].data,
                                           lam_shape_bytes(&tensors[i].shape)};
    err = lam_file_write(ctx, path, pieces, n_tensors + 2);
    free(header);
    free(pieces);
    return err;
}

static int fail(struct lam_context *ctx, const char *path, const char *name,
                const char *problem)
{
    return lam_fail(ctx, LAM_ECHECKPOINT, "%s: %s%s%s", path, name,
                    name[0] ? ": " : "", problem);
}

static bool parse_offsets(const json_t *entry, uint64_t *begin, uint64_t *end)
{
    const json_t *offsets = json_object_get(entry, "data_offsets");
    const json_t *a = json_array_get(offsets, 0);
    const json_t *b = json_array_get(offsets, 1);

    if (json_array_size(offsets) != 2 || !json_is_integer(a) ||
        !json_is_integer(b) || json_integer_value(a) < 0 ||
        json_integer_value(b) < json_integer_value(a))
        return false;
    *begin = (uint64_t)json_integer_value(a);
    *end = (uint64_t)json_integer_value(b);
    return true;
}

// Bytes of an element; 0: no dtype of the format.
static int width_of(const char *dtype)
{
    static const struct {
        const char *name;
        int width;
    } rows[] = {{"F32", 4},  {"F64", 8},     {"F16", 2},    {"BF16", 2},
                {"I64", 8},  {"I32", 4},     {"I16", 2},    {"I8", 1},
                {"U64", 8},  {"U32", 4},     {"U16", 2},    {"U8", 1},
                {"BOOL", 1}, {"F8_E4M3", 1}, {"F8_E5M2", 1}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (strcmp(rows[i].name, dtype) == 0)
            return rows[i].width;
    return 0;
}

// NULL or what is wrong.
static const char *parse_entry(const json_t *entry, uint64_t expected,
                               uint64_t size, const unsigned char *data,
                               struct lam_stored *t, uint64_t *next, int *width)
{
    const char *dtype = json_string_value(json_object_get(entry, "dtype"));
    const json_t *shape = json_object_get(entry, "shape");
    uint64_t begin, end, elements = 1;

    if (!json_is_object(entry) || json_object_size(entry) != 3)
        return "its entry is not {dtype, shape, data_offsets}";
    *width = dtype ? width_of(dtype) : 0;
    if (*width == 0)
        return "its dtype is unknown";
    t->shape.dtype = strcmp(dtype, "F64") == 0 ? LAM_F64 : LAM_F32;
    if (!json_is_array(shape) || json_array_size(shape) > LAM_MAX_RANK)
        return "its shape is no list of at most 6 numbers";
    t->shape.rank = (int)json_array_size(shape);
    for (int i = 0; i < t->shape.rank; i++) {
        const json_t *d = json_array_get(shape, (size_t)i);

        if (!json_is_integer(d) || json_integer_value(d) < 0)
            return "its shape is no list of at most 6 numbers";
        t->shape.dim[i] = json_integer_value(d);
        if (t->shape.dim[i] &&
            elements > (UINT64_C(1) << 56) / (uint64_t)t->shape.dim[i])
            return "its shape overflows";
        elements *= (uint64_t)t->shape.dim[i];
    }
    if (!parse_offsets(entry, &begin, &end))
        return "its data_offsets are no pair of rising numbers";
    if (begin != expected)
        return "its data does not start where the last tensor's ends";
    if (end > size)
        return "its data lies beyond the end of the file";
    if (end - begin != elements * (uint64_t)*width)
        return "its data is not as long as its shape says";
    t->data = data + begin;
    *next = end;
    return NULL;
}

// Halves become floats; other types are counted. LAM_EMEMORY.
static int take_type(struct lam_context *ctx, struct lam_safetensors *f,
                     const char *dtype)
{
    struct lam_stored *t = &f->tensors[f->n_tensors];
    const bool is_half = strcmp(dtype, "F16") == 0;
    const unsigned char *bytes = t->data;
    float *wide;

    if (!is_half && strcmp(dtype, "BF16") != 0) {
        if (strcmp(dtype, "F32") == 0 || strcmp(dtype, "F64") == 0)
            f->n_tensors++;
        else
            f->n_skipped++;
        return LAM_OK;
    }
    wide = malloc(lam_shape_bytes(&t->shape) + 1);
    if (!wide)
        return lam_fail(ctx, LAM_EMEMORY, "out of memory");
    for (int64_t i = 0; i < lam_shape_elements(&t->shape); i++) {
        const uint16_t bits = (uint16_t)(bytes[2 * i] | bytes[2 * i + 1] << 8);

        wide[i] = is_half ? lam_half_float(bits) : lam_bfloat_float(bits);
    }
    t->data = wide;
    f->widened[f->n_tensors++] = wide;
    return LAM_OK;
}

static int parse_tensors(struct lam_context *ctx, const char *path,
                         struct lam_safetensors *f, const unsigned char *data,
                         uint64_t size)
{
    const char *name;
    json_t *entry;
    uint64_t at = 0;

    f->tensors = calloc(json_object_size(f->header) + 1, sizeof(*f->tensors));
    f->widened = calloc(json_object_size(f->header) + 1, sizeof(*f->widened));
    if (!f->tensors || !f->widened)
        return lam_fail(ctx, LAM_EMEMORY, "out of memory");
    json_object_foreach(f->header, name, entry)
    {
        const char *problem;
        int width, err;

        if (strcmp(name, "__metadata__") == 0)
            continue;
        problem = parse_entry(entry, at, size, data, &f->tensors[f->n_tensors],
                              &at, &width);
        if (problem)
            return fail(ctx, path, name, problem);
        f->tensors[f->n_tensors].name = name;
        err = take_type(ctx, f,
                        json_string_value(json_object_get(entry, "dtype")));
        if (err)
            return err;
    }
    if (at != size)
        return fail(ctx, path, "", "there is data that no tensor covers");
    return LAM_OK;
}

static int check_metadata(struct lam_context *ctx, const char *path,
                          const struct lam_safetensors *f,
                          const unsigned char *data, uint64_t size)
{
    const json_t *meta = json_object_get(f->header, "__metadata__");
    const char *key, *wanted;
    json_t *value;
    unsigned char digest[32];
    struct lam_sha256 sha;
    char hex[65];

    if (!meta)
        return LAM_OK;
    if (!json_is_object(meta))
        return fail(ctx, path, "__metadata__", "it is no object");
    json_object_foreach((json_t *)meta, key, value) if (
        !json_is_string(value)) return fail(ctx, path, key,
                                            "its metadata is no text");
    wanted = json_string_value(json_object_get(meta, "sha256"));
    if (!wanted)
        return LAM_OK;
    lam_sha256_init(&sha);
    lam_sha256_add(&sha, data, size);
    lam_sha256_finish(&sha, digest);
    lam_sha256_hex(digest, hex);
    if (strcmp(hex, wanted) != 0)
        return fail(ctx, path, "", "its data is damaged (the SHA-256 differs)");
    return LAM_OK;
}

static int read_bytes(struct lam_context *ctx, const char *path,
                      unsigned char **bytes, uint64_t *size)
{
    FILE *file = fopen(path, "rb");
    off_t length;
    bool ok;

    *bytes = NULL;
    if (!file)
        return lam_fail(ctx, LAM_ECHECKPOINT, "%s cannot be opened", path);
    fseeko(file, 0, SEEK_END);
    length = ftello(file);
    rewind(file);
    if (length < 9) {
        fclose(file);
        return fail(ctx, path, "", "it is too short for a safetensors file");
    }
    *bytes = malloc((size_t)length);
    ok = *bytes && fread(*bytes, 1, (size_t)length, file) == (size_t)length;
    fclose(file);
    *size = (uint64_t)length;
    if (!*bytes)
        return lam_fail(ctx, LAM_EMEMORY, "out of memory");
    return ok ? LAM_OK
              : lam_fail(ctx, LAM_ECHECKPOINT, "%s cannot be read", path);
}

// What jansson uses beside our readings.
static _Atomic(json_malloc_t) jansson_malloc;
static _Thread_local bool is_short;

static void *watched_malloc(size_t size)
{
    const json_malloc_t get = jansson_malloc;
    void *block = get(size);

    is_short |= !block;
    return block;
}

// Where memory is short, jansson calls a text damaged or, in a long string,
// leaves a character out, so that its requests are watched.
static json_t *read_json(const char *text, size_t length, json_error_t *error)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    json_malloc_t get;
    json_free_t release;
    json_t *root;

    pthread_mutex_lock(&lock);
    is_short = false;
    json_get_alloc_funcs(&get, &release);
    jansson_malloc = get;
    json_set_alloc_funcs(watched_malloc, release);
    root = json_loadb(text, length, JSON_REJECT_DUPLICATES, error);
    json_set_alloc_funcs(get, release);
    pthread_mutex_unlock(&lock);
    return root;
}

static int parse(struct lam_context *ctx, const char *path,
                 struct lam_safetensors *f, uint64_t size)
{
    uint64_t length = 0;
    json_error_t error;
    int err;

    for (int i = 7; i >= 0; i--)
        length = length << 8 | f->bytes[i];
    if (length > max_header || length > size - 8)
        return fail(ctx, path, "", "its header is longer than the file");
    if (length == 0 || f->bytes[8] != '{')
        return fail(ctx, path, "", "its header is no JSON object");
    f->header = read_json((const char *)f->bytes + 8, (size_t)length, &error);
    if (is_short)
        return lam_fail(ctx, LAM_EMEMORY, "out of memory");
    if (!f->header || !json_is_object(f->header))
        return fail(ctx, path, "its header",
                    f->header ? "it is no JSON object" : error.text);
    err = parse_tensors(ctx, path, f, f->bytes + 8 + length, size - 8 - length);
    if (!err)
        err = check_metadata(ctx, path, f, f->bytes + 8 + length,
                             size - 8 - length);
    return err;
}

int lam_safetensors_read(struct lam_context *ctx, const char *path,
                         struct lam_safetensors **file)
{
    struct lam_safetensors *f = calloc(1, sizeof(*f));
    uint64_t size = 0;
    int err;

    *file = NULL;
    if (!f)
        return lam_fail(ctx, LAM_EMEMORY, "out of memory");
    err = read_bytes(ctx, path, &f->bytes, &size);
    if (!err)
        err = parse(ctx, path, f, size);
    if (err) {
        lam_safetensors_free(f);
        return err;
    }
    *file = f;
    return LAM_OK;
}

void lam_safetensors_free(struct lam_safetensors *f)
{
    if (!f)
        return;
    json_decref(f->header);
    for (int i = 0; i < f->n_tensors; i++)
        free(f->widened[i]);
    free(f->widened);
    free(f->tensors);
    free(f->bytes);
    free(f);
}

int lam_safetensors_count(const struct lam_safetensors *f)
{
    return f->n_tensors;
}

int lam_safetensors_skipped(const struct lam_safetensors *f)
{
    return f->n_skipped;
}

const struct lam_stored *lam_safetensors_at(const struct lam_safetensors *f,
                                            int i)
{
    return &f->tensors[i];
}

const struct lam_stored *lam_safetensors_find(const struct lam_safetensors *f,
                                              const char *name)
{
    for (int i = 0; i < f->n_tensors; i++)
        if (strcmp(f->tensors[i].name, name) == 0)
            return &f->tensors[i];
    return NULL;
}

const char *lam_safetensors_meta(const struct lam_safetensors *f,
                                 const char *key)
{
    return json_string_value(
        json_object_get(json_object_get(f->header, "__metadata__"), key));
}
