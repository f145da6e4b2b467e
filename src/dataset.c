#include "dataset.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "csv.h"
#include "param.h"
#include "phantom.h"
#include "rng.h"

static const char *const split_names[] = {"train", "val", "test", "all"};

void lam_dataset_close(struct lam_dataset *d)
{
    if (!d)
        return;
    for (int i = 0; i < d->n_entries; i++) {
        struct lam_entry *e = &d->entries[i];

        free(e->name);
        free(e->image_path);
        free(e->mask_path);
        free(e->patient);
        free(e->pixels);
        free(e->mask);
    }
    for (int i = 0; i < 4; i++)
        free(d->splits[i]);
    free(d->entries);
    free(d);
}

static char *join(const char *a, const char *b, const char *c)
{
    const size_t size = strlen(a) + strlen(b) + strlen(c) + 1;
    char *text = malloc(size);

    if (text)
        snprintf(text, size, "%s%s%s", a, b, c);
    return text;
}

static int add_entry(struct lam_dataset *d, const struct lam_entry *entry)
{
    struct lam_entry *grown =
        realloc(d->entries, sizeof(*grown) * (size_t)(d->n_entries + 1));

    if (!grown)
        return lam_fail(d->ctx, LAM_EMEMORY, "out of memory");
    d->entries = grown;
    grown[d->n_entries++] = *entry;
    return LAM_OK;
}

// Patients without a split are dealt 70 / 15 / 15 by a hash of their name.
static enum lam_split deal(const char *patient)
{
    const double at = lam_rng_unit(lam_rng_hash(0, patient), 0);

    return at < 0.7    ? LAM_SPLIT_TRAIN
           : at < 0.85 ? LAM_SPLIT_VAL
                       : LAM_SPLIT_TEST;
}

static bool parse_split(const char *text, enum lam_split *split)
{
    if (strcmp(text, "valid") == 0 || strcmp(text, "validation") == 0)
        text = "val";
    for (int i = 0; i < 3; i++)
        if (strcmp(text, split_names[i]) == 0) {
            *split = (enum lam_split)i;
            return true;
        }
    return false;
}

static bool is_file(const char *path)
{
    struct stat info;

    return stat(path, &info) == 0 && S_ISREG(info.st_mode);
}

// folder/name with the first ending that exists; NULL: none does.
static char *find_image(const char *folder, const char *name)
{
    static const char *const endings[] = {"",      ".png", ".pgm", ".jpg",
                                          ".jpeg", ".ppm", NULL};

    for (int i = 0; endings[i]; i++) {
        char *base = join(folder, "/", name);
        char *path = base ? join(base, endings[i], "") : NULL;

        free(base);
        if (path && is_file(path) && lam_image_is_name(path))
            return path;
        free(path);
    }
    return NULL;
}

static int try_entry(struct lam_dataset *d, const char *root, const char *name,
                     const char *patient, const char *split, const char *where)
{
    struct lam_entry e = {0};
    char *images = join(root, "/images", ""), *masks = join(root, "/masks", "");
    const char *base = strrchr(name, '/') ? strrchr(name, '/') + 1 : name;
    int width, height, bits, err = LAM_OK;

    e.name = strdup(base);
    if (e.name && lam_image_is_name(e.name))
        *strrchr(e.name, '.') = '\0';
    e.patient = strdup(patient ? patient : e.name ? e.name : "");
    if (!images || !masks || !e.name || !e.patient) {
        err = lam_fail(d->ctx, LAM_EMEMORY, "out of memory");
        goto out;
    }
    e.image_path = find_image(images, name);
    e.mask_path = find_image(masks, name);
    if (!e.mask_path)
        e.mask_path = find_image(masks, e.name);
    if (!e.image_path)
        err = lam_fail(d->ctx, LAM_EDATA, "%s: there is no image %s/%s.*",
                       where, images, name);
    e.info.split = deal(e.patient);
    if (!err && split && split[0] && !parse_split(split, &e.info.split))
        err = lam_fail(d->ctx, LAM_EDATA,
                       "%s: split is '%s', wanted train, val or test", where,
                       split);
    if (!err)
        err = lam_image_info(d->ctx, e.image_path, &e.info.width,
                             &e.info.height, &e.info.bits);
    if (!err && e.mask_path)
        err = lam_image_info(d->ctx, e.mask_path, &width, &height, &bits);
    if (!err && e.mask_path &&
        (width != e.info.width || height != e.info.height))
        err =
            lam_fail(d->ctx, LAM_EDATA,
                     "%s is %d x %d, but its mask %s is %d x %d", e.image_path,
                     e.info.width, e.info.height, e.mask_path, width, height);
    if (!err)
        err = add_entry(d, &e);
out:
    if (err) {
        free(e.name);
        free(e.patient);
        free(e.image_path);
        free(e.mask_path);
    }
    free(images);
    free(masks);
    return err;
}

