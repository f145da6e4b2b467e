#include "svg.h"

#include <math.h>
#include <string.h>

enum {
    WIDTH = 640,
    HEIGHT = 320,
    LEFT = 64,
    RIGHT = 150,
    TOP = 34,
    BOTTOM = 44
};
enum { DOT_ROW = 24, NAME_WIDTH = 170 };

// Told apart by people of all colour vision (Okabe and Ito 2008).
static const char *const colours[] = {"#0072b2", "#d55e00", "#009e73",
                                      "#cc79a7", "#56b4e9", "#e69f00",
                                      "#000000", "#999999", "#7a5cc0"};
enum { N_COLOURS = sizeof(colours) / sizeof(colours[0]) };

static const char *colour_of(int i)
{
    return colours[i % N_COLOURS];
}

void lam_html_text(FILE *out, const char *text)
{
    for (; *text; text++)
        switch (*text) {
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        case '&':
            fputs("&amp;", out);
            break;
        case '"':
            fputs("&quot;", out);
            break;
        default:
            fputc(*text, out);
        }
}

static void text_at(FILE *out, double x, double y, const char *anchor,
                    const char *more, const char *text)
{
    fprintf(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\"%s>", x, y,
            anchor, more);
    lam_html_text(out, text);
    fputs("</text>\n", out);
}

static void open_picture(FILE *out, int width, int height, const char *title)
{
    fprintf(out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" "
            "width=\"%d\" height=\"%d\" font-family=\"sans-serif\" "
            "font-size=\"12\" fill=\"#222\">\n<rect width=\"%d\" "
            "height=\"%d\" fill=\"#fff\"/>\n",
            width, height, width, height, width, height);
    text_at(out, 12, 20, "start", " font-size=\"14\" font-weight=\"bold\"",
            title);
}

struct axis {
    double low, high, step;
    double from, to; // pixels of low and high
};

static double place(const struct axis *a, double v)
{
    return a->from + (v - a->low) / (a->high - a->low) * (a->to - a->from);
}

// The 1, 2 or 5 times a power of ten that cuts the range into about five.
static void choose_step(struct axis *a)
{
    double rough, power;

    if (!(a->high > a->low)) {
        a->low -= a->low == 0.0 ? 1.0 : fabs(a->low) * 0.1;
        a->high = a->low + 2.0 * (a->high - a->low);
    }
    rough = (a->high - a->low) / 5.0;
    power = pow(10.0, floor(log10(rough)));
    a->step = rough <= power       ? power
              : rough <= 2 * power ? 2 * power
              : rough <= 5 * power ? 5 * power
                                   : 10 * power;
}

static void widen(struct axis *a, double v)
{
    if (!isfinite(v))
        return;
    a->low = v < a->low ? v : a->low;
    a->high = v > a->high ? v : a->high;
}

// Ticks of an axis that lies below (down) or at the left.
static void draw_axis(FILE *out, const struct axis *a, bool is_below,
                      double across_from, double across_to)
{
    const double first = ceil(a->low / a->step - 1e-9);
    const int n = (int)(floor(a->high / a->step + 1e-9) - first);

    for (int i = 0; i <= n; i++) {
        const double v = (first + i) * a->step, at = place(a, v);
        char label[32];

        snprintf(label, sizeof(label), "%.4g", fabs(v) < 1e-12 ? 0.0 : v);
        fprintf(out,
                "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" "
                "stroke=\"#ddd\"/>\n",
                is_below ? at : across_from, is_below ? across_from : at,
                is_below ? at : across_to, is_below ? across_to : at);
        if (is_below)
            text_at(out, at, across_to + 16, "middle", "", label);
        else
            text_at(out, across_from - 6, at + 4, "end", "", label);
    }
}

static void draw_band(FILE *out, const struct lam_series *s,
                      const struct axis *x, const struct axis *y,
                      const char *colour)
{
    fputs("<polygon points=\"", out);
    for (int i = 0; i < s->n; i++)
        if (isfinite(s->high[i]))
            fprintf(out, "%.1f,%.1f ", place(x, s->x[i]), place(y, s->high[i]));
    for (int i = s->n - 1; i >= 0; i--)
        if (isfinite(s->low[i]))
            fprintf(out, "%.1f,%.1f ", place(x, s->x[i]), place(y, s->low[i]));
    fprintf(out, "\" fill=\"%s\" fill-opacity=\"0.15\"/>\n", colour);
}

