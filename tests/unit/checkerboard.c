// Maps whose share and ratio are known.
#include "checkerboard.h"

#include <math.h>
#include <stdlib.h>

#include "check.h"
#include "rng.h"

enum { H = 96, W = 128 };

static float map[H * W];

static void fill(double smooth, double noise, double board, int period)
{
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++)
            map[y * W + x] =
                (float)(smooth * sin(0.11 * y) * cos(0.07 * x) +
                        noise * lam_rng_normal(7, (uint64_t)(y * W + x)) +
                        board * (y % period == 0 && x % period == 0));
}

int main(void)
{
    struct lam_checkerboard c;

    fill(0, 0, 1, 2);
    c = lam_checkerboard_measure(map, H, W, 2);
    CHECK_NEAR(c.phase, 1.0, 1e-9);
    CHECK(c.spectral > 1000.0);
    // Its energy is at halves, so nothing is new at quarters.
    c = lam_checkerboard_measure(map, H, W, 4);
    CHECK_NEAR(c.phase, 1.0, 1e-9);

    fill(0, 1, 0, 2);
    c = lam_checkerboard_measure(map, H, W, 2);
    CHECK(c.phase < 0.002);
    CHECK(c.spectral > 0.05 && c.spectral < 4.0);

    fill(1, 0, 0, 2);
    c = lam_checkerboard_measure(map, H, W, 4);
    CHECK(c.phase < 0.001);

    // A third of a standard deviation on every fourth pixel: var p (1 - p) of
    // the board by that and the noise's.
    fill(0, 1, 4, 4);
    c = lam_checkerboard_measure(map, H, W, 4);
    CHECK_NEAR(c.phase, 16 * 15.0 / 256 / (16 * 15.0 / 256 + 1), 0.02);
    CHECK(c.spectral > 20.0);
    CHECK(lam_checkerboard_measure(map, H, W, 2).phase < c.phase);

    fill(0, 0, 0, 2);
    c = lam_checkerboard_measure(map, H, W, 2);
    CHECK_NEAR(c.phase, 0.0, 0.0);
    CHECK_NEAR(c.spectral, 1.0, 0.0);
    c = lam_checkerboard_measure(map, 7, 7, 2);
    CHECK_NEAR(c.spectral, 1.0, 0.0);
    return check_done();
}
