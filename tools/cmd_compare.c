// lamina compare - what differs between runs, and what came out.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "compare.h"
#include "json.h"

enum { MAX_WIDTH = 32 };

static void print_json(const struct compare *c)
{
    struct lam_json j;

    lam_json_begin(&j, stdout);
    lam_json_list(&j, "runs");
    for (int i = 0; i < c->n_runs; i++) {
        const struct compare_run *run = &c->runs[i];

        lam_json_object(&j, NULL);
        lam_json_text(&j, "run", run->path);
        for (int k = 0; k < COMPARE_NUMBERS; k++)
            lam_json_real(&j, compare_numbers[k].name, run->numbers[k]);
        lam_json_close(&j);
    }
    lam_json_close(&j);
    lam_json_object(&j, "differences");
    for (int k = 0; k < c->n_settings; k++) {
        if (!compare_differs(c, k))
            continue;
        lam_json_list(&j, c->settings[k].name);
        for (int i = 0; i < c->n_runs; i++)
            lam_json_text(&j, NULL, c->settings[k].values[i]);
        lam_json_close(&j);
    }
    lam_json_end(&j);
}

static int width_of(const struct compare *c, int run)
{
    size_t width = strlen(c->runs[run].path);

    for (int k = 0; k < c->n_settings; k++) {
        const char *value = c->settings[k].values[run];

        if (compare_differs(c, k) && value && strlen(value) > width)
            width = strlen(value);
    }
    return width < 9 ? 9 : width > MAX_WIDTH ? MAX_WIDTH : (int)width;
}

// At most `width` characters: of a path the end, else the beginning.
static void print_cell(const char *text, int width, bool is_path)
{
    const int length = (int)strlen(text);

    if (length > width && is_path)
        printf("  ..%s", text + length - width + 2);
    else if (length > width)
        printf("  %.*s..", width - 2, text);
    else
        printf("  %-*s", width, text);
}

static void print_table(const struct compare *c)
{
    int widths[COMPARE_MAX_RUNS], n_different = 0;

    printf("%-*s", MAX_WIDTH, "");
    for (int i = 0; i < c->n_runs; i++) {
        widths[i] = width_of(c, i);
        print_cell(c->runs[i].path, widths[i], true);
    }
    for (int k = 0; k < c->n_settings; k++) {
        if (!compare_differs(c, k))
            continue;
        n_different++;
        printf("\n%-*s", MAX_WIDTH, c->settings[k].name);
        for (int i = 0; i < c->n_runs; i++)
            print_cell(c->settings[k].values[i] ? c->settings[k].values[i]
                                                : "-",
                       widths[i], false);
    }
    if (n_different == 0)
        printf("\nthe same configuration");
    printf("\n");
    for (int k = 0; k < COMPARE_NUMBERS; k++) {
        printf("\n%-*s", MAX_WIDTH, compare_numbers[k].title);
        for (int i = 0; i < c->n_runs; i++) {
            char text[40] = "-";

            if (!isnan(c->runs[i].numbers[k]))
                snprintf(text, sizeof(text), "%.*f", compare_numbers[k].digits,
                         c->runs[i].numbers[k]);
            print_cell(text, widths[i], false);
        }
    }
    printf("\n");
}

int cmd_compare(struct lam_context *ctx, int argc, char **argv)
{
    static const char usage[] =
        "lamina compare RUN RUN..\n"
        "Prints what of the configuration differs between runs, and beside it "
        "their scores on\nvalidation, time, memory and parameters. Needs no "
        "device.\n\n"
        "  lamina compare runs/unet-1 runs/unet-2\n";
    int is_json = 0, n;
    const struct option_row rows[] = {
        {"--json", NULL, "for programs", &is_json, NULL, NULL, NULL}, {0}};
    const char *paths[COMPARE_MAX_RUNS];
    struct compare compare;
    bool done;
    int err = options_parse(ctx, argc, argv, usage, rows, paths,
                            COMPARE_MAX_RUNS, &n, &done);

    if (err || done)
        return err;
    if (n < 2)
        return lam_fail(ctx, LAM_EUSAGE,
                        "wanted two run folders or more; lamina compare -h "
                        "explains");
    err = compare_open(ctx, paths, n, &compare);
    if (!err && is_json)
        print_json(&compare);
    else if (!err)
        print_table(&compare);
    compare_close(&compare);
    return err;
}
