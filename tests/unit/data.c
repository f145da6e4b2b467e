// Batches depend on (seed, step) alone; a broken file reaches the caller.
#include "../check.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data.h"
#include "image.h"

enum { BATCH = 3, SIDE = 24, PIXELS = BATCH * SIDE * SIDE };

static struct lam_context ctx;
static float images[8][PIXELS], masks[8][PIXELS], image[PIXELS], mask[PIXELS];

static const struct lam_augment augment = {.flip_x = 1,
                                           .flip_y = 1,
                                           .rot90 = 1,
                                           .scale = 0.1,
                                           .brightness = 0.1,
                                           .contrast = 0.1,
                                           .noise = 0.1,
                                           .positive = 0.5};

static struct lam_loader *open_until(struct lam_dataset *d, uint64_t seed,
                                     int64_t step, int64_t end)
{
    struct lam_loader_options options = {.batch = BATCH,
                                         .height = SIDE,
                                         .width = SIDE,
                                         .seed = seed,
                                         .first_step = step,
                                         .end_step = end,
                                         .augment = &augment};
    struct lam_loader *loader;

    CHECK_INT(lam_dataset_measure(d, &options.intensity), LAM_OK);
    CHECK_INT(lam_loader_open(d, &options, &loader), LAM_OK);
    return loader;
}

static struct lam_loader *open_at(struct lam_dataset *d, uint64_t seed,
                                  int64_t step)
{
    return open_until(d, seed, step, 0);
}

static void test_resume(void)
{
    struct lam_dataset *d;
    struct lam_loader *loader;

    CHECK_INT(lam_dataset_open(&ctx, "phantom:10:40:3", &d), LAM_OK);
    CHECK_INT(lam_dataset_count(d, LAM_SPLIT_TRAIN), 7);
    loader = open_at(d, 5, 0);
    CHECK_INT(lam_loader_epoch_steps(loader), 3);
    for (int k = 0; k < 8; k++)
        CHECK_INT(lam_loader_next(loader, images[k], masks[k]), LAM_OK);
    lam_loader_close(loader);
    for (int k = 0; k < 8; k++) {
        loader = open_at(d, 5, k);
        CHECK_INT(lam_loader_next(loader, image, mask), LAM_OK);
        CHECK(check_same(image, images[k], sizeof(image)));
        CHECK(check_same(mask, masks[k], sizeof(mask)));
        lam_loader_close(loader);
    }
    loader = open_at(d, 6, 0);
    CHECK_INT(lam_loader_next(loader, image, mask), LAM_OK);
    CHECK(!check_same(image, images[0], sizeof(image)));
    lam_loader_close(loader);
    for (int k = 0; k < 20; k++)
        lam_loader_close(open_at(d, 6, k));
    loader = open_until(d, 5, 6, 8);
    for (int k = 6; k < 8; k++) {
        CHECK_INT(lam_loader_next(loader, image, mask), LAM_OK);
        CHECK(check_same(image, images[k], sizeof(image)));
    }
    CHECK_INT(lam_loader_next(loader, image, mask), LAM_ERUN);
    CHECK(strstr(ctx.error, "no batch is left"));
    lam_error_clear(&ctx);
    lam_loader_close(loader);
    lam_dataset_close(d);
}

static void test_broken_file(void)
{
    const unsigned char grey[4] = {0, 60, 200, 255};
    struct lam_loader_options options = {
        .batch = 1, .height = 2, .width = 2, .intensity = {0, 65535, 0, 1}};
    struct lam_loader *loader;
    struct lam_dataset *d;
    FILE *manifest;

    mkdir("unit_data.tmp", 0777);
    mkdir("unit_data.tmp/images", 0777);
    manifest = fopen("unit_data.tmp/manifest.csv", "w");
    CHECK(manifest && fputs("name,split\na,train\n", manifest) >= 0);
    CHECK(manifest && fclose(manifest) == 0);
    CHECK_INT(
        lam_image_write_png(&ctx, "unit_data.tmp/images/a.png", 2, 2, 1, grey),
        LAM_OK);
    CHECK_INT(lam_dataset_open(&ctx, "unit_data.tmp", &d), LAM_OK);
    CHECK_INT(truncate("unit_data.tmp/images/a.png", 50), 0);
    CHECK_INT(lam_loader_open(d, &options, &loader), LAM_OK);
    CHECK_INT(lam_loader_next(loader, image, mask), LAM_EDATA);
    CHECK_HAS(ctx.error, "a.png");
    lam_loader_close(loader);
    lam_dataset_close(d);
    unlink("unit_data.tmp/images/a.png");
    unlink("unit_data.tmp/manifest.csv");
    rmdir("unit_data.tmp/images");
    rmdir("unit_data.tmp");
}

int main(void)
{
    test_resume();
    test_broken_file();
    return check_done();
}
