#include "augment.h"

#include <math.h>

#include "rng.h"

const struct lam_param lam_augment_params[] = {
    {"flip_x", LAM_PARAM_BOOL, offsetof(struct lam_augment, flip_x), "true", 0,
     0, NULL, "left and right exchanged, every second time", 0},
    {"flip_y", LAM_PARAM_BOOL, offsetof(struct lam_augment, flip_y), "true", 0,
     0, NULL, "top and bottom exchanged, every second time", 0},
    {"rot90", LAM_PARAM_BOOL, offsetof(struct lam_augment, rot90), "false", 0,
     0, NULL, "x and y exchanged, every second time (square crops)", 0},
    {"rotate", LAM_PARAM_REAL, offsetof(struct lam_augment, rotate), "0", 0,
     180, NULL, "turned by up to so many degrees, either way", 0},
    {"scale", LAM_PARAM_REAL, offsetof(struct lam_augment, scale), "0", 0, 0.5,
     NULL, "crop side times exp(normal(0, scale))", 0},
    {"brightness", LAM_PARAM_REAL, offsetof(struct lam_augment, brightness),
     "0", 0, 2, NULL, "normal(0, brightness) added", 0},
    {"contrast", LAM_PARAM_REAL, offsetof(struct lam_augment, contrast), "0", 0,
     2, NULL, "times exp(normal(0, contrast))", 0},
    {"noise", LAM_PARAM_REAL, offsetof(struct lam_augment, noise), "0", 0, 2,
     NULL, "normal(0, noise) added to each pixel", 0},
    {"positive", LAM_PARAM_REAL, offsetof(struct lam_augment, positive), "0", 0,
     1, NULL, "share of crops that are laid over foreground", 0},
    {0}};

static const char *const coordinates[] = {"half_pixel", "asymmetric", NULL};
static const char *const masks[] = {"nearest", "half", "any", "all", NULL};

const struct lam_param lam_sampling_params[] = {
    {"zoom", LAM_PARAM_REAL, offsetof(struct lam_sampling, zoom), "1", 0.05, 64,
     NULL, "image pixels that one of the network's stands for", 0},
    {"coordinates", LAM_PARAM_CHOICE,
     offsetof(struct lam_sampling, coordinates), "half_pixel", 0, 0,
     coordinates, "where the network's pixels lie in the image", 0},
    {"mask", LAM_PARAM_CHOICE, offsetof(struct lam_sampling, mask), "nearest",
     0, 0, masks, "label between those of the image", 0},
    {0}};

enum {
    FLIP_X,
    FLIP_Y,
    TURN,
    SCALE,
    BRIGHTNESS,
    CONTRAST,
    POSITIVE,
    PICK,
    PLACE_Y,
    PLACE_X,
    NOISE,
    ROTATE
};

// Where the crop lies in the image: its pixel (i, j) is read at row
// y + i * iy + j * jy, column x + i * ix + j * jx.
struct frame {
    double y, x, iy, ix, jy, jx;
};

// A foreground pixel, by reservoir of the seed; false if there is none.
static bool pick_positive(const struct lam_entry *e, uint64_t seed, int *y,
                          int *x)
{
    const int64_t n = (int64_t)e->info.width * e->info.height;
    int64_t count = 0, chosen;

    for (int64_t i = 0; e->mask && i < n; i++)
        count += e->mask[i] != 0;
    if (count == 0)
        return false;
    chosen = (int64_t)(lam_rng_unit(seed, PICK) * (double)count);
    for (int64_t i = 0; i < n; i++)
        if (e->mask[i] && chosen-- == 0) {
            *y = (int)(i / e->info.width);
            *x = (int)(i % e->info.width);
            return true;
        }
    return false;
}

static double place(double room, double unit, double wanted, double side)
{
    // Over a wanted pixel, anywhere that keeps it inside.
    double at = wanted < 0 ? unit * room : wanted - unit * (side - 1);

    if (room < 0)
        return room / 2;
    at = floor(at + 0.5);
    return at < 0 ? 0 : at > room ? room : at;
}

// About the centre of the crop.
static void rotate(struct frame *f, double degrees, int height, int width)
{
    const double angle = degrees * (atan(1.0) / 45.0);
    const double c = cos(angle), s = sin(angle);
    const double i = (height - 1) / 2.0, j = (width - 1) / 2.0;
    const double y = f->y + i * f->iy + j * f->jy;
    const double x = f->x + i * f->ix + j * f->jx;
    const struct frame g = *f;

    f->iy = c * g.iy - s * g.ix;
    f->ix = s * g.iy + c * g.ix;
    f->jy = c * g.jy - s * g.jx;
    f->jx = s * g.jy + c * g.jx;
    f->y = y - i * f->iy - j * f->jy;
    f->x = x - i * f->ix - j * f->jx;
}