static int make_entry(struct lam_dataset *d, const char *root, const char *name,
                      const char *patient, const char *split, const char *where)
{
    const int err = try_entry(d, root, name, patient, split, where);

    if (!err || !d->report || err == LAM_EMEMORY)
        return err;
    d->report(d->report_data, d->ctx->error);
    lam_error_clear(d->ctx);
    return LAM_OK;
}

static int open_manifest(struct lam_dataset *d, const char *root,
                         const char *path)
{
    struct lam_csv csv;
    int name, patient, split, err = lam_csv_read(d->ctx, path, &csv);

    if (err)
        return err;
    name = lam_csv_column(&csv, "name");
    if (name < 0)
        name = lam_csv_column(&csv, "image");
    patient = lam_csv_column(&csv, "patient");
    split = lam_csv_column(&csv, "split");
    if (name < 0)
        err = lam_fail(d->ctx, LAM_EDATA,
                       "%s:1: there is no column 'name' (or 'image')", path);
    for (int row = 1; row < csv.n_rows && !err; row++) {
        char where[600];

        snprintf(where, sizeof(where), "%.500s:%d", path, row + 1);
        err = make_entry(d, root, lam_csv_cell(&csv, row, name),
                         patient < 0 ? NULL : lam_csv_cell(&csv, row, patient),
                         split < 0 ? NULL : lam_csv_cell(&csv, row, split),
                         where);
    }
    lam_csv_free(&csv);
    return err;
}

static int is_image(const struct dirent *entry)
{
    return lam_image_is_name(entry->d_name);
}

static int open_folder(struct lam_dataset *d, const char *root)
{
    char *images = join(root, "/images", "");
    struct dirent **found = NULL;
    int n, err = LAM_OK;

    if (!images)
        return lam_fail(d->ctx, LAM_EMEMORY, "out of memory");
    n = scandir(images, &found, is_image, alphasort);
    if (n < 0)
        err = lam_fail(d->ctx, LAM_EDATA,
                       "%s: neither a folder with images/ nor a manifest CSV",
                       root);
    for (int i = 0; i < n; i++) {
        if (!err)
            err = make_entry(d, root, found[i]->d_name, NULL, NULL, images);
        free(found[i]);
    }
    free(found);
    free(images);
    return err;
}

// "phantom:COUNT:SIZE:SEED"
static int open_phantom(struct lam_dataset *d, const char *path)
{
    long count, size, seed;
    int used = 0;

    if (sscanf(path, "phantom:%ld:%ld:%ld%n", &count, &size, &seed, &used) !=
            3 ||
        path[used] || count < 1 || count > 100000 || size < 16 || size > 4096)
        return lam_fail(d->ctx, LAM_EDATA,
                        "'%s': wanted phantom:COUNT:SIZE:SEED, COUNT 1 to "
                        "100000, SIZE 16 to 4096",
                        path);
    d->phantom_size = (int)size;
    for (long i = 0; i < count; i++) {
        struct lam_entry e = {.seed =
                                  lam_rng_bits((uint64_t)seed, (uint64_t)i)};
        char name[32];
        int err;

        snprintf(name, sizeof(name), "phantom%05ld", i);
        e.name = strdup(name);
        e.patient = strdup(name);
        e.info.width = e.info.height = (int)size;
        e.info.bits = 16;
        // Seven of ten train, then val, test, test, so that small sets have
        // each.
        e.info.split = i % 10 < 7    ? LAM_SPLIT_TRAIN
                       : i % 10 == 7 ? LAM_SPLIT_VAL
                                     : LAM_SPLIT_TEST;
        err = e.name && e.patient
                  ? add_entry(d, &e)
                  : lam_fail(d->ctx, LAM_EMEMORY, "out of memory");
        if (err) {
            free(e.name);
            free(e.patient);
            return err;
        }
    }
    return LAM_OK;
}

static int compare_names(const void *a, const void *b)
{
    const struct lam_entry *x = a, *y = b;

    return strcmp(x->name, y->name);
}

