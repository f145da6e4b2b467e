// window.h - the windows that slide over the planes of an image: what maxpool
// and avgpool share.
#ifndef LAM_WINDOW_H
#define LAM_WINDOW_H

#include "lam/plugin.h"

// First member of a layer's config.
struct window_config {
    int32_t kernel[2], stride[2], dilation[2], pad, ceil;
    struct lam_list pads;
};

enum { WINDOW_SAME, WINDOW_VALID, WINDOW_EXPLICIT };

#define WINDOW_OFFSET(member) offsetof(struct window_config, member)
#define WINDOW_PARAMS                                                          \
    {"kernel",                                                                 \
     LAM_PARAM_PAIR,                                                           \
     WINDOW_OFFSET(kernel),                                                    \
     NULL,                                                                     \
     1,                                                                        \
     255,                                                                      \
     NULL,                                                                     \
     "height and width of the window",                                         \
     0},                                                                       \
        {"stride",                                                             \
         LAM_PARAM_PAIR,                                                       \
         WINDOW_OFFSET(stride),                                                \
         "0",                                                                  \
         0,                                                                    \
         255,                                                                  \
         NULL,                                                                 \
         "step down and across; 0: as the kernel",                             \
         0},                                                                   \
        {"dilation",                                                           \
         LAM_PARAM_PAIR,                                                       \
         WINDOW_OFFSET(dilation),                                              \
         "1",                                                                  \
         1,                                                                    \
         1024,                                                                 \
         NULL,                                                                 \
         "distance of neighbouring numbers in the window",                     \
         0},                                                                   \
        {"pad",                                                                \
         LAM_PARAM_CHOICE,                                                     \
         WINDOW_OFFSET(pad),                                                   \
         "same",                                                               \
         0,                                                                    \
         0,                                                                    \
         window_pads,                                                          \
         "same: ceil(size / stride) results; valid: no pads; explicit",        \
         0},                                                                   \
        {"pads",                                                               \
         LAM_PARAM_LIST,                                                       \
         WINDOW_OFFSET(pads),                                                  \
         "",                                                                   \
         0,                                                                    \
         1 << 20,                                                              \
         NULL,                                                                 \
         "top left bottom right, with pad: explicit",                          \
         0},                                                                   \
    {                                                                          \
        "ceil", LAM_PARAM_BOOL, WINDOW_OFFSET(ceil), "false", 0, 0, NULL,      \
            "keep the last window where it reaches over the edge; with same "  \
            "it always is",                                                    \
            0                                                                  \
    }

extern const char *const window_pads[];

// [0] is down, [1] across.
struct window {
    int32_t kernel[2], stride[2], dilation[2];
    int32_t in[2], out[2], before[2], after[2];
    int64_t planes;
};

// Fails with a sentence where they do not fit.
int window_of(const struct lam_layer *layer, const struct lam_shape *in,
              struct window *window);
struct lam_shape window_result(const struct window *window,
                               const struct lam_shape *in);

// The numbers of cl/window.cl as options of the build, then `more`, for a layer
// with this input.
void window_options(const struct lam_layer *layer, const struct window *window,
                    const struct lam_shape *in, const char *more, char *text,
                    size_t size);

// Launches over rows of `height` and `width` numbers of all planes; the last
// two of n_args arguments are filled in: rows and columns of a work-item.
int window_launch(const struct lam_layer *layer, const struct window *window,
                  struct lam_kernel *kernel, struct lam_arg *args, int n_args,
                  int32_t height, int32_t width);

#endif
