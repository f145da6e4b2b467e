// onnx_parser.h - inside of reading an ONNX file, for onnx_read.c and
// onnx_tensor.c.
#ifndef LAM_ONNX_PARSER_H
#define LAM_ONNX_PARSER_H

#include "onnx.h"
#include "protobuf.h"

enum { LAM_ONNX_MAX_FILE = INT32_MAX };

struct lam_onnx_parser {
    struct lam_context *ctx;
    const char *file;
    struct lam_onnx *onnx;
};

// Record a sentence and return its status.
int lam_onnx_broken(const struct lam_onnx_parser *parser, const char *problem);
int lam_onnx_no_memory(const struct lam_onnx_parser *parser);
int lam_onnx_take_text(const struct lam_onnx_parser *parser,
                       const struct lam_pb_field *field, const char **text);

// OperatorSetIdProto and StringStringEntryProto: a text, and a number or text.
int lam_onnx_take_pair(const struct lam_onnx_parser *parser,
                       struct lam_pb_reader reader, const char **first,
                       const char **second, int64_t *number);
// A TensorProto.
int lam_onnx_take_tensor(const struct lam_onnx_parser *parser,
                         struct lam_pb_reader reader,
                         struct lam_onnx_tensor *tensor);
// Its numbers from bytes of another file.
int lam_onnx_take_outside(const struct lam_onnx_parser *parser,
                          const void *bytes, size_t size,
                          struct lam_onnx_tensor *tensor);
// All fields of a number, packed or not, as floats or ints of an attribute;
// type is LAM_ONNX_FLOAT or LAM_ONNX_INT64.
int lam_onnx_take_list(const struct lam_onnx_parser *parser,
                       struct lam_pb_reader reader, uint32_t number, int type,
                       struct lam_onnx_attribute *attribute);

#endif
