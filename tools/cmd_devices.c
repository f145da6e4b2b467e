// lamina devices - lists OpenCL devices. The drivers run in a child process: a
// broken one must not take the list down with it.
#define _DEFAULT_SOURCE // sigaltstack

#include "cmd.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "apart.h"
#include "devices.h"
#include "json.h"

enum { MAX_DRIVER_SECONDS = 60 };

static int list(struct lam_context *ctx, void *data, void **result,
                size_t *bytes)
{
    struct lam_device_row *rows;
    int n;
    const int err = lam_device_list(ctx, &rows, &n);

    (void)data;
    *result = rows;
    *bytes = err ? 0 : (size_t)n * sizeof(*rows);
    return err;
}

int devices_ask(struct lam_context *ctx, struct lam_device_row **rows, int *n,
                int *end)
{
    void *result;
    size_t bytes;
    const int err =
        apart(ctx, MAX_DRIVER_SECONDS, list, NULL, &result, &bytes, end);

    *rows = result;
    *n = (int)(bytes / sizeof(**rows));
    return err;
}

const char *devices_vendors(void)
{
    const char *named = getenv("OCL_ICD_VENDORS");

    return named && named[0] ? named : "/etc/OpenCL/vendors";
}

// After a crash: which driver was it? Each is asked alone.
int devices_blame(struct lam_context *ctx, int end)
{
    const char *place = devices_vendors();
    char found[600] = "";
    DIR *dir = opendir(place);

    for (struct dirent *e = dir ? readdir(dir) : NULL; e; e = readdir(dir)) {
        char path[512];
        struct lam_device_row *rows;
        const size_t length = strlen(e->d_name), used = strlen(found);
        int n, its_end;

        if (length < 4 || strcmp(e->d_name + length - 4, ".icd") != 0)
            continue;
        if (snprintf(path, sizeof(path), "%s/%s", place, e->d_name) >=
            (int)sizeof(path))
            continue;
        setenv("OCL_ICD_VENDORS", path, 1);
        devices_ask(ctx, &rows, &n, &its_end);
        lam_error_clear(ctx);
        free(rows);
        if (its_end)
            snprintf(found + used, sizeof(found) - used, "%s%s",
                     used ? ", " : "", path);
    }
    if (dir)
        closedir(dir);
    if (found[0])
        return lam_fail(ctx, LAM_EDEVICE,
                        "an OpenCL driver %s while its devices are listed: "
                        "repair or remove %s, or set OCL_ICD_VENDORS to a "
                        "folder without it",
                        apart_end(end), found);
    return lam_fail(ctx, LAM_EDEVICE,
                    "an OpenCL driver %s while its devices are listed: look "
                    "into %s",
                    apart_end(end), place);
}

static const struct lam_context *guarded;

// Only what a signal handler may do. `lamina devices` finds out which it was.
static void on_crash(int signal)
{
    static const char sentence[] =
        "lamina: an OpenCL driver crashed while devices were looked for\n";
    static char *const words[] = {"lamina", "devices", NULL};
    pid_t child;
    int end = 0;

    (void)signal;
    if (!guarded->is_finding)
        return; // and meets the signal again, without this handler
    child = fork();
    if (child == 0) {
        dup2(2, 1);
        execv("/proc/self/exe", words);
        _exit(0);
    }
    if (child > 0)
        waitpid(child, &end, 0);
    if (end == 0 && write(2, sentence, sizeof(sentence) - 1) < 0)
        end = 1; // there is no one to tell
    _exit(lam_status_exit(LAM_EDEVICE));
}

void devices_guard(const struct lam_context *ctx)
{
    static char stack[1 << 16]; // a driver may have used up the other one
    struct sigaction action = {.sa_handler = on_crash,
                               .sa_flags =
                                   SA_RESETHAND | SA_NODEFER | SA_ONSTACK};

    guarded = ctx;
    sigaltstack(&(stack_t){.ss_sp = stack, .ss_size = sizeof(stack)}, NULL);
    for (int i = 0; i < APART_N_CRASHES; i++)
        sigaction(apart_crashes[i], &action, NULL);
}

static const char *kind_of(const struct lam_device_row *row)
{
    return row->info.kind == LAM_DEVICE_CPU ? "cpu" : "gpu";
}

