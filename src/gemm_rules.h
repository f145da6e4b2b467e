// gemm_rules.h - which parameters CLBlast's kernels compute rightly with. It
// checks none itself: others make rubbish, or write beyond its matrices.
#ifndef LAM_GEMM_RULES_H
#define LAM_GEMM_RULES_H

#include <stdbool.h>
#include <stddef.h>

// Of one kernel's set, "KERNEL NAME=VALUE ..". False, and which rule is broken
// (why of 64 bytes or more). Rules with names that the set lacks are left out:
// CLBlast refuses such a set.
bool lam_gemm_keeps_rules(const char *set, char *why, size_t size);

#endif
