// Crops whose pixels are known: how the network's pixels lie on the image's.
#include "augment.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "zoom.h"

enum { SIDE = 16, CROP = 4 };

static uint16_t pixels[SIDE * SIDE];
static unsigned char mask[SIDE * SIDE];
static const struct lam_intensity raw = {.low = 0, .high = 1, .std = 1};

static struct lam_entry entry(void)
{
    struct lam_entry e = {.pixels = pixels, .mask = mask};

    e.info.width = e.info.height = SIDE;
    for (int i = 0; i < SIDE * SIDE; i++)
        pixels[i] = (uint16_t)(100 * (i / SIDE) + i % SIDE);
    return e;
}

static void check_zoom(void)
{
    const struct lam_entry e = entry();
    struct lam_sampling s = {.zoom = 2};
    float image[CROP * CROP], labels[CROP * CROP];

    // 8 x 8 in the middle, from row 4: pixels between 4 and 5, 6 and 7 ..
    lam_augment_crop(&e, &raw, NULL, &s, 1, CROP, CROP, image, labels);
    CHECK_NEAR(image[0], 454.5, 1e-3);
    CHECK_NEAR(image[CROP * CROP - 1], 1060.5, 1e-3);
    s.coordinates = LAM_SAMPLING_ASYMMETRIC;
    lam_augment_crop(&e, &raw, NULL, &s, 1, CROP, CROP, image, labels);
    CHECK_NEAR(image[0], 404, 1e-3);
    CHECK_NEAR(image[CROP * CROP - 1], 1010, 1e-3);
    lam_augment_crop(&e, &raw, NULL, NULL, 1, CROP, CROP, image, labels);
    CHECK_NEAR(image[0], 606, 1e-3);
    CHECK_NEAR(image[CROP], 706, 1e-3);
}

static void check_rules(void)
{
    static const int want[4][2] = {{0, 0}, {1, 0}, {1, 1}, {0, 0}};
    struct lam_entry e = entry();
    struct lam_sampling s = {.zoom = 2};
    float image[CROP * CROP], labels[CROP * CROP];

    // Of the first 2 x 2 two are set, of the second one, of the third all.
    memset(mask, 0, sizeof(mask));
    mask[4 * SIDE + 4] = mask[4 * SIDE + 5] = 1;
    mask[4 * SIDE + 6] = 1;
    mask[4 * SIDE + 8] = mask[4 * SIDE + 9] = 1;
    mask[5 * SIDE + 8] = mask[5 * SIDE + 9] = 1;
    for (s.mask = 1; s.mask < 4; s.mask++) {
        lam_augment_crop(&e, &raw, NULL, &s, 1, CROP, CROP, image, labels);
        CHECK_NEAR(labels[0], want[s.mask][0], 0);
        CHECK_NEAR(labels[1], want[s.mask][1], 0);
        CHECK_NEAR(labels[2], 1, 0);
        CHECK_NEAR(labels[3], 0, 0);
    }
}

// A ramp of 100 a row and 1 a column stays a ramp as steep, turned about the
// middle of the crop.
static void check_rotate(void)
{
    const struct lam_entry e = entry();
    const struct lam_augment still = {0}, turned = {.rotate = 180};
    float image[CROP * CROP], labels[CROP * CROP], before[CROP * CROP];
    int n = 0, n_steep = 0;

    for (uint64_t seed = 1; seed < 200; seed++) {
        const float *v = image;
        float down, right;
        int y, x;

        lam_augment_crop(&e, &raw, &still, NULL, seed, CROP, CROP, before,
                         labels);
        lam_augment_crop(&e, &raw, &turned, NULL, seed, CROP, CROP, image,
                         labels);
        y = (int)before[0] / 100;
        x = (int)before[0] % 100;
        // The border is continued by half a pixel.
        if (y < 1 || x < 1 || y + CROP >= SIDE || x + CROP >= SIDE)
            continue;
        n++;
        down = v[CROP] - v[0];
        right = v[1] - v[0];
        n_steep += fabsf(right) > 50.0f;
        CHECK_NEAR(down * down + right * right, 10001, 1);
        CHECK_NEAR(v[0] + v[CROP * CROP - 1],
                   before[0] + before[CROP * CROP - 1], 1e-2);
        CHECK_NEAR(v[CROP + 2] - v[CROP + 1], right, 1e-2);
    }
    CHECK(n > 20);
    CHECK(n_steep > n / 3 && n_steep < n);
}

// What is linear comes back as it was, but for the border.
static void check_back(void)
{
    struct lam_sampling s = {.zoom = 2};
    float image[SIDE * SIDE];
    struct lam_zoomed z;
    struct lam_map map;

    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++)
            image[y * SIDE + x] = (float)(3 * y + x);
    for (s.coordinates = 0; s.coordinates < 2; s.coordinates++) {
        CHECK(lam_zoom_out(image, SIDE, SIDE, &s, &z));
        CHECK_INT(z.height, SIDE / 2);
        map = (struct lam_map){z.pixels, 1, z.height, z.width};
        CHECK(lam_zoom_back(&map, SIDE, SIDE, &s));
        CHECK_INT(map.width, SIDE);
        for (int y = 1; y < SIDE - 2; y++)
            for (int x = 1; x < SIDE - 2; x++)
                CHECK_NEAR(map.data[y * SIDE + x], 3 * y + x, 1e-4);
        free(map.data);
    }
}

int main(void)
{
    check_zoom();
    check_rules();
    check_rotate();
    check_back();
    return check_done();
}
