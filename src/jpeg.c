#include "jpeg.h"

#include <stdbool.h>

enum { MAX_COMPONENTS = 4, N_TABLES = 4 };
enum marker { SOF0 = 0xC0, SOF2 = 0xC2, DHT = 0xC4, DQT = 0xDB };
enum { RST0 = 0xD0, RST7 = 0xD7, EOI = 0xD9, SOS = 0xDA, TEM = 0x01 };

struct jpeg {
    bool has_quantiser[N_TABLES], has_codes[2][N_TABLES]; // [1]: of AC
    struct {
        int id, quantiser;
    } component[MAX_COMPONENTS];
    int n_components;
    bool is_progressive, has_scan;
};

static const char *quantisers(struct jpeg *jpeg, const unsigned char *at,
                              size_t left)
{
    while (left > 0) {
        const size_t bytes = at[0] >> 4 ? 129 : 65;

        if (at[0] >> 4 > 1 || (at[0] & 15) >= N_TABLES || left < bytes)
            return "it is damaged (a quantiser of the JPEG)";
        jpeg->has_quantiser[at[0] & 15] = true;
        at += bytes;
        left -= bytes;
    }
    return NULL;
}

// stb_image 2.27 writes behind its arrays where there are more than 256 codes.
static const char *codes(struct jpeg *jpeg, const unsigned char *at,
                         size_t left)
{
    while (left > 0) {
        size_t n = 0;

        for (size_t i = 1; i <= 16 && i < left; i++)
            n += at[i];
        if (at[0] >> 4 > 1 || (at[0] & 15) >= N_TABLES || n > 256 ||
            left < 17 + n)
            return "it is damaged (a Huffman table of the JPEG)";
        jpeg->has_codes[at[0] >> 4][at[0] & 15] = true;
        at += 17 + n;
        left -= 17 + n;
    }
    return NULL;
}

static const char *frame(struct jpeg *jpeg, const unsigned char *at,
                         size_t left)
{
    const size_t n = left > 5 ? at[5] : 0;

    if (n < 1 || n > MAX_COMPONENTS || left < 6 + 3 * n)
        return "it is damaged (the frame of the JPEG)";
    jpeg->n_components = (int)n;
    for (size_t i = 0; i < n; i++) {
        jpeg->component[i].id = at[6 + 3 * i];
        jpeg->component[i].quantiser = at[8 + 3 * i];
    }
    return NULL;
}

// Refinements of a progressive DC scan are plain bits.
static bool has_tables(const struct jpeg *jpeg, int id, int tables, bool has_dc,
                       bool has_ac)
{
    for (int i = 0; i < jpeg->n_components; i++) {
        const int quantiser = jpeg->component[i].quantiser;

        if (jpeg->component[i].id == id)
            return quantiser < N_TABLES && jpeg->has_quantiser[quantiser] &&
                   tables >> 4 < N_TABLES && (tables & 15) < N_TABLES &&
                   (!has_dc || jpeg->has_codes[0][tables >> 4]) &&
                   (!has_ac || jpeg->has_codes[1][tables & 15]);
    }
    return false;
}

static const char *scan(struct jpeg *jpeg, const unsigned char *at, size_t left)
{
    const size_t n = left > 0 ? at[0] : 0;
    bool has_dc, has_ac;

    if (n < 1 || n > MAX_COMPONENTS || left < 4 + 2 * n)
        return "it is damaged (a scan of the JPEG)";
    has_dc = !jpeg->is_progressive ||
             (at[1 + 2 * n] == 0 && at[3 + 2 * n] >> 4 == 0);
    has_ac = !jpeg->is_progressive || at[1 + 2 * n] > 0;
    for (size_t i = 0; i < n; i++)
        if (!has_tables(jpeg, at[1 + 2 * i], at[2 + 2 * i], has_dc, has_ac))
            return "it is damaged (a scan of the JPEG needs tables that it "
                   "does not have)";
    jpeg->has_scan = true;
    return NULL;
}

static const char *segment(struct jpeg *jpeg, int marker,
                           const unsigned char *at, size_t left)
{
    switch (marker) {
    case DQT:
        return quantisers(jpeg, at, left);
    case DHT:
        return codes(jpeg, at, left);
    case SOF0:
    case SOF0 + 1:
    case SOF2:
        jpeg->is_progressive = marker == SOF2;
        return frame(jpeg, at, left);
    case SOS:
        return scan(jpeg, at, left);
    default:
        return NULL;
    }
}

// From a scan to the next marker, which cannot occur inside it.
static size_t scan_end(const unsigned char *data, size_t size, size_t at)
{
    while (at + 1 < size &&
           (data[at] != 0xFF || data[at + 1] == 0 || data[at + 1] == 0xFF ||
            (data[at + 1] >= RST0 && data[at + 1] <= RST7)))
        at++;
    return at;
}

const char *lam_jpeg_problem(const unsigned char *data, size_t size)
{
    struct jpeg jpeg = {0};
    size_t at = 2;

    while (at + 2 <= size) {
        const char *problem;
        size_t length;
        int marker;

        if (data[at] != 0xFF)
            return "it is damaged (a JPEG marker is missing)";
        while (at < size && data[at] == 0xFF)
            at++;
        if (at == size)
            break;
        marker = data[at++];
        if (marker == EOI)
            return jpeg.has_scan ? NULL : "it is a JPEG without an image";
        if ((marker >= RST0 && marker <= RST7) || marker == TEM)
            continue;
        if (at + 2 > size)
            break;
        length = (size_t)data[at] << 8 | data[at + 1];
        if (length < 2 || length > size - at)
            break;
        problem = segment(&jpeg, marker, data + at + 2, length - 2);
        if (problem)
            return problem;
        at += length;
        if (marker == SOS)
            at = scan_end(data, size, at);
    }
    return "it has no end (the JPEG is cut)";
}
