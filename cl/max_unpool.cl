// max_unpool: x, planes of `cells` numbers, goes to planes of `size` zeros, to
// the places that `indices` names. One work-item per plane, since of the cells
// with one place the last wins.

// y is zero before.
kernel void max_unpool_forward(const global real *restrict x,
                               const global int *restrict indices,
                               global real *restrict y, const long planes,
                               const int cells, const int size)
{
    const long plane = get_global_id(0);

    if (plane >= planes)
        return;
    x += plane * cells;
    indices += plane * cells;
    y += plane * size;
    for (int i = 0; i < cells; i++)
        if (indices[i] >= 0 && indices[i] < size)
            y[indices[i]] = x[i];
}

// From the last cell to the first: a cell gets the gradient of its place unless
// a later one had it. marks: `words` of 32 bits per plane, one bit per place,
// zero before.
kernel void max_unpool_backward(const global real *restrict dy,
                                const global int *restrict indices,
                                global real *restrict dx,
                                global uint *restrict marks, const long planes,
                                const int cells, const int size,
                                const int words)
{
    const long plane = get_global_id(0);

    if (plane >= planes)
        return;
    dy += plane * size;
    indices += plane * cells;
    dx += plane * cells;
    marks += plane * words;
    for (int i = cells - 1; i >= 0; i--) {
        const int at = indices[i];
        const int is_inside = at >= 0 && at < size;
        const int word = is_inside ? at / 32 : 0;
        const uint bit = is_inside ? 1u << at % 32 : 0;
        const uint mark = marks[word];

        dx[i] = is_inside && !(mark & bit) ? dy[at] : REAL(0.0);
        marks[word] = mark | bit;
    }
}
