// The sets of CLBlast's parameters keep the rules of its kernels: one that does
// not may compute rubbish or read beyond its tiles.
#include "gemm_sets.h"
#include "check.h"
#include "gemm_shapes.h"

#include <stdlib.h>
#include <string.h>

static long get(const char *set, const char *name)
{
    char wanted[32];
    const char *at;

    snprintf(wanted, sizeof(wanted), " %s=", name);
    at = strstr(set, wanted);
    CHECK(at != NULL);
    return at ? strtol(at + strlen(wanted), NULL, 10) : 1;
}

static void check_tile(const char *set, const char *size, const char *items,
                       const char *loaders, const char *width)
{
    CHECK_INT(get(set, size) % (get(set, items) * get(set, width)), 0);
    CHECK_INT(get(set, size) % (get(set, loaders) * get(set, width)), 0);
}

static void check_depth(const char *set, long depth, long items,
                        const char *loaders)
{
    CHECK_INT(items % get(set, loaders), 0);
    CHECK_INT(depth % (items / get(set, loaders)), 0);
}

// What is printed is read back; the largest eight are kept, largest first.
static void check_shapes(void)
{
    struct lam_gemm_shape shapes[LAM_GEMM_SHAPES], back[LAM_GEMM_SHAPES];
    char text[700];
    int n = 0, m = 0;

    for (int i = 1; i <= 10; i++) {
        const struct lam_gemm_shape s = {.m = 3,
                                         .n = 1000 * i,
                                         .k = 7,
                                         .batch = i,
                                         .trans_a = i % 2,
                                         .shared_b = i % 3 == 0};

        lam_gemm_shapes_add(shapes, &n, &s);
        lam_gemm_shapes_add(shapes, &n, &s);
    }
    CHECK_INT(n, LAM_GEMM_SHAPES);
    CHECK_INT(shapes[0].n, 10000);
    CHECK_INT(shapes[7].n, 3000);
    lam_gemm_shapes_print(shapes, n, text, sizeof(text));
    CHECK_HAS(text, "products 3x10000x7 x10 nnbb, 3x9000x7 x9 tnb1, ");
    lam_gemm_shapes_parse(text, back, &m);
    CHECK_INT(m, n);
    CHECK_INT(memcmp(shapes, back, sizeof(shapes)), 0);
    m = 0;
    lam_gemm_shapes_parse("products 3x0x7 x1 nnbb", back, &m);
    lam_gemm_shapes_parse("own 1.0; none", back, &m);
    CHECK_INT(m, 0);
}

int main(void)
{
    check_shapes();
    for (const char *const *s = lam_gemm_sets_copied; *s; s++) {
        const long items = get(*s, "MDIMC") * get(*s, "NDIMC");

        check_tile(*s, "MWG", "MDIMC", "MDIMA", "VWM");
        check_tile(*s, "NWG", "NDIMC", "NDIMB", "VWN");
        CHECK_INT(get(*s, "KWG") % get(*s, "KWI"), 0);
        if (get(*s, "GEMMK") == 0) {
            check_depth(*s, get(*s, "KWG"), items, "MDIMA");
            check_depth(*s, get(*s, "KWG"), items, "NDIMB");
        } else {
            CHECK_INT(get(*s, "KREG") % get(*s, "VWN"), 0);
            CHECK_INT(get(*s, "MDIMA"), get(*s, "MDIMC"));
            CHECK_INT(get(*s, "NDIMB"), get(*s, "NDIMC"));
        }
    }
    for (const char *const *s = lam_gemm_sets_direct; *s; s++) {
        const long items = get(*s, "MDIMCD") * get(*s, "NDIMCD");

        check_tile(*s, "WGD", "MDIMCD", "MDIMAD", "VWMD");
        check_tile(*s, "WGD", "NDIMCD", "NDIMBD", "VWND");
        check_depth(*s, get(*s, "WGD"), items, "MDIMAD");
        check_depth(*s, get(*s, "WGD"), items, "NDIMBD");
        CHECK_INT(get(*s, "WGD") % get(*s, "KWID"), 0);
    }
    return check_done();
}
