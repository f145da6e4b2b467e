// globalpool: each plane of x, `size` numbers, becomes one number.
//
// A work-group serves one plane, with LANES work-items: 1 on a processor.
// Numbers are summed in blocks of BLOCK, so that the sum of a large plane keeps
// its digits.
#define BLOCK 1024

#if LANES > 1
#define WIDTH 1
typedef real wide;
#define LOAD(from) (*(from))
#define TOTAL(v)   (v)
#else
#define WIDTH 16
#ifdef LAM_F64
typedef double16 wide;
#else
typedef float16 wide;
#endif
#define LOAD(from) vload16(0, from)
#define TOTAL(v)   globalpool_total(v)

real globalpool_total(const wide v)
{
    const real4 a =
        (real4)(v.s0, v.s1, v.s2, v.s3) + (real4)(v.s8, v.s9, v.sa, v.sb);
    const real4 b =
        (real4)(v.s4, v.s5, v.s6, v.s7) + (real4)(v.sc, v.sd, v.se, v.sf);
    const real4 c = a + b;

    return (c.x + c.z) + (c.y + c.w);
}
#endif

kernel void globalpool_average(const global real *restrict x,
                               global real *restrict y, const long size)
{
    local real shared[LANES];
    const int lane = get_local_id(0);
    const long plane = get_group_id(0);
    real sum = REAL(0.0);

    x += plane * size;
    for (long first = 0; first < size; first += (long)BLOCK * LANES) {
        const long last = min(first + (long)BLOCK * LANES, size);
        wide block = (wide)(REAL(0.0));
        long i = first + lane * WIDTH;

        for (; i + WIDTH <= last; i += LANES * WIDTH)
            block += LOAD(x + i);
        sum += TOTAL(block);
#if WIDTH > 1
        for (; i < last; i++)
            sum += x[i];
#endif
    }
    shared[lane] = sum;
    barrier(CLK_LOCAL_MEM_FENCE);
    if (lane)
        return;
    for (int i = 1; i < LANES; i++)
        sum += shared[i];
    y[plane] = sum / size;
}

// A NaN counts as larger than all numbers; of equal ones the first is taken.
int globalpool_beats(const real v, const int at, const real m, const int place)
{
    if (m != m || v != v)
        return v != v && (m == m || at < place);
    return v > m || (v == m && at < place);
}

#if LANES > 1
// The largest of every LANES-th number from `lane` on; *place is where.
real globalpool_largest(const global real *x, const int size, const int lane,
                        int *place)
{
    real m;

    *place = min(lane, size - 1);
    m = x[*place];
    for (int i = lane + LANES; i < size; i += LANES) {
        const int beats = !(x[i] <= m) && m == m;

        m = beats ? x[i] : m;
        *place = beats ? i : *place;
    }
    return m;
}
#else
#ifdef LAM_F64
typedef long16 wide_mask;
#else
typedef int16 wide_mask;
#endif

// The largest of all; *place is where. It is looked for when it is known.
real globalpool_largest(const global real *x, const int size, const int lane,
                        int *place)
{
    wide most = (wide)(x[0]);
    real parts[WIDTH], m;
    int i = 0;

    for (; i + WIDTH <= size; i += WIDTH) {
        const wide v = LOAD(x + i);
        const wide_mask beats = ~(v <= most) & (most == most);

        most = beats ? v : most;
    }
    vstore16(most, 0, parts);
    m = parts[0];
    for (int j = 1; j < WIDTH; j++)
        m = globalpool_beats(parts[j], 0, m, 0) ? parts[j] : m;
    for (; i < size; i++)
        m = globalpool_beats(x[i], 0, m, 0) ? x[i] : m;
    *place = 0;
    while (m == m ? x[*place] != m : x[*place] == x[*place])
        ++*place;
    return m;
}
#endif

// places: where the largest number is. May be null.
kernel void globalpool_max(const global real *restrict x,
                           global real *restrict y, global int *restrict places,
                           const long size)
{
    local real shared[LANES];
    local int shared_places[LANES];
    const int lane = get_local_id(0);
    const long plane = get_group_id(0);
    int place;
    real m = globalpool_largest(x + plane * size, size, lane, &place);

    shared[lane] = m;
    shared_places[lane] = place;
    barrier(CLK_LOCAL_MEM_FENCE);
    if (lane)
        return;
    for (int i = 1; i < LANES; i++)
        if (globalpool_beats(shared[i], shared_places[i], m, place)) {
            m = shared[i];
            place = shared_places[i];
        }
    y[plane] = m;
    if (places)
        places[plane] = place;
}

// dx is dy / size throughout, or with places dy there and zero elsewhere.
kernel void globalpool_backward(const global real *restrict dy,
                                const global int *restrict places,
                                global real *restrict dx, const long size)
{
    const int lane = get_local_id(0);
    const long plane = get_group_id(0);
    const real g = dy[plane];
    const real rest = places ? REAL(0.0) : g / size;
    const long place = places ? places[plane] : -1;

    dx += plane * size;
    for (long i = lane; i < size; i += LANES)
        dx[i] = i == place ? g : rest;
}
