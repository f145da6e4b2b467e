// lamina report - a page about a run.
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "report.h"

int cmd_report(struct lam_context *ctx, int argc, char **argv)
{
    static const char usage[] =
        "lamina report RUN [--out report.html] [--data PATH] [--split test]\n"
        "Writes one HTML file that needs no other and no network: scores, "
        "curves, thresholds,\nerrors by context, worst and best images, the "
        "model. By default RUN/report.html.\n";
    const char *out = NULL, *data = NULL, *split_text = "test", *device = NULL;
    const char *rest[1];
    struct report report = {0};
    enum lam_split split;
    char path[1200];
    const struct option_row rows[] = {
        {"--out", "FILE", "where the page goes", NULL, &out, NULL, NULL},
        {"--data", "PATH", "the data set (the one trained on)", NULL, &data,
         NULL, NULL},
        {"--split", "NAME", "train, val, test or all (test)", NULL, &split_text,
         NULL, NULL},
        {"--device", "D", "gpu, cpu, a number or part of a name", NULL, &device,
         NULL, NULL},
        {0}};
    bool done;
    int n,
        err = options_parse(ctx, argc, argv, usage, rows, rest, 1, &n, &done);

    if (err || done)
        return err;
    if (n != 1)
        return lam_fail(ctx, LAM_EUSAGE,
                        "a run folder is wanted; lamina report -h explains");
    err = options_split(ctx, split_text, &split);
    snprintf(path, sizeof(path), "%s/report.html", rest[0]);
    if (!err)
        err = report_open(ctx, rest[0], data, split, device, &report);
    if (!err)
        err = report_write(&report, out ? out : path);
    if (!err)
        printf("%s\n", out ? out : path);
    report_close(&report);
    return err;
}
