// norm: what batch, group and instance normalisation share.
//
// x is planes of `size` numbers, plane n * C + c; of y and dy, which may have a
// pitch, n * pitch + c. A set of planes has one mean
// and one variance: the planes of a channel, or those of a group of channels of
// an image. The set of a plane is plane / divisor % sets; set s has `planes`
// planes, the first is s * divisor, each is `step` after the one before.
//
// A plane is cut into K chunks of CHUNK numbers; chunk i is part i % K of plane
// i / K. A work-group has LANES work-items, 1 on a processor, and serves `per`
// chunks, or one set or channel. The cut follows from the sizes and the kind of
// device alone, and sums have a fixed order: the same numbers give the same
// bits. moments: the means of the sets, then 1 / sqrt(variance + epsilon).
//
// parts: what each chunk has to say of its set, 2 * chunks numbers. Where ranks
// share statistics, the parts of all lie one behind the other in the order of
// their images, this rank's from `mine` on; a set has the planes of all.
#define CHUNK 4096

#if LANES > 1
// A work-item takes one number at a time, its neighbour the next.
#define WIDTH 1
typedef real wide;
#define LOAD(from)   READ(from, 0)
#define STORE(v, to) WRITE(to, 0, v)
#define TOTAL(v)     (v)
#else
#define WIDTH 16
#ifdef LAM_F64
typedef double16 wide;
#else
typedef float16 wide;
#endif
#ifdef HALVES
#define LOAD(from)   vload_half16(0, from)
#define STORE(v, to) vstore_half16_rte(v, 0, to)
#else
#define LOAD(from)   vload16(0, from)
#define STORE(v, to) vstore16(v, 0, to)
#endif
#define TOTAL(v)     norm_total(v)

real norm_total(const wide v)
{
#ifdef LAM_F64
    const double8 a = v.lo + v.hi;
#else
    const float8 a = v.lo + v.hi;
#endif
    const real4 b = a.lo + a.hi;

    return (b.x + b.z) + (b.y + b.w);
}
#endif

// The sum of v over the work-group, for all its work-items.
real norm_across(const real v, local real *shared)
{
#if LANES > 1
    const int lane = get_local_id(0);

    barrier(CLK_LOCAL_MEM_FENCE);
    shared[lane] = v;
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int span = LANES / 2; span > 0; span /= 2) {
        if (lane < span)
            shared[lane] += shared[lane + span];
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    return shared[0];
#else
    return v;
#endif
}

// Kahan's sum: `lost` is what the last addition has rounded away.
void norm_add(real *sum, real *lost, const real x)
{
    const real y = x - *lost;
    const real t = *sum + y;

    *lost = (t - *sum) - y;
    *sum = t;
}

real norm_sum(const global stored *x, const int n)
{
    const int lane = get_local_id(0);
    wide sum = (wide)(REAL(0.0));
    real rest = REAL(0.0);

    for (int i = lane * WIDTH; i + WIDTH <= n; i += LANES * WIDTH)
        sum += LOAD(x + i);
    for (int i = n - n % WIDTH + lane; i < n; i += LANES)
        rest += READ(x, i);
    return TOTAL(sum) + rest;
}

// Sums of x - mean and of its square.
real2 norm_spread(const global stored *x, const int n, const real mean)
{
    const int lane = get_local_id(0);
    wide sum = (wide)(REAL(0.0)), squares = (wide)(REAL(0.0));
    real rest = REAL(0.0), rest_squares = REAL(0.0);

    for (int i = lane * WIDTH; i + WIDTH <= n; i += LANES * WIDTH) {
        const wide d = LOAD(x + i) - mean;

        sum += d;
        squares += d * d;
    }
    for (int i = n - n % WIDTH + lane; i < n; i += LANES) {
        const real d = READ(x, i) - mean;

        rest += d;
        rest_squares += d * d;
    }
    return (real2)(TOTAL(sum) + rest, TOTAL(squares) + rest_squares);
}

// Where the first number of chunk i, counted over all ranks, lies in parts.
long norm_part(const long i, const long chunks)
{
    return i + i / chunks * chunks;
}

// parts[i] is the mean of chunk i, parts[chunks + i] its sum of squared
// differences from that mean. The second look at a chunk finds it in the cache,
// and mends the rounding of the first.
kernel void norm_moments(const global stored *x, global real *parts,
                         const long mine, const long size, const long K,
                         const long chunks, const int per)
{
    local real shared[LANES];
    const long first = get_group_id(0) * (long)per;
    const long last = min(first + per, chunks);

    for (long i = first; i < last; i++) {
        const long start = i % K * CHUNK;
        const int n = min(size - start, (long)CHUNK);
        const global stored *at = x + i / K * size + start;
        const real mean = norm_across(norm_sum(at, n), shared) / n;
        const real2 spread = norm_spread(at, n, mean);
        const real sum = norm_across(spread.x, shared);
        const real squares = norm_across(spread.y, shared);

        if (get_local_id(0) == 0) {
            parts[mine + i] = mean + sum / n;
            parts[mine + chunks + i] = squares - sum * (sum / n);
        }
    }
}

