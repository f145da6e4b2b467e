// Bytes of image files before a decoder sees them: each mark that is missing,
// too long or out of range is told, and what is left out on purpose is not.
#include "../check.h"

#include <zlib.h>

#include "jpeg.h"
#include "png.h"
#include "pnm.h"

// Segments of a JPEG: a frame of one component with quantiser q, tables of no
// or one code, a scan of component 1 with tables t and coefficients from..to.
#define SOI                    "\xff\xd8"
#define ZERO4                  "\0\0\0\0"
#define ZERO16                 ZERO4 ZERO4 ZERO4 ZERO4
#define ZERO64                 ZERO16 ZERO16 ZERO16 ZERO16
#define DQT(id)                "\xff\xdb\0\x43" id ZERO64
#define DHT(id)                "\xff\xc4\0\x13" id ZERO16
#define SOF(m, q)              "\xff" m "\0\x0b\x08\0\x08\0\x08\x01\x01\x11" q
#define SOS(t, from, to, bits) "\xff\xda\0\x08\x01\x01" t from to bits
#define SCAN                   SOS("\0", "\0", "\x3f", "\0")
#define EOI                    "\xff\xd9"
#define BASE                   SOI DQT("\0") DHT("\0") DHT("\x10") SOF("\xc0", "\0")
#define PROG                   SOI DQT("\0") SOF("\xc2", "\0")

#define TABLES "(a scan of the JPEG needs tables that it does not have)"
#define CUT    "it has no end (the JPEG is cut)"

#define BYTES(text) (const unsigned char *)(text), sizeof(text) - 1

