// wrap - the program with calls of libc that fail, for tests: linked with
// --wrap, so that the calls of our own code come here and no others; jansson
// gets its memory here too. By the environment:
//
//   FAULT_MEMORY=N   the N-th request for memory fails, from 1
//   FAULT_FILE=N     the N-th change to a file or folder fails: "no space left"
//   FAULT_LASTING=1  and so do all after it
//   FAULT_PLACE=HASH counted are only the requests of this place (place.h)
//   FAULT_PLACES=FILE  a line a request: its name and its place
//   FAULT_LOG=FILE   at exit "COUNT HIT", HIT the name of what failed first
#define _GNU_SOURCE // place.h
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "place.h"

static atomic_long n_calls;
static long memory_at, file_at;
static bool is_lasting;
static const char *hit = "none";
static const char *log_path;
static uint64_t at_place;
static int places = -1; // a file without a buffer: that would ask for memory

// Whether this request is one of those that are counted.
static bool counts(const char *name)
{
    uint64_t place;
    char line[96];
    int size;

    if (!at_place && places < 0)
        return true;
    place = find_place(name, NULL, 0).whole;
    size = snprintf(line, sizeof(line), "%s %llx\n", name,
                    (unsigned long long)place);
    if (places >= 0 && write(places, line, (size_t)size) != size)
        abort();
    return !at_place || place == at_place;
}

static bool fails(long at, const char *name)
{
    long n;

    if (at <= 0 || !counts(name))
        return false;
    n = ++n_calls;
    if (n != at && !(is_lasting && n > at))
        return false;
    if (n == at)
        hit = name;
    return true;
}

static bool no_memory(const char *name)
{
    if (!fails(memory_at, name))
        return false;
    errno = ENOMEM;
    return true;
}

static bool no_space(const char *name)
{
    if (!fails(file_at, name))
        return false;
    errno = ENOSPC;
    return true;
}

// What --wrap calls the real function, and what it sends here.
#define WRAP(type, name, parameters)                                           \
    type __real_##name parameters;                                             \
    type __wrap_##name parameters;                                             \
    type __wrap_##name parameters

WRAP(void *, malloc, (size_t size))
{
    return no_memory("malloc") ? NULL : __real_malloc(size);
}

WRAP(void *, calloc, (size_t n, size_t size))
{
    return no_memory("calloc") ? NULL : __real_calloc(n, size);
}

WRAP(void *, realloc, (void *data, size_t size))
{
    return no_memory("realloc") ? NULL : __real_realloc(data, size);
}

WRAP(char *, strdup, (const char *text))
{
    return no_memory("strdup") ? NULL : __real_strdup(text);
}

WRAP(char *, strndup, (const char *text, size_t size))
{
    return no_memory("strndup") ? NULL : __real_strndup(text, size);
}

WRAP(FILE *, open_memstream, (char **text, size_t *size))
{
    return no_memory("open_memstream") ? NULL
                                       : __real_open_memstream(text, size);
}

WRAP(int, scandir,
     (const char *path, struct dirent ***names,
      int (*filter)(const struct dirent *),
      int (*compare)(const struct dirent **, const struct dirent **)))
{
    return no_memory("scandir") ? -1
                                : __real_scandir(path, names, filter, compare);
}

// Files that are written; reading and standard output are left alone.
WRAP(FILE *, fopen, (const char *path, const char *mode))
{
    return mode[0] != 'r' && no_space("fopen") ? NULL
                                               : __real_fopen(path, mode);
}

// From here on all that is written to the file meets a full disk.
static bool fill_disk(FILE *file, const char *name)
{
    int full;

    // 0 to 2 are the terminal's, -1 is memory.
    if (fileno(file) <= 2 || !__fwritable(file) || !no_space(name))
        return false;
    full = open("/dev/full", O_WRONLY);
    if (full < 0 || dup2(full, fileno(file)) < 0)
        abort();
    close(full);
    return true;
}

WRAP(size_t, fwrite, (const void *data, size_t size, size_t n, FILE *file))
{
    fill_disk(file, "fwrite");
    return __real_fwrite(data, size, n, file);
}

// Some file systems tell only now.
WRAP(int, fflush, (FILE * file))
{
    const bool is_full = file && fill_disk(file, "fflush");
    const int end = __real_fflush(file);

    return is_full ? EOF : end;
}

WRAP(int, fclose, (FILE * file))
{
    const bool is_full = fill_disk(file, "fclose");
    const int end = __real_fclose(file);

    return is_full ? EOF : end;
}

WRAP(int, fsync, (int fd))
{
    return no_space("fsync") ? -1 : __real_fsync(fd);
}

WRAP(int, rename, (const char *from, const char *to))
{
    return no_space("rename") ? -1 : __real_rename(from, to);
}

WRAP(int, mkdir, (const char *path, mode_t mode))
{
    return access(path, F_OK) && no_space("mkdir") ? -1
                                                   : __real_mkdir(path, mode);
}

static void at_exit(void)
{
    FILE *file = log_path ? __real_fopen(log_path, "w") : NULL;

    if (!file)
        return;
    fprintf(file, "%ld %s\n", (long)n_calls, hit);
    __real_fclose(file);
}

static long number(const char *name)
{
    const char *value = getenv(name);

    return value ? atol(value) : 0;
}

__attribute__((constructor)) static void start(void)
{
    const char *value;

    memory_at = number("FAULT_MEMORY");
    file_at = number("FAULT_FILE");
    is_lasting = number("FAULT_LASTING") != 0;
    log_path = getenv("FAULT_LOG");
    value = getenv("FAULT_PLACE");
    at_place = value ? strtoull(value, NULL, 16) : 0;
    value = getenv("FAULT_PLACES");
    places = value ? open(value, O_WRONLY | O_CREAT | O_TRUNC, 0600) : -1;
    json_set_alloc_funcs(__wrap_malloc, free);
    atexit(at_exit);
}
