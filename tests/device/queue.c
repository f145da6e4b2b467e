// Choice of a device, buffers, and a watchdog that bites.
#include "check.h"
#include "device.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static struct lam_context ctx;

static void check_choice(void)
{
    struct lam_queue_options options = {0};
    struct lam_device_row *rows = NULL;
    struct lam_queue *q = NULL;
    char index[16], part[6];
    int n = 0;

    CHECK_INT(lam_device_list(&ctx, &rows, &n), LAM_OK);
    CHECK(n > 0);
    if (n == 0)
        return;
    CHECK(rows[0].info.compute_units > 0);
    CHECK(rows[0].info.vector_width > 0);
    CHECK(rows[0].info.max_alloc_bytes > 0);
    CHECK_INT(rows[0].index, 0);
    snprintf(index, sizeof(index), "%d", n - 1);
    snprintf(part, sizeof(part), "%.5s", rows[n - 1].name);
    options.device = index;
    CHECK_INT(lam_queue_open(&ctx, &options, &q), LAM_OK);
    if (q)
        CHECK_INT(lam_queue_device(q)->index, n - 1);
    lam_queue_close(q);
    options.device = part;
    CHECK_INT(lam_queue_open(&ctx, &options, &q), LAM_OK);
    lam_queue_close(q);

    options.device = "9999";
    CHECK_INT(lam_queue_open(&ctx, &options, &q), LAM_EDEVICE);
    CHECK_HAS(ctx.error, "no device fits '9999'");
    CHECK(q == NULL);
    lam_error_clear(&ctx);
    options.device = "no such name";
    CHECK_INT(lam_queue_open(&ctx, &options, &q), LAM_EDEVICE);
    CHECK_HAS(ctx.error, "lamina devices lists");
    lam_error_clear(&ctx);
    lam_queue_close(NULL);
    free(rows);
}

static void check_buffers(void)
{
    const struct lam_queue_options options = {.poison = true, .canary = true};
    unsigned char data[1000], back[1000];
    struct lam_buffer *a = NULL, *b = NULL;
    struct lam_queue *q = NULL;
    int n_bad = 0;

    CHECK_INT(lam_queue_open(&ctx, &options, &q), LAM_OK);
    if (!q)
        return;
    CHECK_INT(lam_buffer_create(q, sizeof(data), &a), LAM_OK);
    CHECK_INT(lam_buffer_create(q, sizeof(data), &b), LAM_OK);
    CHECK_INT(lam_queue_live_buffers(q), 2);
    CHECK_INT(lam_queue_allocated(q), 2000);
    CHECK_INT(lam_buffer_bytes(a), 1000);

    CHECK_INT(lam_buffer_read(a, 0, sizeof(back), back), LAM_OK);
    for (size_t i = 0; i < sizeof(back); i++)
        n_bad += back[i] != 0xFF;
    CHECK_INT(n_bad, 0);
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (unsigned char)(7 * i);
    CHECK_INT(lam_buffer_write(a, 0, sizeof(data), data), LAM_OK);
    CHECK_INT(lam_buffer_write(a, 10, 3, "abc"), LAM_OK);
    memcpy(data + 10, "abc", 3);
    CHECK_INT(lam_buffer_copy(b, a, sizeof(data)), LAM_OK);
    CHECK_INT(lam_buffer_copy(b, b, sizeof(data)), LAM_OK);
    CHECK_INT(lam_buffer_read(b, 0, sizeof(back), back), LAM_OK);
    CHECK(memcmp(data, back, sizeof(data)) == 0);
    CHECK_INT(lam_buffer_read(b, 900, 100, back), LAM_OK);
    CHECK(memcmp(data + 900, back, 100) == 0);
    CHECK_INT(lam_buffer_fill(b, 3), LAM_OK);
    CHECK_INT(lam_buffer_read(b, 999, 1, back), LAM_OK);
    CHECK_INT(back[0], 3);
    CHECK_INT(lam_buffer_intact(a, "a"), LAM_OK);
    CHECK_INT(lam_buffer_intact(b, "b"), LAM_OK);

    CHECK_INT(lam_buffer_write(a, 998, 3, data), LAM_ERUN);
    CHECK_HAS(ctx.error, "3 bytes at 998 are not within a buffer of 1000");
    lam_error_clear(&ctx);
    CHECK_INT(lam_buffer_read(a, (size_t)-1, 2, back), LAM_ERUN);
    lam_error_clear(&ctx);
    CHECK_INT(lam_buffer_copy(b, a, 1001), LAM_ERUN);
    lam_error_clear(&ctx);

    lam_buffer_destroy(a);
    lam_buffer_destroy(b);
    lam_buffer_destroy(NULL);
    CHECK_INT(lam_queue_live_buffers(q), 0);
    CHECK_INT(lam_queue_allocated(q), 0);
    CHECK_INT(lam_queue_peak(q), 2000);

    CHECK_INT(lam_buffer_create(
                  q, (size_t)lam_queue_device(q)->info.max_alloc_bytes, &a),
              LAM_EMEMORY);
    CHECK_HAS(ctx.error, "at once");
    CHECK(a == NULL);
    lam_error_clear(&ctx);
    CHECK_INT(lam_buffer_create(q, (size_t)-1, &a), LAM_EMEMORY);
    lam_error_clear(&ctx);
    CHECK_INT(lam_buffer_create(q, 0, &a), LAM_ERUN);
    lam_error_clear(&ctx);
    CHECK_INT(lam_queue_live_buffers(q), 0);
    CHECK_INT(lam_queue_finish(q), LAM_OK);
    lam_queue_close(q);
}

