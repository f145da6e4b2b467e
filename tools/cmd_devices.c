// lamina devices - lists OpenCL devices. The drivers run in a child process: a
// broken one must not take the list down with it.
#include "cmd.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_DRIVER_SECONDS = 60, MAX_ROWS = 64 };

// What the child sends, followed by n rows.
struct answer {
    int status, n;
    char error[1024];
};

static bool write_all(int fd, const void *data, size_t size)
{
    const char *at = data;

    while (size > 0) {
        const ssize_t n = write(fd, at, size);

        if (n <= 0)
            return false;
        at += n;
        size -= (size_t)n;
    }
    return true;
}

static bool read_all(int fd, void *data, size_t size)
{
    char *at = data;

    while (size > 0) {
        const ssize_t n = read(fd, at, size);

        if (n <= 0)
            return false;
        at += n;
        size -= (size_t)n;
    }
    return true;
}

static void answer(struct lam_context *ctx, int fd)
{
    struct lam_device_row *rows = NULL;
    struct answer a = {0};

    alarm(MAX_DRIVER_SECONDS);
    a.status = lam_device_list(ctx, &rows, &a.n);
    if (a.status)
        a.n = 0;
    snprintf(a.error, sizeof(a.error), "%s", ctx->error);
    if (!write_all(fd, &a, sizeof(a)) ||
        !write_all(fd, rows, (size_t)a.n * sizeof(*rows)))
        _exit(1);
    // Not exit(): what drivers do at exit is no longer of interest.
    _exit(0);
}

// Asks a child; its end is left in *end where it sent no whole answer.
static int ask(struct lam_context *ctx, struct lam_device_row **rows, int *n,
               int *end)
{
    struct answer a = {0};
    int ends[2];
    pid_t child;
    bool is_whole;

    *rows = NULL;
    *n = *end = 0;
    if (pipe(ends))
        return lam_fail(ctx, LAM_ERUN, "no pipe can be opened");
    child = fork();
    if (child == 0) {
        close(ends[0]);
        answer(ctx, ends[1]);
    }
    close(ends[1]);
    if (child < 0) {
        close(ends[0]);
        return lam_fail(ctx, LAM_ERUN, "no process can be started");
    }
    is_whole = read_all(ends[0], &a, sizeof(a)) && a.n >= 0 && a.n <= MAX_ROWS;
    if (is_whole && a.n > 0) {
        *rows = calloc((size_t)a.n, sizeof(**rows));
        is_whole =
            *rows && read_all(ends[0], *rows, (size_t)a.n * sizeof(**rows));
    }
    close(ends[0]);
    waitpid(child, end, 0);
    if (!is_whole) {
        free(*rows);
        *rows = NULL;
        return *end ? LAM_EDEVICE : lam_fail(ctx, LAM_EMEMORY, "out of memory");
    }
    *end = 0;
    *n = a.n;
    return a.status ? lam_fail(ctx, a.status, "%s", a.error) : LAM_OK;
}

static const char *describe(int end)
{
    if (WIFSIGNALED(end) && WTERMSIG(end) == SIGALRM)
        return "does not answer";
    return WIFSIGNALED(end) ? "crashes" : "ends the program";
}

// After a crash: which driver was it? Each is asked alone.
static int blame(struct lam_context *ctx, int end)
{
    static const char folder[] = "/etc/OpenCL/vendors";
    const char *named = getenv("OCL_ICD_VENDORS");
    const char *place = named && named[0] ? named : folder;
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
        ask(ctx, &rows, &n, &its_end);
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
                        describe(end), found);
    return lam_fail(ctx, LAM_EDEVICE,
                    "an OpenCL driver %s while its devices are listed: look "
                    "into %s",
                    describe(end), place);
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

int cmd_devices(struct lam_context *ctx, int argc, char **argv)
{
    static const char usage[] =
        "lamina devices [options]\n"
        "Lists the OpenCL devices of all drivers. The number in front is what\n"
        "--device takes; so does gpu, cpu, or a part of a name.\n\n"
        "  lamina devices -v\n"
        "  lamina train --device 1 model.yaml\n";
    int is_verbose = 0, n = 0, n_rest, end, err;
    const struct option_row options[] = {
        {"-v", NULL, "all that is known of each device", &is_verbose, NULL,
         NULL, NULL},
        {"--verbose", NULL, "the same", &is_verbose, NULL, NULL, NULL},
        {0}};
    struct lam_device_row *rows;
    bool done;

    err =
        options_parse(ctx, argc, argv, usage, options, NULL, 0, &n_rest, &done);
    if (err || done)
        return err;
    err = ask(ctx, &rows, &n, &end);
    if (end)
        return blame(ctx, end);
    if (!err && is_verbose)
        print_details(rows, n);
    else if (!err)
        print_table(rows, n);
    free(rows);
    return err;
}
