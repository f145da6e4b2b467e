// lamina predict - segments images with a trained network.
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cmd.h"
#include "overlay.h"
#include "param.h"
#include "predict_tensor.h"
#include "tile_advice.h"
#include "trained.h"

struct job {
    struct lam_context *ctx;
    struct lam_trained trained;
    const char *out;
    double threshold;
    int64_t tile, overlap;
    const char *dumps[64];
    int n_dumps;
    int n_done;
};

static int write_results(struct job *job, const char *name, const float *image,
                         const float *p, int height, int width)
{
    const size_t n = (size_t)height * (size_t)width;
    unsigned char *mask = malloc(n);
    uint16_t *wide = malloc(n * sizeof(*wide));
    float *said = malloc(n * sizeof(*said));
    char path[1400];
    size_t positive = 0;
    int err = mask && wide && said
                  ? LAM_OK
                  : lam_fail(job->ctx, LAM_EMEMORY, "out of memory");

    for (size_t i = 0; i < n && !err; i++) {
        const bool is = (double)p[i] > job->threshold;

        mask[i] = is ? 255 : 0;
        said[i] = is ? 1.0f : 0.0f;
        wide[i] = (uint16_t)(65535.0f * p[i] + 0.5f);
        positive += is;
    }
    snprintf(path, sizeof(path), "%s/%s_mask.png", job->out, name);
    if (!err)
        err = lam_image_write_png(job->ctx, path, width, height, 1, mask);
    snprintf(path, sizeof(path), "%s/%s_probability.pgm", job->out, name);
    if (!err)
        err = lam_image_write_pgm(job->ctx, path, width, height, 16, wide);
    snprintf(path, sizeof(path), "%s/%s_overlay.png", job->out, name);
    if (!err)
        err =
            lam_overlay_write(job->ctx, path, width, height, image, NULL, said);
    if (!err)
        printf("%s %d x %d foreground %.4f\n", name, width, height,
               (double)positive / (double)n);
    free(mask);
    free(wide);
    free(said);
    return err;
}

// The size that would have fitted, for the sentence of one that did not.
static int advise(struct job *job, const char *path)
{
    char sentence[sizeof(job->ctx->error)];
    int tile;

    memcpy(sentence, job->ctx->error, sizeof(sentence));
    lam_error_clear(job->ctx);
    tile = tile_advice(job->ctx, &job->trained);
    lam_error_clear(job->ctx);
    if (tile && (job->tile == 0 || tile < job->tile))
        return lam_fail(job->ctx, LAM_EMEMORY, "%s: %s; --tile %d fits", path,
                        sentence, tile);
    return lam_fail(job->ctx, LAM_EMEMORY, "%s: %s", path, sentence);
}

static int predict_file(struct job *job, const char *path)
{
    const char *slash = strrchr(path, '/');
    struct lam_image *image;
    struct lam_map map = {0};
    char name[256];
    float *pixels, *p = NULL;
    int err;

    snprintf(name, sizeof(name), "%s", slash ? slash + 1 : path);
    if (strrchr(name, '.'))
        *strrchr(name, '.') = '\0';
    if (predict_is_tensor(path)) {
        err = predict_tensor(job->ctx, &job->trained, path, name, job->out,
                             job->dumps, job->n_dumps);
        job->n_done += !err;
        return err;
    }
    err = lam_trained_read(job->ctx, &job->trained, path, &image, &pixels);
    if (err)
        return err;
    err = lam_predictor_run(job->trained.predictor, pixels, image->height,
                            image->width, (int)job->tile, (int)job->overlap,
                            &map);
    if (err == LAM_EMEMORY)
        err = advise(job, path);
    if (!err) {
        p = lam_trained_foreground(&map, image->height, image->width);
        err =
            p ? write_results(job, name, pixels, p, image->height, image->width)
              : lam_fail(job->ctx, LAM_EMEMORY, "out of memory");
    }
    if (!err && job->n_dumps)
        err = predict_dump(job->ctx, &job->trained, pixels, image->height,
                           image->width, job->dumps, job->n_dumps);
    job->n_done += !err;
    free(p);
    free(map.data);
    free(pixels);
    lam_image_free(image);
    return err;
}

static int is_image(const struct dirent *entry)
{
    return lam_image_is_name(entry->d_name);
}

