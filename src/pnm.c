#include "pnm.h"

#include <stdio.h>
#include <stdlib.h>

struct text {
    const unsigned char *data;
    size_t size, at;
};

// A number of the header, after blanks and comments; -1: there is none.
static int header_number(struct text *t)
{
    int n = 0, digits = 0;

    for (; t->at < t->size; t->at++) {
        const unsigned char c = t->data[t->at];

        if (c == '#')
            while (t->at + 1 < t->size && t->data[t->at] != '\n')
                t->at++;
        else if (c != ' ' && c != '\t' && c != '\n' && c != '\r')
            break;
    }
    for (; t->at < t->size && digits < 7; t->at++, digits++) {
        const unsigned char c = t->data[t->at];

        if (c < '0' || c > '9')
            break;
        n = 10 * n + (c - '0');
    }
    return digits ? n : -1;
}

const char *lam_pnm_header(const unsigned char *data, size_t size,
                           struct lam_pnm *pnm)
{
    struct text t = {data, size, 2};

    *pnm = (struct lam_pnm){.channels = data[1] == '6' ? 3 : 1};
    pnm->width = header_number(&t);
    pnm->height = header_number(&t);
    pnm->maxval = header_number(&t);
    pnm->at = t.at + 1;
    if (pnm->width < 1 || pnm->height < 1)
        return "its header has no size";
    if (pnm->maxval < 1 || pnm->maxval > 65535)
        return "its header has no maxval from 1 to 65535";
    if (t.at >= size || (data[t.at] != ' ' && data[t.at] != '\n' &&
                         data[t.at] != '\t' && data[t.at] != '\r'))
        return "its header has no end";
    return NULL;
}

static unsigned sample(const unsigned char *p, size_t bytes)
{
    return bytes == 2 ? (unsigned)p[0] << 8 | p[1] : p[0];
}

static size_t pixel_bytes(const struct lam_pnm *pnm)
{
    return (size_t)pnm->channels * (pnm->maxval > 255 ? 2 : 1);
}

const char *lam_pnm_length(size_t size, const struct lam_pnm *pnm)
{
    const size_t n = (size_t)pnm->width * (size_t)pnm->height;

    if (size - pnm->at != n * pixel_bytes(pnm))
        return "its length does not fit its header (it is cut, or holds more "
               "than one image)";
    return NULL;
}

const char *lam_pnm_decode(const unsigned char *data, const struct lam_pnm *pnm,
                           uint16_t *pixels)
{
    const size_t bytes = pnm->maxval > 255 ? 2 : 1;
    const size_t n = (size_t)pnm->width * (size_t)pnm->height;
    const size_t step = pixel_bytes(pnm);
    const unsigned maxval = (unsigned)pnm->maxval;
    const unsigned char *p = data + pnm->at;

    for (size_t i = 0; i < n; i++, p += step) {
        uint64_t grey = 1000u * (uint64_t)sample(p, bytes);

        if (pnm->channels == 3) {
            const unsigned r = sample(p, bytes), g = sample(p + bytes, bytes),
                           b = sample(p + 2 * bytes, bytes);

            if (r > maxval || g > maxval || b > maxval)
                return "a pixel is above its maxval";
            grey = UINT64_C(299) * r + UINT64_C(587) * g + UINT64_C(114) * b;
        }
        if (grey > 1000u * (uint64_t)maxval)
            return "a pixel is above its maxval";
        pixels[i] = (uint16_t)((grey * 65535u + UINT64_C(500) * maxval) /
                               (1000u * (uint64_t)maxval));
    }
    return NULL;
}

int lam_image_write_pgm(struct lam_context *ctx, const char *path, int width,
                        int height, int bits, const uint16_t *data)
{
    const size_t n = (size_t)width * (size_t)height;
    const size_t size = bits == 16 ? 2 * n : n;
    unsigned char *bytes = malloc(size);
    FILE *file;
    bool ok;

    if (!bytes)
        return lam_fail(ctx, LAM_EMEMORY, "out of memory");
    for (size_t i = 0; i < n; i++) {
        if (bits == 16) {
            bytes[2 * i] = (unsigned char)(data[i] >> 8);
            bytes[2 * i + 1] = (unsigned char)data[i];
        } else {
            bytes[i] = (unsigned char)((data[i] + 128) / 257);
        }
    }
    file = fopen(path, "wb");
    ok = file && fprintf(file, "P5\n%d %d\n%d\n", width, height,
                         bits == 16 ? 65535 : 255) > 0;
    ok = ok && fwrite(bytes, 1, size, file) == size;
    ok = file && fclose(file) == 0 && ok;
    free(bytes);
    if (ok)
        return LAM_OK;
    if (file)
        remove(path);
    return lam_fail(ctx, LAM_EFILE, "%s cannot be written", path);
}
