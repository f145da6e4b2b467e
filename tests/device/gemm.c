// GEMM against host loops on small integers: bit-equal, whatever the order of
// the sums.
#include "check.h"
#include "device.h"
#include "gemm_sets.h"
#include "queue.h"

#include <stdlib.h>

enum { GUARD = 8 }; // elements before and behind each matrix

struct shape {
    int m, n, k, batch, trans_a, trans_b;
    int pad;     // added to each leading dimension
    int share_a; // batch stride of A is 0
    double alpha, beta;
};

static struct lam_context ctx;
static uint64_t state = 1;

static int small(void)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (int)(state >> 61) - 3;
}

static double get(const void *data, int real, int64_t i)
{
    return real == LAM_F64 ? ((const double *)data)[i]
                           : (double)((const float *)data)[i];
}

static void set(void *data, int real, int64_t i, double value)
{
    if (real == LAM_F64)
        ((double *)data)[i] = value;
    else
        ((float *)data)[i] = (float)value;
}

struct matrix {
    struct lam_tensor tensor;
    void *host;
    int64_t n, ld, stride;
};

static int make(struct lam_queue *q, int real, int rows, int columns,
                const struct shape *s, int batch, struct matrix *x)
{
    const size_t size = real == LAM_F64 ? 8 : 4;
    struct lam_buffer *buffer = NULL;

    x->ld = columns + s->pad;
    x->stride = rows * x->ld + s->pad;
    x->n = 2 * GUARD + (batch - 1) * x->stride + rows * x->ld;
    x->host = malloc((size_t)x->n * size);
    if (!x->host || lam_buffer_create(q, (size_t)x->n * size, &buffer))
        return -1;
    for (int64_t i = 0; i < x->n; i++)
        set(x->host, real, i, small());
    x->tensor = (struct lam_tensor){
        .shape = {.dtype = real, .rank = 1, .dim = {x->n}}, .buffer = buffer};
    return lam_buffer_write(buffer, 0, (size_t)x->n * size, x->host);
}

static void drop(struct matrix *x)
{
    lam_buffer_destroy(x->tensor.buffer);
    free(x->host);
}

static void host_gemm(int real, const struct lam_gemm *g,
                      const struct matrix *a, const struct matrix *b,
                      struct matrix *c)
{
    for (int64_t z = 0; z < g->batch; z++)
        for (int64_t i = 0; i < g->m; i++)
            for (int64_t j = 0; j < g->n; j++) {
                const int64_t at =
                    g->offset_c + z * g->stride_c + i * g->ldc + j;
                double sum = 0.0;

                for (int64_t l = 0; l < g->k; l++)
                    sum +=
                        get(a->host, real,
                            g->offset_a + z * g->stride_a +
                                (g->trans_a ? l * g->lda + i
                                            : i * g->lda + l)) *
                        get(b->host, real,
                            g->offset_b + z * g->stride_b +
                                (g->trans_b ? j * g->ldb + l : l * g->ldb + j));
                sum *= g->alpha;
                if (g->beta != 0.0)
                    sum += g->beta * get(c->host, real, at);
                set(c->host, real, at, sum);
            }
}

typedef int gemm_function(struct lam_queue *q, int real,
                          const struct lam_gemm *g);

// Elements that differ; all of C's buffer is compared, gaps and guards too.
static long run(struct lam_queue *q, int real, const struct shape *s,
                gemm_function *gemm)
{
    const size_t size = real == LAM_F64 ? 8 : 4;
    struct matrix a = {0}, b = {0}, c = {0};
    void *got = NULL;
    long wrong = -1;

    if (!make(q, real, s->trans_a ? s->k : s->m, s->trans_a ? s->m : s->k, s,
              s->share_a ? 1 : s->batch, &a) &&
        !make(q, real, s->trans_b ? s->n : s->k, s->trans_b ? s->k : s->n, s,
              s->batch, &b) &&
        !make(q, real, s->m, s->n, s, s->batch, &c)) {
        const struct lam_gemm g = {.a = &a.tensor,
                                   .b = &b.tensor,
                                   .c = &c.tensor,
                                   .offset_a = GUARD,
                                   .offset_b = GUARD,
                                   .offset_c = GUARD,
                                   .lda = a.ld,
                                   .ldb = b.ld,
                                   .ldc = c.ld,
                                   .stride_a = s->share_a ? 0 : a.stride,
                                   .stride_b = b.stride,
                                   .stride_c = c.stride,
                                   .trans_a = s->trans_a,
                                   .trans_b = s->trans_b,
                                   .m = s->m,
                                   .n = s->n,
                                   .k = s->k,
                                   .batch = s->batch,
                                   .alpha = s->alpha,
                                   .beta = s->beta};

        host_gemm(real, &g, &a, &b, &c);
        got = malloc((size_t)c.n * size);
        if (got && !gemm(q, real, &g) &&
            !lam_buffer_read(c.tensor.buffer, 0, (size_t)c.n * size, got) &&
            !lam_buffer_intact(c.tensor.buffer, "C")) {
            wrong = 0;
            for (int64_t i = 0; i < c.n; i++)
                wrong += get(got, real, i) != get(c.host, real, i);
        }
    }
    free(got);
    drop(&a);
    drop(&b);
    drop(&c);
    return wrong;
}

