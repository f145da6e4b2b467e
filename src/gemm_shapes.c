#include "gemm_shapes.h"

#include <stdio.h>
#include <string.h>

enum { MAX_ELEMENTS = 1 << 25 };

double lam_gemm_products(const struct lam_gemm_shape *s)
{
    return (double)s->m * s->n * s->k;
}

void lam_gemm_shapes_add(struct lam_gemm_shape *shapes, int *n,
                         const struct lam_gemm_shape *shape)
{
    const double size = lam_gemm_products(shape) * shape->batch;
    int at = 0;

    for (int i = 0; i < *n; i++)
        if (memcmp(&shapes[i], shape, sizeof(*shape)) == 0)
            return;
    while (at < *n && lam_gemm_products(&shapes[at]) * shapes[at].batch >= size)
        at++;
    if (at == LAM_GEMM_SHAPES)
        return;
    if (*n < LAM_GEMM_SHAPES)
        ++*n;
    memmove(&shapes[at + 1], &shapes[at],
            sizeof(*shapes) * (size_t)(*n - 1 - at));
    shapes[at] = *shape;
}

static int record_gemm(const struct lam_host *host, const struct lam_gemm *g)
{
    struct lam_gemm_recorder *r = (struct lam_gemm_recorder *)host;
    struct lam_gemm_shape s = {.m = g->m,
                               .n = g->n,
                               .k = g->k,
                               .batch = g->batch,
                               .trans_a = g->trans_a != 0,
                               .trans_b = g->trans_b != 0,
                               .shared_a = g->batch > 1 && g->stride_a == 0,
                               .shared_b = g->batch > 1 && g->stride_b == 0};
    const int64_t largest = (int64_t)s.n * (s.m > s.k ? s.m : s.k);

    // Many images show no more than a few.
    while (s.batch > 1 && largest * s.batch > MAX_ELEMENTS)
        s.batch /= 2;
    lam_gemm_shapes_add(r->shapes, &r->n, &s);
    return r->inner->gemm(r->inner, g);
}

void lam_gemm_record(struct lam_gemm_recorder *r, const struct lam_host *host)
{
    *r = (struct lam_gemm_recorder){.host = *host, .inner = host};
    r->host.gemm = record_gemm;
}

void lam_gemm_shapes_print(const struct lam_gemm_shape *shapes, int n,
                           char *text, size_t size)
{
    size_t used = (size_t)snprintf(text, size, "products ");

    for (int i = 0; i < n && used < size; i++) {
        const struct lam_gemm_shape *s = &shapes[i];

        used += (size_t)snprintf(
            text + used, size - used, "%s%dx%dx%d x%d %c%c%c%c", i ? ", " : "",
            s->m, s->n, s->k, s->batch, s->trans_a ? 't' : 'n',
            s->trans_b ? 't' : 'n', s->shared_a ? '1' : 'b',
            s->shared_b ? '1' : 'b');
    }
}

void lam_gemm_shapes_parse(const char *text, struct lam_gemm_shape *shapes,
                           int *n)
{
    const char *at = strstr(text, "products ");

    for (at = at ? at + strlen("products ") : NULL; at;
         at = strchr(at, ',') ? strchr(at, ',') + 2 : NULL) {
        struct lam_gemm_shape s = {0};
        char how[5] = "";

        if (sscanf(at, "%dx%dx%d x%d %4s", &s.m, &s.n, &s.k, &s.batch, how) !=
                5 ||
            s.m < 1 || s.n < 1 || s.k < 1 || s.batch < 1)
            return;
        s.trans_a = how[0] == 't';
        s.trans_b = how[1] == 't';
        s.shared_a = how[2] == '1';
        s.shared_b = how[3] == '1';
        lam_gemm_shapes_add(shapes, n, &s);
    }
}
