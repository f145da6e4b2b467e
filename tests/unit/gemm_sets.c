// The sets of CLBlast's parameters keep the rules of its kernels: one that does
// not may compute rubbish or read beyond its tiles.
#include "gemm_sets.h"
#include "check.h"
#include "gemm_rules.h"
#include "gemm_shapes.h"

#include <string.h>

static const char *const copied[] = {
    "Xgemm ",  " GEMMK=", " MWG=", " NWG=", " KWG=", " MDIMC=", " NDIMC=",
    " MDIMA=", " NDIMB=", " VWM=", " VWN=", " KWI=", " KREG=",  NULL};
static const char *const direct[] = {
    "XgemmDirect ", " WGD=",  " MDIMCD=", " NDIMCD=", " MDIMAD=",
    " NDIMBD=",     " VWMD=", " VWND=",   " KWID=",   NULL};

// Of each: all that rules speak of is there, so that none is left out.
static void check_sets(const char *const *sets, const char *const *names)
{
    char why[80] = "";

    for (const char *const *s = sets; *s; s++) {
        if (!lam_gemm_keeps_rules(*s, why, sizeof(why)))
            printf("%s: %s\n", *s, why);
        CHECK_STR(why, "");
        for (const char *const *name = names; *name; name++)
            CHECK_HAS(*s, *name);
    }
}

static void check_broken(void)
{
    static const struct {
        const char *set, *why;
    } broken[] = {
        {"Xgemm MWG=40 MDIMC=8 VWM=4", "MWG a multiple of MDIMC * VWM"},
        {"Xgemm GEMMK=0 KWG=16 MDIMC=16 NDIMC=16 MDIMA=8",
         "KWG a multiple of MDIMC * NDIMC / MDIMA"},
        {"Xgemm GEMMK=0 KWG=16 MDIMC=8 NDIMC=8 NDIMB=3",
         "KWG a multiple of MDIMC * NDIMC / NDIMB"},
        {"Xgemm GEMMK=0 KREG=2", "KREG 1"},
        {"Xgemm GEMMK=1 MWG=32 NWG=64", "MWG a multiple of NWG"},
        {"Xgemm KWG=16 KWI=2 KWI=0", "KWG a multiple of KWI"},
        {"Xgemm KWG=0 KWI=1", "KWG a multiple of KWI"},
        {"XgemmDirect WGD=8 KWID=99999999999999999999",
         "WGD a multiple of KWID"},
    };

    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        char why[80] = "";

        CHECK(!lam_gemm_keeps_rules(broken[i].set, why, sizeof(why)));
        CHECK_STR(why, broken[i].why);
    }
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
    check_sets(lam_gemm_sets_copied, copied);
    check_sets(lam_gemm_sets_direct, direct);
    check_broken();
    return check_done();
}
