#include "phantom.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "rng.h"

static double mix(double a, double b, double t)
{
    return a + (b - a) * t;
}

static double smooth(double edge0, double edge1, double x)
{
    const double t = fmin(fmax((x - edge0) / (edge1 - edge0), 0.0), 1.0);

    return t * t * (3.0 - 2.0 * t);
}

static double lattice(uint64_t seed, int64_t x, int64_t y)
{
    return lam_rng_unit(lam_rng_bits(seed, (uint64_t)(x + 65536)),
                        (uint64_t)(y + 65536));
}

// Value noise in [0, 1] with features of one unit.
static double noise(uint64_t seed, double x, double y)
{
    const double fx = floor(x), fy = floor(y);
    const double tx = smooth(0.0, 1.0, x - fx), ty = smooth(0.0, 1.0, y - fy);
    const int64_t i = (int64_t)fx, j = (int64_t)fy;

    return mix(mix(lattice(seed, i, j), lattice(seed, i + 1, j), tx),
               mix(lattice(seed, i, j + 1), lattice(seed, i + 1, j + 1), tx),
               ty);
}

// Octaves of noise, the first with features of `scale` image sides.
static double texture(uint64_t seed, double x, double y, double scale,
                      int octaves)
{
    double sum = 0.0, size = 0.5;

    for (int i = 0; i < octaves; i++) {
        sum += size * noise(seed + (uint64_t)i, x / scale, y / scale);
        scale *= 0.5;
        size *= 0.5;
    }
    return sum / (1.0 - 2.0 * size);
}

struct lesion {
    double x, y, radius, contrast, lobes, spikes;
    uint64_t seed;
    bool is_cluster;
};

struct breast {
    uint64_t seed;
    bool from_right;
    double width, height, centre, density, muscle;
    struct lesion lesions[3];
    int n_lesions;
};

// Distance inside the outline: 1 at the chest wall, 0 at the skin.
static double depth(const struct breast *b, double x, double y)
{
    const double dy = (y - b->centre) / b->height;
    const double wobble = 0.05 * (noise(b->seed + 50, 3.0 * y, 0.0) - 0.5);

    return 1.0 -
           sqrt(x * x / ((b->width + wobble) * (b->width + wobble)) + dy * dy);
}

static struct breast make_breast(uint64_t seed)
{
    struct breast b = {.seed = lam_rng_bits(seed, 1)};
    uint64_t at = 10;

    b.from_right = lam_rng_unit(seed, 2) < 0.5;
    b.width = mix(0.5, 0.8, lam_rng_unit(seed, 3));
    b.height = mix(0.38, 0.5, lam_rng_unit(seed, 4));
    b.centre = mix(0.45, 0.55, lam_rng_unit(seed, 5));
    b.density = mix(0.12, 0.34, lam_rng_unit(seed, 6));
    b.muscle = lam_rng_unit(seed, 7) < 0.5
                   ? mix(0.15, 0.4, lam_rng_unit(seed, 8))
                   : 0.0;
    if (lam_rng_unit(seed, 9) < 0.9)
        b.n_lesions = 1 + (int)(2.0 * pow(lam_rng_unit(seed, at++), 2.0) + 0.2);
    for (int i = 0; i < b.n_lesions; i++) {
        struct lesion *l = &b.lesions[i];

        do {
            l->x = mix(0.05, b.width, lam_rng_unit(seed, at++));
            l->y = mix(b.centre - b.height, b.centre + b.height,
                       lam_rng_unit(seed, at++));
        } while (depth(&b, l->x, l->y) < 0.18);
        l->is_cluster = lam_rng_unit(seed, at++) < 0.25;
        l->radius = l->is_cluster ? mix(0.03, 0.07, lam_rng_unit(seed, at++))
                                  : mix(0.03, 0.095, lam_rng_unit(seed, at++));
        l->contrast = mix(0.14, 0.30, lam_rng_unit(seed, at++));
        l->lobes = mix(0.1, 0.35, lam_rng_unit(seed, at++));
        l->spikes = lam_rng_unit(seed, at++) < 0.5 ? 0.0 : 0.35;
        l->seed = lam_rng_bits(seed, at++);
    }
    return b;
}