static int index_splits(struct lam_dataset *d)
{
    qsort(d->entries, (size_t)d->n_entries, sizeof(*d->entries), compare_names);
    for (int s = 0; s < 4; s++) {
        d->splits[s] = malloc(sizeof(int) * (size_t)(d->n_entries + 1));
        if (!d->splits[s])
            return lam_fail(d->ctx, LAM_EMEMORY, "out of memory");
    }
    for (int i = 0; i < d->n_entries; i++) {
        struct lam_entry *e = &d->entries[i];

        e->info.name = e->name;
        e->info.image_path = e->image_path;
        e->info.mask_path = e->mask_path;
        e->info.patient = e->patient;
        d->splits[e->info.split][d->n_split[e->info.split]++] = i;
        d->splits[LAM_SPLIT_ALL][d->n_split[LAM_SPLIT_ALL]++] = i;
        if (i > 0 && strcmp(e->name, d->entries[i - 1].name) == 0)
            return lam_fail(d->ctx, LAM_EDATA, "there are two images named %s",
                            e->name);
    }
    return LAM_OK;
}

int lam_dataset_open(struct lam_context *ctx, const char *path,
                     struct lam_dataset **dataset)
{
    return lam_dataset_open_rest(ctx, path, NULL, NULL, dataset);
}

int lam_dataset_open_rest(struct lam_context *ctx, const char *path,
                          void (*report)(void *data, const char *problem),
                          void *data, struct lam_dataset **dataset)
{
    struct lam_dataset *d = calloc(1, sizeof(*d));
    char *manifest = join(path, "/manifest.csv", "");
    int err = LAM_OK;

    *dataset = NULL;
    if (!d || !manifest) {
        free(d);
        free(manifest);
        return lam_fail(ctx, LAM_EMEMORY, "out of memory");
    }
    d->ctx = ctx;
    d->report = report;
    d->report_data = data;
    if (strncmp(path, "phantom:", 8) == 0) {
        err = open_phantom(d, path);
    } else if (is_file(path)) {
        const char *slash = strrchr(path, '/');
        char root[1024];

        snprintf(root, sizeof(root), "%.*s", slash ? (int)(slash - path) : 1,
                 slash ? path : ".");
        err = open_manifest(d, root, path);
    } else if (is_file(manifest)) {
        err = open_manifest(d, path, manifest);
    } else {
        err = open_folder(d, path);
    }
    free(manifest);
    if (!err && d->n_entries == 0)
        err = lam_fail(ctx, LAM_EDATA, "%s: there is no image", path);
    if (!err)
        err = index_splits(d);
    if (err) {
        lam_dataset_close(d);
        return err;
    }
    *dataset = d;
    return LAM_OK;
}

int lam_dataset_count(const struct lam_dataset *d, enum lam_split split)
{
    return d->n_split[split];
}

const struct lam_sample_info *lam_dataset_info(const struct lam_dataset *d,
                                               enum lam_split split, int i)
{
    return &d->entries[d->splits[split][i]].info;
}

// Labels: two values become 0 and 1, whole numbers below 16 stay.
static int read_labels(struct lam_context *ctx, const struct lam_image *image,
                       const char *path, unsigned char *labels)
{
    const size_t n = (size_t)image->width * (size_t)image->height;
    const unsigned unit = image->bits == 8 ? 257 : 1;
    bool seen[256] = {false};
    int n_seen = 0, highest = 0;

    for (size_t i = 0; i < n; i++) {
        const unsigned v = image->pixels[i] / unit;

        if (v > 255 && v != 65535)
            return lam_fail(ctx, LAM_EDATA,
                            "%s: a mask has value %u; wanted 0 and 255 or "
                            "labels 0 to 15",
                            path, v);
        labels[i] = (unsigned char)(v > 255 ? 255 : v);
        n_seen += !seen[labels[i]];
        seen[labels[i]] = true;
        highest = labels[i] > highest ? labels[i] : highest;
    }
    if (highest < 16)
        return LAM_OK;
    if (n_seen > 2 || (n_seen == 2 && !seen[0]))
        return lam_fail(ctx, LAM_EDATA,
                        "%s: a mask has %d different values up to %d; wanted "
                        "0 and one other, or labels 0 to 15",
                        path, n_seen, highest);
    for (size_t i = 0; i < n; i++)
        labels[i] = labels[i] != 0;
    return LAM_OK;
}

