// Work-items that take item after item of a launch, so that a slow core takes
// fewer: turns is LAM_ARG_TURNS, two zeros. Who takes which changes from run to
// run, so results must not depend on it.
//
// Whether there is one more of `items`, then *item. Who gets false must not ask
// again; the last who gets it makes turns zeros.
bool next_turn(volatile global int *turns, const int items, int *item)
{
    *item = atomic_inc(turns);
    if (*item < items)
        return true;
    if (atomic_inc(turns + 1) == (int)get_global_size(0) - 1) {
        atomic_xchg(turns, 0);
        atomic_xchg(turns + 1, 0);
    }
    return false;
}
