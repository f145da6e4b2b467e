// phase_lines: rows of an image that tiles of its phases see, and rows that are
// made of them, see conv_phases.cl. The places of a tile (winograd.cl) are those
// on the grid of the phases.

// The next number of each tile: the first of the one behind it.
VECTOR follow(const VECTOR first)
{
#if VW == 16
    return first.s123456789abcdeff;
#elif VW == 8
    return first.s12345677;
#else
    return first.s1233;
#endif
}

// Of VW tiles from t on: how many lie one beside the other from lane on.
int run_of(const int t, const int lane, const int across)
{
    return min(VW - lane, across - (t + lane) % across);
}

// -1 for the last of each run.
INTS last_of_runs(const int t, const int across)
{
    int lanes[VW];

    for (int lane = 0; lane < VW; lane++)
        lanes[lane] = run_of(t, lane, across) == 1 ? -1 : 0;
    return JOIN(vload, VW)(0, lanes);
}

// M numbers of each tile of a line, and then the one that follows them, which
// is the first of the tile behind it but at the end of a run.
#define LINE ((M + 1) * VW)

// What VW tiles from t on see of a phase of x [N][image]: SIDE lines of rows
// from top on, sh apart, columns from `left` on, sw apart.
ONCE void take_lines(const global float *x, const long image, const int N,
                     const int H, const int W, const int sh, const int sw,
                     const int top, const int left, const int t,
                     const int down, const int across, global float *lines)
{
    for (int lane = 0; lane < VW;) {
        const struct tile first = tile_at(t + lane, down, across, 1, 1, 0, 0);
        const int n = run_of(t, lane, across);
        const int h = first.p * sh + top, w = first.q * sw + left;

        for (int r = 0; r < SIDE; r++) {
            global float *line = lines + r * LINE;
            const int row = h + r * sh, next = w + n * M * sw;
            const bool is_row = first.n < N && row >= 0 && row < H;

            copy_row(x + first.n * image, is_row ? H : 0, W, row, w, sw,
                     line + lane * M, n * M);
            line[M * VW + lane + n - 1] =
                is_row && next >= 0 && next < W
                    ? x[first.n * image + (long)row * W + next]
                    : 0.0f;
        }
        lane += n;
    }
}

// Puts n numbers of each of sw lines, `pitch` apart, in turns into a row of
// `columns`, of which the first is at `at`, which may be outside.
void put_row(const global float *line, const int pitch, const int sw,
             const int n, global float *row, const int at, const int columns)
{
    const int begin = at < 0 ? min(n, (sw - 1 - at) / sw) : 0;
    const int end = clamp((columns - at) / sw, begin, n);
    int i = begin;

    if (sw == 1)
        for (; i + VW <= end; i += VW)
            STORE(LOAD(0, line + i), 0, row + at + i);
    if (sw == 2)
        for (; i + VW <= end; i += VW) {
            const VECTOR a = LOAD(0, line + i), b = LOAD(0, line + pitch + i);
            VECTOR low, high;

            low.even = a.lo;
            low.odd = b.lo;
            high.even = a.hi;
            high.odd = b.hi;
            STORE(low, 0, row + at + 2 * i);
            STORE(high, 1, row + at + 2 * i);
        }
    for (int f = 0; f < sw; f++) {
        for (int k = i; k < n; k++)
            if (at + k * sw + f < columns)
                row[at + k * sw + f] = line[f * pitch + k];
        for (int k = 0; k < begin; k++)
            if (at + k * sw + f >= 0 && at + k * sw + f < columns)
                row[at + k * sw + f] = line[f * pitch + k];
    }
}

// M lines of each of sw phases, for VW tiles from t on, to their rows and
// columns of y [N][image], sh and sw apart, from `top` and `left` on.
ONCE void put_lines(const global float *lines, const int t, const int down,
                    const int across, const int N, const int sh, const int sw,
                    const int top, const int left, global float *y,
                    const size_t image, const int P, const int Q)
{
    for (int lane = 0; lane < VW;) {
        const struct tile first = tile_at(t + lane, down, across, 1, 1, 0, 0);
        const int n = run_of(t, lane, across);

        for (int r = 0; r < M && first.n < N; r++) {
            const int p = (first.p + r) * sh + top;

            if (p >= 0 && p < P)
                put_row(lines + (r * VW + lane) * M, M * M * VW, sw, n * M,
                        y + first.n * image + (size_t)p * Q,
                        first.q * sw + left, Q);
        }
        lane += n;
    }
}
