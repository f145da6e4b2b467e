// check.h - checks for tests: they print both values, survive NDEBUG, count,
// and the exit code is the verdict.
//
//     int main(void) { CHECK_INT(1 + 1, 2); return check_done(); }
#ifndef LAM_CHECK_H
#define LAM_CHECK_H

#include <math.h>
#include <stdio.h>
#include <string.h>

static int check_passed, check_failed;

static inline void check_one(int ok, const char *file, int line,
                             const char *what)
{
    if (ok) {
        check_passed++;
    } else {
        check_failed++;
        printf("%s:%d: failed: %s\n", file, line, what);
    }
}

static inline int check_done(void)
{
    printf("%d checks passed, %d failed\n", check_passed, check_failed);
    return check_failed || !check_passed;
}

#define CHECK(condition)                                                       \
    check_one((condition) ? 1 : 0, __FILE__, __LINE__, #condition)

#define CHECK_INT(got, want)                                                   \
    do {                                                                       \
        const long long got_ = (got), want_ = (want);                          \
        char what_[256];                                                       \
        snprintf(what_, sizeof(what_), "%s is %lld, wanted %lld", #got, got_,  \
                 want_);                                                       \
        check_one(got_ == want_, __FILE__, __LINE__, what_);                   \
    } while (0)

#define CHECK_STR(got, want)                                                   \
    do {                                                                       \
        const char *got_ = (got), *want_ = (want);                             \
        char what_[1024];                                                      \
        snprintf(what_, sizeof(what_), "%s is \"%s\", wanted \"%s\"", #got,    \
                 got_ ? got_ : "(null)", want_);                               \
        check_one(got_ &&strcmp(got_, want_) == 0, __FILE__, __LINE__, what_); \
    } while (0)

// The text holds the part.
#define CHECK_HAS(got, part)                                                   \
    do {                                                                       \
        const char *got_ = (got), *part_ = (part);                             \
        char what_[1400];                                                      \
        snprintf(what_, sizeof(what_), "%s is \"%s\", wanted \"..%s..\"",      \
                 #got, got_ ? got_ : "(null)", part_);                         \
        check_one(got_ &&strstr(got_, part_), __FILE__, __LINE__, what_);      \
    } while (0)

// As many bytes are the same: floats bit by bit.
static inline int check_same(const void *a, const void *b, size_t bytes)
{
    return memcmp(a, b, bytes) == 0;
}

#define CHECK_NEAR(got, want, tolerance)                                       \
    do {                                                                       \
        const double got_ = (got), want_ = (want);                             \
        char what_[256];                                                       \
        snprintf(what_, sizeof(what_), "%s is %.17g, wanted %.17g", #got,      \
                 got_, want_);                                                 \
        check_one(fabs(got_ - want_) <= (tolerance), __FILE__, __LINE__,       \
                  what_);                                                      \
    } while (0)

#endif
