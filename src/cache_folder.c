#include "cache_folder.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

// Makes a folder and those above it. Binaries of others are never given to a
// driver, so it must be ours and no one else's to write.
static bool make_folder(char *path)
{
    struct stat info;

    for (char *at = path + 1; *at; at++)
        if (*at == '/') {
            *at = '\0';
            mkdir(path, 0700);
            *at = '/';
        }
    mkdir(path, 0700);
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode) &&
           info.st_uid == geteuid() && !(info.st_mode & (S_IWGRP | S_IWOTH));
}

bool lam_cache_folder(const char *wanted, const char *part, char *path,
                      size_t size)
{
    const char *base = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    const char *slash = part ? "/" : "";
    int n = 0;

    part = part ? part : "";
    if (wanted)
        n = snprintf(path, size, "%s%s%s", wanted, slash, part);
    else if (base && base[0])
        n = snprintf(path, size, "%s/lamina%s%s", base, slash, part);
    else if (home && home[0])
        n = snprintf(path, size, "%s/.cache/lamina%s%s", home, slash, part);
    else
        path[0] = '\0';
    return n > 0 && n < (int)size && make_folder(path);
}