static struct frame make_frame(const struct lam_entry *e,
                               const struct lam_augment *a,
                               const struct lam_sampling *s, uint64_t seed,
                               int height, int width)
{
    const double zoom = s ? s->zoom : 1.0;
    const bool is_half = !s || s->coordinates == LAM_SAMPLING_HALF_PIXEL;
    struct frame f;
    double scale = zoom, side_y, side_x;
    int py = -1, px = -1;
    bool turn, flip_x, flip_y;

    if (!a) {
        const double shift = is_half ? 0.5 * zoom - 0.5 : 0.0;

        f = (struct frame){.iy = zoom, .jx = zoom};
        f.y = trunc((e->info.height - height * zoom) / 2) + shift;
        f.x = trunc((e->info.width - width * zoom) / 2) + shift;
        return f;
    }
    if (a->scale > 0)
        scale *= exp(a->scale * lam_rng_normal(seed, SCALE));
    side_y = height * scale;
    side_x = width * scale;
    if (a->positive > 0 && lam_rng_unit(seed, POSITIVE) < a->positive)
        pick_positive(e, seed, &py, &px);
    f.y =
        place(e->info.height - side_y, lam_rng_unit(seed, PLACE_Y), py, side_y);
    f.x =
        place(e->info.width - side_x, lam_rng_unit(seed, PLACE_X), px, side_x);
    turn = a->rot90 && height == width && lam_rng_unit(seed, TURN) < 0.5;
    flip_x = a->flip_x && lam_rng_unit(seed, FLIP_X) < 0.5;
    flip_y = a->flip_y && lam_rng_unit(seed, FLIP_Y) < 0.5;
    f.iy = turn ? 0 : scale;
    f.ix = turn ? scale : 0;
    f.jy = turn ? scale : 0;
    f.jx = turn ? 0 : scale;
    // Pixel centres: half a step in, less half a pixel.
    if (is_half) {
        f.y += 0.5 * scale - 0.5;
        f.x += 0.5 * scale - 0.5;
    }
    if (flip_y) {
        f.y += (height - 1) * f.iy;
        f.x += (height - 1) * f.ix;
        f.iy = -f.iy;
        f.ix = -f.ix;
    }
    if (flip_x) {
        f.y += (width - 1) * f.jy;
        f.x += (width - 1) * f.jx;
        f.jy = -f.jy;
        f.jx = -f.jx;
    }
    if (a->rotate > 0)
        rotate(&f, a->rotate * (2 * lam_rng_unit(seed, ROTATE) - 1), height,
               width);
    return f;
}

static double clamp(double v, double low, double high)
{
    return v < low ? low : v > high ? high : v;
}

// Bilinear; outside the image its darkest value.
static double sample(const struct lam_entry *e, double low, double y, double x)
{
    const int w = e->info.width, h = e->info.height;
    double t, u;
    int i, j, i1, j1;

    if (y < -0.5 || x < -0.5 || y > h - 0.5 || x > w - 0.5)
        return low;
    y = clamp(y, 0, h - 1);
    x = clamp(x, 0, w - 1);
    i = (int)y;
    j = (int)x;
    t = y - i;
    u = x - j;
    i1 = i + 1 < h ? i + 1 : i;
    j1 = j + 1 < w ? j + 1 : j;
    return (1 - t) * ((1 - u) * e->pixels[(size_t)i * w + j] +
                      u * e->pixels[(size_t)i * w + j1]) +
           t * ((1 - u) * e->pixels[(size_t)i1 * w + j] +
                u * e->pixels[(size_t)i1 * w + j1]);
}

static int mask_at(const struct lam_entry *e, int i, int j)
{
    const int w = e->info.width, h = e->info.height;

    return i < 0 || j < 0 || i >= h || j >= w ? 0 : e->mask[(size_t)i * w + j];
}

// Share of foreground between four pixels.
static double covered(const struct lam_entry *e, double y, double x)
{
    const int i = (int)floor(y), j = (int)floor(x);
    const double t = y - i, u = x - j;

    return (1 - t) * ((1 - u) * (mask_at(e, i, j) > 0) +
                      u * (mask_at(e, i, j + 1) > 0)) +
           t * ((1 - u) * (mask_at(e, i + 1, j) > 0) +
                u * (mask_at(e, i + 1, j + 1) > 0));
}

static float label(const struct lam_entry *e, int rule, double y, double x)
{
    const int nearest =
        e->mask ? mask_at(e, (int)floor(y + 0.5), (int)floor(x + 0.5)) : 0;
    double share;

    // The rules are of one foreground.
    if (!e->mask || rule == LAM_SAMPLING_NEAREST || nearest > 1)
        return (float)nearest;
    share = covered(e, y, x);
    if (rule == LAM_SAMPLING_ANY || rule == LAM_SAMPLING_ALL)
        return share > (rule == LAM_SAMPLING_ANY ? 1e-9 : 1.0 - 1e-9) ? 1.0f
                                                                      : 0.0f;
    return share >= 0.5 ? 1.0f : 0.0f;
}

void lam_augment_crop(const struct lam_entry *e, const struct lam_intensity *in,
                      const struct lam_augment *a, const struct lam_sampling *s,
                      uint64_t seed, int height, int width, float *image,
                      float *mask)
{
    const struct frame f = make_frame(e, a, s, seed, height, width);
    const int rule = s ? s->mask : LAM_SAMPLING_NEAREST;
    const double range = in->high - in->low;
    double gain = 1.0, shift = 0.0;

    if (a && a->contrast > 0)
        gain = exp(a->contrast * lam_rng_normal(seed, CONTRAST));
    if (a && a->brightness > 0)
        shift = a->brightness * lam_rng_normal(seed, BRIGHTNESS);
    for (int i = 0; i < height; i++)
        for (int j = 0; j < width; j++) {
            const double y = f.y + i * f.iy + j * f.jy;
            const double x = f.x + i * f.ix + j * f.jx;
            const size_t at = (size_t)i * (size_t)width + (size_t)j;
            double v = (sample(e, in->low, y, x) - in->low) / range;

            v = (v - in->mean) / in->std * gain + shift;
            if (a && a->noise > 0)
                v += a->noise * lam_rng_normal(lam_rng_bits(seed, NOISE), at);
            image[at] = (float)v;
            mask[at] = label(e, rule, y, x);
        }
}
