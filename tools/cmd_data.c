// lamina data - makes, checks and measures data sets.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cmd.h"
#include "data.h"
#include "data_check.h"
#include "data_convert.h"
#include "data_import.h"
#include "data_shift.h"
#include "data_tile.h"
#include "image.h"
#include "param.h"
#include "phantom.h"
#include "rng.h"

static int number(struct lam_context *ctx, const char *name, const char *text,
                  int64_t low, int64_t high, int64_t *value)
{
    if (!lam_parse_int(text, value) || *value < low || *value > high)
        return lam_fail(ctx, LAM_EUSAGE,
                        "%s is '%s', wanted %" PRId64 " to %" PRId64, name,
                        text, low, high);
    return LAM_OK;
}

static int write_one(struct lam_context *ctx, const char *out, int64_t i,
                     int size, uint64_t seed, uint16_t *pixels,
                     unsigned char *bytes)
{
    const size_t n = (size_t)size * (size_t)size;
    char path[1200];
    int err;

    lam_phantom_make(lam_rng_bits(seed, (uint64_t)i), size, pixels, bytes);
    for (size_t k = 0; k < n; k++)
        bytes[k] = bytes[k] ? 255 : 0;
    snprintf(path, sizeof(path), "%s/masks/phantom%05" PRId64 ".png", out, i);
    err = lam_image_write_png(ctx, path, size, size, 1, bytes);
    for (size_t k = 0; k < n; k++)
        bytes[k] = (unsigned char)(pixels[k] / 257);
    snprintf(path, sizeof(path), "%s/images/phantom%05" PRId64 ".png", out, i);
    return err ? err : lam_image_write_png(ctx, path, size, size, 1, bytes);
}

static int make_phantoms(struct lam_context *ctx, const char *out,
                         int64_t count, int size, uint64_t seed)
{
    const size_t n = (size_t)size * (size_t)size;
    uint16_t *pixels = malloc(n * sizeof(*pixels));
    unsigned char *bytes = malloc(n);
    char path[1200];
    FILE *manifest;
    int err = LAM_OK;

    mkdir(out, 0777);
    snprintf(path, sizeof(path), "%s/images", out);
    mkdir(path, 0777);
    snprintf(path, sizeof(path), "%s/masks", out);
    mkdir(path, 0777);
    snprintf(path, sizeof(path), "%s/manifest.csv", out);
    manifest = fopen(path, "w");
    if (!manifest)
        err = lam_fail(ctx, LAM_EFILE, "%s cannot be written", path);
    else if (!pixels || !bytes)
        err = lam_fail(ctx, LAM_EMEMORY, "out of memory");
    if (!err)
        fprintf(manifest, "name,patient,split\n");
    for (int64_t i = 0; i < count && !err; i++) {
        err = write_one(ctx, out, i, size, seed, pixels, bytes);
        fprintf(manifest, "phantom%05" PRId64 ",phantom%05" PRId64 ",%s\n", i,
                i,
                i % 10 < 7    ? "train"
                : i % 10 == 7 ? "val"
                              : "test");
    }
    if (manifest && (fclose(manifest) != 0) && !err)
        err = lam_fail(ctx, LAM_EFILE, "%s cannot be written", path);
    free(pixels);
    free(bytes);
    return err;
}

static bool parse_choice(const char *text, const char *const *names,
                         int32_t *index)
{
    for (int i = 0; names[i]; i++)
        if (strcmp(names[i], text) == 0) {
            *index = i;
            return true;
        }
    return false;
}

static int parse_changes(struct lam_context *ctx, const char *scale,
                         const char *rule, const char *companding,
                         const char *border, const char *frame,
                         struct data_changes *changes)
{
    const int err = number(ctx, "--frame", frame, 0, 10000, &changes->frame);

    if (err)
        return err;
    if (!lam_parse_real(border, &changes->border) || changes->border < 0 ||
        changes->border > 0.45)
        return lam_fail(ctx, LAM_EUSAGE, "--border is '%s', wanted 0 to 0.45",
                        border);
    if (!lam_parse_real(scale, &changes->scale) || changes->scale < 0.01 ||
        changes->scale > 100)
        return lam_fail(ctx, LAM_EUSAGE, "--scale is '%s', wanted 0.01 to 100",
                        scale);
    if (!parse_choice(rule, lam_mask_rules, &changes->rule))
        return lam_fail(ctx, LAM_EUSAGE,
                        "--mask is '%s', wanted half, any or all", rule);
    if (!parse_choice(companding, data_compandings, &changes->companding))
        return lam_fail(ctx, LAM_EUSAGE,
                        "--companding is '%s', wanted none, apply or undo",
                        companding);
    return LAM_OK;
}

