// Floats to halves and back, as values wait for backward: nearest, ties to
// even, what is too large cut, what is no number stays none.
#include "check.h"
#include "core.cl.h"
#include "device.h"

#include <math.h>

int main(void)
{
    enum { N = 18 };
    static const struct {
        float from, to;
    } rows[N] = {{0.0f, 0.0f},
                 {-0.0f, -0.0f},
                 {1.0f, 1.0f},
                 {-2.5f, -2.5f},
                 {0.1f, 0.0999755859375f},
                 {1.0f + 0x1p-11f, 1.0f},
                 {1.0f + 0x3p-11f, 1.0f + 0x1p-9f},
                 {1.0f + 0x1p-11f + 0x1p-20f, 1.0f + 0x1p-10f},
                 {0x1p-24f, 0x1p-24f},
                 {0x1p-25f, 0.0f},
                 {0x3p-25f, 0x1p-23f},
                 {0x1p-26f, 0.0f},
                 {65504.0f, 65504.0f},
                 {65519.0f, 65504.0f},
                 {1e30f, 65504.0f},
                 {-70000.0f, -65504.0f},
                 {-INFINITY, -65504.0f},
                 {NAN, NAN}};
    static struct lam_context ctx;
    const struct lam_queue_options options = {.canary = true};
    const size_t global[3] = {(N + 3) / 4, 1, 1}, local[3] = {1, 1, 1};
    struct lam_queue *q;
    struct lam_host host;
    struct lam_kernel *narrow = NULL, *widen = NULL;
    struct lam_buffer *wide = NULL, *halves = NULL;
    float numbers[N];

    if (lam_queue_open(&ctx, &options, &q)) {
        printf("%s\n", ctx.error);
        return 77;
    }
    CHECK_INT(lam_host_init(&host, &ctx, q, LAM_F32), 0);
    CHECK_INT(host.kernel(&host, core_cl, "core_narrow", NULL, &narrow), 0);
    CHECK_INT(host.kernel(&host, core_cl, "core_widen", NULL, &widen), 0);
    CHECK_INT(lam_buffer_create(q, sizeof(numbers), &wide), 0);
    CHECK_INT(lam_buffer_create(q, sizeof(numbers) / 2, &halves), 0);
    for (int i = 0; i < N; i++)
        numbers[i] = rows[i].from;
    if (narrow && widen && wide && halves) {
        const struct lam_tensor x = {.buffer = wide}, h = {.buffer = halves};
        const struct lam_arg there[] = {LAM_ARG_TENSOR(&h), LAM_ARG_TENSOR(&x),
                                        LAM_ARG_REAL(65504.0), LAM_ARG_LONG(N),
                                        LAM_ARG_INT(4)};
        const struct lam_arg back[] = {LAM_ARG_TENSOR(&x), LAM_ARG_TENSOR(&h),
                                       LAM_ARG_LONG(N), LAM_ARG_INT(4)};

        CHECK_INT(lam_buffer_write(wide, 0, sizeof(numbers), numbers), 0);
        CHECK_INT(host.launch(&host, narrow, there, 5, global, local), 0);
        CHECK_INT(lam_buffer_fill(wide, 0xAA), 0);
        CHECK_INT(host.launch(&host, widen, back, 4, global, local), 0);
        CHECK_INT(lam_buffer_read(wide, 0, sizeof(numbers), numbers), 0);
        CHECK_INT(lam_buffer_intact(wide, "wide"), 0);
        CHECK_INT(lam_buffer_intact(halves, "halves"), 0);
        for (int i = 0; i < N; i++)
            if (isnan(rows[i].to))
                CHECK(isnan(numbers[i]));
            else
                CHECK_NEAR(numbers[i], rows[i].to, 0.0);
        CHECK(signbit(numbers[1]) != 0);
    }
    lam_buffer_destroy(wide);
    lam_buffer_destroy(halves);
    lam_host_finish(&host);
    lam_queue_close(q);
    return check_done();
}