static const struct {
    const unsigned char *data;
    size_t size;
    const char *problem; // or NULL
} jpegs[] = {
    {BYTES(BASE SCAN "\x12\x34" EOI), NULL},
    // Bytes of 255 in a scan, restarts, fill bytes, segments without a length.
    {BYTES(BASE SCAN "\xff\0\xff\xd0\x12\xff\xd7\xff\xff" EOI), NULL},
    {BYTES(BASE "\xff\x01\xff\xd3" SCAN EOI), NULL},
    {BYTES(BASE "\xff\xff\xff\xfe\0\x03z" SCAN EOI), NULL},
    {BYTES(SOI "\xff\xc1\0\x0b\x08\0\x08\0\x08\x01\x01\x11\0" DQT("\0")
               DHT("\0") DHT("\x10") SCAN EOI),
     NULL},
    // A quantiser of 16 bits.
    {BYTES(SOI "\xff\xdb\0\x83\x10" ZERO64 ZERO64 DHT("\0") DHT("\x10")
               SOF("\xc0", "\0") SCAN EOI),
     NULL},
    {BYTES(SOI), CUT},
    {BYTES(SOI "\xff"), CUT},
    {BYTES(SOI "\xff\xff\xff"), CUT},
    {BYTES(SOI "\xff\xe0"), CUT},
    {BYTES(SOI "\xff\xe0\0"), CUT},
    {BYTES(SOI "\xff\xe0\0\1"), CUT},
    {BYTES(SOI "\xff\xe0\0\3"), CUT},
    {BYTES(BASE SCAN "\x12\x34"), CUT},
    {BYTES(BASE SCAN "\xff"), CUT},
    {BYTES(SOI "\0\0"), "it is damaged (a JPEG marker is missing)"},
    {BYTES(BASE EOI), "it is a JPEG without an image"},
    {BYTES(SOI "\xff\xdb\0\x43\x20" ZERO64), "(a quantiser of the JPEG)"},
    {BYTES(SOI "\xff\xdb\0\x43\x04" ZERO64), "(a quantiser of the JPEG)"},
    {BYTES(SOI "\xff\xdb\0\x42\0" ZERO64), "(a quantiser of the JPEG)"},
    {BYTES(SOI "\xff\xdb\0\x43\x10" ZERO64), "(a quantiser of the JPEG)"},
    {BYTES(SOI DHT("\x20")), "(a Huffman table of the JPEG)"},
    {BYTES(SOI DHT("\x04")), "(a Huffman table of the JPEG)"},
    {BYTES(SOI "\xff\xc4\0\x12\0" ZERO16), "(a Huffman table of the JPEG)"},
    {BYTES(SOI "\xff\xc4\0\x03\0"), "(a Huffman table of the JPEG)"},
    {BYTES(SOI "\xff\xc4\0\x13\0\x01" ZERO16), "(a Huffman table of the JPEG)"},
    {BYTES(SOI "\xff\xc0\0\x02"), "(the frame of the JPEG)"},
    {BYTES(SOI "\xff\xc0\0\x08\x08\0\x08\0\x08\0"), "(the frame of the JPEG)"},
    {BYTES(SOI "\xff\xc0\0\x08\x08\0\x08\0\x08\5"), "(the frame of the JPEG)"},
    {BYTES(SOI "\xff\xc0\0\x08\x08\0\x08\0\x08\1"), "(the frame of the JPEG)"},
    {BYTES(BASE "\xff\xda\0\x02"), "(a scan of the JPEG)"},
    {BYTES(BASE "\xff\xda\0\x03\0"), "(a scan of the JPEG)"},
    {BYTES(BASE "\xff\xda\0\x03\5"), "(a scan of the JPEG)"},
    {BYTES(BASE "\xff\xda\0\x05\1\1\1"), "(a scan of the JPEG)"},
    {BYTES(SOI DQT("\0") DHT("\0") DHT("\x10") SCAN EOI), TABLES},
    {BYTES(BASE SOS("\x11", "\0", "\x3f", "\0") EOI), TABLES},
    {BYTES(BASE SOS("\x01", "\0", "\x3f", "\0") EOI), TABLES},
    {BYTES(BASE SOS("\x40", "\0", "\x3f", "\0") EOI), TABLES},
    {BYTES(BASE SOS("\x04", "\0", "\x3f", "\0") EOI), TABLES},
    {BYTES(SOI DQT("\0") DHT("\0") DHT("\x10") SOF("\xc0", "\1") SCAN EOI),
     TABLES},
    {BYTES(SOI DQT("\0") DHT("\0") DHT("\x10") SOF("\xc0", "\4") SCAN EOI),
     TABLES},
    // Progressive: the first DC scan wants DC codes, its refinement none, an AC
    // scan AC codes.
    {BYTES(PROG DHT("\0") SOS("\0", "\0", "\0", "\x01") EOI), NULL},
    {BYTES(PROG SOS("\0", "\0", "\0", "\x01") EOI), TABLES},
    {BYTES(PROG SOS("\0", "\0", "\0", "\x10") EOI), NULL},
    {BYTES(PROG DHT("\x10") SOS("\0", "\1", "\x05", "\x02") EOI), NULL},
    {BYTES(PROG DHT("\0") SOS("\0", "\1", "\x05", "\x02") EOI), TABLES},
};

static const struct {
    const unsigned char *data;
    size_t size;
    const char *problem;
} pnms[] = {
    {BYTES("P5 2 1 255\n\1\2"), NULL},
    {BYTES("P5\t2\r1 # of a line\n255\t\1\2"), NULL},
    {BYTES("P5\n#\n2\n1\n255\r\1\2"), NULL},
    {BYTES("P5 2 1 256 \0\2\0\1"), NULL},
    {BYTES("P6 1 1 255 \1\2\3"), NULL},
    {BYTES("P5"), "its header has no size"},
    {BYTES("P5 #"), "its header has no size"},
    {BYTES("P5 0 1 255\n"), "its header has no size"},
    {BYTES("P5 1 0 255\n"), "its header has no size"},
    {BYTES("P5 -1 1 255\n"), "its header has no size"},
    {BYTES("P5 1 x 255\n"), "its header has no size"},
    {BYTES("P5 1 1 0\n"), "no maxval from 1 to 65535"},
    {BYTES("P5 1 1 65536\n\1\1"), "no maxval from 1 to 65535"},
    {BYTES("P5 1 1"), "no maxval from 1 to 65535"},
    {BYTES("P5 1 1 255"), "its header has no end"},
    {BYTES("P5 1 1 255,\1"), "its header has no end"},
    {BYTES("P5 12345678 1 255\n"), "its header"},
    {BYTES("P5 1 1 255\n"), "its length does not fit its header"},
    {BYTES("P5 1 1 255\n\1\2"), "its length does not fit its header"},
    {BYTES("P5 1 1 100\n\x65"), "a pixel is above its maxval"},
    {BYTES("P5 1 1 300\n\x01\x2d"), "a pixel is above its maxval"},
    {BYTES("P6 1 1 100\n\x65\0\0"), "a pixel is above its maxval"},
    {BYTES("P6 1 1 100\n\0\x65\0"), "a pixel is above its maxval"},
    {BYTES("P6 1 1 100\n\0\0\x65"), "a pixel is above its maxval"},
};