static int predict_path(struct job *job, const char *path)
{
    struct dirent **found;
    struct stat info;
    int n, err = LAM_OK;

    if (stat(path, &info) || !S_ISDIR(info.st_mode))
        return predict_file(job, path);
    n = scandir(path, &found, is_image, alphasort);
    if (n < 0)
        return lam_fail(job->ctx, LAM_EDATA, "folder %s cannot be read", path);
    for (int i = 0; i < n; i++) {
        char file[1200];

        snprintf(file, sizeof(file), "%s/%s", path, found[i]->d_name);
        if (!err)
            err = predict_file(job, file);
        free(found[i]);
    }
    free(found);
    return err;
}

int cmd_predict(struct lam_context *ctx, int argc, char **argv)
{
    static const char usage[] =
        "lamina predict CHECKPOINT|RUN IMAGE|FOLDER... --out DIR [options]\n"
        "Writes NAME_mask.png, NAME_probability.pgm (16 bit) and "
        "NAME_overlay.png;\nof NAME.npy, a tensor [N, C, H, W] fed as it is, "
        "each output as "
        "NAME_OUTPUT.npy.\n";
    const char *device = NULL, *threshold = NULL, *tile = NULL, *overlap = NULL;
    struct job job = {.ctx = ctx};
    int no_tuning = 0, own_statistics = 0, flips = 0;
    const struct option_row rows[] = {
        {"--out", "DIR", "where results go", NULL, &job.out, NULL, NULL},
        {"--threshold", "T",
         "foreground above this probability (validation's "
         "best)",
         NULL, &threshold, NULL, NULL},
        {"--tile", "N", "in squares of this side where the image is larger",
         NULL, &tile, NULL, NULL},
        {"--overlap", "N", "pixels that tiles share (32)", NULL, &overlap, NULL,
         NULL},
        {"--dump", "LAYER=FILE",
         "what a layer gives, of one image: .npy or .png", NULL, NULL,
         job.dumps, &job.n_dumps},
        {"--device", "D", "gpu, cpu, a number or part of a name", NULL, &device,
         NULL, NULL},
        {"--own-statistics", NULL,
         "batch norm by the image itself, not by the running statistics",
         &own_statistics, NULL, NULL, NULL},
        {"--flips", NULL,
         "the mean over the image and the mirror images training had", &flips,
         NULL, NULL, NULL},
        {"--no-tuning", NULL, "ignore what lamina tune has measured",
         &no_tuning, NULL, NULL, NULL},
        {0}};
    const char *rest[64];
    bool done;
    int n,
        err = options_parse(ctx, argc, argv, usage, rows, rest, 64, &n, &done);

    if (err || done)
        return err;
    if (n < 2 || !job.out)
        return lam_fail(ctx, LAM_EUSAGE,
                        "wanted a checkpoint, images and --out DIR");
    if (job.n_dumps && n != 2)
        return lam_fail(ctx, LAM_EUSAGE, "--dump is of one image, found %d",
                        n - 1);
    err = predict_check_dumps(ctx, job.dumps, job.n_dumps);
    if (err)
        return err;
    job.overlap = 32;
    if ((tile && (!lam_parse_int(tile, &job.tile) || job.tile < 16)) ||
        (overlap && (!lam_parse_int(overlap, &job.overlap) || job.overlap < 0)))
        return lam_fail(ctx, LAM_EUSAGE,
                        "--tile wants a side of at least 16, --overlap 0 or "
                        "more");
    if (tile && job.overlap >= job.tile)
        return lam_fail(ctx, LAM_EUSAGE,
                        "an overlap of %d does not fit tiles of %d",
                        (int)job.overlap, (int)job.tile);
    err = lam_trained_open(ctx, rest[0], device, !no_tuning, &job.trained);
    if (!err && own_statistics)
        lam_predictor_use_own_statistics(job.trained.predictor);
    if (!err && flips)
        err = lam_predictor_use_flips(job.trained.predictor);
    job.threshold = err ? 0.5 : job.trained.checkpoint.progress.threshold;
    if (!err && threshold &&
        (!lam_parse_real(threshold, &job.threshold) || job.threshold < 0 ||
         job.threshold > 1))
        err = lam_fail(ctx, LAM_EUSAGE, "--threshold is '%s', wanted 0 to 1",
                       threshold);
    if (!err && mkdir(job.out, 0777)) {
        struct stat info;

        if (stat(job.out, &info) || !S_ISDIR(info.st_mode))
            err = lam_fail(ctx, LAM_EFILE, "folder %s cannot be made", job.out);
    }
    for (int i = 1; i < n && !err; i++)
        err = predict_path(&job, rest[i]);
    if (!err && job.n_done == 0)
        err = lam_fail(ctx, LAM_EDATA, "there is no image in %s", rest[1]);
    lam_trained_close(&job.trained);
    return err;
}
