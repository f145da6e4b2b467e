// Squares of VW vectors of VW floats, for processors.

// Rows i and i + VW / 2 one number after the other.
void interleave(const VECTOR *a, VECTOR *to)
{
#pragma unroll
    for (int i = 0; i < VW / 2; i++) {
        to[2 * i].even = a[i].lo;
        to[2 * i].odd = a[i + VW / 2].lo;
        to[2 * i + 1].even = a[i].hi;
        to[2 * i + 1].odd = a[i + VW / 2].hi;
    }
}

// a[i][k] becomes a[k][i]: log2(VW) times interleaved.
void transpose(VECTOR *a)
{
    VECTOR b[VW];

    interleave(a, b);
    interleave(b, a);
#if VW >= 8
    interleave(a, b);
#if VW == 16
    interleave(b, a);
#else
#pragma unroll
    for (int i = 0; i < VW; i++)
        a[i] = b[i];
#endif
#endif
}
