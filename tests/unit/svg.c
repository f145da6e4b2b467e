// Charts are whole, escape their texts and survive what has no number.
#include "svg.h"

#include <math.h>
#include <stdlib.h>

#include "check.h"

static char *drawn(const struct lam_chart *chart)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    lam_svg_lines(out, chart);
    fclose(out);
    return text;
}

static void check_lines(void)
{
    static const double x[] = {1, 2, 3, 4}, y[] = {0.5, NAN, 0.25, 1.0};
    static const double low[] = {0.4, NAN, 0.2, 0.9};
    static const double high[] = {0.6, NAN, 0.3, 1.0};
    const struct lam_series series = {"a<b", x, y, low, high, 4};
    const struct lam_chart chart = {"t & u", "epoch", "Dice", 0, 1, &series, 1};
    const struct lam_series none = {"none", x,    (const double[]){NAN},
                                    NULL,   NULL, 1};
    const struct lam_chart empty = {"e", "x", "y", 0, 0, &none, 1};
    const struct lam_series flat = {"flat", x,    (const double[]){3, 3},
                                    NULL,   NULL, 2};
    const struct lam_chart level = {"l", "x", "y", 0, 0, &flat, 1};
    char *text = drawn(&chart);

    CHECK_HAS(text, "t &amp; u");
    CHECK_HAS(text, "a&lt;b");
    // A gap, then two points joined; y = 1 is at the top.
    CHECK_HAS(text, "<path d=\"M64.0 155.0M348.0 215.5L490.0 34.0\"");
    CHECK(strstr(text, "nan") == NULL);
    CHECK_HAS(text, "</svg>");
    free(text);
    text = drawn(&empty);
    CHECK(strstr(text, "nan") == NULL && strstr(text, "inf") == NULL);
    free(text);
    text = drawn(&level);
    CHECK(strstr(text, "nan") == NULL && strstr(text, "inf") == NULL);
    free(text);
}

static void check_dots(void)
{
    static const double values[] = {1.0, 3.0, NAN};
    const struct lam_dots rows[] = {{"one", values, 3}, {"none", values, 0}};
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    int circles = 0;

    lam_svg_dots(out, "d", rows, 2);
    fclose(out);
    for (const char *at = text; (at = strstr(at, "<circle")); at++)
        circles++;
    CHECK_INT(circles, 2);
    CHECK(strstr(text, "nan") == NULL);
    free(text);
}

int main(void)
{
    check_lines();
    check_dots();
    return check_done();
}
