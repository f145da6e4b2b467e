// window: what maxpool and avgpool share.
//
// Planes of H x W numbers become planes of P x Q. The window of y[p,q] has the
// taps x[p * SH - TOP + r * DH, q * SW - LEFT + s * DW] with r < KH, s < KW.
// These capital words are constants of the build, but for H, W, P, Q.
//
// Far from the left and right edge loops run over many columns with all taps
// unrolled, so that they become vectors; FAST says that this is worth it. Halves
// are for GPUs, where a work-item makes one number.
#ifdef HALVES
#define FAST 0
#else
#define FAST (KH * KW <= 32 && SW <= 8)
#endif

// The taps from `first` to `last` - 1 of n taps, `step` apart from `start` on,
// lie in [low, high).
int window_first(const int start, const int step, const int low)
{
    return start < low ? (low - start + step - 1) / step : 0;
}

int window_last(const int start, const int step, const int n, const int high)
{
    return start < high ? min(n, (high - start + step - 1) / step) : 0;
}

// Windows q in [from, to) have all their columns inside.
int window_from(const int Q)
{
    return min((LEFT + SW - 1) / SW, Q);
}

int window_to(const int W, const int Q)
{
    const int last = W - 1 + LEFT - (KW - 1) * DW;

    return max(window_from(Q), last < 0 ? 0 : min(last / SW + 1, Q));
}

// Column j * SW + f of x is tap s of window j + WINDOW_OFFSET(f, s), if it is
// one.
#define WINDOW_HAS(f, s) (((f) + LEFT + SW * KW * DW - (s)*DW) % SW == 0)
#define WINDOW_OFFSET(f, s)                                                    \
    (((f) + LEFT + SW * KW * DW - (s)*DW) / SW - KW * DW)

// For j in [from, to) these windows lie in [first, last) and the columns j * SW
// to j * SW + SW - 1 in [begin, end).
int window_group_from(const int first, const int begin)
{
    return max(first + max((KW - 1) * DW - LEFT + SW - 1, 0) / SW,
               (begin + SW - 1) / SW);
}

int window_group_to(const int last, const int end)
{
    return min(last - (SW - 1 + LEFT) / SW, end / SW);
}

// On a processor 16 windows go together where their columns are neighbours or
// every other one.
#if defined(CPU) && FAST && SW <= 2
#define WIDE 1
#ifdef LAM_F64
typedef double16 wide;
typedef long16 wide_mask;
#define WIDE_MASK(x) convert_long16(x)
#else
typedef float16 wide;
typedef int16 wide_mask;
#define WIDE_MASK(x) convert_int16(x)
#endif

// Column s * DW, counted from x, of 16 windows.
wide window_load(const global real *x, const int s)
{
#if SW == 1
    return vload16(0, x + s * DW);
#else
    const wide a = vload16(0, x + s * DW / 2 * 2);
    const wide b = vload16(0, x + s * DW / 2 * 2 + 16);

    return s * DW % 2 ? (wide)(a.odd, b.odd) : (wide)(a.even, b.even);
#endif
}

// The first window that may not start 16, since they would be read beyond the
// row.
int window_wide_to(const int W, const int to)
{
#if SW == 1
    return to - 15;
#else
    const int last = W - 1 + LEFT - 31 - (KW - 1) * DW / 2 * 2;

    return min(to - 15, last < 0 ? 0 : last / 2 + 1);
#endif
}

// Adds a, b to the even and the odd ones of 32 numbers, or a to 16 numbers if
// SW is 1; is_first: puts them there.
void window_store(const wide a, const wide b, global real *x,
                  const int is_first)
{
#if SW == 1
    vstore16(is_first ? a : vload16(0, x) + a, 0, x);
#else
    const wide low = (wide)(a.s0, b.s0, a.s1, b.s1, a.s2, b.s2, a.s3, b.s3,
                            a.s4, b.s4, a.s5, b.s5, a.s6, b.s6, a.s7, b.s7);
    const wide high = (wide)(a.s8, b.s8, a.s9, b.s9, a.sa, b.sa, a.sb, b.sb,
                             a.sc, b.sc, a.sd, b.sd, a.se, b.se, a.sf, b.sf);

    vstore16(is_first ? low : vload16(0, x) + low, 0, x);
    vstore16(is_first ? high : vload16(1, x) + high, 1, x);
#endif
}
#endif
