// Bytes that are no ONNX file, and data beside the file that is not there: each
// refused with its own sentence.
#include "onnx.h"

#include <stdlib.h>
#include <unistd.h>

#include "../check.h"
#include "protobuf.h"

static char path[] = "/tmp/lamina-XXXXXX";

// A tensor, a node's attribute or a whole model of these fields.
enum place { MODEL, GRAPH, TENSOR, ATTRIBUTE };

static void refuse_bytes(enum place place, struct lam_pb_writer *w,
                         const char *wanted)
{
    struct lam_pb_writer graph = {0}, node = {0}, model = {0}, opset = {0};
    struct lam_context ctx = {0};
    struct lam_onnx onnx = {0};

    if (place == TENSOR)
        lam_pb_put_message(&graph, 5, w);
    if (place == ATTRIBUTE) {
        lam_pb_put_message(&node, 5, w);
        lam_pb_put_message(&graph, 1, &node);
    }
    if (place != MODEL) {
        lam_pb_put_int(&opset, 2, 13);
        lam_pb_put_message(&model, 8, &opset);
        lam_pb_put_message(&model, 7, place == GRAPH ? w : &graph);
        w = &model;
    }
    CHECK_INT(lam_onnx_parse(&ctx, "f", w->data, w->size, &onnx), LAM_EMODEL);
    CHECK_HAS(ctx.error, wanted);
    CHECK_HAS(ctx.error, "f: ");
    free(w->data);
    *w = (struct lam_pb_writer){0};
}

static void check_bytes(void)
{
    static const unsigned char group[] = {0x0b}, cut[] = {0x0a, 5, 1},
                               endless[] = {0x08, 0xff};
    struct lam_pb_writer w = {0}, inner = {0};

    refuse_bytes(MODEL, &w, "it is empty");
    lam_pb_put_int(&w, 1, 7);
    refuse_bytes(MODEL, &w, "there is no graph");
    lam_pb_put_int(&inner, 2, 13);
    lam_pb_put_message(&w, 8, &inner);
    refuse_bytes(MODEL, &w, "there is no graph");
    for (int i = 0; i < 2; i++)
        lam_pb_put_bytes(&w, 7, "", 0);
    refuse_bytes(MODEL, &w, "there are two graphs");
    lam_pb_put_bytes(&w, 7, "", 0);
    refuse_bytes(MODEL, &w, "names no version of ONNX's operators");
    lam_pb_put_bytes(&w, 7, cut, sizeof(cut));
    refuse_bytes(MODEL, &w, "its fields have no end");
    lam_pb_put_bytes(&w, 1, endless, sizeof(endless));
    refuse_bytes(GRAPH, &w, "its fields have no end");
    lam_pb_put_int(&w, 2, 5);
    refuse_bytes(GRAPH, &w, "a name is no text");
    lam_pb_put_int(&inner, 1, 5);
    lam_pb_put_message(&w, 11, &inner);
    refuse_bytes(GRAPH, &w, "a name is no text");
    for (int i = 0; i < 9; i++)
        lam_pb_put_int(&w, 1, 1);
    refuse_bytes(TENSOR, &w, "a tensor has more than 8 dimensions");
    lam_pb_put_bytes(&w, 1, "\xff", 1);
    refuse_bytes(TENSOR, &w, "a shape is cut");
    lam_pb_put_int(&w, 1, INT64_C(1) << 40);
    refuse_bytes(TENSOR, &w, "a tensor is larger than 2 GiB");
    lam_pb_put_int(&w, 1, 1 << 20);
    lam_pb_put_int(&w, 1, 1 << 20);
    refuse_bytes(TENSOR, &w, "a tensor is larger than 2 GiB");
    lam_pb_put_int(&w, 1, 1000);
    lam_pb_put_int(&w, 2, LAM_ONNX_FLOAT);
    refuse_bytes(TENSOR, &w, "a tensor has less data than its shape says");
    for (int type = LAM_ONNX_FLOAT; type <= LAM_ONNX_BFLOAT; type += 5) {
        lam_pb_put_int(&w, 1, 2);
        lam_pb_put_int(&w, 2, type);
        lam_pb_put_bytes(&w, 9, "abc", 3);
        refuse_bytes(TENSOR, &w, "data is not as long as its shape says");
    }
    lam_pb_put_int(&w, 1, 2);
    lam_pb_put_int(&w, 2, LAM_ONNX_INT64);
    for (int i = 0; i < 3; i++)
        lam_pb_put_int(&w, 7, i);
    refuse_bytes(TENSOR, &w, "data is not as long as its shape says");
    lam_pb_put_int(&w, 1, 1);
    lam_pb_put_int(&w, 2, LAM_ONNX_FLOAT);
    lam_pb_put_bytes(&w, 4, "ab", 2);
    refuse_bytes(TENSOR, &w, "data is not as long as its shape says");
    lam_pb_put_int(&w, 1, 1);
    lam_pb_put_int(&w, 2, LAM_ONNX_DOUBLE);
    lam_pb_put_int(&w, 10, 1);
    refuse_bytes(TENSOR, &w, "data is not as long as its shape says");
    lam_pb_put_bytes(&w, 9, group, sizeof(group));
    lam_pb_put_bytes(&w, 13, cut, 0);
    lam_pb_put_text(&inner, 1, "offset");
    lam_pb_put_text(&inner, 2, "far");
    lam_pb_put_message(&w, 13, &inner);
    refuse_bytes(TENSOR, &w, "a tensor's offset is no number");
    lam_pb_put_int(&w, 5, 1);
    refuse_bytes(ATTRIBUTE, &w, "an attribute has no one tensor");
    lam_pb_put_int(&w, 20, LAM_ONNX_KIND_TENSOR);
    refuse_bytes(ATTRIBUTE, &w, "an attribute has no tensor");
    for (int i = 0; i < 2; i++)
        lam_pb_put_bytes(&w, 5, "", 0);
    refuse_bytes(ATTRIBUTE, &w, "an attribute has no one tensor");
    lam_pb_put_int(&w, 20, LAM_ONNX_KIND_INTS);
    lam_pb_put_bytes(&w, 8, "\xff", 1);
    refuse_bytes(ATTRIBUTE, &w, "a list of numbers is cut");
    lam_pb_put_int(&w, 20, LAM_ONNX_KIND_FLOATS);
    lam_pb_put_bytes(&w, 7, "abcde", 5);
    refuse_bytes(ATTRIBUTE, &w, "a list of numbers is cut");
}

