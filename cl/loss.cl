// loss: what the losses over pixels share: which pixels are a work-item's, sums
// that stay exact, the tree that adds them, and softmax at a pack of pixels.
//
// A pack is LOSS_WIDTH neighbouring pixels. A work-item sums up to `steps`
// packs of one image, `lanes` packs apart, so that neighbouring work-items read
// neighbouring memory where that matters. The partition follows from the sizes
// and the kind of device alone: the same numbers give the same bits.
#ifndef LOSS_WIDTH
#define LOSS_WIDTH 4
#endif
#define LOSS_PASTE(a, b) a##b
#define LOSS_NAME(a, b)  LOSS_PASTE(a, b)
#ifdef LAM_F64
typedef LOSS_NAME(double, LOSS_WIDTH) pack;
#else
typedef LOSS_NAME(float, LOSS_WIDTH) pack;
#endif

// The first pixel of a part of an image.
long loss_first(const int part, const int lanes, const int steps)
{
    return LOSS_WIDTH * ((long)(part / lanes) * steps * lanes + part % lanes);
}

// A pack, with zeros from `left` on.
pack loss_load(const global real *x, const long left)
{
    real v[LOSS_WIDTH];

    if (left >= LOSS_WIDTH)
        return LOSS_NAME(vload, LOSS_WIDTH)(0, x);
    for (int i = 0; i < LOSS_WIDTH; i++)
        v[i] = i < left ? x[i] : REAL(0.0);
    return LOSS_NAME(vload, LOSS_WIDTH)(0, v);
}

void loss_store(const pack p, global real *x, const long left)
{
    real v[LOSS_WIDTH];

    if (left >= LOSS_WIDTH) {
        LOSS_NAME(vstore, LOSS_WIDTH)(p, 0, x);
        return;
    }
    LOSS_NAME(vstore, LOSS_WIDTH)(p, 0, v);
    for (int i = 0; i < left; i++)
        x[i] = v[i];
}

// One where there is a pixel, zero from `left` on.
pack loss_mask(const long left)
{
    real v[LOSS_WIDTH];

    if (left >= LOSS_WIDTH)
        return (pack)(REAL(1.0));
    for (int i = 0; i < LOSS_WIDTH; i++)
        v[i] = i < left ? REAL(1.0) : REAL(0.0);
    return LOSS_NAME(vload, LOSS_WIDTH)(0, v);
}

// Kahan's sum: `lost` is what the last addition has rounded away.
void loss_add(pack *sum, pack *lost, const pack x)
{
    const pack y = x - *lost;
    const pack t = *sum + y;

    *lost = (t - *sum) - y;
    *sum = t;
}

real loss_total(const pack sum, const pack lost)
{
    real s[LOSS_WIDTH], l[LOSS_WIDTH];

    LOSS_NAME(vstore, LOSS_WIDTH)(sum, 0, s);
    LOSS_NAME(vstore, LOSS_WIDTH)(lost, 0, l);
    for (int half_width = LOSS_WIDTH / 2; half_width > 0; half_width /= 2)
        for (int i = 0; i < half_width; i++) {
            s[i] += s[i + half_width];
            l[i] += l[i + half_width];
        }
    return s[0] - l[0];
}

// Each of `rows` rows of `count` numbers at `from` becomes `n` sums of at most
// `fan` neighbours, at `to`. One work-item per sum.
kernel void loss_fold(global real *sums, const long from, const long to,
                      const long count, const long n, const int rows,
                      const int fan)
{
    const long id = (long)get_global_id(0);
    const long first = id % n * fan;
    const long last = min(first + fan, count);
    real sum = REAL(0.0), lost = REAL(0.0);

    if (id >= rows * n)
        return;
    for (long i = first; i < last; i++) {
        const real y = sums[from + id / n * count + i] - lost;
        const real t = sum + y;

        lost = (t - sum) - y;
        sum = t;
    }
    sums[to + id] = sum;
}

pack loss_sigmoid(const pack z)
{
    const pack e = exp(-fabs(z));
    const pack high = REAL(1.0) / (REAL(1.0) + e);

    return z >= REAL(0.0) ? high : e * high;
}

// The derivative of the sigmoid, exact also where the sigmoid rounds to one.
pack loss_sigmoid_slope(const pack z)
{
    const pack e = exp(-fabs(z));

    return e / ((REAL(1.0) + e) * (REAL(1.0) + e));
}

// log(1 + exp(z)) - z y, without overflow.
pack loss_softplus(const pack z, const pack y)
{
    return fmax(z, REAL(0.0)) - z * y + log1p(exp(-fabs(z)));
}

// The largest of K logits, P apart.
pack loss_max(const global real *z, const int K, const long P, const long left)
{
    pack m = loss_load(z, left);

    for (int k = 1; k < K; k++)
        m = fmax(m, loss_load(z + k * P, left));
    return m;
}

// Softmax of a pack of pixels with labels y among K logits: exp(z - max) summed
// over all classes and over all but the label's, and -log of the label's
// probability. A label that is no class gives NaN.
struct loss_softmax {
    pack max, all, others, loss;
};

ONCE struct loss_softmax loss_softmax_at(const global real *z, const pack y,
                                         const int K, const long P,
                                         const long left)
{
    struct loss_softmax s;
    pack zy = (pack)((real)NAN);

    s.max = loss_max(z, K, P, left);
    s.all = s.others = (pack)(REAL(0.0));
    for (int k = 0; k < K; k++) {
        const pack zk = loss_load(z + k * P, left);
        const pack e = exp(zk - s.max);

        s.all += e;
        s.others += y == (real)k ? (pack)(REAL(0.0)) : e;
        zy = y == (real)k ? zk : zy;
    }
    // log1p keeps the digits of a loss that is nearly zero.
    s.loss = zy == s.max ? log1p(s.others) : (s.max - zy) + log(s.all);
    return s;
}
