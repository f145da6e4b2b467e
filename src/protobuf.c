#include "protobuf.h"

#include <stdlib.h>
#include <string.h>

bool lam_pb_varint(struct lam_pb_reader *r, uint64_t *value)
{
    *value = 0;
    for (int shift = 0; shift < 64 && r->at < r->end; shift += 7) {
        const unsigned char byte = *r->at++;

        *value |= (uint64_t)(byte & 127) << shift;
        if (byte < 128)
            return true;
    }
    return false;
}

static bool take_fixed(struct lam_pb_reader *r, int n, uint64_t *value)
{
    *value = 0;
    if (r->end - r->at < n)
        return false;
    for (int i = 0; i < n; i++)
        *value |= (uint64_t)r->at[i] << (8 * i);
    r->at += n;
    return true;
}

int lam_pb_next(struct lam_pb_reader *r, struct lam_pb_field *field)
{
    uint64_t tag, length;

    *field = (struct lam_pb_field){0};
    if (r->at == r->end)
        return 0;
    if (!lam_pb_varint(r, &tag) || tag >> 3 == 0 || tag >> 3 > UINT32_MAX)
        return -1;
    field->number = (uint32_t)(tag >> 3);
    field->wire = (int)(tag & 7);
    switch (field->wire) {
    case LAM_PB_VARINT:
        return lam_pb_varint(r, &field->value) ? 1 : -1;
    case LAM_PB_64:
        return take_fixed(r, 8, &field->value) ? 1 : -1;
    case LAM_PB_32:
        return take_fixed(r, 4, &field->value) ? 1 : -1;
    case LAM_PB_BYTES:
        if (!lam_pb_varint(r, &length) || length > (uint64_t)(r->end - r->at))
            return -1;
        field->bytes = (struct lam_pb_reader){r->at, r->at + length};
        r->at += length;
        return 1;
    default:
        return -1;
    }
}

float lam_pb_float(uint64_t bits)
{
    const uint32_t low = (uint32_t)bits;
    float value;

    memcpy(&value, &low, 4);
    return value;
}

static void put(struct lam_pb_writer *w, const void *data, size_t size)
{
    if (w->has_failed || size == 0)
        return;
    if (size > w->room - w->size) {
        const size_t room = 2 * w->room + size + 64;
        unsigned char *grown = realloc(w->data, room);

        if (!grown) {
            w->has_failed = true;
            return;
        }
        w->data = grown;
        w->room = room;
    }
    memcpy(w->data + w->size, data, size);
    w->size += size;
}

static void put_varint(struct lam_pb_writer *w, uint64_t value)
{
    unsigned char bytes[10];
    size_t n = 0;

    do {
        bytes[n] = (unsigned char)(value & 127);
        value >>= 7;
        bytes[n++] |= value ? 128 : 0;
    } while (value);
    put(w, bytes, n);
}

static void put_tag(struct lam_pb_writer *w, uint32_t number, int wire)
{
    put_varint(w, (uint64_t)number << 3 | (uint64_t)wire);
}

void lam_pb_put_int(struct lam_pb_writer *w, uint32_t number, int64_t value)
{
    put_tag(w, number, LAM_PB_VARINT);
    put_varint(w, (uint64_t)value);
}

static void put_bits(struct lam_pb_writer *w, uint64_t bits, int n)
{
    unsigned char bytes[8];

    for (int i = 0; i < n; i++)
        bytes[i] = (unsigned char)(bits >> (8 * i));
    put(w, bytes, (size_t)n);
}

void lam_pb_put_float(struct lam_pb_writer *w, uint32_t number, float value)
{
    uint32_t bits;

    memcpy(&bits, &value, 4);
    put_tag(w, number, LAM_PB_32);
    put_bits(w, bits, 4);
}

void lam_pb_put_double(struct lam_pb_writer *w, uint32_t number, double value)
{
    uint64_t bits;

    memcpy(&bits, &value, 8);
    put_tag(w, number, LAM_PB_64);
    put_bits(w, bits, 8);
}

void lam_pb_put_bytes(struct lam_pb_writer *w, uint32_t number,
                      const void *data, size_t size)
{
    put_tag(w, number, LAM_PB_BYTES);
    put_varint(w, size);
    put(w, data, size);
}

void lam_pb_put_text(struct lam_pb_writer *w, uint32_t number, const char *text)
{
    lam_pb_put_bytes(w, number, text, strlen(text));
}

void lam_pb_put_message(struct lam_pb_writer *w, uint32_t number,
                        struct lam_pb_writer *message)
{
    lam_pb_put_bytes(w, number, message->data, message->size);
    w->has_failed |= message->has_failed;
    free(message->data);
    *message = (struct lam_pb_writer){0};
}