static void check_problem(const char *got, const char *wanted, size_t row)
{
    if (!wanted && got)
        printf("row %zu: %s\n", row, got);
    if (wanted)
        CHECK_HAS(got, wanted);
    else
        CHECK(got == NULL);
}

static void check_pnms(void)
{
    for (size_t i = 0; i < sizeof(pnms) / sizeof(pnms[0]); i++) {
        struct lam_pnm pnm;
        uint16_t pixels[4];
        const char *problem = lam_pnm_header(pnms[i].data, pnms[i].size, &pnm);

        if (!problem)
            problem = lam_pnm_length(pnms[i].size, &pnm);
        if (!problem)
            problem = lam_pnm_decode(pnms[i].data, &pnm, pixels);
        check_problem(problem, pnms[i].problem, i);
    }
}

// A header of a PNG with these last five bytes, its CRC right.
static const char *png_header(const unsigned char kind[5], struct lam_png *png)
{
    unsigned char data[33] = "\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\2\0\0\0\1";
    uint32_t crc;

    memcpy(data + 24, kind, 5);
    crc = (uint32_t)crc32(0, data + 12, 17);
    for (int i = 0; i < 4; i++)
        data[29 + i] = (unsigned char)(crc >> (24 - 8 * i));
    return lam_png_header(data, sizeof(data), png);
}

// Every depth and colour type: 15 pairs are PNGs.
static void check_png_kinds(void)
{
    static const int allowed[7] = {0x10116, 0, 0x10100, 0x116,
                                   0x10100, 0, 0x10100};
    struct lam_png png;
    int n_good = 0;

    for (int depth = 0; depth < 256; depth++)
        for (int colour = 0; colour < 256; colour++) {
            const unsigned char kind[5] = {(unsigned char)depth,
                                           (unsigned char)colour};
            const bool is_good =
                colour < 7 && depth <= 16 && (allowed[colour] >> depth & 1);
            const char *problem = png_header(kind, &png);

            check_problem(problem, is_good ? NULL : "unknown kind of PNG",
                          (size_t)colour);
            n_good += !problem;
        }
    CHECK_INT(n_good, 15);
    CHECK(png_header((const unsigned char[]){8, 0, 0, 0, 1}, &png) == NULL);
    CHECK(png.is_interlaced && png.width == 2 && png.height == 1);
    for (int i = 2; i < 5; i++) {
        unsigned char kind[5] = {8};

        kind[i] = 2;
        check_problem(png_header(kind, &png), "unknown kind of PNG", 0);
    }
    check_problem(lam_png_header(BYTES("\x89PNG"), &png), "cut or damaged", 0);
}

int main(void)
{
    for (size_t i = 0; i < sizeof(jpegs) / sizeof(jpegs[0]); i++)
        check_problem(lam_jpeg_problem(jpegs[i].data, jpegs[i].size),
                      jpegs[i].problem, i);
    check_pnms();
    check_png_kinds();
    return check_done();
}
