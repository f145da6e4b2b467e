// protobuf.h - the wire format of protocol buffers, as far as ONNX files and
// TensorBoard's need it: varints, 32 and 64 bits, and bytes.
// https://protobuf.dev/programming-guides/encoding/
#ifndef LAM_PROTOBUF_H
#define LAM_PROTOBUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lam_pb_reader {
    const unsigned char *at, *end;
};

enum { LAM_PB_VARINT = 0, LAM_PB_64 = 1, LAM_PB_BYTES = 2, LAM_PB_32 = 5 };

struct lam_pb_field {
    uint32_t number;
    int wire;                   // one of the above
    uint64_t value;             // of a number; 0 for bytes
    struct lam_pb_reader bytes; // of bytes; empty for a number
};

// The next field of a message: 1; 0 at its end; -1 where it is none: cut, too
// long a varint, a length beyond the end, a group. Never reads beyond the end.
int lam_pb_next(struct lam_pb_reader *reader, struct lam_pb_field *field);
// The next varint of a packed list; false at a cut one.
bool lam_pb_varint(struct lam_pb_reader *reader, uint64_t *value);

// The float of a 32-bit field's value.
float lam_pb_float(uint64_t bits);

struct lam_pb_writer {
    unsigned char *data; // to free()
    size_t size, room;
    bool has_failed; // out of memory
};

void lam_pb_put_int(struct lam_pb_writer *writer, uint32_t number,
                    int64_t value);
void lam_pb_put_float(struct lam_pb_writer *writer, uint32_t number,
                      float value);
void lam_pb_put_double(struct lam_pb_writer *writer, uint32_t number,
                       double value);
void lam_pb_put_bytes(struct lam_pb_writer *writer, uint32_t number,
                      const void *data, size_t size);
void lam_pb_put_text(struct lam_pb_writer *writer, uint32_t number,
                     const char *text);
// A message within: frees it.
void lam_pb_put_message(struct lam_pb_writer *writer, uint32_t number,
                        struct lam_pb_writer *message);

#endif
