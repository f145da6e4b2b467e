// lamina devices - lists OpenCL devices, in a child process, for a broken
// driver may take down whoever asks.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd.h"

static void print_row(const struct lam_device_row *row, int verbose)
{
    const struct lam_device *d = &row->info;

    printf("%-3d %-4s %-40.40s %3d units  %8.1f GiB  %s  %s%s%s\n", row->index,
           d->kind == LAM_DEVICE_GPU ? "gpu" : "cpu", row->name,
           d->compute_units, (double)d->global_bytes / 0x1p30,
           d->has_f64 ? "fp64" : "----", row->platform,
           row->problem[0] ? "  unusable: " : "", row->problem);
    if (verbose)
        printf("    vendor %s\n    driver %s, %s\n    largest buffer %.1f MiB, "
               "work-group %lld, local memory %lld bytes%s, vectors of %d\n",
               row->vendor, row->driver, row->version,
               (double)d->max_alloc_bytes / 0x1p20,
               (long long)d->max_work_group, (long long)d->local_bytes,
               d->has_local_memory ? "" : " (plain memory)", d->vector_width);
}

static int list(struct lam_context *ctx, int verbose)
{
    struct lam_device_row *rows;
    int n, err = lam_device_list(ctx, &rows, &n);

    for (int i = 0; i < n && !err; i++)
        print_row(&rows[i], verbose);
    free(rows);
    return err;
}

int cmd_devices(struct lam_context *ctx, int argc, char **argv)
{
    static const char usage[] =
        "lamina devices [-v]\n"
        "Lists what --device takes: a number, gpu, cpu, or part of a name.\n";
    int verbose = 0, n, status;
    const struct option_row rows[] = {
        {"-v", NULL, "more about each", &verbose, NULL, NULL, NULL}, {0}};
    bool done;
    pid_t child;
    int err = options_parse(ctx, argc, argv, usage, rows, NULL, 0, &n, &done);

    if (err || done)
        return err;
    fflush(stdout);
    child = fork();
    if (child < 0)
        return list(ctx, verbose);
    if (child == 0) {
        err = list(ctx, verbose);
        if (err)
            fprintf(stderr, "lamina devices: %s\n", ctx->error);
        fflush(stdout);
        _exit(lam_status_exit(err));
    }
    if (waitpid(child, &status, 0) != child)
        return lam_fail(ctx, LAM_ERUN, "the child process was lost");
    if (WIFSIGNALED(status))
        return lam_fail(ctx, LAM_EDEVICE,
                        "an OpenCL driver died with signal %d while being "
                        "asked for its devices: remove ICD files from "
                        "/etc/OpenCL/vendors one by one to find it",
                        WTERMSIG(status));
    if (WEXITSTATUS(status))
        exit(WEXITSTATUS(status));
    return LAM_OK;
}
