#include "tuning.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cache_folder.h"
#include "csv.h"
#include "sha256.h"
#include "shape.h"

enum { N_TEXTS = 7, N_COLUMNS = 10, MAX_TEXT = 1024 };

static const char *const columns[N_COLUMNS] = {
    "layer", "input",  "mode",   "pass",   "variant",
    "ms",    "others", "device", "driver", "lamina"};

const char *const lam_pass_names[] = {"run", "data", "weight", NULL};

struct lam_tuning {
    struct lam_context *ctx;
    char path[1100], device[128], driver[160];
    struct lam_tuned *rows;
    int n;
};

// The texts of a row in the order of the columns.
static char **text_of(struct lam_tuned *row, int i)
{
    char **const texts[N_TEXTS] = {&row->layer, &row->input, &row->mode,
                                   &row->pass,  &row->taken, &row->ms,
                                   &row->others};

    return texts[i];
}

static void row_free(struct lam_tuned *row)
{
    for (int i = 0; i < N_TEXTS; i++)
        free(*text_of(row, i));
}

static int row_make(struct lam_tuning *t, const char *const texts[N_TEXTS],
                    struct lam_tuned *row)
{
    *row = (struct lam_tuned){0};
    for (int i = 0; i < N_TEXTS; i++) {
        *text_of(row, i) = strdup(texts[i]);
        if (!*text_of(row, i)) {
            row_free(row);
            return lam_fail(t->ctx, LAM_EMEMORY, "out of memory");
        }
    }
    return LAM_OK;
}

static bool same_key(struct lam_tuned *a, struct lam_tuned *b)
{
    for (int i = 0; i < 4; i++)
        if (strcmp(*text_of(a, i), *text_of(b, i)) != 0)
            return false;
    return true;
}

// Takes the row over.
static int put_row(struct lam_tuning *t, struct lam_tuned *row)
{
    struct lam_tuned *rows;

    for (int i = 0; i < t->n; i++)
        if (same_key(&t->rows[i], row)) {
            row_free(&t->rows[i]);
            t->rows[i] = *row;
            return LAM_OK;
        }
    rows = realloc(t->rows, sizeof(*rows) * (size_t)(t->n + 1));
    if (!rows) {
        row_free(row);
        return lam_fail(t->ctx, LAM_EMEMORY, "out of memory");
    }
    t->rows = rows;
    t->rows[t->n++] = *row;
    return LAM_OK;
}

static void print_cell(FILE *out, const char *text, const char *end)
{
    fputc('"', out);
    for (; *text; text++) {
        if (*text == '"')
            fputc('"', out);
        fputc((unsigned char)*text < 0x20 ? ' ' : *text, out);
    }
    fprintf(out, "\"%s", end);
}

static bool is_ours(const struct lam_tuning *t, const struct lam_csv *csv,
                    int row)
{
    return strcmp(lam_csv_cell(csv, row, 7), t->device) == 0 &&
           strcmp(lam_csv_cell(csv, row, 8), t->driver) == 0 &&
           strcmp(lam_csv_cell(csv, row, 9), LAM_VERSION) == 0;
}

static int read_file(struct lam_tuning *t)
{
    struct lam_csv csv;
    int err = lam_csv_read(t->ctx, t->path, &csv);

    for (int i = 0; i < N_COLUMNS && !err; i++)
        if (csv.n_columns != N_COLUMNS ||
            strcmp(lam_csv_cell(&csv, 0, i), columns[i]) != 0)
            err = lam_fail(t->ctx, LAM_EDATA,
                           "%s: its columns are not those "
                           "of a tuning file",
                           t->path);
    if (err == LAM_EDATA || err == LAM_EFILE) {
        lam_log(t->ctx, LAM_LOG_WARNING,
                "%s; it is left out, lamina tune makes it anew", t->ctx->error);
        lam_error_clear(t->ctx);
        lam_csv_free(&csv);
        return LAM_OK;
    }
    for (int i = 1; i < csv.n_rows && !err; i++) {
        const char *texts[N_TEXTS];
        struct lam_tuned row;

        if (!is_ours(t, &csv, i))
            continue;
        for (int k = 0; k < N_TEXTS; k++)
            texts[k] = lam_csv_cell(&csv, i, k);
        err = row_make(t, texts, &row);
        if (!err)
            err = put_row(t, &row);
    }
    lam_csv_free(&csv);
    return err;
}

