// concat:
//   dst[offset_dst + n * step_dst + i] = src[offset_src + n * step_src + i]
// for i < row. Work-item (i, -, n) moves a chunk of elements of image n.
kernel void concat_copy(const global stored *restrict src,
                        global stored *restrict dst, const long offset_src,
                        const long offset_dst, const long step_src,
                        const long step_dst, const long row, const int chunk)
{
    const long first = get_global_id(0) * (long)chunk;
    const long last = min(first + chunk, row);
    const long n = get_global_id(2);

    if (get_global_id(1) > 0)
        return;
    src += offset_src + n * step_src;
    dst += offset_dst + n * step_dst;
    for (long i = first; i < last; i++)
        WRITE(dst, i, READ(src, i));
}