static void draw_line(FILE *out, const struct lam_series *s,
                      const struct axis *x, const struct axis *y,
                      const char *colour)
{
    bool is_open = false;

    fputs("<path d=\"", out);
    for (int i = 0; i < s->n; i++) {
        if (!isfinite(s->y[i])) {
            is_open = false;
            continue;
        }
        fprintf(out, "%c%.1f %.1f", is_open ? 'L' : 'M', place(x, s->x[i]),
                place(y, s->y[i]));
        is_open = true;
    }
    fprintf(out, "\" fill=\"none\" stroke=\"%s\" stroke-width=\"2\"/>\n",
            colour);
}

void lam_svg_lines(FILE *out, const struct lam_chart *c)
{
    struct axis x = {.low = INFINITY, .high = -INFINITY};
    struct axis y = {.low = INFINITY, .high = -INFINITY};

    for (int k = 0; k < c->n_series; k++)
        for (int i = 0; i < c->series[k].n; i++) {
            const struct lam_series *s = &c->series[k];

            if (isfinite(s->y[i]))
                widen(&x, s->x[i]);
            widen(&y, s->y[i]);
            if (s->low) {
                widen(&y, s->low[i]);
                widen(&y, s->high[i]);
            }
        }
    if (!(x.low <= x.high))
        x = (struct axis){.low = 0, .high = 1};
    if (!(y.low <= y.high))
        y = (struct axis){.low = 0, .high = 1};
    if (c->y_low < c->y_high) {
        y.low = c->y_low;
        y.high = c->y_high;
    }
    choose_step(&x);
    choose_step(&y);
    x.from = LEFT;
    x.to = WIDTH - RIGHT;
    y.from = HEIGHT - BOTTOM;
    y.to = TOP;
    open_picture(out, WIDTH, HEIGHT, c->title);
    draw_axis(out, &x, true, y.to, y.from);
    draw_axis(out, &y, false, x.from, x.to);
    text_at(out, (x.from + x.to) / 2, HEIGHT - 8, "middle", "", c->x_label);
    fprintf(out, "<g transform=\"translate(14 %.1f) rotate(-90)\">\n",
            (y.from + y.to) / 2);
    text_at(out, 0, 0, "middle", "", c->y_label);
    fputs("</g>\n", out);
    for (int k = 0; k < c->n_series; k++) {
        const struct lam_series *s = &c->series[k];

        if (s->low)
            draw_band(out, s, &x, &y, colour_of(k));
        draw_line(out, s, &x, &y, colour_of(k));
        fprintf(out,
                "<line x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%d\" stroke=\"%s\" "
                "stroke-width=\"2\"/>\n",
                WIDTH - RIGHT + 10, TOP + 8 + 18 * k, WIDTH - RIGHT + 28,
                TOP + 8 + 18 * k, colour_of(k));
        text_at(out, WIDTH - RIGHT + 33, TOP + 12 + 18 * k, "start", "",
                s->name);
    }
    fputs("</svg>\n", out);
}

void lam_svg_dots(FILE *out, const char *title, const struct lam_dots *rows,
                  int n_rows)
{
    const int height = TOP + DOT_ROW * n_rows + BOTTOM;
    struct axis x = {.low = INFINITY, .high = -INFINITY};

    for (int r = 0; r < n_rows; r++)
        for (int i = 0; i < rows[r].n; i++)
            widen(&x, rows[r].values[i]);
    if (!(x.low <= x.high))
        x = (struct axis){.low = 0, .high = 1};
    choose_step(&x);
    x.low -= 0.3 * x.step;
    x.high += 0.3 * x.step;
    x.from = NAME_WIDTH;
    x.to = WIDTH - 20;
    open_picture(out, WIDTH, height, title);
    draw_axis(out, &x, true, TOP, height - BOTTOM);
    for (int r = 0; r < n_rows; r++) {
        const double at = TOP + DOT_ROW * (r + 0.5);
        double sum = 0.0;
        int n = 0;

        text_at(out, NAME_WIDTH - 8, at + 4, "end", "", rows[r].name);
        for (int i = 0; i < rows[r].n; i++) {
            if (!isfinite(rows[r].values[i]))
                continue;
            sum += rows[r].values[i];
            n++;
            fprintf(out,
                    "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"4\" fill=\"%s\" "
                    "fill-opacity=\"0.55\"/>\n",
                    place(&x, rows[r].values[i]), at, colour_of(0));
        }
        if (n)
            fprintf(out,
                    "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" "
                    "stroke=\"%s\" stroke-width=\"3\"/>\n",
                    place(&x, sum / n), at - 9, place(&x, sum / n), at + 9,
                    colour_of(1));
    }
    fputs("</svg>\n", out);
}
