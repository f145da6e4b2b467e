#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int lam_file_read(struct lam_context *ctx, const char *path, void **bytes,
                  size_t *size)
{
    FILE *file = fopen(path, "rb");
    long length = -1;
    int err = LAM_OK;

    *bytes = NULL;
    *size = 0;
    if (file && fseek(file, 0, SEEK_END) == 0)
        length = ftell(file);
    if (length < 0)
        err = lam_fail(ctx, LAM_EFILE, "%s cannot be read", path);
    else if (length > INT32_MAX)
        err = lam_fail(ctx, LAM_EFILE, "%s is larger than 2 GiB", path);
    else {
        *bytes = malloc((size_t)length + 1);
        *size = (size_t)length;
        if (!*bytes)
            err = lam_fail(ctx, LAM_EMEMORY, "out of memory");
        else if (fseek(file, 0, SEEK_SET) ||
                 fread(*bytes, 1, *size, file) != *size)
            err = lam_fail(ctx, LAM_EFILE, "%s cannot be read", path);
    }
    if (file)
        fclose(file);
    if (err) {
        free(*bytes);
        *bytes = NULL;
    }
    return err;
}

// So that the new name outlives a loss of power; some file systems cannot.
static bool sync_folder(const char *path)
{
    char folder[1024];
    const char *slash = strrchr(path, '/');
    bool ok = true;
    int fd;

    snprintf(folder, sizeof(folder), "%.*s", slash ? (int)(slash - path) : 1,
             slash ? path : ".");
    fd = open(folder, O_RDONLY);
    if (fd >= 0) {
        ok = fsync(fd) == 0 || errno == EINVAL || errno == ENOTSUP;
        close(fd);
    }
    return ok;
}

int lam_file_write(struct lam_context *ctx, const char *path,
                   const struct lam_piece *pieces, int n)
{
    char temporary[1100];
    FILE *file;
    bool ok;

    snprintf(temporary, sizeof(temporary), "%s.part", path);
    file = fopen(temporary, "wb");
    ok = file != NULL;
    for (int i = 0; i < n && ok; i++)
        ok = fwrite(pieces[i].data, 1, pieces[i].size, file) == pieces[i].size;
    ok = ok && fflush(file) == 0 && fsync(fileno(file)) == 0;
    if (file)
        ok = fclose(file) == 0 && ok;
    if (!ok || rename(temporary, path)) {
        remove(temporary);
        return lam_fail(ctx, LAM_EFILE, "%s cannot be written", path);
    }
    return sync_folder(path)
               ? LAM_OK
               : lam_fail(ctx, LAM_EFILE, "the folder of %s cannot be synced",
                          path);
}

FILE *lam_file_create(struct lam_context *ctx, const char *path)
{
    FILE *file = fopen(path, "w");

    if (!file)
        lam_fail(ctx, LAM_EFILE, "%s cannot be written", path);
    return file;
}

int lam_file_close(struct lam_context *ctx, FILE *file, const char *path)
{
    const bool is_bad = ferror(file) != 0;

    return fclose(file) || is_bad
               ? lam_fail(ctx, LAM_EFILE, "%s cannot be written", path)
               : LAM_OK;
}