static void check_parts(void)
{
    const struct lam_queue_options options = {.poison = true, .canary = true};
    struct lam_buffer *whole = NULL, *part = NULL, *none = NULL;
    struct lam_queue *q = NULL;
    unsigned char *back;
    size_t start, n_right = 0;

    CHECK_INT(lam_queue_open(&ctx, &options, &q), LAM_OK);
    if (!q)
        return;
    start = (size_t)lam_queue_device(q)->part_bytes;
    CHECK(start > 0);
    back = calloc(3, start);
    CHECK_INT(lam_buffer_create(q, 3 * start, &whole), LAM_OK);
    CHECK_INT(lam_buffer_part(whole, start, start, &part), LAM_OK);
    CHECK_INT(lam_queue_live_buffers(q), 2);
    CHECK_INT(lam_queue_allocated(q), (long long)(3 * start));
    CHECK_INT(lam_buffer_bytes(part), (long long)start);

    CHECK_INT(lam_buffer_fill(whole, 1), LAM_OK);
    CHECK_INT(lam_buffer_fill(part, 2), LAM_OK);
    CHECK_INT(lam_buffer_read(whole, 0, 3 * start, back), LAM_OK);
    for (size_t i = 0; i < 3 * start; i++)
        n_right += back[i] == (i / start == 1 ? 2 : 1);
    CHECK_INT(n_right, (long long)(3 * start));
    CHECK_INT(lam_buffer_intact(part, "the part"), LAM_OK);
    CHECK_INT(lam_buffer_intact(whole, "the whole"), LAM_OK);

    CHECK_INT(lam_buffer_read(part, 1, start, back), LAM_ERUN);
    lam_error_clear(&ctx);
    CHECK_INT(lam_buffer_part(whole, start, 3 * start, &none), LAM_ERUN);
    CHECK(none == NULL);
    lam_error_clear(&ctx);
    CHECK_INT(lam_buffer_part(whole, 1, start, &none), LAM_ERUN);
    CHECK_HAS(ctx.error, "clCreateSubBuffer");
    CHECK(none == NULL);
    lam_error_clear(&ctx);
    lam_buffer_destroy(part);
    lam_buffer_destroy(whole);
    CHECK_INT(lam_queue_live_buffers(q), 0);
    CHECK_INT(lam_queue_allocated(q), 0);
    lam_queue_close(q);
    free(back);
}

// Runs a kernel that never ends; returns what the program should exit with.
static int hang(void)
{
    static const char source[] =
        "kernel void for_ever(global volatile int *x)\n"
        "{\n"
        "    while (*x == 0)\n"
        "        ;\n"
        "}\n";
    const struct lam_queue_options options = {.timeout_s = 0.5};
    const size_t global[3] = {1, 1, 1};
    struct lam_buffer *buffer = NULL;
    struct lam_queue *q = NULL;
    struct lam_kernel *kernel;
    struct lam_host host;
    int zero = 0, err;

    if (lam_queue_open(&ctx, &options, &q) ||
        lam_host_init(&host, &ctx, q, LAM_F32) ||
        lam_buffer_create(q, sizeof(zero), &buffer) ||
        lam_buffer_write(buffer, 0, sizeof(zero), &zero) ||
        host.kernel(&host, source, "for_ever", NULL, &kernel))
        return 1;
    // These run a kernel within the call that enqueues or flushes it.
    if (strcmp(lam_queue_device(q)->platform, "Oclgrind") == 0 ||
        strncmp(lam_queue_device(q)->name, "basic", 5) == 0)
        return 6;
    {
        const struct lam_tensor x = {
            .shape = {.dtype = LAM_I32, .rank = 1, .dim = {1}},
            .buffer = buffer};
        const struct lam_arg args[] = {LAM_ARG_TENSOR(&x)};

        if (host.launch(&host, kernel, args, 1, global, NULL))
            return 2;
    }
    err = lam_buffer_read(buffer, 0, sizeof(zero), &zero);
    if (err != LAM_ELOST || !strstr(ctx.error, "for_ever"))
        return 3;
    lam_error_clear(&ctx);
    // Nothing may wait for the device again, nor may closing.
    if (lam_queue_finish(q) != LAM_ELOST || lam_buffer_fill(buffer, 0) == 0)
        return 4;
    lam_buffer_destroy(buffer);
    lam_host_finish(&host);
    lam_queue_close(q);
    return lam_status_exit(err);
}

// A child that is ended by an alarm or by a signal does not pass.
static void check_watchdog(void)
{
    int end = 0;
    const pid_t child = fork();

    if (child == 0) {
        alarm(250); // its kernel is compiled in this time too
        exit(hang());
    }
    CHECK(child > 0);
    waitpid(child, &end, 0);
    CHECK(WIFEXITED(end));
    CHECK_INT(WEXITSTATUS(end), 6);
}

int main(void)
{
    struct lam_device_row *rows = NULL;
    int n = 0;

    // First, while no driver has threads here that a child would miss.
    check_watchdog();
    if (lam_device_list(&ctx, &rows, &n)) {
        printf("%s\n", ctx.error);
        return 77;
    }
    free(rows);
    check_choice();
    check_buffers();
    check_parts();
    return check_done();
}
