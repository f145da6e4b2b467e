// plan.h - who shares memory with whom. Pure: no device, no graph.
#ifndef LAM_PLAN_H
#define LAM_PLAN_H

#include <stdint.h>

// A tensor alive at the times first..last, both included.
struct lam_tenant {
    int64_t bytes; // 0: needs no slot
    int first, last;
    int slot;       // result; -1 when bytes is 0
    int host;       // the tenant that it is a part of; -1: it has its own room
    int64_t offset; // of a part, from the start of its host
    int64_t pitch;  // as that of a tensor
};

// Gives each tenant a slot so that tenants of one slot are never alive together
// and a slot is as large as its largest tenant. The largest tenants choose
// first and take the smallest slot that is free for them ("greedy by size for
// shared objects", Pisarchyk and Lee 2020). A part is where its host is, which
// lives as long and is no part itself. slot_bytes has room for n; returns the
// number of slots, or -1 when out of memory.
int lam_plan_slots(struct lam_tenant *tenants, int n, int64_t *slot_bytes);

#endif
