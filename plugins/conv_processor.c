// What the kernels for processors have in common: tiles, packed weights, and
// how many work-items take the work.
#include "conv.h"

struct conv_tile conv_tile(const struct lam_host *host)
{
    const int width = host->device.vector_width;

    return width >= 16  ? (struct conv_tile){8, 3, 16}
           : width >= 8 ? (struct conv_tile){4, 3, 8}
                        : (struct conv_tile){4, 3, 4};
}

int conv_points(int m, int kernel, int stride)
{
    const int taps = conv_div_up(kernel, stride);

    return (m + taps - 2) * stride + kernel - (taps - 1) * stride;
}

int conv_workers(const struct lam_host *host, int items)
{
    const int units = host->device.compute_units;
    // A simulator has one unit, and should see what work-items share.
    const int workers = units < 2 ? 2 : units;

    return workers < items ? workers : items;
}

int conv_direct_kernels(const struct lam_host *host, const char *source,
                        const char *pack, const char *run, const char *options,
                        struct conv_direct *direct)
{
    const int err = host->kernel(host, source, pack, options, &direct->pack);

    direct->packed = 0;
    return err ? err : host->kernel(host, source, run, options, &direct->run);
}
