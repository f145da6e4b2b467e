// How a report tells it.
#include "report.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "image.h"
#include "svg.h"

enum { N_EXTREMES = 6 };

static const char style[] =
    "body{font:15px/1.5 sans-serif;max-width:1080px;margin:2em auto;padding:0 "
    "1em;color:#222}h1,h2{line-height:1.2}h2{margin-top:2em;border-bottom:1px "
    "solid #ddd}table{border-collapse:collapse;margin:1em 0}th,td{padding:2px "
    "10px;text-align:right;border-bottom:1px solid "
    "#eee}th:first-child,td:first-child{text-align:left}figure{display:inline-"
    "block;margin:6px}figcaption{font-size:13px;color:#555}img{max-width:100%}"
    "pre{background:#f6f6f6;padding:1em;overflow-x:auto;font-size:13px}"
    ".key span{padding:0 8px;margin-right:10px;color:#fff}";

void report_heading(FILE *out, const char *text)
{
    fputs("<h2>", out);
    lam_html_text(out, text);
    fputs("</h2>\n", out);
}

static void write_base64(FILE *out, const unsigned char *data, size_t n)
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrst"
        "uvwxyz0123456789+/";

    for (size_t i = 0; i < n; i += 3) {
        const unsigned b = i + 1 < n ? data[i + 1] : 0;
        const unsigned c = i + 2 < n ? data[i + 2] : 0;
        const unsigned v = (unsigned)data[i] << 16 | b << 8 | c;

        fputc(digits[v >> 18], out);
        fputc(digits[v >> 12 & 63], out);
        fputc(i + 1 < n ? digits[v >> 6 & 63] : '=', out);
        fputc(i + 2 < n ? digits[v & 63] : '=', out);
    }
}

static int write_picture(struct report *r, FILE *out,
                         const struct report_image *image)
{
    unsigned char *rgb = NULL;
    char *png = NULL;
    size_t size = 0;
    int width, height, err = report_picture(r, image, &rgb, &width, &height);
    FILE *memory = err ? NULL : open_memstream(&png, &size);
    bool ok =
        memory && lam_image_put_png(memory, width, height, 3, rgb) == LAM_OK;

    ok = memory && fclose(memory) == 0 && ok;
    if (!err && !ok)
        err = lam_fail(r->ctx, LAM_EMEMORY, "out of memory");
    if (!err) {
        fputs("<figure><img src=\"data:image/png;base64,", out);
        write_base64(out, (unsigned char *)png, size);
        fputs("\" alt=\"\"><figcaption>", out);
        lam_html_text(out, image->name);
        fprintf(
            out,
            ": Dice %.3f, precision %.3f, recall %.3f</figcaption></figure>\n",
            image->result.scores.dice, image->result.scores.precision,
            image->result.scores.recall);
    }
    free(rgb);
    free(png);
    return err;
}

static void score_row(FILE *out, const char *name, const struct lam_scores *s)
{
    fprintf(out,
            "<tr><td>%s</td><td>%.4f</td><td>%.4f</td><td>%.4f</td><td>%.4f"
            "</td><td>%.4f</td><td>%.4f</td></tr>\n",
            name, s->dice, s->iou, s->precision, s->recall, s->accuracy,
            s->mean_iou);
}

static void write_scores(const struct report *r, FILE *out)
{
    struct lam_metrics_result m;
    const struct lam_counts *p;

    lam_metrics_result(r->metrics, &m);
    p = &m.pixels;
    report_heading(out, "Scores");
    fprintf(out,
            "<p>%" PRId64 " images, %" PRId64
            " with foreground. An empty mask counts 1 if the prediction is "
            "empty too, else 0.</p>\n<table><tr><th></th><th>Dice</th><th>IoU"
            "</th><th>precision</th><th>recall</th><th>accuracy</th><th>mean "
            "IoU</th></tr>\n",
            m.n_images, m.n_positive);
    score_row(out, "mean over images", &m.mean);
    score_row(out, "mean, images with foreground", &m.positive);
    score_row(out, "all pixels pooled", &m.pooled);
    score_row(out, "images (by the image rule)", &m.image);
    fprintf(
        out,
        "</table>\n<table><tr><th>pixels</th><th>predicted foreground</th>"
        "<th>predicted background</th></tr><tr><td>foreground</td><td>%" PRId64
        "</td><td>%" PRId64 "</td></tr><tr><td>background</td><td>%" PRId64
        "</td><td>%" PRId64 "</td></tr></table>\n",
        p->tp, p->fn, p->fp, p->tn);
}

static const struct context {
    const char *name;
    size_t offset;
    const char *thirds[3];
} contexts[] = {
    {"foreground",
     offsetof(struct report_image, share),
     {"small", "middle", "large"}},
    {"brightness",
     offsetof(struct report_image, brightness),
     {"dark", "middle", "bright"}},
    {"contrast",
     offsetof(struct report_image, contrast),
     {"low", "middle", "high"}},
};

