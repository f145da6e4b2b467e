#include "csv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_BYTES = 64 << 20, MAX_ROWS = 1000000 };

static int read_text(struct lam_context *ctx, const char *path, char **text)
{
    FILE *file = fopen(path, "rb");
    size_t size = 0, room = 32768;
    bool has_failed;

    if (!file)
        return lam_fail(ctx, LAM_EFILE, "%s: %s", path, strerror(errno));
    do {
        char *grown;

        room *= 2;
        grown = realloc(*text, room + 1);
        if (!grown) {
            fclose(file);
            return lam_fail(ctx, LAM_EMEMORY, "out of memory");
        }
        *text = grown;
        size += fread(*text + size, 1, room - size, file);
    } while (size == room && size < MAX_BYTES);
    has_failed = ferror(file) != 0;
    fclose(file);
    if (has_failed)
        return lam_fail(ctx, LAM_EFILE, "%s: the file cannot be read", path);
    if (size >= MAX_BYTES)
        return lam_fail(ctx, LAM_EDATA, "%s: a table of more than 64 MiB",
                        path);
    (*text)[size] = '\0';
    if (strlen(*text) != size)
        return lam_fail(ctx, LAM_EDATA, "%s: the file holds NUL bytes", path);
    return LAM_OK;
}

struct reader {
    char *at; // of the next character
    char end; // what ended the last cell: a comma, an end of line, NUL
    int line;
};

// Cuts one cell off; quotes are removed in place. NULL: a quote is left open,
// or followed by text.
static char *cut_cell(struct reader *r)
{
    char *start = r->at, *to = r->at;

    if (*r->at != '"') {
        r->at += strcspn(r->at, ",\r\n");
        to = r->at;
    } else {
        for (r->at++; *r->at && (*r->at != '"' || r->at[1] == '"'); r->at++) {
            r->at += *r->at == '"';
            r->line += *r->at == '\n';
            *to++ = *r->at;
        }
        if (*r->at != '"')
            return NULL;
        r->at++;
        if (*r->at && !strchr(",\r\n", *r->at))
            return NULL;
    }
    r->end = *r->at;
    if (r->end)
        r->at++;
    *to = '\0';
    if (r->end == '\r' && *r->at == '\n')
        r->at++;
    return start;
}

static int add_row(struct lam_context *ctx, struct lam_csv *csv, int line,
                   size_t *room)
{
    if ((size_t)csv->n_rows == *room) {
        int *grown;

        *room = *room ? 2 * *room : 256;
        grown = realloc(csv->lines, *room * sizeof(*grown));
        if (!grown)
            return lam_fail(ctx, LAM_EMEMORY, "out of memory");
        csv->lines = grown;
    }
    csv->lines[csv->n_rows++] = line;
    return LAM_OK;
}

static int parse(struct lam_context *ctx, const char *path, struct lam_csv *csv)
{
    struct reader r = {csv->text, 0, 1};
    size_t n = 0, room = 0, line_room = 0;

    if (strncmp(r.at, "\xEF\xBB\xBF", 3) == 0)
        r.at += 3;
    while (*r.at) {
        const int line = r.line;
        int columns = 0, err;

        do {
            char *cell = cut_cell(&r);

            if (!cell)
                return lam_fail(ctx, LAM_EDATA,
                                "%s:%d: a quote is left open, or text follows "
                                "it",
                                path, line);
            if (n == room) {
                char **grown;

                room = room ? 2 * room : 1024;
                grown = realloc(csv->cells, room * sizeof(*grown));
                if (!grown)
                    return lam_fail(ctx, LAM_EMEMORY, "out of memory");
                csv->cells = grown;
            }
            csv->cells[n++] = cell;
            columns++;
        } while (r.end == ',');
        r.line++;
        if (columns == 1 && csv->cells[n - 1][0] == '\0') {
            n--;
            continue;
        }
        if (csv->n_rows == 0)
            csv->n_columns = columns;
        if (columns != csv->n_columns)
            return lam_fail(ctx, LAM_EDATA,
                            "%s:%d: %d columns, the header has %d", path, line,
                            columns, csv->n_columns);
        if (csv->n_rows == MAX_ROWS)
            return lam_fail(ctx, LAM_EDATA, "%s: more than %d rows", path,
                            MAX_ROWS);
        err = add_row(ctx, csv, line, &line_room);
        if (err)
            return err;
    }
    if (csv->n_rows == 0)
        return lam_fail(ctx, LAM_EDATA, "%s: the table is empty", path);
    return LAM_OK;
}

int lam_csv_read(struct lam_context *ctx, const char *path, struct lam_csv *csv)
{
    int err;

    *csv = (struct lam_csv){0};
    err = read_text(ctx, path, &csv->text);
    if (!err)
        err = parse(ctx, path, csv);
    if (err)
        lam_csv_free(csv);
    return err;
}

void lam_csv_free(struct lam_csv *csv)
{
    free(csv->cells);
    free(csv->lines);
    free(csv->text);
    *csv = (struct lam_csv){0};
}

int lam_csv_column(const struct lam_csv *csv, const char *name)
{
    for (int i = 0; i < csv->n_columns; i++)
        if (strcmp(csv->cells[i], name) == 0)
            return i;
    return -1;
}

const char *lam_csv_cell(const struct lam_csv *csv, int row, int column)
{
    return csv->cells[(size_t)row * (size_t)csv->n_columns + (size_t)column];
}
