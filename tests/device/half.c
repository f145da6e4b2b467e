// Floats to halves and back, as values wait for backward: nearest, ties to
// even, what is too large cut or made infinite, what is no number stays none.
// And gradients divided by the scale of the loss.
#include "half.h"
#include "check.h"
#include "core.cl.h"
#include "device.h"

#include <math.h>

// Ten numbers in pieces of four, behind two words of others.
static void test_unscale(struct lam_queue *q, const struct lam_host *host)
{
    enum { N = 10, PIECES = 3, AT = 2 };
    const float from[N] = {4.0f, -2.0f,    0.0f, 1e-30f, 8.0f,
                           1.0f, INFINITY, 3.0f, NAN,    -5.0f};
    const int32_t wanted[AT + PIECES] = {7, 7, 0, 1, 1};
    const size_t global[3] = {4, 1, 1}, local[3] = {1, 1, 1};
    struct lam_kernel *unscale = NULL;
    struct lam_buffer *x = NULL, *words = NULL;
    float numbers[N];
    int32_t read[AT + PIECES] = {7, 7, 7, 7, 7};

    CHECK_INT(host->kernel(host, core_cl, "core_unscale", NULL, &unscale), 0);
    CHECK_INT(lam_buffer_create(q, sizeof(from), &x), 0);
    CHECK_INT(lam_buffer_create(q, sizeof(read), &words), 0);
    if (unscale && x && words) {
        const struct lam_tensor tensor = {.buffer = x}, w = {.buffer = words};
        const struct lam_arg args[] = {
            LAM_ARG_TENSOR(&tensor), LAM_ARG_TENSOR(&w), LAM_ARG_LONG(AT),
            LAM_ARG_REAL(0.25),      LAM_ARG_LONG(N),    LAM_ARG_INT(4)};

        CHECK_INT(lam_buffer_write(x, 0, sizeof(from), from), 0);
        CHECK_INT(lam_buffer_write(words, 0, sizeof(read), read), 0);
        CHECK_INT(host->launch(host, unscale, args, 6, global, local), 0);
        CHECK_INT(lam_buffer_read(x, 0, sizeof(numbers), numbers), 0);
        CHECK_INT(lam_buffer_read(words, 0, sizeof(read), read), 0);
        CHECK_INT(lam_buffer_intact(x, "x"), 0);
        CHECK_INT(lam_buffer_intact(words, "words"), 0);
        for (int i = 0; i < N; i++)
            if (isfinite(from[i]))
                CHECK_NEAR(numbers[i], 0.25f * from[i], 0.0);
            else
                CHECK(!isfinite(numbers[i]));
        for (int i = 0; i < AT + PIECES; i++)
            CHECK_INT(read[i], wanted[i]);
    }
    lam_buffer_destroy(x);
    lam_buffer_destroy(words);
}

// The same on the host: every half there and back, and numbers between two.
static void test_host(void)
{
    int n_same = 0, n_between = 0;

    for (int bits = 0; bits < 0x7c00; bits++) {
        const float low = lam_half_float((uint16_t)bits);
        // The next one; behind the largest what it would be.
        const float high =
            bits == 0x7bff ? 65536.0f : lam_half_float((uint16_t)(bits + 1));
        const float middle = low + (high - low) / 2.0f;

        n_same +=
            lam_half_of(low) == bits && lam_half_of(-low) == bits + 0x8000;
        n_between += lam_half_of(middle) == bits + (bits & 1) &&
                     lam_half_of(nextafterf(middle, 0.0f)) == bits &&
                     lam_half_of(nextafterf(middle, INFINITY)) == bits + 1;
    }
    CHECK_INT(n_same, 0x7c00);
    CHECK_INT(n_between, 0x7c00);
    CHECK_INT(lam_half_of(INFINITY), 0x7c00);
    CHECK_INT(lam_half_of(-1e30f), 0xfc00);
    CHECK(isnan(lam_half_float(lam_half_of(NAN))));
}

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

    test_host();
    if (lam_queue_open(&ctx, &options, &q)) {
        printf("%s\n", ctx.error);
        return 77;
    }
    CHECK_INT(lam_host_init(&host, &ctx, q, LAM_F32), 0);
    CHECK_INT(host.kernel(&host, core_cl, "halves_narrow", NULL, &narrow), 0);
    CHECK_INT(host.kernel(&host, core_cl, "halves_widen", NULL, &widen), 0);
    CHECK_INT(lam_buffer_create(q, sizeof(numbers), &wide), 0);
    CHECK_INT(lam_buffer_create(q, sizeof(numbers) / 2, &halves), 0);
    for (int i = 0; i < N; i++)
        numbers[i] = rows[i].from;
    if (narrow && widen && wide && halves) {
        const struct lam_tensor x = {.buffer = wide}, h = {.buffer = halves};
        struct lam_arg there[] = {LAM_ARG_TENSOR(&h), LAM_ARG_TENSOR(&x),
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
        // Gradients are not cut.
        for (int i = 0; i < N; i++)
            numbers[i] = rows[i].from;
        there[2].real = INFINITY;
        CHECK_INT(lam_buffer_write(wide, 0, sizeof(numbers), numbers), 0);
        CHECK_INT(host.launch(&host, narrow, there, 5, global, local), 0);
        CHECK_INT(host.launch(&host, widen, back, 4, global, local), 0);
        CHECK_INT(lam_buffer_read(wide, 0, sizeof(numbers), numbers), 0);
        for (int i = 0; i < N - 1; i++)
            if (fabsf(rows[i].from) < 65520.0f)
                CHECK_NEAR(numbers[i], rows[i].to, 0.0);
            else
                CHECK(isinf(numbers[i]) &&
                      signbit(numbers[i]) == signbit(rows[i].from));
        CHECK(isnan(numbers[N - 1]));
    }
    test_unscale(q, &host);
    lam_buffer_destroy(wide);
    lam_buffer_destroy(halves);
    lam_host_finish(&host);
    lam_queue_close(q);
    return check_done();
}