static double value_of(const struct report_image *image,
                       const struct context *c)
{
    double value;

    memcpy(&value, (const char *)image + c->offset, sizeof(value));
    return value;
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

// Where it goes wrong: thirds of the images by what they are like.
static int write_contexts(const struct report *r, FILE *out)
{
    double *sorted = malloc(sizeof(*sorted) * (size_t)r->n_images);

    if (!sorted)
        return lam_fail(r->ctx, LAM_EMEMORY, "out of memory");
    report_heading(out, "Errors by context");
    fputs("<table><tr><th>thirds of the images</th><th>images</th><th>from</th>"
          "<th>mean Dice</th><th>precision</th><th>recall</th></tr>\n",
          out);
    for (size_t k = 0; k < sizeof(contexts) / sizeof(contexts[0]); k++) {
        const struct context *c = &contexts[k];

        for (int i = 0; i < r->n_images; i++)
            sorted[i] = value_of(&r->images[i], c);
        qsort(sorted, (size_t)r->n_images, sizeof(*sorted), compare);
        for (int third = 0; third < 3; third++) {
            const double from = sorted[third * r->n_images / 3];
            const double to =
                third < 2 ? sorted[(third + 1) * r->n_images / 3] : INFINITY;
            struct lam_counts sum = {0};
            struct lam_scores scores;
            double dice = 0.0;
            int n = 0;

            for (int i = 0; i < r->n_images; i++) {
                const struct report_image *image = &r->images[i];
                const double v = value_of(image, c);

                if (v < from || v >= to)
                    continue;
                n++;
                dice += image->result.scores.dice;
                sum.tp += image->result.counts.tp;
                sum.fp += image->result.counts.fp;
                sum.fn += image->result.counts.fn;
                sum.tn += image->result.counts.tn;
            }
            scores = lam_scores_of(&sum);
            fprintf(out,
                    "<tr><td>%s: %s</td><td>%d</td><td>%.4f</td><td>%.3f</td>"
                    "<td>%.3f</td><td>%.3f</td></tr>\n",
                    c->name, c->thirds[third], n, from, n ? dice / n : 0.0,
                    scores.precision, scores.recall);
        }
    }
    fputs("</table>\n", out);
    free(sorted);
    return LAM_OK;
}

static int by_dice(const void *a, const void *b)
{
    const struct report_image *x = a, *y = b;
    const double d = x->result.scores.dice - y->result.scores.dice;

    return d < 0 ? -1 : d > 0 ? 1 : strcmp(x->name, y->name);
}

static int write_images(struct report *r, FILE *out)
{
    const int n = r->n_images < 2 * N_EXTREMES ? r->n_images / 2 : N_EXTREMES;
    int err = LAM_OK;

    qsort(r->images, (size_t)r->n_images, sizeof(*r->images), by_dice);
    report_heading(out, "Worst and best");
    fputs("<p class=\"key\">Image, truth, prediction: <span "
          "style=\"background:#28b43c\">found</span><span "
          "style=\"background:#f03228\">false alarm</span><span "
          "style=\"background:#3c6eff\">missed</span></p>\n<h3>Worst</h3>\n",
          out);
    for (int i = 0; i < n && !err; i++)
        err = write_picture(r, out, &r->images[i]);
    fputs("<h3>Best</h3>\n", out);
    for (int i = 0; i < n && !err; i++)
        err = write_picture(r, out, &r->images[r->n_images - 1 - i]);
    report_heading(out, "All images");
    fputs("<table><tr><th>image</th><th>Dice</th><th>IoU</th><th>precision</th>"
          "<th>recall</th><th>foreground</th><th>brightness</th></tr>\n",
          out);
    for (int i = 0; i < r->n_images; i++) {
        const struct report_image *image = &r->images[i];

        fputs("<tr><td>", out);
        lam_html_text(out, image->name);
        fprintf(out,
                "</td><td>%.4f</td><td>%.4f</td><td>%.3f</td><td>%.3f</td><td>"
                "%.4f</td><td>%.3f</td></tr>\n",
                image->result.scores.dice, image->result.scores.iou,
                image->result.scores.precision, image->result.scores.recall,
                image->share, image->brightness);
    }
    fputs("</table>\n", out);
    return err;
}

static void write_file(const struct report *r, FILE *out, const char *title,
                       const char *name)
{
    char path[1200], line[1024];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", r->path, name);
    file = fopen(path, "r");
    if (!file)
        return;
    fprintf(out, "<h3>%s</h3>\n<pre>", title);
    while (fgets(line, sizeof(line), file))
        lam_html_text(out, line);
    fputs("</pre>\n", out);
    fclose(file);
}

static int write_page(struct report *r, FILE *out)
{
    int err;

    fputs("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
          "<title>",
          out);
    lam_html_text(out, r->path);
    fprintf(out, "</title><style>%s</style></head><body>\n<h1>", style);
    lam_html_text(out, r->path);
    fputs("</h1>\n<p>", out);
    lam_html_text(out, lam_model_name(r->trained.model));
    fputs(" on ", out);
    lam_html_text(out, r->trained.checkpoint.data);
    fprintf(out, ", epoch %" PRId64 " of %d; %s</p>\n",
            r->trained.checkpoint.progress.epoch, r->epochs.n_rows - 1,
            lam_queue_device(r->trained.queue)->name);
    write_scores(r, out);
    err = report_write_curves(r, out);
    if (err)
        return err;
    report_write_sweep(r, out);
    err = write_contexts(r, out);
    if (!err)
        err = write_images(r, out);
    if (!err)
        err = report_write_model(r, out);
    write_file(r, out, "Run", "run.json");
    fputs("</body></html>\n", out);
    return err;
}

int report_write(struct report *r, const char *path)
{
    FILE *out = lam_file_create(r->ctx, path);
    int err, closed;

    if (!out)
        return r->ctx->code;
    err = write_page(r, out);
    closed = lam_file_close(r->ctx, out, path);
    if (!err)
        err = closed;
    if (err)
        remove(path);
    return err;
}