int cmd_data(struct lam_context *ctx, int argc, char **argv)
{
    static const char usage[] =
        "lamina data phantom OUT [--count N] [--size S] [--seed X]\n"
        "       lamina data convert PATH OUT [--scale S] [--mask RULE] "
        "[--trim]\n"
        "       lamina data import cbis-ddsm|ddsm|mias FOLDER OUT [--scale S] "
        "[--mask RULE] [--trim]\n"
        "       lamina data tile PATH OUT --side N [--stride N] [--bright G:N] "
        "[--dark G:N]\n"
        "                        [--mean A:B] [--variance A:B] and what "
        "convert takes\n"
        "       lamina data shift PATH PATH.. [--svg FILE]\n"
        "       lamina data check PATH\n"
        "       lamina data stats PATH\n"
        "PATH is a folder with images/ and masks/ (and manifest.csv), a "
        "manifest, or\nphantom:COUNT:SIZE:SEED. check lists all problems and "
        "exits 2 if there are any.\n";
    const char *count_text = "40", *size_text = "256", *seed_text = "1";
    const char *scale_text = "1", *rule_text = "half", *svg = NULL;
    const char *companding = "none", *border = "0", *frame = "0", *side = NULL;
    const char *stride = NULL, *bright = NULL, *dark = NULL, *mean = NULL;
    const char *variance = NULL;
    struct data_tiles tiles;
    int is_json = 0;
    struct data_changes changes = {0};
    const struct option_row rows[] = {
        {"--json", NULL, "check, stats, shift: for programs", &is_json, NULL,
         NULL, NULL},
        {"--count", "N", "images to make (40)", NULL, &count_text, NULL, NULL},
        {"--size", "S", "their side in pixels (256)", NULL, &size_text, NULL,
         NULL},
        {"--seed", "X", "same seed, same pixels (1)", NULL, &seed_text, NULL,
         NULL},
        {"--scale", "S", "both sides times this, by areas (1)", NULL,
         &scale_text, NULL, NULL},
        {"--mask", "RULE",
         "foreground that is covered by half, any or all "
         "(half)",
         NULL, &rule_text, NULL, NULL},
        {"--companding", "WAY",
         "none, apply (v * v / 65535, as DDSM's converter) or undo (none)",
         NULL, &companding, NULL, NULL},
        {"--svg", "FILE", "shift: a chart of the grey values", NULL, &svg, NULL,
         NULL},
        {"--trim", NULL, "cut nearly black columns at the sides", &changes.trim,
         NULL, NULL, NULL},
        {"--border", "B", "cut this share of each side (0)", NULL, &border,
         NULL, NULL},
        {"--frame", "N",
         "cut N pixels of each side where more than 20000 are bright (0)", NULL,
         &frame, NULL, NULL},
        {"--white-to-black", NULL,
         "what is white, as labels are, becomes black", &changes.unwhite, NULL,
         NULL, NULL},
        {"--side", "N", "tile: their side", NULL, &side, NULL, NULL},
        {"--stride", "N", "tile: pixels from one to the next (the side)", NULL,
         &stride, NULL, NULL},
        {"--bright", "G:N",
         "tile: keep those with at most N pixels (or N%) from grey G up", NULL,
         &bright, NULL, NULL},
        {"--dark", "G:N", "tile: the same up to grey G", NULL, &dark, NULL,
         NULL},
        {"--mean", "A:B", "tile: keep those of a mean grey from A to B", NULL,
         &mean, NULL, NULL},
        {"--variance", "A:B", "tile: the same of the greys' variance", NULL,
         &variance, NULL, NULL},
        {0}};
    const char *rest[9];
    int64_t count, size, seed;
    bool done;
    int n,
        err = options_parse(ctx, argc, argv, usage, rows, rest, 9, &n, &done);

    if (err || done)
        return err;
    if (n == 2 && strcmp(rest[0], "check") == 0)
        return data_check(ctx, rest[1], is_json);
    if (n == 2 && strcmp(rest[0], "stats") == 0)
        return data_stats(ctx, rest[1], is_json);
    if (n == 3 && strcmp(rest[0], "convert") == 0) {
        err = parse_changes(ctx, scale_text, rule_text, companding, border,
                            frame, &changes);
        return err ? err : data_convert(ctx, rest[1], rest[2], &changes);
    }
    if (n == 3 && strcmp(rest[0], "tile") == 0) {
        err = parse_changes(ctx, scale_text, rule_text, companding, border,
                            frame, &changes);
        if (!err)
            err = data_tiles_parse(ctx, side, stride, bright, dark, mean,
                                   variance, &tiles);
        return err ? err : data_tile(ctx, rest[1], rest[2], &changes, &tiles);
    }
    if (n > 2 && strcmp(rest[0], "shift") == 0)
        return data_shift(ctx, rest + 1, n - 1, svg, is_json);
    if (n == 4 && strcmp(rest[0], "import") == 0) {
        err = parse_changes(ctx, scale_text, rule_text, companding, border,
                            frame, &changes);
        return err ? err
                   : data_import(ctx, rest[1], rest[2], rest[3], &changes);
    }
    if (n != 2 || strcmp(rest[0], "phantom") != 0)
        return lam_fail(
            ctx, LAM_EUSAGE,
            "wanted phantom OUT, convert PATH OUT, tile PATH OUT, "
            "import FORMAT FOLDER OUT, shift PATH PATH, check PATH or stats "
            "PATH; lamina data -h explains");
    err = number(ctx, "--count", count_text, 1, 100000, &count);
    if (!err)
        err = number(ctx, "--size", size_text, 16, 4096, &size);
    if (!err)
        err = number(ctx, "--seed", seed_text, 0, INT64_MAX, &seed);
    return err ? err
               : make_phantoms(ctx, rest[1], count, (int)size, (uint64_t)seed);
}