static void check_shapes(struct lam_queue *q, int real, gemm_function *gemm,
                         const char *name)
{
    static const struct shape shapes[] = {
        {1, 1, 1, 1, 0, 0, 0, 0, 1.0, 0.0},
        {12, 32, 256, 1, 0, 0, 0, 0, 1.0, 0.0},
        {13, 33, 257, 1, 0, 0, 3, 0, 1.0, 1.0},
        {11, 31, 255, 1, 1, 0, 1, 0, 2.0, 0.0},
        {25, 65, 70, 1, 0, 1, 2, 0, 1.0, -1.0},
        {24, 64, 40, 1, 1, 1, 0, 0, 1.0, 0.0},
        {37, 5, 19, 3, 1, 1, 5, 0, -1.0, 2.0},
        {1, 200, 33, 2, 0, 0, 0, 0, 1.0, 0.0},
        {200, 1, 33, 2, 0, 1, 0, 0, 1.0, 0.0},
        {5, 7, 1, 4, 0, 0, 1, 1, 1.0, 1.0},
        {203, 3, 2, 1, 0, 0, 0, 0, 1.0, 0.0},
        {2, 700, 300, 3, 0, 0, 0, 1, 1.0, 0.0},
        {16, 16, 5000, 1, 0, 1, 0, 0, 1.0, 0.0},
        {9, 17, 6200, 2, 1, 0, 1, 0, 1.0, 3.0},
        {3, 2, 4096, 1, 0, 0, 0, 0, 3.0, 0.0},
        {210, 130, 60, 1, 0, 0, 0, 0, 1.0, 0.0},
        {64, 64, 64, 3, 0, 0, 0, 0, 1.0, 1.0},
        {64, 40, 64, 3, 1, 0, 0, 1, 1.0, 0.0},
    };

    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        const struct shape *s = &shapes[i];
        const long wrong = run(q, real, s, gemm);

        if (wrong)
            printf("%s %s m %d n %d k %d batch %d trans %d %d: %ld wrong %s\n",
                   name, real == LAM_F64 ? "double" : "float", s->m, s->n, s->k,
                   s->batch, s->trans_a, s->trans_b, wrong, ctx.error);
        CHECK_INT(wrong, 0);
        lam_error_clear(&ctx);
    }
}

// beta 0 must not read C, which may hold NaN.
static void check_poison(struct lam_queue *q, gemm_function *gemm)
{
    const int n = 35;
    const size_t bytes = (size_t)(n * n) * sizeof(float);
    struct lam_buffer *x = NULL, *y = NULL;
    float *host = malloc(bytes);

    if (!host || lam_buffer_create(q, bytes, &x) ||
        lam_buffer_create(q, bytes, &y)) {
        CHECK_STR(ctx.error, "");
        free(host);
        return;
    }
    {
        const struct lam_tensor a = {.buffer = x}, c = {.buffer = y};
        const struct lam_gemm g = {.a = &a,
                                   .b = &a,
                                   .c = &c,
                                   .lda = n,
                                   .ldb = n,
                                   .ldc = n,
                                   .m = n,
                                   .n = n,
                                   .k = n,
                                   .batch = 1,
                                   .alpha = 1.0};
        int n_bad = 0;

        CHECK_INT(lam_buffer_fill(x, 0), 0);
        CHECK_INT(lam_buffer_fill(y, 0xFF), 0);
        CHECK_INT(gemm(q, LAM_F32, &g), 0);
        CHECK_INT(lam_buffer_read(y, 0, bytes, host), 0);
        for (int i = 0; i < n * n; i++)
            n_bad += !(host[i] == 0.0f);
        CHECK_INT(n_bad, 0);
    }
    lam_buffer_destroy(x);
    lam_buffer_destroy(y);
    free(host);
}

