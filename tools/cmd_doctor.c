// lamina doctor - is everything there and right: drivers, permissions, cache,
// and what each device computes.
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apart.h"
#include "cmd.h"
#include "device_check.h"
#include "devices.h"
#include "doctor.h"

enum { MAX_CHECK_SECONDS = 300 };

void doctor_say(struct doctor *d, enum doctor_state state, const char *what,
                const char *advice, const char *format, ...)
{
    static const char *const names[] = {"ok", "warning", "failed"};
    char text[1200];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    d->n_warnings += state == DOCTOR_WARNING;
    d->n_failed += state == DOCTOR_FAILED;
    if (d->json) {
        lam_json_object(d->json, NULL);
        lam_json_text(d->json, "what", what);
        lam_json_text(d->json, "state", names[state]);
        lam_json_text(d->json, "text", text);
        lam_json_text(d->json, "advice", advice);
        lam_json_close(d->json);
    } else {
        printf("%-8s %-12s %s\n", names[state], what, text);
        if (advice)
            printf("%21s -> %s\n", "", advice);
    }
    d->n++;
    fflush(stdout);
}

static int check(struct lam_context *ctx, void *device, void **result,
                 size_t *bytes)
{
    const struct lam_queue_options options = {.device = device};
    struct lam_queue *queue = NULL;

    *bytes = LAM_DEVICE_CHECKS * sizeof(struct lam_device_check);
    *result = calloc(1, *bytes);
    if (!*result)
        return lam_fail(ctx, LAM_EMEMORY, "out of memory");
    if (!lam_queue_open(ctx, &options, &queue))
        lam_device_check(queue, *result);
    lam_queue_close(queue);
    return ctx->code;
}

static void say_check(struct doctor *d, const char *what,
                      const struct lam_device_check *c)
{
    static const char *const advice[] = {
        NULL, "results may differ a little from other devices'",
        "update the driver; until then take another device"};
    const bool is_exact = c->limit == 0.0;

    if (is_exact && c->verdict == LAM_CHECK_OK)
        doctor_say(d, DOCTOR_OK, what, NULL, "%s: exact", c->name);
    else
        doctor_say(d, (enum doctor_state)c->verdict, what, advice[c->verdict],
                   is_exact ? "%s: wrong" : "%s: off by %.3g ULP, allowed %.3g",
                   c->name, c->error, c->limit);
}

static void check_device(struct doctor *d, const struct lam_device_row *row)
{
    struct lam_device_check *checks;
    char what[20], index[12];
    void *result;
    size_t bytes;
    int end, err;

    snprintf(what, sizeof(what), "device %d", row->index);
    snprintf(index, sizeof(index), "%d", row->index);
    if (row->problem[0]) {
        doctor_say(d, DOCTOR_WARNING, what, "take another device",
                   "%s cannot be used: it %s", row->name, row->problem);
        return;
    }
    doctor_say(d, DOCTOR_OK, what, NULL, "%s, %s, driver %s, %.1f GiB",
               row->name, row->platform, row->driver,
               (double)row->info.global_bytes / 0x1p30);
    err = apart(d->ctx, MAX_CHECK_SECONDS, check, index, &result, &bytes, &end);
    checks = result;
    if (err)
        doctor_say(d, DOCTOR_FAILED, what,
                   "update the driver; until then take another device",
                   end ? "the driver %s when kernels run" : "%s",
                   end ? apart_end(end) : d->ctx->error);
    for (int i = 0; i < LAM_DEVICE_CHECKS && !err; i++)
        say_check(d, what, &checks[i]);
    free(result);
    lam_error_clear(d->ctx);
}

static void check_devices(struct doctor *d)
{
    const char *advice = lam_device_advice();
    struct lam_device_row *rows;
    bool has_gpu = false;
    int n, end, err;

    err = devices_ask(d->ctx, &rows, &n, &end);
    if (err) {
        if (end)
            devices_blame(d->ctx, end);
        doctor_say(d, DOCTOR_FAILED, "devices", NULL, "%s", d->ctx->error);
        lam_error_clear(d->ctx);
    }
    for (int i = 0; i < n; i++)
        has_gpu = has_gpu || rows[i].info.kind == LAM_DEVICE_GPU;
    if (!err && advice && !has_gpu)
        doctor_say(d, DOCTOR_WARNING, "devices", advice,
                   "this machine has a GPU that no OpenCL driver offers");
    for (int i = 0; i < n; i++)
        check_device(d, &rows[i]);
    free(rows);
}

int cmd_doctor(struct lam_context *ctx, int argc, char **argv)
{
    static const char usage[] =
        "lamina doctor [--json]\n"
        "Looks at drivers, permissions, cache, memory and plugins, and lets "
        "every device\ncompute what the host computes as well. Errors of "
        "functions are in units in the\nlast place (ULP). Exits 3 if anything "
        "failed. lamina selftest proves every kernel.\n";
    struct doctor d = {.ctx = ctx};
    struct lam_json json;
    int n, is_json = 0, err;
    const struct option_row rows[] = {
        {"--json", NULL, "for programs", &is_json, NULL, NULL, NULL}, {0}};
    bool done;

    err = options_parse(ctx, argc, argv, usage, rows, NULL, 0, &n, &done);
    if (err || done)
        return err;
    if (is_json) {
        d.json = &json;
        lam_json_begin(&json, stdout);
        lam_json_list(&json, "checks");
    }
    doctor_drivers(&d);
    doctor_permissions(&d);
    doctor_machine(&d);
    check_devices(&d);
    if (is_json) {
        lam_json_close(&json);
        lam_json_int(&json, "warnings", d.n_warnings);
        lam_json_int(&json, "failed", d.n_failed);
        lam_json_end(&json);
    } else {
        printf("%d checks, %d warnings, %d failed\n", d.n, d.n_warnings,
               d.n_failed);
    }
    return d.n_failed ? lam_fail(ctx, LAM_EDEVICE, "%d of %d checks failed",
                                 d.n_failed, d.n)
                      : LAM_OK;
}
