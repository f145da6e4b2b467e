// CBIS-DDSM (Lee et al. 2017) as the archive gives it: CSV files with a row per
// abnormality, and a folder per scan and per abnormality, named by the first
// part of the paths in the CSV.
#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "csv.h"
#include "data_import.h"
#include "dicom.h"

enum { MAX_FILES = 16 };

struct row {
    char scan[160], mask[160]; // folders
    char patient[64];
    bool is_test;
};

struct table {
    struct row *rows;
    int n;
};

// What stands before the first slash.
static void first_part(const char *path, char *text, size_t size)
{
    snprintf(text, size, "%.*s", (int)strcspn(path, "/\r\n"), path);
}

static int read_table(struct data_import *import, const char *path,
                      const char *name, struct table *table)
{
    struct lam_csv csv = {0};
    int err = lam_csv_read(import->ctx, path, &csv);
    const int scan = err ? -1 : lam_csv_column(&csv, "image file path");
    const int mask = err ? -1 : lam_csv_column(&csv, "ROI mask file path");
    const int patient = err ? -1 : lam_csv_column(&csv, "patient_id");
    struct row *grown;

    if (err || scan < 0 || mask < 0 || patient < 0) {
        lam_csv_free(&csv);
        return err;
    }
    grown =
        realloc(table->rows, sizeof(*grown) * (size_t)(table->n + csv.n_rows));
    if (!grown)
        err = lam_fail(import->ctx, LAM_EMEMORY, "out of memory");
    else
        table->rows = grown;
    for (int i = 1; i < csv.n_rows && !err; i++) {
        struct row *row = &table->rows[table->n++];

        first_part(lam_csv_cell(&csv, i, scan), row->scan, sizeof(row->scan));
        first_part(lam_csv_cell(&csv, i, mask), row->mask, sizeof(row->mask));
        snprintf(row->patient, sizeof(row->patient), "%s",
                 lam_csv_cell(&csv, i, patient));
        row->is_test = strstr(name, "test") != NULL;
    }
    lam_csv_free(&csv);
    return err;
}

static int read_tables(struct data_import *import, const char *folder,
                       struct table *table)
{
    struct dirent **found;
    const int n = scandir(folder, &found, NULL, alphasort);
    int err = LAM_OK;

    for (int i = 0; i < n; i++) {
        const char *name = found[i]->d_name;
        const size_t length = strlen(name);
        char path[1200];

        snprintf(path, sizeof(path), "%s/%s", folder, name);
        if (!err && length > 4 && strcmp(name + length - 4, ".csv") == 0)
            err = read_table(import, path, name, table);
        free(found[i]);
    }
    if (n >= 0)
        free(found);
    if (!err && table->n == 0)
        err = lam_fail(import->ctx, LAM_EDATA,
                       "%s holds no CSV file with 'patient_id', 'image file "
                       "path' and 'ROI mask file path'",
                       folder);
    return err;
}

static int by_scan(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    const int order = strcmp(x->scan, y->scan);

    return order ? order : strcmp(x->mask, y->mask);
}

static int64_t area(const struct lam_image *image)
{
    return (int64_t)image->width * image->height;
}

// The largest image in a folder, or with a scan given, the one of its size,
// else of its aspect (to a thousandth): crops and masks have exchanged names in
// places. NULL if there is none.
static int read_folder(struct data_import *import, const char *folder,
                       const struct lam_image *scan, struct lam_image **best)
{
    char *paths[MAX_FILES];
    const int n = dicom_list(folder, paths, MAX_FILES);
    int err = LAM_OK;

    *best = NULL;
    for (int i = 0; i < n; i++) {
        struct lam_image *image = NULL;
        bool is_better;

        if (!err)
            err = dicom_read(import->ctx, paths[i], &image);
        free(paths[i]);
        if (!image)
            continue;
        is_better = !*best || area(image) > area(*best);
        if (scan)
            is_better =
                is_better && fabs((double)image->width * scan->height /
                                      ((double)image->height * scan->width) -
                                  1.0) < 1e-3;
        if (is_better) {
            lam_image_free(*best);
            *best = image;
        } else {
            lam_image_free(image);
        }
    }
    return err;
}

// Joins a mask with what is there, at the scan's size.
static int join_mask(struct data_import *import, const struct lam_image *mask,
                     struct data_image *image)
{
    const size_t n = (size_t)image->width * (size_t)image->height;
    unsigned char *labels = malloc((size_t)area(mask));
    unsigned char *fitted = malloc(n);

    if (!labels || !fitted) {
        free(labels);
        free(fitted);
        return lam_fail(import->ctx, LAM_EMEMORY, "out of memory");
    }
    for (int64_t i = 0; i < area(mask); i++)
        labels[i] = mask->pixels[i] > 0;
    lam_resample_mask(labels, mask->height, mask->width, fitted, image->height,
                      image->width, LAM_MASK_HALF);
    for (size_t i = 0; i < n; i++)
        image->mask[i] |= fitted[i];
    free(labels);
    free(fitted);
    return LAM_OK;
}

// A seventh of the patients of the training part validate.
static const char *split_of(const struct row *row)
{
    unsigned hash = 0;

    for (const char *c = row->patient; *c; c++)
        hash = hash * 31u + (unsigned char)*c;
    return row->is_test ? "test" : hash % 7 == 0 ? "val" : "train";
}

// Rows of one scan.
static int write_scan(struct data_import *import, const char *folder,
                      const struct row *rows, int n)
{
    struct data_image image = {.name = rows[0].scan,
                               .patient = rows[0].patient,
                               .split = split_of(&rows[0]),
                               .bits = 16};
    struct lam_image *scan;
    char path[1200];
    int n_masks = 0, err;

    snprintf(path, sizeof(path), "%s/%s", folder, rows[0].scan);
    err = read_folder(import, path, NULL, &scan);
    if (!err && !scan)
        import_leave_out(import, "%s: no DICOM file in its folder",
                         rows[0].scan);
    if (err || !scan)
        return err;
    image.width = scan->width;
    image.height = scan->height;
    image.pixels = scan->pixels;
    image.mask = calloc((size_t)area(scan), 1);
    if (!image.mask)
        err = lam_fail(import->ctx, LAM_EMEMORY, "out of memory");
    for (int i = 0; i < n && !err; i++) {
        struct lam_image *mask;

        snprintf(path, sizeof(path), "%s/%s", folder, rows[i].mask);
        err = read_folder(import, path, scan, &mask);
        if (!err && !mask)
            import_leave_out(import,
                             "the mask %s: no file of the size or aspect of "
                             "its scan, %d x %d",
                             rows[i].mask, scan->width, scan->height);
        else if (!err)
            err = join_mask(import, mask, &image);
        n_masks += mask != NULL;
        lam_image_free(mask);
    }
    if (!err && n_masks)
        err = data_writer_add(import->writer, import->changes, &image);
    free(image.mask);
    lam_image_free(scan);
    return err;
}

int import_cbis(struct data_import *import, const char *folder)
{
    struct table table = {0};
    int err = read_tables(import, folder, &table);
    int first = 0;

    if (!err)
        qsort(table.rows, (size_t)table.n, sizeof(*table.rows), by_scan);
    for (int i = 1; i <= table.n && !err; i++)
        if (i == table.n ||
            strcmp(table.rows[i].scan, table.rows[first].scan) != 0) {
            err = write_scan(import, folder, table.rows + first, i - first);
            first = i;
        }
    free(table.rows);
    return err;
}
