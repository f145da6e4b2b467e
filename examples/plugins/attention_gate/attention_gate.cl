// attention_gate: a[n,p] = sigmoid(bias + sum over f of weight[f] *
//                                  max(g[n,f,p] + x[n,f,p], 0))
//
// g, x [N, F, S]; a, da [N, S]; weight [F]; S pixels. Ids beyond are left out.
// dq = da * a * (1 - a) is the gradient before the sigmoid.

// Work-item (pixel, image).
kernel void attention_gate_forward(const global real *restrict g,
                                   const global real *restrict x,
                                   const global real *restrict weight,
                                   const global real *restrict bias,
                                   global real *restrict a, const int F,
                                   const long S)
{
    const long p = get_global_id(0), n = get_global_id(1);
    real q = bias[0];

    if (p >= S)
        return;
    for (int f = 0; f < F; f++) {
        const long at = (n * F + f) * S + p;

        q += weight[f] * fmax(g[at] + x[at], REAL(0.0));
    }
    a[n * S + p] = REAL(1.0) / (REAL(1.0) + exp(-q));
}

// dg = dx = g + x > 0 ? weight[f] * dq : 0, each where it is wanted; work-item
// (pixel, image).
kernel void attention_gate_input(
    const global real *restrict g, const global real *restrict x,
    const global real *restrict weight, const global real *restrict a,
    const global real *restrict da, global real *restrict dg,
    global real *restrict dx, const int F, const long S)
{
    const long p = get_global_id(0), n = get_global_id(1);
    real dq;

    if (p >= S)
        return;
    dq = da[n * S + p] * a[n * S + p] * (REAL(1.0) - a[n * S + p]);
    for (int f = 0; f < F; f++) {
        const long at = (n * F + f) * S + p;
        const real d = g[at] + x[at] > REAL(0.0) ? weight[f] * dq : REAL(0.0);

        if (dg)
            dg[at] = d;
        if (dx)
            dx[at] = d;
    }
}

// part[f,k] = sum of dq * max(g + x, 0) over stretch k: `stretch` pixels of one
// image; row F has the sums of dq alone. Work-item (k, f).
kernel void attention_gate_part(const global real *restrict g,
                                const global real *restrict x,
                                const global real *restrict a,
                                const global real *restrict da,
                                global real *restrict part, const int F,
                                const long S, const int parts,
                                const int stretch)
{
    const int k = get_global_id(0), f = get_global_id(1);
    const int stretches = (S + stretch - 1) / stretch;
    const long n = k / stretches, first = k % stretches * (long)stretch;
    const long last = min(first + stretch, S);
    real sum = REAL(0.0);

    if (k >= parts)
        return;
    for (long p = first; p < last; p++) {
        const real v = a[n * S + p], dq = da[n * S + p] * v * (REAL(1.0) - v);
        const long at = (n * F + f) * S + p;

        sum += f == F ? dq : dq * fmax(g[at] + x[at], REAL(0.0));
    }
    part[(long)f * parts + k] = sum;
}

// The parts added in order; work-item (f).
kernel void attention_gate_sum(const global real *restrict part,
                               global real *restrict dweight,
                               global real *restrict dbias, const int F,
                               const int parts)
{
    const int f = get_global_id(0);
    global real *to = f == F ? dbias : dweight + f;
    real sum = REAL(0.0);

    if (f > F || (f == F ? dbias : dweight) == 0)
        return;
    for (int k = 0; k < parts; k++)
        sum += part[(long)f * parts + k];
    *to = sum;
}