// Where the data of a weight that lies beside the file may be.
static void check_outside(void)
{
    static const struct {
        const char *location, *offset, *wanted;
        int status;
    } rows[] = {{"/etc/passwd", "0", "wanted a file in its folder", LAM_EMODEL},
                {"../a", "0", "wanted a file in its folder", LAM_EMODEL},
                {"lamina-no-such-file", "0", "lamina-no-such-file", LAM_EFILE},
                {path + 5, "999999", "lies behind the end", LAM_EMODEL},
                {path + 5, "-1", "lies behind the end", LAM_EMODEL},
                {path + 5, "0", "", LAM_OK}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct lam_pb_writer t = {0}, pair = {0}, graph = {0}, opset = {0};
        struct lam_pb_writer model = {0};
        struct lam_context ctx = {0};
        struct lam_onnx onnx = {0};
        FILE *file = fopen(path, "wb");

        lam_pb_put_int(&t, 1, 4);
        lam_pb_put_int(&t, 2, LAM_ONNX_FLOAT);
        lam_pb_put_text(&t, 8, "w");
        lam_pb_put_int(&t, 14, 1);
        lam_pb_put_text(&pair, 1, "location");
        lam_pb_put_text(&pair, 2, rows[i].location);
        lam_pb_put_message(&t, 13, &pair);
        lam_pb_put_text(&pair, 1, "offset");
        lam_pb_put_text(&pair, 2, rows[i].offset);
        lam_pb_put_message(&t, 13, &pair);
        lam_pb_put_message(&graph, 5, &t);
        lam_pb_put_message(&model, 7, &graph);
        lam_pb_put_int(&opset, 2, 13);
        lam_pb_put_message(&model, 8, &opset);
        CHECK(file && fwrite(model.data, 1, model.size, file) == model.size &&
              fclose(file) == 0);
        CHECK_INT(lam_onnx_read(&ctx, path, &onnx), rows[i].status);
        CHECK_HAS(ctx.error, rows[i].wanted);
        if (rows[i].status == LAM_OK) {
            const struct lam_onnx_tensor *w = lam_onnx_tensor(&onnx, "w");
            float first;

            memcpy(&first, model.data, sizeof(first));
            CHECK(w && w->floats && check_same(w->floats, &first, 4));
            CHECK(lam_onnx_tensor(&onnx, "v") == NULL);
        }
        free(model.data);
        lam_onnx_free(&onnx);
    }
}

int main(void)
{
    close(mkstemp(path));
    check_bytes();
    check_outside();
    unlink(path);
    return check_done();
}