int lam_tuning_open(struct lam_context *ctx, const struct lam_device_row *row,
                    const char *folder, struct lam_tuning **tuning)
{
    struct lam_tuning *t = calloc(1, sizeof(*t));
    unsigned char digest[32];
    struct lam_sha256 s;
    char hex[65];
    size_t n;
    int err;

    *tuning = t;
    if (!t)
        return lam_fail(ctx, LAM_EMEMORY, "out of memory");
    t->ctx = ctx;
    snprintf(t->device, sizeof(t->device), "%s", row->name);
    snprintf(t->driver, sizeof(t->driver), "%s", row->driver);
    if (!lam_cache_folder(folder, "tuning", t->path, sizeof(t->path) - 32)) {
        t->path[0] = '\0';
        return LAM_OK;
    }
    lam_sha256_init(&s);
    lam_sha256_add(&s, t->device, strlen(t->device) + 1);
    lam_sha256_add(&s, t->driver, strlen(t->driver) + 1);
    lam_sha256_finish(&s, digest);
    lam_sha256_hex(digest, hex);
    n = strlen(t->path);
    snprintf(t->path + n, sizeof(t->path) - n, "/%.16s.csv", hex);
    if (access(t->path, F_OK))
        return LAM_OK;
    err = read_file(t);
    if (err) {
        lam_tuning_close(t);
        *tuning = NULL;
    }
    return err;
}

void lam_tuning_close(struct lam_tuning *t)
{
    if (!t)
        return;
    lam_tuning_clear(t);
    free(t->rows);
    free(t);
}

void lam_tuning_clear(struct lam_tuning *t)
{
    for (int i = 0; i < t->n; i++)
        row_free(&t->rows[i]);
    t->n = 0;
}

const char *lam_tuning_path(const struct lam_tuning *t)
{
    return t->path;
}

int lam_tuning_count(const struct lam_tuning *t)
{
    return t->n;
}

const struct lam_tuned *lam_tuning_at(const struct lam_tuning *t, int i)
{
    return &t->rows[i];
}

static int by_key(const void *a, const void *b)
{
    const struct lam_setting *x = a, *y = b;

    return strcmp(x->key, y->key);
}

// Type and settings, in the order of their keys. false if it is too long.
static bool print_layer(const struct lam_node *node, char *text, size_t size)
{
    struct lam_setting sorted[64];
    size_t used = (size_t)snprintf(text, size, "%s", node->layer.type->name);

    if (node->n_settings > 64)
        return false;
    memcpy(sorted, node->settings,
           sizeof(sorted[0]) * (size_t)node->n_settings);
    qsort(sorted, (size_t)node->n_settings, sizeof(sorted[0]), by_key);
    for (int i = 0; i < node->n_settings && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, " %s=%s",
                                 sorted[i].key, sorted[i].value);
    return used < size;
}

static void print_input(const struct lam_node *node, char *text, size_t size)
{
    lam_shape_print(&node->in_shape[0], text, size);
    if (node->in_shape[0].dtype == LAM_F16)
        snprintf(text + strlen(text), size - strlen(text), " half");
}

static int make_row(struct lam_tuning *t, const struct lam_graph *graph,
                    int node, int pass, const char *taken, const char *ms,
                    const char *others, struct lam_tuned *row)
{
    const struct lam_node *at = &graph->nodes[node];
    char layer[MAX_TEXT], input[80];
    const char *const texts[N_TEXTS] = {layer,
                                        input,
                                        graph->training ? "train" : "infer",
                                        lam_pass_names[pass],
                                        taken,
                                        ms,
                                        others};

    if (!print_layer(at, layer, sizeof(layer)))
        return lam_fail(t->ctx, LAM_EMODEL, "%s: its settings are too long",
                        at->name);
    print_input(at, input, sizeof(input));
    return row_make(t, texts, row);
}