// A file may have changed since its size was read.
static int read_sized(struct lam_context *ctx, const char *path,
                      const struct lam_sample_info *info,
                      struct lam_image **image)
{
    int err = lam_image_read(ctx, path, 0, image);

    if (!err &&
        ((*image)->width != info->width || (*image)->height != info->height)) {
        err = lam_fail(ctx, LAM_EDATA, "%s was %d x %d, now it is %d x %d",
                       path, info->width, info->height, (*image)->width,
                       (*image)->height);
        lam_image_free(*image);
        *image = NULL;
    }
    return err;
}

int lam_dataset_decode(struct lam_dataset *d, struct lam_context *ctx,
                       struct lam_entry *e)
{
    const size_t n = (size_t)e->info.width * (size_t)e->info.height;
    struct lam_image *image = NULL;
    uint16_t *pixels;
    int err = LAM_OK;

    if (e->pixels)
        return LAM_OK;
    if (d->phantom_size || e->mask_path) {
        e->mask = e->mask ? e->mask : calloc(n, 1);
        if (!e->mask)
            return lam_fail(ctx, LAM_EMEMORY, "out of memory");
    }
    if (d->phantom_size) {
        pixels = malloc(n * sizeof(*pixels));
        if (!pixels)
            return lam_fail(ctx, LAM_EMEMORY, "out of memory");
        lam_phantom_make(e->seed, d->phantom_size, pixels, e->mask);
        e->pixels = pixels;
        return LAM_OK;
    }
    if (e->mask_path) {
        err = read_sized(ctx, e->mask_path, &e->info, &image);
        if (!err)
            err = read_labels(ctx, image, e->mask_path, e->mask);
        lam_image_free(image);
    }
    if (err)
        return err;
    err = read_sized(ctx, e->image_path, &e->info, &image);
    if (err)
        return err;
    e->pixels = image->pixels;
    image->pixels = NULL;
    lam_image_free(image);
    return LAM_OK;
}

int lam_dataset_measure(struct lam_dataset *d, struct lam_intensity *intensity)
{
    double n = 0.0, sum = 0.0, squares = 0.0;
    unsigned low = 65535, high = 0;

    for (int k = 0; k < d->n_split[LAM_SPLIT_TRAIN]; k++) {
        struct lam_entry *e = &d->entries[d->splits[LAM_SPLIT_TRAIN][k]];
        const size_t pixels = (size_t)e->info.width * (size_t)e->info.height;
        uint64_t s = 0, q = 0;
        const int err = lam_dataset_decode(d, d->ctx, e);

        if (err)
            return err;
        for (size_t i = 0; i < pixels; i++) {
            const unsigned v = e->pixels[i];

            low = v < low ? v : low;
            high = v > high ? v : high;
            s += v;
            q += (uint64_t)v * v;
        }
        n += (double)pixels;
        sum += (double)s;
        squares += (double)q;
    }
    if (n == 0.0)
        return lam_fail(d->ctx, LAM_EDATA,
                        "the training split is empty, so no intensities can "
                        "be measured");
    if (high <= low)
        return lam_fail(d->ctx, LAM_EDATA,
                        "all pixels of the training split are equal");
    intensity->low = low;
    intensity->high = high;
    intensity->mean = (sum / n - low) / (high - low);
    intensity->std = sqrt(squares / n - (sum / n) * (sum / n)) / (high - low);
    return LAM_OK;
}

int lam_dataset_read(struct lam_dataset *d, enum lam_split split, int i,
                     const struct lam_intensity *in, float **image,
                     float **mask, int *height, int *width)
{
    struct lam_entry *e = &d->entries[d->splits[split][i]];
    const size_t n = (size_t)e->info.width * (size_t)e->info.height;
    int err = lam_dataset_decode(d, d->ctx, e);

    *image = NULL;
    *mask = NULL;
    if (err)
        return err;
    *image = malloc(n * sizeof(**image));
    *mask = e->mask ? malloc(n * sizeof(**mask)) : NULL;
    if (!*image || (e->mask && !*mask)) {
        free(*image);
        free(*mask);
        *image = *mask = NULL;
        return lam_fail(d->ctx, LAM_EMEMORY, "out of memory");
    }
    for (size_t k = 0; k < n; k++) {
        (*image)[k] = lam_intensity_apply(in, e->pixels[k]);
        if (e->mask)
            (*mask)[k] = (float)e->mask[k];
    }
    *height = e->info.height;
    *width = e->info.width;
    return LAM_OK;
}
