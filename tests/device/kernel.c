// The services a plugin gets: kernels, launches, fill, copy, and their errors.
#include "check.h"
#include "device.h"

#include <stdlib.h>

static struct lam_context ctx;
static char logged[20000];

static const char source[] =
    "kernel void scale(global real *y, const global real *x, const int n,\n"
    "                  const long add, const real factor)\n"
    "{\n"
    "    const int i = get_global_id(0);\n"
    "\n"
    "    if (i < n)\n"
    "        y[i] = (x ? x[i] : REAL(10.0)) * factor + add + EXTRA;\n"
    "}\n"
    "kernel void reverse(global real *y, local real *part)\n"
    "{\n"
    "    const int i = get_local_id(0), n = get_local_size(0);\n"
    "\n"
    "    part[i] = y[get_global_id(0)];\n"
    "    barrier(CLK_LOCAL_MEM_FENCE);\n"
    "    y[get_global_id(0)] = part[n - 1 - i];\n"
    "}\n"
    "kernel __attribute__((reqd_work_group_size(4, 1, 1))) void\n"
    "size(global real *y)\n"
    "{\n"
    "    y[get_global_id(0)] = get_local_size(0);\n"
    "}\n"
    "kernel void beyond(global real *y, const int n)\n"
    "{\n"
    "    y[n] = REAL(1.0);\n"
    "}\n"
    "kernel void half_of(global const real *x, global real *y)\n"
    "{\n"
    "    y[get_global_id(0)] = x[get_global_id(0)] / 2;\n"
    "}\n";

static void keep_log(void *data, enum lam_level level, const char *text)
{
    const size_t used = strlen(logged);

    (void)data;
    if (level == LAM_LOG_WARNING)
        snprintf(logged + used, sizeof(logged) - used, "%s\n", text);
}

static double get(const void *data, int real, int i)
{
    return real == LAM_F64 ? ((const double *)data)[i]
                           : (double)((const float *)data)[i];
}

static void check_real(struct lam_queue *q, int real)
{
    enum { N = 8 };
    const size_t bytes = N * (real == LAM_F64 ? 8 : 4);
    const size_t global[3] = {N, 1, 1}, local[3] = {4, 1, 1};
    struct lam_tensor x = {.shape = {.dtype = real, .rank = 1, .dim = {N}}};
    struct lam_tensor y = x, none = x;
    struct lam_kernel *scale = NULL, *again = NULL, *other = NULL;
    struct lam_buffer *buffer = NULL;
    struct lam_host host;
    double data[N];
    int programs, more, hits;
    double seconds;

    CHECK_INT(lam_host_init(&host, &ctx, q, real), LAM_OK);
    CHECK_INT(lam_buffer_create(q, bytes, &buffer), LAM_OK);
    x.buffer = buffer;
    CHECK_INT(lam_buffer_create(q, bytes, &buffer), LAM_OK);
    y.buffer = buffer;

    CHECK_INT(host.kernel(&host, source, "scale", "-DEXTRA=0.5f", &scale),
              LAM_OK);
    lam_queue_built(q, &programs, &hits, &seconds);
    CHECK_INT(host.kernel(&host, source, "scale", "-DEXTRA=0.5f", &again),
              LAM_OK);
    CHECK(again == scale);
    CHECK_INT(host.kernel(&host, source, "reverse", "-DEXTRA=0.5f", &other),
              LAM_OK);
    lam_queue_built(q, &more, &hits, &seconds);
    CHECK_INT(more, programs);
    CHECK_INT(host.kernel(&host, source, "scale", "-DEXTRA=1", &again), LAM_OK);
    CHECK(again != scale);
    lam_queue_built(q, &more, &hits, &seconds);
    CHECK_INT(more, programs + 1);
    CHECK(seconds > 0.0);

    CHECK_INT(host.fill(&host, &x, 2.0), LAM_OK);
    {
        const struct lam_arg args[] = {LAM_ARG_TENSOR(&y), LAM_ARG_TENSOR(&x),
                                       LAM_ARG_INT(N - 1), LAM_ARG_LONG(3),
                                       LAM_ARG_REAL(0.25)};
        const struct lam_arg without[] = {LAM_ARG_TENSOR(&y),
                                          LAM_ARG_TENSOR(&none), LAM_ARG_INT(1),
                                          LAM_ARG_LONG(0), LAM_ARG_REAL(1.0)};

        CHECK_INT(host.fill(&host, &y, -1.0), LAM_OK);
        CHECK_INT(host.launch(&host, scale, args, 5, global, NULL), LAM_OK);
        CHECK_INT(lam_buffer_read(y.buffer, 0, bytes, data), LAM_OK);
        CHECK_NEAR(get(data, real, 0), 4.0, 0.0);
        CHECK_NEAR(get(data, real, N - 2), 4.0, 0.0);
        CHECK_NEAR(get(data, real, N - 1), -1.0, 0.0);
        CHECK_INT(host.launch(&host, scale, without, 5, global, local), LAM_OK);
        CHECK_INT(lam_buffer_read(y.buffer, 0, bytes, data), LAM_OK);
        CHECK_NEAR(get(data, real, 0), 10.5, 0.0);
    }
    {
        const struct lam_arg args[] = {LAM_ARG_TENSOR(&y),
                                       LAM_ARG_LOCAL((int64_t)bytes)};

        CHECK_INT(host.launch(&host, other, args, 2, global, global), LAM_OK);
        CHECK_INT(host.copy(&host, &x, &y), LAM_OK);
        CHECK_INT(lam_buffer_read(x.buffer, 0, bytes, data), LAM_OK);
        CHECK_NEAR(get(data, real, 0), -1.0, 0.0);
        CHECK_NEAR(get(data, real, N - 1), 10.5, 0.0);
    }
    {
        const struct lam_arg args[] = {LAM_ARG_TENSOR(&y)};

        CHECK_INT(host.kernel(&host, source, "size", "-DEXTRA=1", &other),
                  LAM_OK);
        CHECK_INT(host.launch(&host, other, args, 1, global, NULL), LAM_OK);
        CHECK_INT(lam_buffer_read(y.buffer, 0, bytes, data), LAM_OK);
        CHECK_NEAR(get(data, real, N - 1), 4.0, 0.0);
    }
    lam_buffer_destroy(x.buffer);
    lam_buffer_destroy(y.buffer);
    lam_host_finish(&host);
}

