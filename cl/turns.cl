// Work-items that take item after item of a launch, so that a slow core takes
// fewer: turns is LAM_ARG_TURNS, two zeros. Who takes which changes from run to
// run, so results must not depend on it.
int take_turn(volatile global int *turns)
{
    return atomic_inc(turns);
}

// Once for each work-item, when it has got a turn beyond the last.
void end_turns(volatile global int *turns)
{
    if (atomic_inc(turns + 1) < (int)get_global_size(0) - 1)
        return;
    atomic_xchg(turns, 0);
    atomic_xchg(turns + 1, 0);
}
