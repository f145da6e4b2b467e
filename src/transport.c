#include "transport.h"

#include <dlfcn.h>
#include <stdio.h>
#include <unistd.h>

#include "installed.h"

int lam_transport_load(struct lam_context *ctx, const char *name,
                       const struct lam_transport **transport)
{
    char folder[4000], path[4096] = "";
    void *module;

    *transport = NULL;
    for (int i = 0; lam_installed_plugin_folder(i, folder, sizeof(folder));
         i++) {
        snprintf(path, sizeof(path), "%s/transport/%s.so", folder, name);
        if (access(path, R_OK) == 0)
            break;
    }
    if (access(path, R_OK))
        return lam_fail(ctx, LAM_EUSAGE,
                        "started as one of several ranks, but this lamina was "
                        "built without MPI: %s is not there",
                        path);
    // Parts that MPI loads by itself look for its symbols.
    module = dlopen(path, RTLD_NOW | RTLD_GLOBAL);
    if (!module)
        return lam_fail(ctx, LAM_EPLUGIN, "cannot load %s", dlerror());
    *transport = dlsym(module, "lam_transport");
    if (!*transport || (*transport)->version != LAM_TRANSPORT_VERSION)
        return lam_fail(ctx, LAM_EPLUGIN,
                        "%s is of another version than this lamina", path);
    return LAM_OK;
}