static void check_refused(struct lam_queue *q)
{
    struct lam_buffer *x = NULL;
    struct lam_tensor t = {0};
    struct lam_gemm g = {.a = &t,
                         .b = &t,
                         .c = &t,
                         .lda = 4,
                         .ldb = 4,
                         .ldc = 4,
                         .m = 4,
                         .n = 4,
                         .k = 4,
                         .batch = 1,
                         .alpha = 1.0};

    CHECK_INT(lam_buffer_create(q, 64, &x), 0);
    CHECK_INT(lam_queue_gemm(q, LAM_F32, &g), LAM_ERUN);
    CHECK_HAS(ctx.error, "matrix A has no buffer");
    lam_error_clear(&ctx);
    t.buffer = x;
    CHECK_INT(lam_queue_gemm(q, LAM_F32, &g), 0);
    g.offset_c = 1;
    CHECK_INT(lam_queue_gemm(q, LAM_F32, &g), LAM_ERUN);
    CHECK_HAS(ctx.error, "matrix C ends at element 17, its buffer at 16");
    lam_error_clear(&ctx);
    g.offset_c = 0;
    g.ldb = 3;
    CHECK_INT(lam_queue_gemm(q, LAM_F32, &g), LAM_ERUN);
    CHECK_HAS(ctx.error, "matrix B has 4 columns, leading dimension 3");
    lam_error_clear(&ctx);
    g.k = 0;
    CHECK_INT(lam_queue_gemm(q, LAM_F32, &g), LAM_ERUN);
    CHECK_HAS(ctx.error, "sizes must be positive");
    lam_error_clear(&ctx);
    lam_buffer_destroy(x);
}

// CLBlast takes every set of ours as complete, and says of others what is
// wrong.
static void check_parameters(struct lam_queue *q)
{
    static const char *const *const lists[] = {lam_gemm_sets_copied,
                                               lam_gemm_sets_direct};
    static const struct {
        const char *text, *found;
    } wrong[] = {{"Xgemm KWG=16", "parameters of Xgemm"},
                 {"Xgem KWG=16", "found 'Xgem'"},
                 {"Xgemm GEMMK=1 MWG=32 NWG=64", "MWG a multiple of NWG"},
                 {"GemmRoutine XGEMM_MIN_INDIRECT_SIZE", "wanted NAME=NUMBER"},
                 {"GemmRoutine XGEMM_MIN_INDIRECT_SIZE=", "wanted NAME=NUMBER"},
                 {"GemmRoutine XGEMM_MIN_INDIRECT_SIZE=2x", "NAME=NUMBER"}};

    for (int i = 0; i < 2; i++)
        for (const char *const *set = lists[i]; *set; set++)
            CHECK_INT(lam_gemm_override(q, *set), 0);
    CHECK_INT(lam_gemm_override(q, "own"), 0);
    CHECK_INT(lam_gemm_override(q, "GemmRoutine XGEMM_MIN_INDIRECT_SIZE=116"),
              0);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        CHECK_INT(lam_gemm_override(q, wrong[i].text), LAM_EDATA);
        CHECK_HAS(ctx.error, wrong[i].found);
        lam_error_clear(&ctx);
    }
}

// By the kernel that copies, which batches must not reach: CLBlast's own takes
// whole tiles as they lie, without offsets and strides; GEMMK=1 takes KREG of
// the sum at a time.
static void check_copied(struct lam_queue *q)
{
    static const char size[] = "GemmRoutine XGEMM_MIN_INDIRECT_SIZE=1";

    CHECK_INT(lam_gemm_override(q, size), 0);
    check_shapes(q, LAM_F32, lam_gemm_clblast, "CLBlast, copied");
    check_poison(q, lam_gemm_clblast);
    CHECK_INT(lam_gemm_override(q, "Xgemm GEMMK=1 KREG=4 KWG=1 KWI=1 MDIMA=8 "
                                   "MDIMC=8 MWG=32 NDIMB=8 NDIMC=8 NWG=32 SA=0 "
                                   "SB=0 STRM=0 STRN=0 VWM=4 VWN=4"),
              0);
    check_shapes(q, LAM_F32, lam_gemm_clblast, "CLBlast, GEMMK=1");
}

int main(int argc, char **argv)
{
    const struct lam_queue_options options = {.poison = true, .canary = true};
    struct lam_queue *q;
    bool is_processor, has_clblast;

    if (lam_queue_open(&ctx, &options, &q)) {
        printf("%s\n", ctx.error);
        return 77;
    }
    // CLBlast takes long to build on a processor, so only when asked.
    is_processor = lam_queue_device(q)->info.kind == LAM_DEVICE_CPU;
    has_clblast =
        !is_processor || (argc > 1 && strcmp(argv[1], "--clblast") == 0);
    for (int real = LAM_F32; real <= LAM_F64; real++) {
        if (real == LAM_F64 && !lam_queue_device(q)->info.has_f64)
            continue;
        check_shapes(q, real, lam_gemm_plain, "plain");
        check_shapes(q, real, lam_gemm_cpu, "processor");
        if (has_clblast)
            check_shapes(q, real, lam_gemm_clblast, "CLBlast");
    }
    check_poison(q, lam_gemm_plain);
    check_poison(q, lam_queue_gemm);
    if (has_clblast) {
        check_poison(q, lam_gemm_clblast);
        check_copied(q);
    }
    check_refused(q);
    CHECK_INT(lam_gemm_warm(q, LAM_F32), 0);
    check_parameters(q);
    CHECK_INT(lam_queue_live_buffers(q), 0);
    lam_queue_close(q);
    return check_done();
}
