#include "device_check.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cache_folder.h"
#include "device_check.cl.h"
#include "rng.h"
#include "sha256.h"
#include "shape.h"

enum { N = 1024, N_ROWS = 12, SIDE = 61, DEPTH = 130 };

static double do_erf(double x)
{
    return erf(x);
}

static double do_exp(double x)
{
    return exp(x);
}

static double do_log(double x)
{
    return log(fabs(x));
}

static double do_sqrt(double x)
{
    return sqrt(fabs(x));
}

static double do_tanh(double x)
{
    return tanh(x);
}

static double do_reciprocal(double x)
{
    return 1.0 / x;
}

static double do_fma(double x)
{
    return x * x - x; // exact enough: the product has 48 bits
}

static double do_rint(double x)
{
    return rint(x);
}

// Rows of cl/device_check.cl; without a function the host fills them in.
static const struct {
    const char *name;
    double (*right)(double x);
    double limit; // 0: exact
} builtins[N_ROWS] = {
    {"exp", do_exp, 3},      {"log", do_log, 3},
    {"sqrt", do_sqrt, 3},    {"tanh", do_tanh, 5},
    {"erf", do_erf, 16},     {"divide", do_reciprocal, 2.5},
    {"fma", do_fma, 0.5},    {"rint", do_rint, 0},
    {"convert", do_rint, 0}, {"isnan", NULL, 0},
    {"vload", NULL, 0},      {"barrier and local memory", NULL, 0}};

static double right_result(int row, const float *x, int i, int group)
{
    if (builtins[row].right)
        return builtins[row].right((double)x[i]);
    if (row == 9)
        return i % 3 ? 0.0 : 1.0;
    if (row == 10)
        return (double)x[i < N - 4 ? i + 3 : N - 1];
    return (double)x[i - i % group + group - 1 - i % group];
}

// In units of the last place of a float beside the right result.
static double distance(double found, double right)
{
    int exponent;

    if (!isfinite(found))
        return INFINITY;
    frexp(right, &exponent);
    if (fabs(right) < (double)FLT_MIN)
        exponent = FLT_MIN_EXP;
    return fabs(found - right) / ldexp(1.0, exponent - FLT_MANT_DIG);
}

static enum lam_verdict judge(double error, double limit)
{
    return error <= limit        ? LAM_CHECK_OK
           : error <= 16 * limit ? LAM_CHECK_LOOSE
                                 : LAM_CHECK_WRONG;
}

static int group_size(const struct lam_host *host)
{
    int size = 64;

    while (size > 1 && size > host->device.max_work_group)
        size /= 2;
    return size;
}

static int run_builtins(const struct lam_host *host, const struct lam_tensor *x,
                        const struct lam_tensor *y, int group)
{
    const struct lam_arg args[] = {LAM_ARG_TENSOR(x), LAM_ARG_TENSOR(y),
                                   LAM_ARG_INT(N),
                                   LAM_ARG_LOCAL((size_t)group * 4)};
    const size_t global[] = {N, 1, 1}, local[] = {(size_t)group, 1, 1};
    struct lam_kernel *kernel;
    int err =
        host->kernel(host, device_check_cl, "device_check", NULL, &kernel);

    if (!err)
        err = host->launch(host, kernel, args, 3, global, NULL);
    if (!err)
        err = host->kernel(host, device_check_cl, "device_check_local", NULL,
                           &kernel);
    return err ? err : host->launch(host, kernel, args, 4, global, local);
}

// src NULL: not written.
static int place(struct lam_queue *queue, size_t bytes, const void *src,
                 struct lam_tensor *tensor)
{
    struct lam_buffer *buffer;
    int err = lam_buffer_create(queue, bytes, &buffer);

    if (!err)
        tensor->buffer = buffer;
    return err || !src ? err : lam_buffer_write(buffer, 0, bytes, src);
}

static int check_builtins(struct lam_queue *queue, const struct lam_host *host,
                          struct lam_device_check *rows)
{
    const int group = group_size(host);
    float x[N], *y = malloc(sizeof(float) * N * N_ROWS);
    struct lam_tensor in = {.shape = {.rank = 1, .dim = {N}}};
    struct lam_tensor out = {.shape = {.rank = 1, .dim = {N * N_ROWS}}};
    int err =
        y ? LAM_OK
          : lam_fail(lam_queue_context(queue), LAM_EMEMORY, "out of memory");

    for (int i = 0; i < N; i++) // both signs, sizes from 2^-6 to 2^5
        x[i] = (float)((i % 2 ? -1.0 : 1.0) *
                       ldexp(1.0 + lam_rng_unit(1, (uint64_t)i), i % 11 - 6));
    if (!err)
        err = place(queue, sizeof(x), x, &in);
    if (!err)
        err = place(queue, sizeof(float) * N * N_ROWS, NULL, &out);
    if (!err)
        err = run_builtins(host, &in, &out, group);
    if (!err)
        err = lam_buffer_read(out.buffer, 0, sizeof(float) * N * N_ROWS, y);
    for (int r = 0; r < N_ROWS && !err; r++) {
        rows[r] = (struct lam_device_check){.limit = builtins[r].limit};
        snprintf(rows[r].name, sizeof(rows[r].name), "%s", builtins[r].name);
        for (int i = 0; i < N; i++)
            rows[r].error =
                fmax(rows[r].error, distance((double)y[r * N + i],
                                             right_result(r, x, i, group)));
        rows[r].verdict = judge(rows[r].error, rows[r].limit);
    }
    lam_buffer_destroy(in.buffer);
    lam_buffer_destroy(out.buffer);
    free(y);
    return err;
}

