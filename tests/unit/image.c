// Image files: known pixels, and every cut or flipped file refused.
#include "../check.h"

#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

#include "image.h"

static const char path[] = "unit_image.tmp";
static struct lam_context ctx;
static unsigned char bytes[1 << 16], damaged[1 << 16];

static void save(const unsigned char *data, size_t size)
{
    FILE *file = fopen(path, "wb");

    CHECK(file && fwrite(data, 1, size, file) == size);
    CHECK(file && fclose(file) == 0);
}

static size_t load(void)
{
    FILE *file = fopen(path, "rb");
    const size_t size = file ? fread(bytes, 1, sizeof(bytes), file) : 0;

    CHECK(file && fclose(file) == 0);
    return size;
}

// The status; pixel k in *pixel.
static int read_pixel(size_t k, int *pixel)
{
    struct lam_image *image;
    int err;

    lam_error_clear(&ctx);
    err = lam_image_read(&ctx, path, 0, &image);
    *pixel = image ? image->pixels[k] : -1;
    lam_image_free(image);
    return err;
}

static void check_pnm(const char *header, const char *data, size_t size, int k,
                      int wanted)
{
    const size_t n = strlen(header);
    int pixel;

    snprintf((char *)bytes, sizeof(bytes), "%s", header);
    memcpy(bytes + n, data, size);
    save(bytes, n + size);
    CHECK_INT(read_pixel((size_t)k, &pixel), wanted < 0 ? LAM_EDATA : LAM_OK);
    CHECK_INT(pixel, wanted);
}

static void test_pnm(void)
{
    check_pnm("P5 2 1 255\n", "\0\xC8", 2, 1, 51400);
    check_pnm("P5\n# text\n2 1\n65535\n", "\1\0\0\1", 4, 0, 256);
    check_pnm("P5\n# text\n2 1\n65535\n", "\1\0\0\1", 4, 1, 1);
    check_pnm("P5 1 1 4095\n", "\x0F\xFF", 2, 0, 65535);
    check_pnm("P5 1 1 4095\n", "\0\1", 2, 0, 16);
    check_pnm("P5 2 1 100\n", "\x64\x32", 2, 0, 65535);
    check_pnm("P5 2 1 100\n", "\x64\x32", 2, 1, 32768);
    check_pnm("P5 1 1 100\n", "\x65", 1, 0, -1);
    check_pnm("P6 1 1 255\n", "\xFF\0\0", 3, 0, 19595);
    check_pnm("P5 2 1 255\n", "\0", 1, 0, -1);
    check_pnm("P5 1 1 255\n", "\0\0", 2, 0, -1);
    check_pnm("P5 16384 16384 65535\n", "", 0, 0, -1);
    check_pnm("P2 1 1 255\n", "7\n", 2, 0, -1);
}

static size_t add_chunk(size_t at, const char *type, const unsigned char *data,
                        size_t size)
{
    uint32_t crc;

    for (int i = 0; i < 4; i++)
        bytes[at + (size_t)i] = (unsigned char)(size >> (24 - 8 * i));
    memcpy(bytes + at + 4, type, 4);
    memcpy(bytes + at + 8, data, size);
    crc = (uint32_t)crc32(0, bytes + at + 4, (uInt)size + 4);
    for (int i = 0; i < 4; i++)
        bytes[at + 8 + size + (size_t)i] = (unsigned char)(crc >> (24 - 8 * i));
    return at + 12 + size;
}

// A grey 16-bit PNG of the rows' bytes, filter bytes included.
static size_t make_png(int width, int height, const unsigned char *raw,
                       size_t size)
{
    static const unsigned char magic[8] = {0x89, 'P',  'N',  'G',
                                           '\r', '\n', 0x1A, '\n'};
    const unsigned char header[13] = {
        0, 0, 0, (unsigned char)width, 0, 0, 0, (unsigned char)height, 16};
    unsigned char packed[4096];
    uLongf n = sizeof(packed);
    size_t at = 8;

    memcpy(bytes, magic, sizeof(magic));
    CHECK_INT(compress(packed, &n, raw, size), Z_OK);
    at = add_chunk(at, "IHDR", header, 13);
    at = add_chunk(at, "IDAT", packed, n / 2);
    at = add_chunk(at, "IDAT", packed + n / 2, n - n / 2);
    return add_chunk(at, "IEND", packed, 0);
}

// Each cut and, where there are checksums, each flipped bit must be refused.
static void refuse_damage(size_t size, int flips)
{
    int pixel, accepted = 0;

    for (size_t percent = 1; percent < 100; percent++) {
        save(bytes, size * percent / 100);
        accepted += read_pixel(0, &pixel) != LAM_EDATA;
    }
    CHECK_INT(accepted, 0);
    for (size_t i = 0; flips && i < 8 * size; i += 3) {
        memcpy(damaged, bytes, size);
        damaged[i / 8] = (unsigned char)(damaged[i / 8] ^ 1 << i % 8);
        save(damaged, size);
        accepted += read_pixel(0, &pixel) != LAM_EDATA;
    }
    CHECK_INT(accepted, 0);
    CHECK_HAS(ctx.error, path);
}