// Radius of the outline in a direction, as a share of the lesion's.
static double outline(const struct lesion *l, double angle)
{
    const double u = cos(angle), v = sin(angle);

    return 1.0 - l->lobes * noise(l->seed, 2.0 + 1.5 * u, 2.0 + 1.5 * v) -
           l->spikes *
               pow(noise(l->seed + 1, 9.0 + 6.0 * u, 9.0 + 6.0 * v), 2.0);
}

static double mass(const struct lesion *l, double x, double y, bool *inside)
{
    const double dx = x - l->x, dy = y - l->y;
    const double r = sqrt(dx * dx + dy * dy) / l->radius;
    double edge;

    if (r > 1.3)
        return 0.0;
    edge = outline(l, atan2(dy, dx));
    *inside |= r < edge;
    return l->contrast * (1.0 - smooth(edge - 0.25, edge + 0.1, r)) *
           (0.85 + 0.3 * noise(l->seed + 2, 90.0 * x, 90.0 * y));
}

// Grains on a jittered grid; the mask is the cluster's disc.
static double cluster(const struct lesion *l, double x, double y, bool *inside)
{
    const double cell = 0.014, dx = x - l->x, dy = y - l->y;
    const double r = sqrt(dx * dx + dy * dy) / l->radius;
    double light = 0.0;

    if (r > 1.2)
        return 0.0;
    *inside |= r < 1.0;
    for (int j = -1; j <= 1; j++)
        for (int i = -1; i <= 1; i++) {
            const int64_t cx = (int64_t)floor(x / cell) + i;
            const int64_t cy = (int64_t)floor(y / cell) + j;
            const double gx = ((double)cx + lattice(l->seed, cx, cy)) * cell;
            const double gy =
                ((double)cy + lattice(l->seed + 1, cx, cy)) * cell;
            const double size = 0.0022 + 0.0022 * lattice(l->seed + 2, cx, cy);
            const double gr = hypot(gx - l->x, gy - l->y) / l->radius;
            const double d = hypot(x - gx, y - gy) / size;

            if (gr < 0.95 && lattice(l->seed + 3, cx, cy) < 0.6)
                light = fmax(light, (0.25 + l->contrast) *
                                        (1.0 - smooth(0.5, 1.2, d)));
        }
    return light;
}

void lam_phantom_make(uint64_t seed, int size, uint16_t *pixels,
                      unsigned char *mask)
{
    const struct breast b = make_breast(seed);

    for (int row = 0; row < size; row++)
        for (int column = 0; column < size; column++) {
            const double x0 = (column + 0.5) / size, y = (row + 0.5) / size;
            const double x = b.from_right ? 1.0 - x0 : x0;
            const double d = depth(&b, x, y);
            const size_t at = (size_t)row * (size_t)size + (size_t)column;
            double light = 0.03;
            bool inside = false;

            if (d > 0.0) {
                const double gland =
                    smooth(0.42, 0.72, texture(b.seed, x, y, 0.25, 4)) *
                    smooth(0.05, 0.4, d);

                light = 0.16 + 0.14 * smooth(0.0, 0.12, d) + b.density * gland +
                        0.10 * texture(b.seed + 20, x, y, 0.05, 3);
                if (b.muscle > 0.0)
                    light += 0.25 *
                             smooth(0.0, 0.04, b.muscle * (1.0 - y / 0.7) - x);
                for (int i = 0; i < b.n_lesions; i++)
                    light += b.lesions[i].is_cluster
                                 ? cluster(&b.lesions[i], x, y, &inside)
                                 : mass(&b.lesions[i], x, y, &inside);
                light *= smooth(0.0, 0.03, d);
            }
            light += 0.012 * lam_rng_normal(b.seed + 30, at);
            pixels[at] =
                (uint16_t)(65535.0 * fmin(fmax(light, 0.0), 1.0) + 0.5);
            mask[at] = inside && d > 0.0;
        }
}
