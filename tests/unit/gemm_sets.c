// The sets of CLBlast's parameters keep the rules of its kernels: one that does
// not may compute rubbish or read beyond its tiles.
#include "gemm_sets.h"
#include "check.h"

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

int main(void)
{
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
