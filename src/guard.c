// MAP_ANONYMOUS is not POSIX.
#define _DEFAULT_SOURCE
#include "guard.h"

#include <sys/mman.h>
#include <unistd.h>

bool lam_guard_open(struct lam_guard *guard, size_t bytes, bool at_end)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const size_t used = (bytes + page - 1) / page * page;
    unsigned char *pages = mmap(NULL, used + page, PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    *guard = (struct lam_guard){0};
    if (pages == MAP_FAILED)
        return false;
    guard->pages = pages;
    guard->pages_bytes = used + page;
    guard->memory = at_end ? pages + used - (bytes + 3) / 4 * 4 : pages + page;
    if (mprotect(at_end ? pages + used : pages, page, PROT_NONE)) {
        lam_guard_close(guard);
        return false;
    }
    return true;
}

void lam_guard_close(struct lam_guard *guard)
{
    if (guard->pages)
        munmap(guard->pages, guard->pages_bytes);
    *guard = (struct lam_guard){0};
}
