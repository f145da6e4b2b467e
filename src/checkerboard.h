// checkerboard.h - how much of a map repeats with a period: the checkerboards
// that strided layers leave (Odena, Dumoulin, Olah 2016), as two numbers.
#ifndef LAM_CHECKERBOARD_H
#define LAM_CHECKERBOARD_H

struct lam_checkerboard {
    // Variance of the means of the period x period phases (y mod period, x mod
    // period), as a share of the variance of the map: 0 where a pixel's place
    // in the grid says nothing, 1 where it says all. Noise of n pixels gives
    // about period^2 / n.
    double phase;
    // Mean energy at the frequencies k / period that no divisor of the period
    // has, by the mean energy around them, under a Hann window: about 1 where
    // nothing repeats.
    double spectral;
};

// map: [height, width], both at least 4 * period, period at least 2. A map
// without variance, or any smaller one, gives 0 and 1.
struct lam_checkerboard lam_checkerboard_measure(const float *map, int height,
                                                 int width, int period);

#endif