static float element(int which, int i)
{
    return (float)((int)(lam_rng_bits((uint64_t)which, (uint64_t)i) % 7) - 3);
}

// Small integers: every order of adding them gives the same.
static int count_wrong(const float *a, const float *b, const float *c)
{
    int n = 0;

    for (int i = 0; i < SIDE; i++)
        for (int j = 0; j < SIDE; j++) {
            float sum = 0.0f;

            for (int k = 0; k < DEPTH; k++)
                sum += a[i * DEPTH + k] * b[j * DEPTH + k];
            n += c[i * SIDE + j] != sum;
        }
    return n;
}

static int check_gemm(struct lam_queue *queue, const struct lam_host *host,
                      struct lam_device_check *row)
{
    enum { AB = SIDE * DEPTH, C = SIDE * SIDE };
    float *data = calloc(2 * AB + C, sizeof(float));
    struct lam_tensor t[3] = {{.shape = {.rank = 1, .dim = {AB}}},
                              {.shape = {.rank = 1, .dim = {AB}}},
                              {.shape = {.rank = 1, .dim = {C}}}};
    const struct lam_gemm gemm = {.a = &t[0],
                                  .b = &t[1],
                                  .c = &t[2],
                                  .lda = DEPTH,
                                  .ldb = DEPTH,
                                  .ldc = SIDE,
                                  .trans_b = 1,
                                  .m = SIDE,
                                  .n = SIDE,
                                  .k = DEPTH,
                                  .batch = 1,
                                  .alpha = 1.0};
    int err =
        data ? LAM_OK
             : lam_fail(lam_queue_context(queue), LAM_EMEMORY, "out of memory");

    for (int i = 0; i < 2 * AB && data; i++)
        data[i] = element(2, i);
    for (int i = 0; i < 3 && !err; i++) {
        const size_t bytes = (size_t)lam_shape_bytes(&t[i].shape);

        err = place(queue, bytes, data + i * AB, &t[i]);
    }
    if (!err)
        err = host->gemm(host, &gemm);
    if (!err)
        err = lam_buffer_read(t[2].buffer, 0, C * sizeof(float), data + 2 * AB);
    if (!err) {
        *row = (struct lam_device_check){.name = "matrix product"};
        row->error = count_wrong(data, data + AB, data + 2 * AB);
        row->verdict = judge(row->error, 0.0);
    }
    for (int i = 0; i < 3; i++)
        lam_buffer_destroy(t[i].buffer);
    free(data);
    return err;
}

int lam_device_check(struct lam_queue *queue,
                     struct lam_device_check rows[LAM_DEVICE_CHECKS])
{
    struct lam_host host = {0};
    int err = lam_host_init(&host, lam_queue_context(queue), queue, LAM_F32);

    if (!err)
        err = check_builtins(queue, &host, rows);
    if (!err)
        err = check_gemm(queue, &host, &rows[N_ROWS]);
    lam_host_finish(&host);
    return err;
}

// The note that a device was found right; false where none can be kept, path
// is then the folder in question.
static bool note_path(const struct lam_queue *queue, char *path, size_t size)
{
    const struct lam_device_row *row = lam_queue_device(queue);
    char folder[1024], text[800], hash[65];
    unsigned char digest[32];
    struct lam_sha256 sum;

    if (!lam_cache_folder(NULL, "checked", folder, sizeof(folder))) {
        snprintf(path, size, "%s", folder);
        return false;
    }
    snprintf(text, sizeof(text), "%s|%s|%s|%s|%s", row->platform, row->name,
             row->driver, row->version, LAM_VERSION);
    lam_sha256_init(&sum);
    lam_sha256_add(&sum, text, strlen(text));
    lam_sha256_finish(&sum, digest);
    lam_sha256_hex(digest, hash);
    return snprintf(path, size, "%s/%s", folder, hash) < (int)size;
}

int lam_device_check_once(struct lam_queue *queue)
{
    struct lam_context *ctx = lam_queue_context(queue);
    const struct lam_device_row *device = lam_queue_device(queue);
    struct lam_device_check rows[LAM_DEVICE_CHECKS];
    char path[1200];
    const bool can_note = note_path(queue, path, sizeof(path));
    FILE *note;
    int err;

    if (can_note && access(path, F_OK) == 0)
        return LAM_OK;
    if (!can_note)
        lam_log(ctx, LAM_LOG_WARNING,
                "nothing is kept from one start to the next: %s%s; set "
                "XDG_CACHE_HOME or HOME to a folder of your own",
                path[0] ? path : "no cache folder is known",
                path[0] ? " is no folder that we alone may write" : "");
    lam_log(ctx, LAM_LOG_INFO,
            "first use of %s with this driver: checking what it computes",
            device->name);
    err = lam_device_check(queue, rows);
    for (int i = 0; i < LAM_DEVICE_CHECKS && !err; i++)
        if (rows[i].verdict == LAM_CHECK_WRONG)
            err = lam_fail(ctx, LAM_EDEVICE,
                           "device %d (%s, driver %s) computes %s wrongly; "
                           "lamina doctor tells more, --device takes another",
                           device->index, device->name, device->driver,
                           rows[i].name);
    note = !err && can_note ? fopen(path, "w") : NULL;
    if (note)
        fprintf(note, "%s, driver %s\n", device->name, device->driver);
    if (!err && can_note && (!note || fclose(note)))
        lam_log(ctx, LAM_LOG_WARNING, "%s cannot be written", path);
    return err;
}
