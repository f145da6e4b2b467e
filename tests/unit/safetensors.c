// Checkpoint files: what is written reads back; what is not exactly right is
// refused.
#include "safetensors.h"

#include <stdlib.h>
#include <unistd.h>

#include "../check.h"

static struct lam_context ctx;
static char path[] = "/tmp/lamina-XXXXXX";

static void write_file(const char *header, uint64_t length, const void *data,
                       size_t size)
{
    FILE *file = fopen(path, "wb");

    for (int i = 0; i < 8; i++)
        fputc((int)(length >> (8 * i) & 255), file);
    fputs(header, file);
    fwrite(data, 1, size, file);
    fclose(file);
}

static void refuse(const char *reason)
{
    struct lam_safetensors *file;

    CHECK_INT(lam_safetensors_read(&ctx, path, &file), LAM_ECHECKPOINT);
    CHECK_HAS(ctx.error, reason);
    lam_error_clear(&ctx);
    lam_safetensors_free(file);
}

// The header as it is, over 16 bytes of data.
static void refuse_header(const char *header, const char *reason)
{
    static const char data[16];

    write_file(header, strlen(header), data, sizeof(data));
    refuse(reason);
}

#define TENSOR(dtype, shape, offsets)                                          \
    "{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

static void check_hostile(void)
{
    static const char *const cases[][2] = {
        {"{\"a\":" TENSOR("F32", "[4]", "[0,16]") ",\"a\":" TENSOR(
             "F32", "[4]", "[0,16]") "}",
         "duplicate"},
        {"{\"a\":" TENSOR("F12", "[8]", "[0,16]") "}", "its dtype is unknown"},
        {"{\"a\":" TENSOR("F16", "[4]", "[0,16]") "}", "not as long"},
        {"{\"a\":" TENSOR("F32", "[3]", "[0,16]") "}", "not as long"},
        {"{\"a\":" TENSOR("F32", "[2]", "[0,8]") "}", "no tensor covers"},
        {"{\"a\":" TENSOR("F32", "[2]", "[8,16]") "}", "does not start"},
        {"{\"a\":" TENSOR("F32", "[4]", "[0,16]") ",\"b\":" TENSOR(
             "F32", "[2]", "[8,16]") "}",
         "does not start"},
        {"{\"a\":" TENSOR("F32", "[8]", "[0,32]") "}", "beyond the end"},
        {"{\"a\":" TENSOR("F32", "[-4]", "[0,16]") "}", "no list"},
        {"{\"a\":" TENSOR("F32", "[4]", "[16,0]") "}", "rising"},
        {"{\"a\":" TENSOR("F32", "4", "[0,16]") "}", "no list"},
        {"{\"a\":" TENSOR("F32", "[4.0]", "[0,16]") "}", "no list"},
        {"{\"a\":" TENSOR("F32", "[1,1,1,1,1,1,4]", "[0,16]") "}", "at most 6"},
        {"{\"a\":" TENSOR("F32", "[4294967296,4294967296]", "[0,16]") "}",
         "overflows"},
        {"{\"a\":3}", "is not {dtype"},
        {"{\"a\":" TENSOR("F32", "[4]",
                          "[0,16]") ",\"__metadata__\":{\"k\":1}}",
         "no text"},
        {"{\"a\":" TENSOR("F32", "[4]", "[0,16]") ",\"__metadata__\":[]}",
         "no object"},
        {"{\"a\":" TENSOR("F32", "[4]", "[0,16]") ",\"__metadata__\":{"
                                                  "\"sha256\":\"0\"}}",
         "damaged"},
        {"[1]", "no JSON object"},
        {"{", "header"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        refuse_header(cases[i][0], cases[i][1]);
    write_file("{}", UINT64_MAX, "", 0);
    refuse("longer than the file");
    write_file("{}", UINT64_MAX - 7, "", 0);
    refuse("longer than the file");
    write_file("{}", UINT64_C(1) << 40, "", 0);
    refuse("longer than the file");
    write_file("", 0, "1234567890", 10);
    refuse("no JSON object");
}

// Bits that come out of a file of one tensor of four halves.
static void check_halves(const char *header, const unsigned char bytes[8],
                         const uint32_t wanted[4])
{
    struct lam_safetensors *file;
    const struct lam_stored *t;

    write_file(header, strlen(header), bytes, 8);
    CHECK_INT(lam_safetensors_read(&ctx, path, &file), LAM_OK);
    CHECK_INT(lam_safetensors_skipped(file), 0);
    t = lam_safetensors_find(file, "a");
    CHECK(t && t->shape.dtype == LAM_F32 && t->shape.dim[0] == 4);
    CHECK(t && check_same(t->data, wanted, 16));
    lam_safetensors_free(file);
}

static void check_narrow(void)
{
    // -1.5, the largest, the smallest, minus infinity; then NaN and zeros.
    check_halves(
        "{\"a\":" TENSOR("F16", "[4]", "[0,8]") "}",
        (const unsigned char[]){0x00, 0xbe, 0xff, 0x7b, 0x01, 0x00, 0x00, 0xfc},
        (const uint32_t[]){0xbfc00000, 0x477fe000, 0x33800000, 0xff800000});
    check_halves(
        "{\"a\":" TENSOR("F16", "[4]", "[0,8]") "}",
        (const unsigned char[]){0x00, 0x7e, 0x00, 0x00, 0x00, 0x80, 0xff, 0x03},
        (const uint32_t[]){0x7fc00000, 0, 0x80000000, 0x387fc000});
    check_halves(
        "{\"a\":" TENSOR("BF16", "[4]", "[0,8]") "}",
        (const unsigned char[]){0xc0, 0xbf, 0x01, 0x00, 0x80, 0x7f, 0x49, 0x40},
        (const uint32_t[]){0xbfc00000, 0x00010000, 0x7f800000, 0x40490000});
}

static void check_round_trip(void)
{
    const float a[6] = {1, -2, 3.5f, 0, 5, 6};
    const float b[1] = {7};
    const struct lam_stored tensors[] = {
        {"conv.weight", {.dtype = LAM_F32, .rank = 2, .dim = {2, 3}}, a},
        {"conv.bias", {.dtype = LAM_F32, .rank = 1, .dim = {1}}, b}};
    const struct lam_pair meta[] = {{"model", "a: \"b\"\nc: d"}};
    struct lam_safetensors *file;
    const struct lam_stored *found;
    unsigned char bytes[4096];
    size_t size;
    FILE *in;
    int accepted = 0;

    CHECK_INT(lam_safetensors_write(&ctx, path, tensors, 2, meta, 1), LAM_OK);
    CHECK_INT(lam_safetensors_read(&ctx, path, &file), LAM_OK);
    CHECK_INT(lam_safetensors_count(file), 2);
    CHECK_STR(lam_safetensors_meta(file, "model"), "a: \"b\"\nc: d");
    found = lam_safetensors_find(file, "conv.weight");
    CHECK(found && found->shape.dim[1] == 3);
    CHECK(found && check_same(found->data, a, sizeof(a)));
    lam_safetensors_free(file);
    in = fopen(path, "rb");
    size = fread(bytes, 1, sizeof(bytes), in);
    fclose(in);
    for (size_t cut = 0; cut < size; cut++) {
        FILE *out = fopen(path, "wb");

        fwrite(bytes, 1, cut, out);
        fclose(out);
        accepted += lam_safetensors_read(&ctx, path, &file) == LAM_OK;
        lam_safetensors_free(file);
        lam_error_clear(&ctx);
    }
    CHECK_INT(accepted, 0);
    for (size_t at = size - 28; at < size; at++) {
        FILE *out = fopen(path, "wb");

        bytes[at] ^= 4;
        fwrite(bytes, 1, size, out);
        fclose(out);
        bytes[at] ^= 4;
        accepted += lam_safetensors_read(&ctx, path, &file) == LAM_OK;
        lam_safetensors_free(file);
        lam_error_clear(&ctx);
    }
    CHECK_INT(accepted, 0);
}

int main(void)
{
    const int fd = mkstemp(path);

    CHECK(fd >= 0);
    close(fd);
    check_narrow();
    check_round_trip();
    check_hostile();
    unlink(path);
    return check_done();
}