// Not left to the compiler: a host makes the same of what several ranks have
// observed.
void norm_move(global real *running, const real observed, const real keep)
{
    const real gain = (REAL(1.0) - keep) * observed;

    *running = keep > REAL(0.0) ? fma(keep, *running, gain) : gain;
}

// The moments, from `at` on, of each set from its chunks, by Chan's formula:
// the squares within the chunks and those of the chunks' means. running_mean
// and running_var may be null; they keep the part `keep` of what they were.
kernel void norm_statistics(const global real *parts, global real *moments,
                            const long at, global real *running_mean,
                            global real *running_var, const int sets,
                            const long size, const long K, const long chunks,
                            const int planes, const int divisor, const int step,
                            const real epsilon, const real keep)
{
    local real shared[LANES];
    const int set = get_group_id(0), lane = get_local_id(0);
    const long base = (long)set * divisor;
    const real count = (real)planes * size;
    const real origin = parts[base * K];
    real sum = REAL(0.0), lost = REAL(0.0), average, squares;

    for (long j = lane; j < planes * K; j += LANES) {
        const long k = j % K;
        const long i = norm_part((base + j / K * step) * K + k, chunks);

        norm_add(&sum, &lost,
                 (parts[i] - origin) * min(size - k * CHUNK, (long)CHUNK));
    }
    average = origin + norm_across(sum, shared) / count;
    sum = lost = REAL(0.0);
    for (long j = lane; j < planes * K; j += LANES) {
        const long k = j % K;
        const long i = norm_part((base + j / K * step) * K + k, chunks);
        const real d = parts[i] - average;

        norm_add(&sum, &lost,
                 parts[chunks + i] +
                     d * d * min(size - k * CHUNK, (long)CHUNK));
    }
    squares = norm_across(sum, shared);
    if (lane)
        return;
    moments[at + set] = average;
    moments[at + sets + set] = REAL(1.0) / sqrt(squares / count + epsilon);
    if (running_mean)
        norm_move(&running_mean[set], average, keep);
    if (running_var)
        norm_move(&running_var[set], squares / (count - REAL(1.0)), keep);
}

// Of kernels that go over all chunks and look up their sets.
#define CUT                                                                    \
    const long size, const long K, const long chunks, const int per,           \
        const int C, const int divisor, const int sets

// What relu leaves of v, and of a gradient g where it gave y.
#define RELU(T, v)    ((v) > (T)(REAL(0.0)) ? (v) : (T)(REAL(0.0)))
#define GATE(T, g, y) ((y) > (T)(REAL(0.0)) ? (g) : (T)(REAL(0.0)))

// y = (x - mean) * weight / sqrt(variance + epsilon) + bias, or the relu of it;
// x and y may be one buffer. mean and spread are read from mean_at and spread_at on; spread is the
// variance if is_variance, else 1 / sqrt(variance + epsilon). weight and bias,
// of the channels, may be null.
kernel void norm_apply(const global stored *x, global stored *y,
                       const long pitch, const global real *mean,
                       const long mean_at,
                       const global real *spread, const long spread_at,
                       const global real *weight, const global real *bias,
                       CUT, const int is_variance,
                       const real epsilon, const int has_relu)
{
    const int lane = get_local_id(0);
    const long first = get_group_id(0) * (long)per;
    const long last = min(first + per, chunks);

    for (long i = first; i < last; i++) {
        const long start = i % K * CHUNK, plane = i / K;
        const int n = min(size - start, (long)CHUNK);
        const int set = plane / divisor % sets, c = plane % C;
        const real inverse =
            is_variance ? REAL(1.0) / sqrt(spread[spread_at + set] + epsilon)
                        : spread[spread_at + set];
        const real scale = weight ? weight[c] * inverse : inverse;
        const real shift = bias ? bias[c] : REAL(0.0), m = mean[mean_at + set];
        const global stored *from = x + plane * size + start;
        global stored *to = y + pitched_plane(plane, C, pitch) * size + start;

        for (int j = lane * WIDTH; j + WIDTH <= n; j += LANES * WIDTH) {
            const wide v = (LOAD(from + j) - m) * scale + shift;

            if (has_relu)
                STORE(RELU(wide, v), to + j);
            else
                STORE(v, to + j);
        }
        for (int j = n - n % WIDTH + lane; j < n; j += LANES) {
            const real v = (READ(from, j) - m) * scale + shift;

            WRITE(to, j, has_relu ? RELU(real, v) : v);
        }
    }
}

#include "norm_backward.cl"
