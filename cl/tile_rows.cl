// tile_rows: rows of VW tiles side by side, M numbers each, see winograd.cl.

// From vectors by the place in a tile to numbers as they follow in the row.
void store_row(const VECTOR *m, global float *to)
{
    VECTOR row;

#if M == 4
    VECTOR even, odd;

    even.even = m[0].lo;
    even.odd = m[2].lo;
    odd.even = m[1].lo;
    odd.odd = m[3].lo;
    row.even = even.lo;
    row.odd = odd.lo;
    STORE(row, 0, to);
    row.even = even.hi;
    row.odd = odd.hi;
    STORE(row, 1, to);
    even.even = m[0].hi;
    even.odd = m[2].hi;
    odd.even = m[1].hi;
    odd.odd = m[3].hi;
    row.even = even.lo;
    row.odd = odd.lo;
    STORE(row, 2, to);
    row.even = even.hi;
    row.odd = odd.hi;
    STORE(row, 3, to);
#else
    row.even = m[0].lo;
    row.odd = m[1].lo;
    STORE(row, 0, to);
    row.even = m[0].hi;
    row.odd = m[1].hi;
    STORE(row, 1, to);
#endif
}

#if M == 4

// And back.
void load_row(const global float *from, VECTOR *m)
{
    const VECTOR a = LOAD(0, from), b = LOAD(1, from);
    const VECTOR c = LOAD(2, from), d = LOAD(3, from);
    const VECTOR even = (VECTOR)(a.even, b.even), odd = (VECTOR)(a.odd, b.odd);
    const VECTOR even2 = (VECTOR)(c.even, d.even);
    const VECTOR odd2 = (VECTOR)(c.odd, d.odd);

    m[0] = (VECTOR)(even.even, even2.even);
    m[1] = (VECTOR)(odd.even, odd2.even);
    m[2] = (VECTOR)(even.odd, even2.odd);
    m[3] = (VECTOR)(odd.odd, odd2.odd);
}

#endif