static void check_errors(struct lam_queue *q)
{
    static const char bad[] = "kernel void bad(global real *y)\n"
                              "{\n"
                              "    y[0] = nothing;\n"
                              "}\n";
    const size_t one[3] = {1, 1, 1}, empty[3] = {1, 0, 1}, odd[3] = {3, 1, 1};
    struct lam_tensor y = {.shape = {.dtype = LAM_F32, .rank = 1, .dim = {4}}};
    struct lam_kernel *kernel = NULL;
    struct lam_buffer *buffer = NULL;
    struct lam_host host;
    char options[1100];

    CHECK_INT(lam_host_init(&host, &ctx, q, LAM_F32), LAM_OK);
    CHECK_INT(lam_buffer_create(q, 16, &buffer), LAM_OK);
    y.buffer = buffer;

    CHECK_INT(host.kernel(&host, bad, "bad", NULL, &kernel), LAM_EBUILD);
    CHECK(kernel == NULL);
    CHECK_HAS(ctx.error, "kernel bad does not build");
    CHECK_HAS(ctx.error, "nothing");
    CHECK_HAS(logged, "    3      y[0] = nothing;");
    lam_error_clear(&ctx);
    CHECK_INT(host.kernel(&host, bad, "bad", "-Dnothing=1", &kernel), LAM_OK);
    {
        const struct lam_arg args[] = {LAM_ARG_TENSOR(&y), LAM_ARG_INT(1)};

        CHECK_INT(host.launch(&host, kernel, args, 2, one, NULL), LAM_ERUN);
        CHECK_HAS(ctx.error, "argument 1 of kernel bad");
        CHECK_HAS(ctx.error, "CL_INVALID_ARG_INDEX");
        lam_error_clear(&ctx);
        CHECK_INT(host.launch(&host, kernel, args, 1, empty, NULL), LAM_ERUN);
        CHECK_HAS(ctx.error, "1 x 0 x 1");
        lam_error_clear(&ctx);
        CHECK_INT(
            host.launch(&host, kernel, args, 1, odd, (size_t[3]){2, 1, 1}),
            LAM_ERUN);
        CHECK_HAS(ctx.error, "clEnqueueNDRangeKernel");
        CHECK_HAS(ctx.error, "kernel bad, global size 3 x 1 x 1, local size "
                             "2 x 1 x 1");
        lam_error_clear(&ctx);
    }
    CHECK_INT(host.kernel(&host, bad, "worse", "-Dnothing=1", &kernel),
              LAM_ERUN);
    CHECK_HAS(ctx.error, "CL_INVALID_KERNEL_NAME");
    lam_error_clear(&ctx);
    memset(options, ' ', sizeof(options));
    options[sizeof(options) - 1] = '\0';
    CHECK_INT(host.kernel(&host, bad, "bad", options, &kernel), LAM_EBUILD);
    CHECK_HAS(ctx.error, "longer than");
    lam_error_clear(&ctx);

    CHECK_INT(host.kernel(&host, source, "beyond", "-DEXTRA=1", &kernel),
              LAM_OK);
    {
        const struct lam_arg args[] = {LAM_ARG_TENSOR(&y), LAM_ARG_INT(4 + 5)};

        CHECK_INT(host.launch(&host, kernel, args, 2, one, NULL), LAM_OK);
        CHECK_INT(lam_buffer_intact(buffer, "y"), LAM_ERUN);
        CHECK_HAS(ctx.error, "y: a kernel wrote past the end");
        lam_error_clear(&ctx);
    }
    y.shape.dim[0] = 5;
    CHECK_INT(host.fill(&host, &y, 0.0), LAM_ERUN);
    CHECK_HAS(ctx.error, "a tensor of 5 has a smaller buffer");
    lam_error_clear(&ctx);
    CHECK_INT(host.fail(&host, LAM_ESHAPE, "%d is not %d", 1, 2), LAM_ESHAPE);
    CHECK_STR(ctx.error, "1 is not 2");
    lam_error_clear(&ctx);
    lam_buffer_destroy(buffer);
    lam_host_finish(&host);
}

