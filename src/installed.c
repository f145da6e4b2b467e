#define _GNU_SOURCE // dladdr
#include "installed.h"

#include <dirent.h>
#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "param.h"

// The prefix that the file of this code was moved to, without LAM_BINDIR or
// LAM_LIBDIR at its end; false where it is in neither.
static bool find_prefix(char prefix[PATH_MAX])
{
    static const char *const folders[] = {LAM_BINDIR, LAM_LIBDIR};
    static const char here = 0;
    Dl_info info;
    char *slash;

    if (!dladdr(&here, &info) || !info.dli_fname)
        return false;
    // The program's own name may be relative, or come from PATH.
    if (!realpath(strchr(info.dli_fname, '/') ? info.dli_fname
                                              : "/proc/self/exe",
                  prefix))
        return false;
    slash = strrchr(prefix, '/');
    *slash = '\0';
    for (int i = 0; i < 2; i++) {
        const size_t n = strlen(prefix), cut = strlen(folders[i]);

        if (n > cut && prefix[n - cut - 1] == '/' &&
            strcmp(prefix + n - cut, folders[i]) == 0) {
            prefix[n - cut - 1] = '\0';
            return true;
        }
    }
    return false;
}

static const char *find(const char *part, char *path, size_t size)
{
    char prefix[PATH_MAX];
    struct stat info;

    if (find_prefix(prefix) &&
        snprintf(path, size, "%s/%s", prefix, part) < (int)size &&
        stat(path, &info) == 0)
        return path;
    snprintf(path, size, "%s/%s", LAM_PREFIX, part);
    return path;
}

const char *lam_installed_plugins(char *path, size_t size)
{
    return find(LAM_PLUGINS, path, size);
}

bool lam_installed_plugin_folder(int i, char *path, size_t size)
{
    const char *set = getenv("LAM_PLUGIN_PATH");
    const char *list = set ? set : "";
    size_t length;

    for (; i > 0; i--) {
        list += strcspn(list, ":");
        if (*list++ == '\0')
            return false;
    }
    length = strcspn(list, ":");
    if (length == 0)
        lam_installed_plugins(path, size);
    else
        snprintf(path, size, "%.*s", (int)length, list);
    return true;
}

const char *lam_installed_models(char *path, size_t size)
{
    return find(LAM_MODELS, path, size);
}

bool lam_installed_model(const char *name, char *path, size_t size)
{
    static const char *const endings[] = {"", ".yaml"};
    char folder[PATH_MAX];

    if (strchr(name, '/'))
        return false;
    lam_installed_models(folder, sizeof(folder));
    for (int i = 0; i < 2; i++) {
        struct stat info;

        if (snprintf(path, size, "%s/%s%s", folder, name, endings[i]) <
                (int)size &&
            stat(path, &info) == 0 && S_ISREG(info.st_mode))
            return true;
    }
    return false;
}

bool lam_installed_nearest(const char *name, char *near, size_t size)
{
    char folder[PATH_MAX];
    DIR *dir = opendir(lam_installed_models(folder, sizeof(folder)));
    const char *found = NULL;

    near[0] = '\0';
    for (struct dirent *e = dir ? readdir(dir) : NULL; e; e = readdir(dir)) {
        char *ending = strrchr(e->d_name, '.');
        const char *candidates[] = {near[0] ? near : e->d_name, e->d_name,
                                    NULL};

        if (!ending || strcmp(ending, ".yaml") != 0)
            continue;
        *ending = '\0';
        found = lam_nearest(name, candidates);
        if (found && found != near)
            snprintf(near, size, "%s", found);
    }
    if (dir)
        closedir(dir);
    return near[0] != '\0';
}
