// csv.h - small tables of text with a header row (RFC 4180).
#ifndef LAM_CSV_H
#define LAM_CSV_H

#include "status.h"

struct lam_csv {
    char *text;   // what the cells point into
    char **cells; // row-major; row 0 is the header
    int *lines;   // where each row starts, from 1
    int n_rows, n_columns;
};

// Empty lines are left out, a byte order mark is skipped. LAM_EDATA with file
// and line when rows differ in length, a quote is out of place, or at more than
// 1,000,000 rows; LAM_EFILE when the file cannot be read.
int lam_csv_read(struct lam_context *ctx, const char *path,
                 struct lam_csv *csv);
void lam_csv_free(struct lam_csv *csv);
// Column of a header, -1 if there is none.
int lam_csv_column(const struct lam_csv *csv, const char *name);
const char *lam_csv_cell(const struct lam_csv *csv, int row, int column);

#endif
