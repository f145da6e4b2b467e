#include "plan.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct item {
    int64_t bytes;
    int tenant;
};

// Largest first; the index breaks ties, so that the result is one and the same
// everywhere.
static int compare_size(const void *a, const void *b)
{
    const struct item *i = a, *j = b;

    if (i->bytes != j->bytes)
        return i->bytes < j->bytes ? 1 : -1;
    return i->tenant < j->tenant ? -1 : i->tenant > j->tenant;
}

// Which slots the tenants placed so far leave free while this one is alive.
static void find_free(const struct lam_tenant *tenants,
                      const struct item *order, int placed,
                      const struct lam_tenant *tenant, bool *is_free,
                      int n_slots)
{
    memset(is_free, true, (size_t)n_slots);
    for (int i = 0; i < placed; i++) {
        const struct lam_tenant *other = &tenants[order[i].tenant];

        if (other->slot >= 0 && other->first <= tenant->last &&
            tenant->first <= other->last)
            is_free[other->slot] = false;
    }
}

int lam_plan_slots(struct lam_tenant *tenants, int n, int64_t *slot_bytes)
{
    int n_slots = 0;
    struct item *order = malloc(sizeof(*order) * (size_t)(n ? n : 1));
    bool *is_free = malloc((size_t)(n ? n : 1));

    if (!order || !is_free) {
        free(order);
        free(is_free);
        return -1;
    }
    for (int i = 0; i < n; i++)
        order[i] = (struct item){tenants[i].bytes, i};
    qsort(order, (size_t)n, sizeof(*order), compare_size);
    for (int i = 0; i < n; i++) {
        struct lam_tenant *tenant = &tenants[order[i].tenant];

        tenant->slot = -1;
        if (tenant->bytes == 0 || tenant->host >= 0)
            continue;
        find_free(tenants, order, i, tenant, is_free, n_slots);
        // Slots are made in falling size: the last free one fits best.
        for (int s = n_slots - 1; s >= 0 && tenant->slot < 0; s--)
            if (is_free[s])
                tenant->slot = s;
        if (tenant->slot < 0) {
            tenant->slot = n_slots;
            slot_bytes[n_slots++] = tenant->bytes;
        }
    }
    for (int i = 0; i < n; i++)
        if (tenants[i].host >= 0)
            tenants[i].slot = tenants[tenants[i].host].slot;
    free(order);
    free(is_free);
    return n_slots;
}
