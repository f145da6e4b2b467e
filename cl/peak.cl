// peak: what a device can do at best, for benchmarks to compare with.
#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
#define VECTOR JOIN(float, VW)
#define CHAINS 12

// n rounds of CHAINS multiply-adds that do not wait for one another, on
// registers. What they come to is written where it cannot be left out.
kernel void peak_madd(global float *restrict y, const float a, const float b,
                      const int n)
{
    VECTOR sum[CHAINS], all = 0.0f;
    float lanes[VW], total = 0.0f;

#pragma unroll
    for (int i = 0; i < CHAINS; i++)
        sum[i] = (float)(get_global_id(0) + i);
    for (int k = 0; k < n; k++)
#pragma unroll
        for (int i = 0; i < CHAINS; i++)
            sum[i] = sum[i] * a + b;
#pragma unroll
    for (int i = 0; i < CHAINS; i++)
        all += sum[i];
    JOIN(vstore, VW)(all, 0, lanes);
    for (int i = 0; i < VW; i++)
        total += lanes[i];
    y[get_global_id(0)] = total;
}

// y = x, n vectors, in one piece a work-item where there are few of them, else
// side by side.
kernel void peak_copy(global float *restrict y, const global float *restrict x,
                      const long n, const int in_pieces)
{
    const long items = get_global_size(0), item = get_global_id(0);
    const long first = in_pieces ? item * n / items : item;
    const long last = in_pieces ? (item + 1) * n / items : n;
    const long step = in_pieces ? 1 : items;

    for (long i = first; i < last; i += step)
        JOIN(vstore, VW)(JOIN(vload, VW)(i, x), i, y);
}
