// Images and masks whose smaller selves are known.
#include "resample.h"

#include <string.h>

#include "check.h"

static void check_pixels(void)
{
    static const uint16_t four[] = {0, 10, 20, 30, 40, 50, 60, 70,
                                    1, 1,  1,  1,  3,  3,  3,  3};
    static const uint16_t three[] = {30, 60, 90};
    uint16_t out[36];

    lam_resample_pixels(four, 4, 4, out, 4, 4);
    CHECK(memcmp(out, four, sizeof(four)) == 0);
    lam_resample_pixels(four, 4, 4, out, 2, 2);
    CHECK_INT(out[0], 25);
    CHECK_INT(out[1], 45);
    CHECK_INT(out[2], 2);
    // 3 to 2: a pixel and half of the next.
    lam_resample_pixels(three, 1, 3, out, 1, 2);
    CHECK_INT(out[0], 40);
    CHECK_INT(out[1], 80);
    lam_resample_pixels(three, 1, 3, out, 2, 6);
    for (int i = 0; i < 12; i++)
        CHECK_INT(out[i], three[i % 6 / 2]);
    lam_resample_pixels(four, 4, 4, out, 1, 1);
    CHECK_INT(out[0], 19); // 296 / 16 = 18.5, rounded
}

static void check_masks(void)
{
    static const unsigned char mask[] = {1, 1, 1, 0, 1, 1, 0, 0,
                                         0, 0, 1, 0, 0, 0, 0, 1};
    static const unsigned char labels[] = {0, 0, 0, 0, 0, 2, 3, 0,
                                           0, 0, 0, 0, 0, 0, 0, 4};
    static const unsigned char want[3][4] = {
        {1, 0, 0, 1}, {1, 1, 0, 1}, {1, 0, 0, 0}};
    unsigned char out[16];

    for (int rule = 0; rule < 3; rule++) {
        lam_resample_mask(mask, 4, 4, out, 2, 2, (enum lam_mask_rule)rule);
        CHECK(memcmp(out, want[rule], 4) == 0);
        lam_resample_mask(mask, 4, 4, out, 4, 4, (enum lam_mask_rule)rule);
        CHECK(memcmp(out, mask, 16) == 0);
    }
    // Classes are not mixed: that of the area's centre.
    lam_resample_mask(labels, 4, 4, out, 2, 2, LAM_MASK_ANY);
    CHECK_INT(out[0], 2);
    CHECK_INT(out[1], 0);
    CHECK_INT(out[3], 4);
}

int main(void)
{
    check_pixels();
    check_masks();
    return check_done();
}