static void print_table(const struct lam_device_row *rows, int n)
{
    printf("%2s  %-36s %-28s %-4s %5s %9s %-4s %s\n", "#", "name", "platform",
           "type", "units", "memory", "fp64", "driver");
    for (int i = 0; i < n; i++) {
        const struct lam_device_row *r = &rows[i];

        printf("%2d  %-36.36s %-28.28s %-4s %5d %5.1f GiB %-4s %s\n", r->index,
               r->name, r->platform, kind_of(r), r->info.compute_units,
               (double)r->info.global_bytes / 0x1p30,
               r->info.has_f64 ? "yes" : "no", r->driver);
        if (r->problem[0])
            printf("    cannot be used: it %s\n", r->problem);
    }
}

static void print_details(const struct lam_device_row *rows, int n)
{
    for (int i = 0; i < n; i++) {
        const struct lam_device_row *r = &rows[i];
        const struct lam_device *d = &r->info;

        printf("%sdevice %d\n", i ? "\n" : "", r->index);
        printf("  name              %s\n", r->name);
        printf("  platform          %s\n", r->platform);
        printf("  vendor            %s\n", r->vendor);
        printf("  driver            %s\n", r->driver);
        printf("  version           %s\n", r->version);
        printf("  type              %s\n", kind_of(r));
        printf("  compute units     %d\n", d->compute_units);
        printf("  vector width      %d floats\n", d->vector_width);
        printf("  double precision  %s\n", d->has_f64 ? "yes" : "no");
        printf("  local memory      %.1f KiB, %s\n",
               (double)d->local_bytes / 1024.0,
               d->has_local_memory ? "dedicated" : "plain cached memory");
        printf("  work-group        at most %lld\n",
               (long long)d->max_work_group);
        printf("  memory            %.2f GiB\n",
               (double)d->global_bytes / 0x1p30);
        printf("  largest buffer    %.2f GiB\n",
               (double)d->max_alloc_bytes / 0x1p30);
        if (r->problem[0])
            printf("  cannot be used    it %s\n", r->problem);
    }
}

static void print_json(const struct lam_device_row *rows, int n)
{
    struct lam_json j;

    lam_json_begin(&j, stdout);
    lam_json_list(&j, "devices");
    for (int i = 0; i < n; i++) {
        const struct lam_device_row *r = &rows[i];

        lam_json_object(&j, NULL);
        lam_json_int(&j, "index", r->index);
        lam_json_text(&j, "name", r->name);
        lam_json_text(&j, "platform", r->platform);
        lam_json_text(&j, "vendor", r->vendor);
        lam_json_text(&j, "driver", r->driver);
        lam_json_text(&j, "version", r->version);
        lam_json_text(&j, "type", kind_of(r));
        lam_json_text(&j, "problem", r->problem[0] ? r->problem : NULL);
        lam_json_int(&j, "compute_units", r->info.compute_units);
        lam_json_int(&j, "vector_width", r->info.vector_width);
        lam_json_bool(&j, "fp64", r->info.has_f64);
        lam_json_int(&j, "local_bytes", r->info.local_bytes);
        lam_json_int(&j, "max_work_group", r->info.max_work_group);
        lam_json_int(&j, "max_alloc_bytes", r->info.max_alloc_bytes);
        lam_json_int(&j, "global_bytes", r->info.global_bytes);
        lam_json_close(&j);
    }
    lam_json_end(&j);
}

int cmd_devices(struct lam_context *ctx, int argc, char **argv)
{
    static const char usage[] =
        "lamina devices [options]\n"
        "Lists the OpenCL devices of all drivers. The number in front is what\n"
        "--device takes; so does gpu, cpu, or a part of a name.\n\n"
        "  lamina devices -v\n"
        "  lamina train --device 1 model.yaml\n";
    int is_verbose = 0, is_json = 0, n = 0, n_rest, end, err;
    const struct option_row options[] = {
        {"--verbose", NULL, "all that is known of each device (-v)",
         &is_verbose, NULL, NULL, NULL},
        {"--json", NULL, "the same, for programs", &is_json, NULL, NULL, NULL},
        {0}};
    struct lam_device_row *rows;
    bool done;

    err =
        options_parse(ctx, argc, argv, usage, options, NULL, 0, &n_rest, &done);
    if (err || done)
        return err;
    err = devices_ask(ctx, &rows, &n, &end);
    if (end)
        return devices_blame(ctx, end);
    if (!err && is_json)
        print_json(rows, n);
    else if (!err && is_verbose)
        print_details(rows, n);
    else if (!err)
        print_table(rows, n);
    free(rows);
    return err;
}
