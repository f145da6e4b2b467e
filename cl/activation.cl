// activation: y = F(x), element by element; F is chosen by -DF=.
//
// One work-item per chunk of elements. backward gets y, or x for gelu. The
// pragma says that an element depends on itself alone, which no compiler can
// know where both buffers may be one; a compiler that cannot use it need not
// complain.
#ifdef __clang__
#pragma clang diagnostic ignored "-Wpass-failed"
#endif

#define RELU      1
#define LEAKY     2
#define ELU       3
#define SIGMOID   4
#define TANH      5
#define GELU      6
#define GELU_TANH 7

#define SQRT_HALF      REAL(0.70710678118654752440)
#define SQRT_2_OVER_PI REAL(0.79788456080286535588)
#define INV_SQRT_2_PI  REAL(0.39894228040143267794)
#define CUBIC          REAL(0.044715)

// exp(x) - 1 for x <= 0; near 0 by its series, where the difference would lose
// its digits. Made of what compilers have for whole vectors, unlike expm1, tanh
// and, at times, fabs.
real exp_minus_1(const real x)
{
    real sum = 1;

#pragma unroll
    for (int k = 17; k > 1; k--)
        sum = 1 + x * (REAL(1.0) / k) * sum;
    return x > REAL(-0.5) ? x * sum : exp(x) - 1;
}

real tanh_of(const real x)
{
    const real t = exp_minus_1(x > 0 ? -2 * x : 2 * x);
    const real y = t / (t + 2);

    return x > 0 ? -y : y;
}

real f(const real x, const real slope)
{
#if F == RELU
    return x > 0 ? x : (x != x ? x : 0);
#elif F == LEAKY
    return x > 0 ? x : slope * x;
#elif F == ELU
    return x > 0 ? x : slope * exp_minus_1(x);
#elif F == SIGMOID
    return 1 / (1 + exp(-x));
#elif F == TANH
    return tanh_of(x);
#elif F == GELU
    return REAL(0.5) * x * (1 + erf(x * SQRT_HALF));
#else
    return REAL(0.5) * x *
           (1 + tanh_of(SQRT_2_OVER_PI * (x + CUBIC * x * x * x)));
#endif
}

// Derivative, from y; for gelu from x.
real df(const real v, const real slope)
{
#if F == RELU
    return v > 0 ? 1 : 0;
#elif F == LEAKY
    return v > 0 ? 1 : slope;
#elif F == ELU
    return v > 0 ? 1 : v + slope;
#elif F == SIGMOID
    return v * (1 - v);
#elif F == TANH
    return 1 - v * v;
#elif F == GELU
    return REAL(0.5) * (1 + erf(v * SQRT_HALF)) +
           v * INV_SQRT_2_PI * exp(-REAL(0.5) * v * v);
#else
    const real t = tanh_of(SQRT_2_OVER_PI * (v + CUBIC * v * v * v));

    return REAL(0.5) * (1 + t) + REAL(0.5) * v * (1 - t * t) * SQRT_2_OVER_PI *
                                     (1 + 3 * CUBIC * v * v);
#endif
}

// x and y may be one buffer. Steps lead from one image of n elements to another.
kernel void activation_forward(const global stored *x, const long x_step,
                               global stored *y, const long y_step,
                               const long n, const int chunk, const real slope)
{
    const long first = get_global_id(0) * (long)chunk;
    const long last = min(first + chunk, n);

    x += get_global_id(1) * x_step;
    y += get_global_id(1) * y_step;
#pragma clang loop vectorize(assume_safety)
    for (long i = first; i < last; i++)
        WRITE(y, i, f(READ(x, i), slope));
}

// dy and dx may be one buffer.
kernel void activation_backward(const global stored *v, const long v_step,
                                const global stored *dy, const long dy_step,
                                global stored *dx, const long dx_step,
                                const long n, const int chunk,
                                const real slope)
{
    const long first = get_global_id(0) * (long)chunk;
    const long last = min(first + chunk, n);

    v += get_global_id(1) * v_step;
    dy += get_global_id(1) * dy_step;
    dx += get_global_id(1) * dx_step;
#pragma clang loop vectorize(assume_safety)
    for (long i = first; i < last; i++)
        WRITE(dx, i, READ(dy, i) * df(READ(v, i), slope));
}
