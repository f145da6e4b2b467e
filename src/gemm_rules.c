#include "gemm_rules.h"

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ANY = -1, LARGEST = 1 << 20, N_NAMES = 4 };

// The first name's value is a multiple of the others' product, the last one
// dividing that. GEMMK=1 has both sizes equal: CLBlast before 1.6.3 writes
// beyond its matrices otherwise.
static const struct rule {
    const char *kernel;
    int gemmk;
    const char *names[N_NAMES];
} rules[] = {
    {"Xgemm ", ANY, {"MWG", "MDIMC", "VWM", "1"}},
    {"Xgemm ", ANY, {"MWG", "MDIMA", "VWM", "1"}},
    {"Xgemm ", ANY, {"NWG", "NDIMC", "VWN", "1"}},
    {"Xgemm ", ANY, {"NWG", "NDIMB", "VWN", "1"}},
    {"Xgemm ", ANY, {"KWG", "KWI", "1", "1"}},
    {"Xgemm ", 0, {"KWG", "MDIMC", "NDIMC", "MDIMA"}},
    {"Xgemm ", 0, {"KWG", "MDIMC", "NDIMC", "NDIMB"}},
    {"Xgemm ", 0, {"1", "KREG", "1", "1"}},
    {"Xgemm ", 1, {"KREG", "VWN", "1", "1"}},
    {"Xgemm ", 1, {"MDIMA", "MDIMC", "1", "1"}},
    {"Xgemm ", 1, {"MDIMC", "MDIMA", "1", "1"}},
    {"Xgemm ", 1, {"NDIMB", "NDIMC", "1", "1"}},
    {"Xgemm ", 1, {"NDIMC", "NDIMB", "1", "1"}},
    {"Xgemm ", 1, {"MWG", "NWG", "1", "1"}},
    {"Xgemm ", 1, {"NWG", "MWG", "1", "1"}},
    {"XgemmDirect ", ANY, {"WGD", "MDIMCD", "VWMD", "1"}},
    {"XgemmDirect ", ANY, {"WGD", "MDIMAD", "VWMD", "1"}},
    {"XgemmDirect ", ANY, {"WGD", "NDIMCD", "VWND", "1"}},
    {"XgemmDirect ", ANY, {"WGD", "NDIMBD", "VWND", "1"}},
    {"XgemmDirect ", ANY, {"WGD", "KWID", "1", "1"}},
    {"XgemmDirect ", ANY, {"WGD", "MDIMCD", "NDIMCD", "MDIMAD"}},
    {"XgemmDirect ", ANY, {"WGD", "MDIMCD", "NDIMCD", "NDIMBD"}},
};

// -1: none. The last of a name counts, as in CLBlast.
static int64_t value_of(const char *set, const char *name)
{
    const char *found = isdigit((unsigned char)*name) ? name : NULL;
    char wanted[16];
    long value;

    snprintf(wanted, sizeof(wanted), " %s=", name);
    for (const char *at = set; (at = strstr(at, wanted)); found = at)
        at += strlen(wanted);
    if (!found || !isdigit((unsigned char)*found))
        return -1;
    value = strtol(found, NULL, 10);
    return value < LARGEST ? value : LARGEST;
}

static bool keeps(const struct rule *r, const char *set)
{
    int64_t v[N_NAMES], product;

    for (int i = 0; i < N_NAMES; i++)
        if ((v[i] = value_of(set, r->names[i])) < 0)
            return true;
    product = v[1] * v[2];
    return v[0] > 0 && product > 0 && v[3] > 0 && product % v[3] == 0 &&
           v[0] % (product / v[3]) == 0;
}

bool lam_gemm_keeps_rules(const char *set, char *why, size_t size)
{
    static const char *const between[N_NAMES] = {"", " a multiple of ", " * ",
                                                 " / "};
    int n = 0;

    for (size_t k = 0; k < sizeof(rules) / sizeof(rules[0]); k++) {
        const struct rule *r = &rules[k];

        if (strncmp(set, r->kernel, strlen(r->kernel)) != 0 ||
            (r->gemmk != ANY && value_of(set, "GEMMK") != r->gemmk) ||
            keeps(r, set))
            continue;
        if (isdigit((unsigned char)*r->names[0])) {
            snprintf(why, size, "%s %s", r->names[1], r->names[0]);
            return false;
        }
        for (int i = 0; i < N_NAMES; i++)
            if (i < 2 || strcmp(r->names[i], "1") != 0)
                n += snprintf(why + n, size - (size_t)n, "%s%s", between[i],
                              r->names[i]);
        return false;
    }
    return true;
}
