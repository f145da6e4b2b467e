// A piece of a row, for processors with vectors of VW floats.
//
// Row `from` of src, every step-th element from `first`, n of them, zeros where
// there is none.
void copy_row(const global float *src, const int rows, const int columns,
              const int from, const int first, const int step,
              global float *to, const int n)
{
    int begin = first < 0 ? min(n, (step - 1 - first) / step) : 0;
    int end = columns > first ? min(n, (columns - 1 - first) / step + 1) : 0;
    int i = 0, whole;

    if (from < 0 || from >= rows)
        begin = end = 0;
    // Two steps of a vector must lie in the row.
    whole = step == 2 ? min(end, (columns - first) / 2) : end;
    src += (long)from * columns + first;
    for (; i < begin; i++)
        to[i] = 0.0f;
    // The last vector lies over the one before.
    if (step <= 2 && whole - begin >= VW)
        for (; i < whole; i += VW) {
            i = min(i, whole - VW);
            if (step == 1) {
                STORE(LOAD(0, src + i), 0, to + i);
            } else {
                const VECTOR a = LOAD(0, src + 2 * i);
                const VECTOR b = LOAD(1, src + 2 * i);

                STORE((VECTOR)(a.even, b.even), 0, to + i);
            }
        }
    for (; i < end; i++)
        to[i] = src[i * step];
    for (; i < n; i++)
        to[i] = 0.0f;
}
