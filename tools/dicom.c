#include "dicom.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "child.h"

int dicom_read(struct lam_context *ctx, const char *path,
               struct lam_image **image)
{
    struct child child = {.program = "dcmj2pnm", .is_quiet = true};
    char folder[] = "/tmp/lamina-XXXXXX", png[64];
    int err;

    *image = NULL;
    if (!mkdtemp(folder))
        return lam_fail(ctx, LAM_EFILE, "no folder can be made in /tmp");
    snprintf(png, sizeof(png), "%s/image.png", folder);
    child_add(&child, "dcmj2pnm");
    child_add(&child, "--write-16-bit-png");
    child_add(&child, "--no-windowing");
    child_add(&child, path);
    child_add(&child, png);
    err = child_run(ctx, &child);
    if (err) {
        lam_error_clear(ctx);
        err = lam_fail(ctx, LAM_ERUN,
                       "dcmj2pnm cannot be run: install the package dcmtk");
    } else if (child.ended) {
        err = lam_fail(ctx, LAM_EDATA,
                       "%s is no DICOM image that dcmj2pnm "
                       "reads",
                       path);
    } else {
        err = lam_image_read(ctx, png, (int64_t)1 << 28, image);
    }
    unlink(png);
    rmdir(folder);
    return err;
}

static bool is_dicom(const char *name)
{
    const size_t n = strlen(name);

    return n > 4 && strcmp(name + n - 4, ".dcm") == 0;
}

int dicom_list(const char *folder, char **paths, int max)
{
    struct dirent **found;
    const int n = scandir(folder, &found, NULL, alphasort);
    int count = 0;

    for (int i = 0; i < n; i++) {
        const char *name = found[i]->d_name;
        struct stat info;
        char path[1200];

        snprintf(path, sizeof(path), "%s/%s", folder, name);
        if (name[0] != '.' && stat(path, &info) == 0 && S_ISDIR(info.st_mode)) {
            count += dicom_list(path, paths + count, max - count);
        } else if (is_dicom(name) && count < max) {
            paths[count] = strdup(path);
            count += paths[count] != NULL;
        }
        free(found[i]);
    }
    if (n >= 0)
        free(found);
    return count;
}