static void check_no_queue(void)
{
    struct lam_host host;

    CHECK_INT(lam_host_init(&host, &ctx, NULL, LAM_F32), LAM_OK);
    CHECK(host.kernel == NULL && host.launch == NULL && host.gemm == NULL);
    CHECK_INT(host.device.kind, LAM_DEVICE_NONE);
    CHECK_INT(host.abi_version, LAM_ABI_VERSION);
    CHECK_INT(host.fail(&host, LAM_ERUN, "x"), LAM_ERUN);
    lam_error_clear(&ctx);
    lam_host_finish(&host);
}

// How often a kernel was timed; name NULL: all of them.
static long calls_of(struct lam_queue *q, const char *name)
{
    struct lam_kernel_time *rows;
    const int n = lam_queue_times(q, &rows);
    long calls = 0;

    for (int i = 0; i < n; i++)
        if (!name || strcmp(rows[i].name, name) == 0)
            calls += rows[i].calls;
    free(rows);
    return calls;
}

// Both 700 launches and the list that is never full show in the profile.
static void check_profile(void)
{
    const struct lam_queue_options options = {.profile = 1};
    const size_t one[3] = {1, 1, 1};
    struct lam_tensor y = {.shape = {.dtype = LAM_F32, .rank = 1, .dim = {4}}};
    struct lam_kernel *kernel = NULL;
    struct lam_buffer *buffer = NULL;
    struct lam_queue *q = NULL;
    struct lam_host host;

    CHECK_INT(lam_queue_open(&ctx, &options, &q), LAM_OK);
    CHECK_INT(calls_of(q, NULL), 0);
    CHECK_INT(lam_host_init(&host, &ctx, q, LAM_F32), LAM_OK);
    CHECK_INT(lam_buffer_create(q, 16, &buffer), LAM_OK);
    y.buffer = buffer;
    CHECK_INT(host.kernel(&host, source, "beyond", "-DEXTRA=1", &kernel),
              LAM_OK);
    for (int i = 0; i < 700; i++) {
        const struct lam_arg args[] = {LAM_ARG_TENSOR(&y), LAM_ARG_INT(i % 4)};

        if (host.launch(&host, kernel, args, 2, one, NULL))
            break;
    }
    CHECK_INT(host.fill(&host, &y, 0.0), LAM_OK);
    CHECK_INT(calls_of(q, "beyond"), 700);
    CHECK_INT(calls_of(q, "core_fill"), 1);
    lam_buffer_destroy(buffer);
    lam_host_finish(&host);
    lam_queue_close(q);
}

// No number stays no number: what is read behind one buffer and written behind
// another must not look like what was there.
static void check_nan(struct lam_queue *q)
{
    const size_t global[3] = {8, 1, 1};
    struct lam_buffer *buffers[2] = {NULL, NULL};
    struct lam_tensor t[2] = {{.shape = {LAM_F32, 1, {4}}},
                              {.shape = {LAM_F32, 1, {4}}}};
    const struct lam_arg args[] = {LAM_ARG_TENSOR(&t[0]),
                                   LAM_ARG_TENSOR(&t[1])};
    struct lam_kernel *kernel = NULL;
    struct lam_host host;

    CHECK_INT(lam_host_init(&host, &ctx, q, LAM_F32), LAM_OK);
    for (int i = 0; i < 2; i++) {
        CHECK_INT(lam_buffer_create(q, 16, &buffers[i]), LAM_OK);
        t[i].buffer = buffers[i];
    }
    CHECK_INT(host.kernel(&host, source, "half_of", "-DEXTRA=1", &kernel),
              LAM_OK);
    CHECK_INT(host.launch(&host, kernel, args, 2, global, NULL), LAM_OK);
    CHECK_INT(lam_buffer_intact(buffers[0], "x"), LAM_OK);
    CHECK_INT(lam_buffer_intact(buffers[1], "y"), LAM_ERUN);
    lam_error_clear(&ctx);
    for (int i = 0; i < 2; i++)
        lam_buffer_destroy(buffers[i]);
    lam_host_finish(&host);
}

int main(void)
{
    const struct lam_queue_options options = {.poison = true, .canary = true};
    struct lam_queue *q = NULL;

    ctx.log = keep_log;
    check_no_queue();
    if (lam_queue_open(&ctx, &options, &q)) {
        printf("%s\n", ctx.error);
        return 77;
    }
    check_real(q, LAM_F32);
    if (lam_queue_device(q)->info.has_f64)
        check_real(q, LAM_F64);
    check_errors(q);
    check_nan(q);
    CHECK_INT(calls_of(q, NULL), 0);
    CHECK_INT(lam_queue_live_buffers(q), 0);
    lam_queue_close(q);
    check_profile();
    return check_done();
}
