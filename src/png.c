// Checking PNG files, inflated by zlib.
#include "png.h"

#include <string.h>
#include <zlib.h>

static uint32_t big_endian(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 |
           p[3];
}

const char *lam_png_header(const unsigned char *data, size_t size,
                           struct lam_png *png)
{
    static const unsigned char start[16] = {
        137, 'P', 'N', 'G', 13, 10, 26, 10, 0, 0, 0, 13, 'I', 'H', 'D', 'R'};
    // By colour type: samples a pixel, and allowed depths as a set of bits.
    static const int channels[7] = {1, 0, 3, 1, 2, 0, 4};
    static const int depths[7] = {0x10116, 0, 0x10100, 0x116,
                                  0x10100, 0, 0x10100};
    int colour;

    if (size < 33 || memcmp(data, start, 16) != 0)
        return "its header is cut or damaged";
    if ((uint32_t)crc32(crc32(0, NULL, 0), data + 12, 17) !=
        big_endian(data + 29))
        return "its header is damaged (the CRC is wrong)";
    *png = (struct lam_png){.width = big_endian(data + 16),
                            .height = big_endian(data + 20),
                            .depth = data[24]};
    colour = data[25];
    if (colour > 6 || !channels[colour] || png->depth > 16 ||
        !(depths[colour] >> png->depth & 1) || data[26] || data[27] ||
        data[28] > 1)
        return "its header holds an unknown kind of PNG";
    png->channels = channels[colour];
    png->is_palette = colour == 3;
    png->is_interlaced = data[28] == 1;
    return NULL;
}

// Bytes of a (reduced) image before compression.
static uint64_t raw_bytes(const struct lam_png *png, uint64_t width,
                          uint64_t height)
{
    const uint64_t bits = width * (uint64_t)(png->depth * png->channels);

    return width && height ? height * (1 + (bits + 7) / 8) : 0;
}

static uint64_t wanted_bytes(const struct lam_png *png)
{
    // The seven passes of Adam7: first column and row, steps.
    static const unsigned char pass[7][4] = {
        {0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4},
        {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2}};
    uint64_t sum = 0;

    if (!png->is_interlaced)
        return raw_bytes(png, png->width, png->height);
    for (int i = 0; i < 7; i++)
        sum += raw_bytes(
            png,
            ((uint64_t)png->width + pass[i][2] - 1 - pass[i][0]) / pass[i][2],
            ((uint64_t)png->height + pass[i][3] - 1 - pass[i][1]) / pass[i][3]);
    return sum;
}

// Inflates a piece of the image data to nowhere; zlib checks its checksum.
// Stops when more comes out than is wanted.
static bool inflate_piece(z_stream *stream, const unsigned char *data,
                          size_t size, uint64_t wanted, bool *has_ended)
{
    unsigned char out[32768];

    stream->next_in = (unsigned char *)data;
    stream->avail_in = (unsigned)size;
    do {
        int code;

        if (*has_ended)
            return true;
        stream->next_out = out;
        stream->avail_out = sizeof(out);
        code = inflate(stream, Z_NO_FLUSH);
        if (code == Z_STREAM_END)
            *has_ended = true;
        else if (code != Z_OK && code != Z_BUF_ERROR)
            return false;
        if (stream->total_out > wanted)
            return false;
    } while (stream->avail_out == 0);
    return true;
}

static const char *walk(const unsigned char *data, size_t size, uint64_t wanted,
                        z_stream *stream)
{
    bool has_ended = false;

    for (size_t at = 8; at + 12 <= size;) {
        const uint32_t length = big_endian(data + at);
        const unsigned char *type = data + at + 4;

        if (length > size - at - 12)
            return "a chunk is cut";
        if ((uint32_t)crc32(crc32(0, NULL, 0), type, length + 4) !=
            big_endian(type + 4 + length))
            return "a chunk is damaged (its CRC is wrong)";
        if (memcmp(type, "IDAT", 4) == 0 &&
            !inflate_piece(stream, type + 4, length, wanted, &has_ended))
            return "its image data is damaged";
        at += 12 + (size_t)length;
        if (memcmp(type, "IEND", 4) == 0)
            return !has_ended || stream->total_out != wanted
                       ? "its image data is cut"
                   : at != size ? "there is more after its end"
                                : NULL;
    }
    return "it has no end (the PNG is cut)";
}

const char *lam_png_problem(const unsigned char *data, size_t size)
{
    z_stream stream = {0};
    struct lam_png png;
    const char *problem = lam_png_header(data, size, &png);

    if (problem)
        return problem;
    if (inflateInit(&stream) != Z_OK)
        return "out of memory";
    problem = walk(data, size, wanted_bytes(&png), &stream);
    inflateEnd(&stream);
    return problem;
}