const struct lam_tuned *lam_tuning_find(const struct lam_tuning *t,
                                        const struct lam_graph *graph, int node,
                                        int pass)
{
    const struct lam_node *at = &graph->nodes[node];
    const char *mode = graph->training ? "train" : "infer";
    char layer[MAX_TEXT], input[80];

    if (!t || t->n == 0 || at->shapes.n_in != 1 ||
        graph->host->real != LAM_F32 || !print_layer(at, layer, sizeof(layer)))
        return NULL;
    print_input(at, input, sizeof(input));
    for (int i = 0; i < t->n; i++)
        if (strcmp(t->rows[i].layer, layer) == 0 &&
            strcmp(t->rows[i].input, input) == 0 &&
            strcmp(t->rows[i].mode, mode) == 0 &&
            strcmp(t->rows[i].pass, lam_pass_names[pass]) == 0)
            return &t->rows[i];
    return NULL;
}

int lam_tuning_put(struct lam_tuning *t, const struct lam_graph *graph,
                   int node, int pass, const char *taken, double ms,
                   const char *others)
{
    char number[32];
    struct lam_tuned row;
    int err;

    snprintf(number, sizeof(number), "%.4f", ms);
    err = make_row(t, graph, node, pass, taken, number, others, &row);
    return err ? err : put_row(t, &row);
}

// Its layer, input, mode and pass.
static const char *const gemm_key[] = {"gemm", "float", "any", "any"};

const struct lam_tuned *lam_tuning_gemm(const struct lam_tuning *t)
{
    for (int i = 0; t && i < t->n; i++)
        if (strcmp(t->rows[i].layer, gemm_key[0]) == 0)
            return &t->rows[i];
    return NULL;
}

int lam_tuning_put_gemm(struct lam_tuning *t, const char *taken, double ms,
                        const char *others)
{
    char number[32];
    const char *const texts[N_TEXTS] = {gemm_key[0], gemm_key[1], gemm_key[2],
                                        gemm_key[3], taken,       number,
                                        others};
    struct lam_tuned row;
    int err;

    snprintf(number, sizeof(number), "%.4f", ms);
    err = row_make(t, texts, &row);
    return err ? err : put_row(t, &row);
}

int lam_tuning_save(const struct lam_tuning *t)
{
    char temporary[sizeof(t->path) + 24];
    bool good;
    FILE *out;

    if (!t->path[0])
        return lam_fail(t->ctx, LAM_EFILE,
                        "there is no cache folder that we alone may write: "
                        "set XDG_CACHE_HOME or HOME");
    snprintf(temporary, sizeof(temporary), "%s.%ld", t->path, (long)getpid());
    out = fopen(temporary, "w");
    if (!out)
        return lam_fail(t->ctx, LAM_EFILE, "%s cannot be written", temporary);
    for (int i = 0; i < N_COLUMNS; i++)
        print_cell(out, columns[i], i + 1 < N_COLUMNS ? "," : "\n");
    for (int i = 0; i < t->n; i++) {
        for (int k = 0; k < N_TEXTS; k++)
            print_cell(out, *text_of(&t->rows[i], k), ",");
        print_cell(out, t->device, ",");
        print_cell(out, t->driver, ",");
        print_cell(out, LAM_VERSION, "\n");
    }
    good = fflush(out) == 0 && fsync(fileno(out)) == 0 && !ferror(out);
    good = fclose(out) == 0 && good;
    if (good && rename(temporary, t->path) == 0)
        return LAM_OK;
    remove(temporary);
    return lam_fail(t->ctx, LAM_EFILE, "%s cannot be written", t->path);
}
