#include "run_folder.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "file.h"
#include "json.h"
#include "tfevents.h"

static const char csv_header[] =
    "epoch,step,loss,lr,val_dice,val_iou,val_precision,val_recall,"
    "val_threshold,images_per_s,seconds\n";

const char *lam_run_file(const char *path, const char *name, char *text,
                         size_t size)
{
    snprintf(text, size, "%s/%s", path, name);
    return text;
}

static bool exists(const char *path)
{
    struct stat info;

    return stat(path, &info) == 0;
}

// mkdir -p
static int make_folders(struct lam_context *ctx, const char *path)
{
    char part[1024];

    for (size_t i = 1; i <= strlen(path) && i < sizeof(part); i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        snprintf(part, sizeof(part), "%.*s", (int)i, path);
        if (mkdir(part, 0777) && errno != EEXIST)
            return lam_fail(ctx, LAM_EFILE, "folder %s cannot be made: %s",
                            part, strerror(errno));
    }
    return LAM_OK;
}

int lam_run_create(struct lam_context *ctx, const char *wanted,
                   const char *name, char *path, size_t size)
{
    char file[1100], overlays[1100];
    int err;

    if (wanted) {
        snprintf(path, size, "%s", wanted);
        if (exists(lam_run_file(path, "last.safetensors", file, sizeof(file))))
            return lam_fail(ctx, LAM_EUSAGE,
                            "%s holds a run already: --resume goes on with "
                            "it",
                            path);
    } else {
        int i = 1;

        do
            snprintf(path, size, "runs/%s-%d", name, i++);
        while (exists(path));
    }
    err = make_folders(ctx, path);
    return err ? err
               : make_folders(ctx, lam_run_file(path, "overlays", overlays,
                                                sizeof(overlays)));
}

int lam_run_write_text(struct lam_context *ctx, const char *path,
                       const char *name, const char *text)
{
    char file_name[1100];
    FILE *file = lam_file_create(
        ctx, lam_run_file(path, name, file_name, sizeof(file_name)));

    if (!file)
        return ctx->code;
    fputs(text, file);
    return lam_file_close(ctx, file, file_name);
}

int lam_run_write_info(struct lam_context *ctx, const char *path,
                       const struct lam_run_info *info)
{
    char file_name[1100];
    struct lam_json j;
    FILE *file = lam_file_create(
        ctx, lam_run_file(path, "run.json", file_name, sizeof(file_name)));

    if (!file)
        return ctx->code;
    lam_json_begin(&j, file);
    lam_json_text(&j, "command", info->command);
    lam_json_text(&j, "data", info->data);
    lam_json_text(&j, "lamina", LAM_VERSION);
    lam_json_text(&j, "device", info->device->name);
    lam_json_text(&j, "platform", info->device->platform);
    lam_json_text(&j, "driver", info->device->driver);
    lam_json_int(&j, "layers", info->layers);
    lam_json_int(&j, "parameters", info->parameters);
    lam_json_real(&j, "plan_mib", (double)info->plan_bytes / 0x1p20);
    lam_json_end(&j);
    return lam_file_close(ctx, file, file_name);
}

int lam_run_write_kernels(struct lam_context *ctx, const char *path,
                          bool is_merged, const char *variants,
                          const char *gemm)
{
    char file_name[1100];
    FILE *file = lam_file_create(
        ctx, lam_run_file(path, "kernels.txt", file_name, sizeof(file_name)));

    if (!file)
        return ctx->code;
    fprintf(file, "merged=%s\nvariants=%s\n", is_merged ? "yes" : "no",
            variants);
    if (gemm)
        fprintf(file, "gemm=%s\n", gemm);
    return lam_file_close(ctx, file, file_name);
}

// Unless it is there already.
static bool keep_copy(const char *text, char **copy)
{
    if (!*copy)
        *copy = strdup(text);
    return *copy != NULL;
}

int lam_run_read_kernels(struct lam_context *ctx, const char *path,
                         bool *no_fuse, char **variants, char **gemm)
{
    char file_name[1100], *line = NULL;
    size_t size = 0;
    bool ok = true;
    ssize_t n;
    FILE *file = fopen(
        lam_run_file(path, "kernels.txt", file_name, sizeof(file_name)), "r");

    while (file && ok && (n = getline(&line, &size, file)) >= 0) {
        if (n > 0 && line[n - 1] == '\n')
            line[n - 1] = '\0';
        if (strcmp(line, "merged=no") == 0)
            *no_fuse = true;
        if (strncmp(line, "variants=", 9) == 0)
            ok = keep_copy(line + 9, variants);
        if (strncmp(line, "gemm=", 5) == 0)
            ok = keep_copy(line + 5, gemm);
    }
    free(line);
    if (file)
        fclose(file);
    return ok ? LAM_OK : lam_fail(ctx, LAM_EMEMORY, "out of memory");
}

