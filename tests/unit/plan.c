// The planner: tenants of one slot never live together.
#include "plan.h"

#include "../check.h"
#include "rng.h"

enum { MAX = 200 };

static void check_plan(struct lam_tenant *tenants, int n)
{
    int64_t slots[MAX], bytes = 0, together = 0;
    const int n_slots = lam_plan_slots(tenants, n, slots);

    for (int i = 0; i < n; i++) {
        if (tenants[i].bytes == 0) {
            CHECK_INT(tenants[i].slot, -1);
            continue;
        }
        CHECK(tenants[i].slot >= 0 && tenants[i].slot < n_slots);
        CHECK(slots[tenants[i].slot] >= tenants[i].bytes);
        for (int j = 0; j < i; j++)
            together += tenants[i].slot == tenants[j].slot &&
                        tenants[i].first <= tenants[j].last &&
                        tenants[j].first <= tenants[i].last;
        bytes += tenants[i].bytes;
    }
    CHECK_INT(together, 0);
    for (int i = 0; i < n_slots; i++)
        bytes -= slots[i];
    CHECK(bytes >= 0);
}

int main(void)
{
    struct lam_tenant chain[] = {
        {.bytes = 100, .first = 0, .last = 1, .host = -1},
        {.bytes = 100, .first = 1, .last = 2, .host = -1},
        {.bytes = 100, .first = 2, .last = 3, .host = -1},
        {.bytes = 40, .first = 3, .last = 4, .host = -1}};
    // The second is a part of the last, which the first may follow.
    struct lam_tenant part[] = {
        {.bytes = 60, .first = 3, .last = 4, .host = -1},
        {.bytes = 40, .first = 0, .last = 1, .host = 2, .offset = 60},
        {.bytes = 100, .first = 0, .last = 2, .host = -1}};
    struct lam_tenant many[MAX];
    int64_t slots[MAX];

    CHECK_INT(lam_plan_slots(chain, 4, slots), 2);
    check_plan(chain, 4);
    CHECK_INT(lam_plan_slots(part, 3, slots), 1);
    CHECK_INT(slots[0], 100);
    for (int i = 0; i < 3; i++)
        CHECK_INT(part[i].slot, 0);
    for (uint64_t graph = 0; graph < 20; graph++) {
        for (int i = 0; i < MAX; i++) {
            const uint64_t at = 3 * (uint64_t)i;
            const int first = (int)(lam_rng_bits(graph, at) % 50);

            many[i] = (struct lam_tenant){
                .bytes = (int64_t)(lam_rng_bits(graph, at + 1) % 1000),
                .first = first,
                .last = first + (int)(lam_rng_bits(graph, at + 2) % 10),
                .host = -1};
        }
        check_plan(many, MAX);
    }
    return check_done();
}
