#define _DEFAULT_SOURCE // getgrgid, dlopen

#include "doctor.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "apart.h"
#include "cache_folder.h"
#include "devices.h"
#include "registry.h"

enum { MAX_LOAD_SECONDS = 20 };

static int load(struct lam_context *ctx, void *library, void **result,
                size_t *bytes)
{
    (void)result;
    (void)bytes;
    return dlopen(library, RTLD_NOW | RTLD_LOCAL)
               ? LAM_OK
               : lam_fail(ctx, LAM_EDEVICE, "%s", dlerror());
}

static bool first_line(const char *path, char *line, int size)
{
    FILE *file = fopen(path, "r");
    const bool has = file && fgets(line, size, file);

    if (file)
        fclose(file);
    if (has)
        line[strcspn(line, "\r\n")] = '\0';
    return has && line[0];
}

static void try_driver(struct doctor *d, const char *path)
{
    static const char advice[] =
        "install the driver's package again, or remove this file";
    char library[512];
    size_t bytes;
    void *result;
    int end, err;

    if (!first_line(path, library, sizeof(library))) {
        doctor_say(d, DOCTOR_FAILED, "driver", advice,
                   "%s names no library or cannot be read", path);
        return;
    }
    err = apart(d->ctx, MAX_LOAD_SECONDS, load, library, &result, &bytes, &end);
    if (end)
        doctor_say(d, DOCTOR_FAILED, "driver", advice, "%s: loading %s %s",
                   path, library, apart_end(end));
    else if (err)
        doctor_say(d, DOCTOR_FAILED, "driver", advice, "%s: %s", path,
                   d->ctx->error);
    else
        doctor_say(d, DOCTOR_OK, "driver", NULL, "%s: %s loads", path, library);
    lam_error_clear(d->ctx);
}

static int is_icd(const struct dirent *entry)
{
    const size_t length = strlen(entry->d_name);

    return length > 4 && strcmp(entry->d_name + length - 4, ".icd") == 0;
}

void doctor_drivers(struct doctor *d)
{
    const char *place = devices_vendors(), *advice = lam_device_advice();
    struct dirent **found = NULL;
    struct stat info;
    int n;

    // The loader also takes one file, or even a library.
    if (stat(place, &info) == 0 && S_ISREG(info.st_mode)) {
        if (strstr(place, ".icd"))
            try_driver(d, place);
        return;
    }
    n = scandir(place, &found, is_icd, alphasort);
    if (n <= 0)
        doctor_say(d, DOCTOR_FAILED, "driver",
                   advice ? advice
                          : "install pocl-opencl-icd to compute on the "
                            "processor, or your GPU's OpenCL driver",
                   "no driver is registered in %s", place);
    for (int i = 0; i < n; i++) {
        char path[1024];

        snprintf(path, sizeof(path), "%s/%s", place, found[i]->d_name);
        try_driver(d, path);
        free(found[i]);
    }
    free(found);
}

static int is_render_node(const struct dirent *entry)
{
    return strncmp(entry->d_name, "renderD", 7) == 0;
}

static void try_node(struct doctor *d, const char *path)
{
    char advice[300] = "its permissions keep everyone out";
    struct stat info;
    const struct group *group =
        stat(path, &info) == 0 ? getgrgid(info.st_gid) : NULL;

    if (access(path, R_OK | W_OK) == 0) {
        doctor_say(d, DOCTOR_OK, "permissions", NULL, "%s may be used", path);
        return;
    }
    if (group)
        snprintf(advice, sizeof(advice),
                 "join its group (sudo usermod -aG %s \"$USER\") and log in "
                 "again",
                 group->gr_name);
    doctor_say(d, DOCTOR_FAILED, "permissions", advice, "%s: %s", path,
               strerror(errno));
}

void doctor_permissions(struct doctor *d)
{
    struct dirent **found = NULL;
    const int n = scandir("/dev/dri", &found, is_render_node, alphasort);

    if (n <= 0)
        doctor_say(d, DOCTOR_OK, "permissions", NULL,
                   "no GPU's render node in /dev/dri, none is needed for a "
                   "processor");
    for (int i = 0; i < n; i++) {
        char path[300];

        snprintf(path, sizeof(path), "/dev/dri/%s", found[i]->d_name);
        try_node(d, path);
        free(found[i]);
    }
    free(found);
    if (access("/dev/nvidiactl", F_OK) == 0)
        try_node(d, "/dev/nvidiactl");
}

static void try_cache(struct doctor *d)
{
    static const char advice[] =
        "set HOME or XDG_CACHE_HOME to a folder of your own; without it "
        "kernels are built at each start and nothing tuned is kept";
    char folder[1024], path[1100];
    FILE *file;
    int written;

    if (!lam_cache_folder(NULL, NULL, folder, sizeof(folder))) {
        doctor_say(d, DOCTOR_WARNING, "cache", advice,
                   folder[0] ? "%s is no folder that only you may write"
                             : "no folder for it is known%s",
                   folder);
        return;
    }
    snprintf(path, sizeof(path), "%s/doctor.%ld", folder, (long)getpid());
    file = fopen(path, "w");
    written = file ? fputs("doctor\n", file) : EOF;
    if (!file || fclose(file) || written == EOF)
        doctor_say(d, DOCTOR_WARNING, "cache", advice,
                   "%s cannot be written: %s", folder, strerror(errno));
    else
        doctor_say(d, DOCTOR_OK, "cache", NULL, "%s can be written", folder);
    unlink(path);
}

static void try_memory(struct doctor *d)
{
    FILE *file = fopen("/proc/meminfo", "r");
    char line[200];
    double kib = -1.0;

    while (file && fgets(line, sizeof(line), file))
        if (sscanf(line, "MemAvailable: %lf", &kib) == 1)
            break;
    if (file)
        fclose(file);
    if (kib >= 0)
        doctor_say(d, kib < 1 << 20 ? DOCTOR_WARNING : DOCTOR_OK, "memory",
                   kib < 1 << 20 ? "close other programs; train with a smaller "
                                   "train.batch, predict with --tile"
                                 : NULL,
                   "%.1f GiB of the machine's are free", kib / 0x1p20);
}

void doctor_machine(struct doctor *d)
{
    struct lam_registry *registry = lam_registry_create(d->ctx);
    int n = 0;

    try_cache(d);
    try_memory(d);
    if (!registry || lam_registry_load_default(registry)) {
        doctor_say(d, DOCTOR_FAILED, "plugins",
                   "lamina plugin check FILE tells more; LAM_PLUGIN_PATH "
                   "names the folders",
                   "%s", d->ctx->error);
        lam_error_clear(d->ctx);
    } else {
        while (lam_registry_plugin_at(registry, n, NULL))
            n++;
        doctor_say(d, n ? DOCTOR_OK : DOCTOR_FAILED, "plugins",
                   n ? NULL : "set LAM_PLUGIN_PATH to their folder", "%d in %s",
                   n, lam_registry_searched(registry));
    }
    lam_registry_destroy(registry);
}
