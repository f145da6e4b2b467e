#include "window.h"

#include <limits.h>
#include <stdio.h>

const char *const window_pads[] = {"same", "valid", "explicit", NULL};

static int axis_of(const struct lam_layer *layer, int i, int64_t n,
                   struct window *window)
{
    const struct window_config *config = layer->config;
    const struct lam_host *host = layer->host;
    const int64_t stride =
        config->stride[i] ? config->stride[i] : config->kernel[i];
    const int64_t dilation = config->dilation[i];
    const int64_t reach = (config->kernel[i] - 1) * dilation + 1;
    int64_t before = 0, after = 0, out, rest;

    if (config->pad == WINDOW_SAME) {
        const int64_t wanted = ((n + stride - 1) / stride - 1) * stride + reach;
        const int64_t total = wanted > n ? wanted - n : 0;

        before = total / 2;
        after = total - before;
    } else if (config->pad == WINDOW_EXPLICIT) {
        before = config->pads.v[i];
        after = config->pads.v[i + 2];
    }
    rest = n + before + after - reach;
    if (rest < 0)
        return host->fail(
            host, LAM_ESHAPE,
            "the window reaches over %lld %s, but the padded image has %lld",
            (long long)reach, i ? "columns" : "rows",
            (long long)(n + before + after));
    out = rest / stride + 1;
    // A window that begins in the pad after the image does not count.
    if (config->ceil && rest % stride && out * stride < n + before)
        out++;
    for (int64_t o = 0; o < out; o++) {
        const int64_t start = o * stride - before;
        const int64_t tap = start < 0 ? (-start + dilation - 1) / dilation : 0;

        if (tap >= config->kernel[i] || start + tap * dilation >= n)
            return host->fail(host, LAM_ESHAPE,
                              "the window of %s %lld of the result has nothing "
                              "of the image: the pads are too wide",
                              i ? "column" : "row", (long long)o);
    }
    window->kernel[i] = config->kernel[i];
    window->stride[i] = (int32_t)stride;
    window->dilation[i] = config->dilation[i];
    window->in[i] = (int32_t)n;
    window->out[i] = (int32_t)out;
    window->before[i] = (int32_t)before;
    window->after[i] = (int32_t)after;
    return LAM_OK;
}

int window_of(const struct lam_layer *layer, const struct lam_shape *in,
              struct window *window)
{
    const struct window_config *config = layer->config;
    const struct lam_host *host = layer->host;
    int err;

    if (in->rank != 4)
        return host->fail(host, LAM_ESHAPE,
                          "the input has %d dimensions, wanted 4: [N, C, H, W]",
                          (int)in->rank);
    if (in->dim[2] > INT_MAX / in->dim[3] / 4)
        return host->fail(host, LAM_ESHAPE,
                          "an image of %lld x %lld is too large, wanted at "
                          "most %d pixels",
                          (long long)in->dim[2], (long long)in->dim[3],
                          INT_MAX / 4);
    if (config->pad == WINDOW_EXPLICIT && config->pads.n != 4)
        return host->fail(host, LAM_EMODEL,
                          "pad: explicit wants pads: top left bottom right, "
                          "found %d numbers",
                          (int)config->pads.n);
    if (config->pad != WINDOW_EXPLICIT && config->pads.n != 0)
        return host->fail(host, LAM_EMODEL,
                          "pads are only used with pad: explicit");
    window->planes = in->dim[0] * in->dim[1];
    err = axis_of(layer, 0, in->dim[2], window);
    return err ? err : axis_of(layer, 1, in->dim[3], window);
}

struct lam_shape window_result(const struct window *window,
                               const struct lam_shape *in)
{
    struct lam_shape out = *in;

    out.dim[2] = window->out[0];
    out.dim[3] = window->out[1];
    return out;
}

void window_options(const struct lam_layer *layer, const struct window *w,
                    const struct lam_shape *in, const char *more, char *text,
                    size_t size)
{
    const bool is_gpu = layer->host->device.kind == LAM_DEVICE_GPU;

    snprintf(text, size,
             "%s-DKH=%d -DKW=%d -DSH=%d -DSW=%d -DDH=%d -DDW=%d -DTOP=%d "
             "-DLEFT=%d %s%s",
             is_gpu ? "" : "-DCPU ", (int)w->kernel[0], (int)w->kernel[1],
             (int)w->stride[0], (int)w->stride[1], (int)w->dilation[0],
             (int)w->dilation[1], (int)w->before[0], (int)w->before[1], more,
             lam_halves(in));
}

int window_launch(const struct lam_layer *layer, const struct window *window,
                  struct lam_kernel *kernel, struct lam_arg *args, int n_args,
                  int32_t height, int32_t width)
{
    static const size_t one[3] = {1, 1, 1};
    const bool is_cpu = layer->host->device.kind != LAM_DEVICE_GPU;
    const int64_t all_rows = window->planes * height;
    // Rows of about 8192 numbers together, and enough parts of them.
    int64_t rows = is_cpu ? 8192 / width + 1 : 1;
    const int32_t columns = is_cpu ? width : 1;
    size_t global[3] = {1, 1, 1};

    if (rows > 1 && rows > all_rows / 8)
        rows = all_rows / 8 + 1;
    global[0] = (size_t)((width + columns - 1) / columns);
    global[1] = (size_t)((all_rows + rows - 1) / rows);
    args[n_args - 2] = (struct lam_arg)LAM_ARG_INT(rows);
    args[n_args - 1] = (struct lam_arg)LAM_ARG_INT(columns);
    return layer->host->launch(layer->host, kernel, args, n_args, global,
                               is_cpu ? one : NULL);
}
