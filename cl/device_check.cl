// device_check: what layers rely on, computed once to be compared with the host.
//
// x: n floats, n at least 4; y: 12 rows of n floats, one check each, in the
// order of device_check.c. One work-item per column.
kernel void device_check(const global float *restrict x,
                         global float *restrict y, const int n)
{
    const int i = get_global_id(0);

    if (i >= n)
        return;
    y[0 * n + i] = exp(x[i]);
    y[1 * n + i] = log(fabs(x[i]));
    y[2 * n + i] = sqrt(fabs(x[i]));
    y[3 * n + i] = tanh(x[i]);
    y[4 * n + i] = erf(x[i]);
    y[5 * n + i] = 1.0f / x[i];
    y[6 * n + i] = fma(x[i], x[i], -x[i]);
    y[7 * n + i] = rint(x[i]);
    y[8 * n + i] = convert_float(convert_int_rte(x[i]));
    y[9 * n + i] = isnan(i % 3 ? x[i] : NAN) ? 1.0f : 0.0f;
    y[10 * n + i] = vload4(0, x + min(i, n - 4)).s3;
}

// The group's numbers the other way round, by local memory; n is a multiple of
// the group's size.
kernel void device_check_local(const global float *restrict x,
                               global float *restrict y, const int n,
                               local float *part)
{
    const int i = get_global_id(0), l = get_local_id(0);

    part[l] = x[i];
    barrier(CLK_LOCAL_MEM_FENCE);
    y[11 * n + i] = part[get_local_size(0) - 1 - l];
}