static void test_png(void)
{
    const unsigned char raw[10] = {0, 0, 1, 1, 0, 0, 255, 255, 18, 52};
    const unsigned char grey[4] = {0, 1, 200, 255};
    int pixel, width, height, bits;
    size_t size = make_png(2, 2, raw, sizeof(raw));

    save(bytes, size);
    CHECK_INT(read_pixel(0, &pixel), LAM_OK);
    CHECK_INT(pixel, 1);
    CHECK_INT(read_pixel(1, &pixel), LAM_OK);
    CHECK_INT(pixel, 256);
    CHECK_INT(read_pixel(3, &pixel), LAM_OK);
    CHECK_INT(pixel, 18 * 256 + 52);
    CHECK_INT(lam_image_info(&ctx, path, &width, &height, &bits), LAM_OK);
    CHECK(width == 2 && height == 2 && bits == 16);
    refuse_damage(size, 1);

    // Right checksums, but a row short.
    size = make_png(2, 2, raw, 5);
    save(bytes, size);
    CHECK_INT(read_pixel(0, &pixel), LAM_EDATA);

    CHECK_INT(lam_image_write_png(&ctx, path, 2, 2, 1, grey), LAM_OK);
    CHECK_INT(read_pixel(2, &pixel), LAM_OK);
    CHECK_INT(pixel, 200 * 257);
    refuse_damage(load(), 1);
}

static void test_pgm_written(void)
{
    const uint16_t wide[3] = {0, 256, 65534};
    int pixel;

    lam_error_clear(&ctx);
    CHECK_INT(lam_image_write_pgm(&ctx, path, 3, 1, 16, wide), LAM_OK);
    CHECK_INT(read_pixel(2, &pixel), LAM_OK);
    CHECK_INT(pixel, 65534);
    refuse_damage(load(), 0);
    lam_error_clear(&ctx);
    CHECK_INT(lam_image_write_pgm(&ctx, path, 3, 1, 8, wide), LAM_OK);
    CHECK_INT(read_pixel(2, &pixel), LAM_OK);
    CHECK_INT(pixel, 65535);
}

static void refuse_jpeg(const unsigned char *data, size_t size,
                        const char *problem)
{
    int pixel;

    lam_error_clear(&ctx);
    save(data, size);
    CHECK_INT(read_pixel(0, &pixel), LAM_EDATA);
    CHECK_HAS(ctx.error, problem);
}

// A baseline JPEG of 8 x 8 grey pixels, all 128: every table as short as it
// may be, one block of one bit each for DC and AC.
static void test_jpeg(void)
{
    static const unsigned char start[] = {0xFF, 0xD8, 0xFF, 0xDB, 0, 67, 0};
    static const unsigned char rest[] = {
        0xFF, 0xC0, 0,    11, 8, 0, 8, 0,    8,    1,  1,  0x11, 0,    0xFF,
        0xC4, 0,    20,   0,  1, 0, 0, 0,    0,    0,  0,  0,    0,    0,
        0,    0,    0,    0,  0, 0, 0, 0xFF, 0xC4, 0,  20, 0x10, 1,    0,
        0,    0,    0,    0,  0, 0, 0, 0,    0,    0,  0,  0,    0,    0,
        0,    0xFF, 0xDA, 0,  8, 1, 1, 0,    0,    63, 0,  0x3F, 0xFF, 0xD9};
    const size_t size = sizeof(start) + 64 + sizeof(rest);
    const size_t tables[] = {3, 85, 107}; // their markers
    int pixel;

    memcpy(bytes, start, sizeof(start));
    memset(bytes + sizeof(start), 1, 64);
    memcpy(bytes + sizeof(start) + 64, rest, sizeof(rest));
    save(bytes, size);
    CHECK_INT(read_pixel(63, &pixel), LAM_OK);
    CHECK_INT(pixel, 128 * 257);
    refuse_damage(size, 0);
    // Without a table, which stb_image 2.27 would read all the same.
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        memcpy(damaged, bytes, size);
        CHECK_INT(damaged[tables[i]], i == 0 ? 0xDB : 0xC4);
        damaged[tables[i]] = 0xFE; // a comment
        refuse_jpeg(damaged, size, "needs tables that it does not have");
    }
    // More codes than stb_image 2.27 has room for.
    memcpy(damaged, bytes, size);
    memset(damaged + tables[1] + 4, 16, 16);
    refuse_jpeg(damaged, size, "a Huffman table");
    // A scan of a component that is not there.
    memcpy(damaged, bytes, size);
    damaged[size - 8]++;
    refuse_jpeg(damaged, size, "needs tables that it does not have");
}

static void test_limits(void)
{
    struct lam_image *image;

    lam_error_clear(&ctx);
    save((const unsigned char *)"P5 2 1 255\n\0\0", 13);
    CHECK_INT(lam_image_read(&ctx, path, 1, &image), LAM_EDATA);
    CHECK(!image);
    lam_error_clear(&ctx);
    CHECK_INT(lam_image_read(&ctx, "no/such.png", 0, &image), LAM_EFILE);
    CHECK_HAS(ctx.error, "no/such.png");
}

int main(void)
{
    test_pnm();
    test_png();
    test_pgm_written();
    test_jpeg();
    test_limits();
    unlink(path);
    return check_done();
}