static void print_number(FILE *out, double value, const char *missing)
{
    if (isfinite(value))
        fprintf(out, "%.6g", value);
    else
        fputs(missing, out);
}

static void print_row(FILE *out, const struct lam_epoch_row *row, bool is_json)
{
    static const char *const names[] = {
        "loss",          "lr",         "val_dice",      "val_iou",
        "val_precision", "val_recall", "val_threshold", "images_per_s",
        "seconds"};
    const double values[] = {row->loss,          row->lr,
                             row->val_dice,      row->val_iou,
                             row->val_precision, row->val_recall,
                             row->val_threshold, row->images_per_s,
                             row->seconds};

    fprintf(out,
            is_json ? "{\"epoch\": %" PRId64 ", \"step\": %" PRId64
                    : "%" PRId64 ",%" PRId64,
            row->epoch, row->step);
    for (int i = 0; i < 9; i++) {
        const bool is_val = i >= 2 && i <= 6;

        if (is_json)
            fprintf(out, ", \"%s\": ", names[i]);
        else
            fputc(',', out);
        print_number(out, is_val && !row->has_val ? NAN : values[i],
                     is_json ? "null" : "");
    }
    fputs(is_json ? "}\n" : "\n", out);
}

static int append(struct lam_context *ctx, const char *path, const char *name,
                  const struct lam_epoch_row *row, bool is_json)
{
    char file_name[1100];
    const bool is_new =
        !exists(lam_run_file(path, name, file_name, sizeof(file_name)));
    FILE *file = fopen(file_name, "a");

    if (!file)
        return lam_fail(ctx, LAM_EFILE, "%s cannot be written", file_name);
    if (is_new && !is_json)
        fputs(csv_header, file);
    print_row(file, row, is_json);
    return lam_file_close(ctx, file, file_name);
}

// TensorBoard looks for "tfevents" in names.
static const char events_name[] = "events.out.tfevents.lamina";

int lam_run_add_tensorboard(struct lam_context *ctx, const char *path)
{
    char file[1100];

    lam_run_file(path, events_name, file, sizeof(file));
    return exists(file) ? LAM_OK : lam_tfevents_create(ctx, file);
}

static int add_events(struct lam_context *ctx, const char *path,
                      const struct lam_epoch_row *row)
{
    const struct lam_scalar scalars[] = {
        {"loss", row->loss},
        {"lr", row->lr},
        {"images_per_s", row->images_per_s},
        {"val/dice", row->has_val ? row->val_dice : NAN},
        {"val/iou", row->has_val ? row->val_iou : NAN},
        {"val/precision", row->has_val ? row->val_precision : NAN},
        {"val/recall", row->has_val ? row->val_recall : NAN},
        {"val/threshold", row->has_val ? row->val_threshold : NAN}};
    char file[1100];

    if (!exists(lam_run_file(path, events_name, file, sizeof(file))))
        return LAM_OK;
    return lam_tfevents_add(ctx, file, row->step, scalars,
                            (int)(sizeof(scalars) / sizeof(scalars[0])));
}

int lam_run_add_row(struct lam_context *ctx, const char *path,
                    const struct lam_epoch_row *row)
{
    int err = append(ctx, path, "metrics.csv", row, false);

    if (!err)
        err = append(ctx, path, "metrics.jsonl", row, true);
    return err ? err : add_events(ctx, path, row);
}

static int cut(struct lam_context *ctx, const char *path, const char *name,
               int64_t epoch)
{
    char file_name[1100], temporary[1110], line[1000];
    FILE *in, *out;
    int err;

    in = fopen(lam_run_file(path, name, file_name, sizeof(file_name)), "r");
    if (!in)
        return LAM_OK;
    snprintf(temporary, sizeof(temporary), "%s.part", file_name);
    out = lam_file_create(ctx, temporary);
    if (!out) {
        fclose(in);
        return ctx->code;
    }
    while (fgets(line, sizeof(line), in)) {
        long at;

        if ((sscanf(line, "%ld", &at) != 1 &&
             sscanf(line, "{\"epoch\": %ld", &at) != 1) ||
            at <= epoch)
            fputs(line, out);
    }
    fclose(in);
    err = lam_file_close(ctx, out, temporary);
    if (!err && rename(temporary, file_name))
        err = lam_fail(ctx, LAM_EFILE, "%s cannot be written", file_name);
    return err;
}

int lam_run_cut_rows(struct lam_context *ctx, const char *path, int64_t epoch,
                     int64_t step)
{
    char file[1100];
    int err = cut(ctx, path, "metrics.csv", epoch);

    if (!err)
        err = cut(ctx, path, "metrics.jsonl", epoch);
    if (!err && exists(lam_run_file(path, events_name, file, sizeof(file))))
        err = lam_tfevents_restart(ctx, file, step + 1);
    return err;
}
