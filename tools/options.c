#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "param.h"
#include "talk.h"

enum { MAX_ROWS = 48, MAX_TEXTS = 64 };

static const struct option_row common[] = {
    {"--quiet", NULL, "warnings and errors alone (-q)", &talk.is_quiet, NULL,
     NULL, NULL},
    {"--verbose", NULL, "more, to find a fault (-v)", &talk.is_verbose, NULL,
     NULL, NULL},
    {"--no-progress", NULL, "no line that says how far a job is",
     &talk.no_progress, NULL, NULL, NULL},
    {"--log-file", "FILE", "add what is said to a file, with the time", NULL,
     &talk.log_file, NULL, NULL},
    {0}};

static void print_rows(const struct option_row *rows)
{
    for (; rows->name; rows++) {
        char left[64];

        snprintf(left, sizeof(left), "%s%s%s", rows->name,
                 rows->argument ? " " : "",
                 rows->argument ? rows->argument : "");
        printf("  %-22s %s\n", left, rows->doc);
    }
}

static void print_usage(const char *usage, const struct option_row *rows)
{
    printf("usage: %s\n", usage);
    print_rows(rows);
    printf("\nAnd those of every verb: -h, -q, -v, --no-progress, --log-file "
           "FILE (lamina -h).\n");
}

void options_print_common(void)
{
    print_rows(common);
}

static const struct option_row *find(const struct option_row *rows,
                                     const char *name, size_t length)
{
    for (; rows->name; rows++)
        if (strlen(rows->name) == length &&
            strncmp(rows->name, name, length) == 0)
            return rows;
    return NULL;
}

static int fail_unknown(struct lam_context *ctx, const char *verb,
                        const struct option_row *rows, const char *found)
{
    const char *names[MAX_ROWS + 1] = {NULL};
    const char *near;
    int n = 0;

    for (; n < MAX_ROWS && rows->name; rows++)
        names[n++] = rows->name;
    for (int i = 0; n < MAX_ROWS && common[i].name; i++)
        names[n++] = common[i].name;
    near = lam_nearest(found, names);
    if (near)
        return lam_fail(ctx, LAM_EUSAGE,
                        "unknown option '%s' (did you mean '%s'?)", found,
                        near);
    return lam_fail(ctx, LAM_EUSAGE,
                    "unknown option '%s'; lamina %s -h lists them", found,
                    verb);
}

static int take(struct lam_context *ctx, const struct option_row *row,
                const char *value)
{
    if (row->flag) {
        *row->flag = 1;
    } else if (row->texts) {
        if (*row->n_texts == MAX_TEXTS)
            return lam_fail(ctx, LAM_EUSAGE, "%s is there more than %d times",
                            row->name, MAX_TEXTS);
        row->texts[(*row->n_texts)++] = value;
    } else {
        *row->text = value;
    }
    return LAM_OK;
}

static int parse_option(struct lam_context *ctx, int argc, char **argv, int *i,
                        const struct option_row *rows)
{
    const char *found = strcmp(argv[*i], "-q") == 0   ? "--quiet"
                        : strcmp(argv[*i], "-v") == 0 ? "--verbose"
                                                      : argv[*i];
    const size_t length = strcspn(found, "=");
    const struct option_row *row = find(rows, found, length);

    if (!row)
        row = find(common, found, length);
    if (!row)
        return fail_unknown(ctx, argv[0], rows, found);
    if (!row->argument) {
        if (found[length] == '=')
            return lam_fail(ctx, LAM_EUSAGE, "%s takes no argument", row->name);
        return take(ctx, row, NULL);
    }
    if (found[length] == '=')
        return take(ctx, row, found + length + 1);
    if (*i + 1 == argc)
        return lam_fail(ctx, LAM_EUSAGE, "%s wants an argument: %s", row->name,
                        row->argument);
    return take(ctx, row, argv[++*i]);
}

int options_parse(struct lam_context *ctx, int argc, char **argv,
                  const char *usage, const struct option_row *rows,
                  const char **rest, int max, int *n_rest, bool *done)
{
    bool is_literal = false;
    int err = LAM_OK;

    *n_rest = 0;
    *done = false;
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "-h") == 0 || strcmp(argv[i], "--help") == 0) {
            print_usage(usage, rows);
            *done = true;
            return LAM_OK;
        }
    for (int i = 1; i < argc && !err; i++) {
        if (!is_literal && strcmp(argv[i], "--") == 0)
            is_literal = true;
        else if (!is_literal && argv[i][0] == '-' && argv[i][1] != '\0')
            err = parse_option(ctx, argc, argv, &i, rows);
        else if (*n_rest == max)
            err = lam_fail(ctx, LAM_EUSAGE,
                           "unexpected argument '%s'; lamina %s -h explains",
                           argv[i], argv[0]);
        else
            rest[(*n_rest)++] = argv[i];
    }
    return err ? err : talk_open(ctx);
}

int options_split(struct lam_context *ctx, const char *text,
                  enum lam_split *split)
{
    static const char *const names[] = {"train", "val", "test", "all"};

    for (int i = 0; i < 4; i++)
        if (strcmp(text, names[i]) == 0) {
            *split = (enum lam_split)i;
            return LAM_OK;
        }
    return lam_fail(ctx, LAM_EUSAGE,
                    "--split is '%s', wanted train, val, test or all", text);
}
