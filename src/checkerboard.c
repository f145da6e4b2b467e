#include "checkerboard.h"

#include <complex.h>
#include <math.h>
#include <stdlib.h>

// Distance in bins from a frequency to those it is compared with: beyond the
// main lobe of the window, which is two bins wide on either side.
enum { AWAY = 4 };

static double phase_share(const float *map, int height, int width, int period)
{
    const int h = height / period * period, w = width / period * period;
    const double n = (double)h * w;
    double sum = 0.0, squares = 0.0, between = 0.0, variance, mean;

    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            const double v = (double)map[(size_t)y * width + x];

            sum += v;
            squares += v * v;
        }
    mean = sum / n;
    variance = squares / n - mean * mean;
    for (int i = 0; i < period; i++)
        for (int j = 0; j < period; j++) {
            double part = 0.0;

            for (int y = i; y < h; y += period)
                for (int x = j; x < w; x += period)
                    part += (double)map[(size_t)y * width + x];
            part = part * period * period / n - mean;
            between += part * part / (period * period);
        }
    return variance > 1e-12 * mean * mean ? between / variance : 0.0;
}

static double hann(int i, int n)
{
    return 0.5 - 0.5 * cos(2.0 * 3.14159265358979323846 * (i + 0.5) / n);
}

// |sum of map * window * exp(-2 pi i (u y / height + v x / width))|^2 for one v
// and all u in `us`; row: scratch of `height` numbers.
static void energies(const float *map, int height, int width, double mean,
                     double v, const double *us, int n_us, double complex *row,
                     double *energy)
{
    const double turn = 2.0 * 3.14159265358979323846;

    for (int y = 0; y < height; y++) {
        const double complex step = cexp(-I * turn * v / width);
        double complex at = 1.0;

        row[y] = 0.0;
        for (int x = 0; x < width; x++, at *= step)
            row[y] += ((double)map[(size_t)y * width + x] - mean) *
                      hann(x, width) * at;
        row[y] *= hann(y, height);
    }
    for (int k = 0; k < n_us; k++) {
        const double complex step = cexp(-I * turn * us[k] / height);
        double complex at = 1.0, sum = 0.0;

        for (int y = 0; y < height; y++, at *= step)
            sum += row[y] * at;
        energy[k] = creal(sum) * creal(sum) + cimag(sum) * cimag(sum);
    }
}

static int greatest_divisor(int a, int b)
{
    return b ? greatest_divisor(b, a % b) : a;
}

static double spectral_ratio(const float *map, int height, int width,
                             int period)
{
    double complex *row = malloc(sizeof(*row) * (size_t)height);
    double mean = 0.0, on = 0.0, around = 0.0, n_on = 0.0, n_around = 0.0;

    if (!row)
        return 1.0;
    for (int i = 0; i < height * width; i++)
        mean += (double)map[i] / ((double)height * width);
    // v of a real map: the other half mirrors this one.
    for (int kx = 0; kx <= period / 2; kx++)
        for (int dx = -AWAY; dx <= AWAY; dx += AWAY)
            for (int ky = 0; ky < period; ky++) {
                const double u = (double)ky * height / period;
                const double us[] = {u - AWAY, u, u + AWAY};
                double energy[3];

                if (greatest_divisor(greatest_divisor(period, kx), ky) > 1)
                    continue;
                energies(map, height, width, mean,
                         (double)kx * width / period + dx, us, 3, row, energy);
                for (int k = 0; k < 3; k++)
                    if (dx == 0 && k == 1) {
                        on += energy[k];
                        n_on++;
                    } else {
                        around += energy[k];
                        n_around++;
                    }
            }
    free(row);
    return around > 0.0 ? (on / n_on) / (around / n_around) : 1.0;
}

struct lam_checkerboard lam_checkerboard_measure(const float *map, int height,
                                                 int width, int period)
{
    struct lam_checkerboard c = {0.0, 1.0};

    if (period < 2 || height < 4 * period || width < 4 * period)
        return c;
    c.phase = phase_share(map, height, width, period);
    if (c.phase > 0.0)
        c.spectral = spectral_ratio(map, height, width, period);
    return c;
}
