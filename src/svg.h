// svg.h - charts as SVG text, to stand alone or inside an HTML page. Fonts and
// colours come with them; nothing is loaded from elsewhere.
#ifndef LAM_SVG_H
#define LAM_SVG_H

#include <stdbool.h>
#include <stdio.h>

struct lam_series {
    const char *name;
    const double *x, *y;      // n points, x rising; NaN leaves a gap
    const double *low, *high; // a band around y, NULL: none
    int n;
};

// Lines over a common x. Axes reach over all that is finite, y from `y_low` to
// `y_high` where these differ. Without any finite point only the axes are
// drawn.
struct lam_chart {
    const char *title, *x_label, *y_label;
    double y_low, y_high;
    const struct lam_series *series;
    int n_series;
};
void lam_svg_lines(FILE *out, const struct lam_chart *chart);

// A row for each name with its values as dots and their mean as a bar.
struct lam_dots {
    const char *name;
    const double *values;
    int n;
};
void lam_svg_dots(FILE *out, const char *title, const struct lam_dots *rows,
                  int n_rows);

// Text with the characters that HTML reserves written as it wants them.
void lam_html_text(FILE *out, const char *text);

#endif
