// The DDSM collection (Heath et al. 2001): cases of four views. Its lossless
// JPEG is a form that no packaged library reads; docs/data.md says how to make
// PNG of it. What is read here are the outlines.
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "data_import.h"

// Column and row steps of the chain codes 0 (up) to 7, clockwise.
static const int step_x[8] = {0, 1, 1, 1, 0, -1, -1, -1};
static const int step_y[8] = {-1, -1, 0, 1, 1, 1, 0, -1};

// Marks an outline and what it encloses: all that the outside does not reach.
static bool fill_outline(unsigned char *mask, const unsigned char *line,
                         int width, int height)
{
    const size_t n = (size_t)width * (size_t)height;
    unsigned char *outside = calloc(n, 1);
    int *stack = malloc(sizeof(*stack) * n);
    size_t top = 0;

    for (size_t i = 0; outside && stack && i < n; i++) {
        const int x = (int)(i % (size_t)width), y = (int)(i / (size_t)width);

        if ((x == 0 || y == 0 || x == width - 1 || y == height - 1) &&
            !line[i]) {
            outside[i] = 1;
            stack[top++] = (int)i;
        }
    }
    while (outside && stack && top) {
        const int at = stack[--top];

        for (int k = 0; k < 8; k += 2) {
            const int x = at % width + step_x[k], y = at / width + step_y[k];
            const size_t to = (size_t)y * (size_t)width + (size_t)x;

            if (x < 0 || y < 0 || x >= width || y >= height || line[to] ||
                outside[to])
                continue;
            outside[to] = 1;
            stack[top++] = (int)to;
        }
    }
    for (size_t i = 0; outside && stack && i < n; i++)
        mask[i] |= !outside[i];
    free(stack);
    free(outside);
    return outside && stack;
}

// "column row code code .. #". False where it is none or leaves the image.
static bool draw_outline(const char *text, unsigned char *line, int width,
                         int height)
{
    char *end;
    int x = (int)strtol(text, &end, 10), y;

    if (end == text)
        return false;
    text = end;
    y = (int)strtol(text, &end, 10);
    if (end == text)
        return false;
    for (text = end;; text = end) {
        long code;

        if (x < 0 || y < 0 || x >= width || y >= height)
            return false;
        line[(size_t)y * width + x] = 1;
        text += strspn(text, " \t\r\n");
        if (*text == '#' || !*text)
            return *text == '#';
        code = strtol(text, &end, 10);
        if (end == text || code < 0 || code > 7)
            return false;
        x += step_x[code];
        y += step_y[code];
    }
}

// The BOUNDARY of each abnormality; a CORE lies inside it.
static int read_overlay(struct data_import *import, const char *path,
                        struct data_image *image)
{
    const size_t n = (size_t)image->width * (size_t)image->height;
    FILE *file = fopen(path, "r");
    unsigned char *line = malloc(n);
    char *text = NULL;
    size_t room = 0;
    bool is_boundary = false, ok = true;
    int row = 0, err = LAM_OK;

    if (!file || !line)
        err = lam_fail(import->ctx, file ? LAM_EMEMORY : LAM_EFILE,
                       file ? "out of memory" : "%s cannot be read", path);
    while (!err && ok && getline(&text, &room, file) > 0) {
        row++;
        if (is_boundary) {
            memset(line, 0, n);
            ok = draw_outline(text, line, image->width, image->height);
            if (ok &&
                !fill_outline(image->mask, line, image->width, image->height))
                err = lam_fail(import->ctx, LAM_EMEMORY, "out of memory");
        }
        is_boundary = strstr(text, "BOUNDARY") != NULL;
    }
    if (!err && !ok)
        err = lam_fail(import->ctx, LAM_EDATA,
                       "%s:%d: no outline inside the image of %d x %d "
                       "(is its size right? the .ics file says)",
                       path, row, image->width, image->height);
    free(text);
    free(line);
    if (file)
        fclose(file);
    return err;
}

// name: "A_1141_1.LEFT_CC"; the case is what stands before the dot.
static int write_view(struct data_import *import, const char *folder,
                      const char *name, const char *path)
{
    char patient[128], overlay[1200];
    struct lam_image *scan = NULL;
    struct data_image image = {.name = name, .split = "", .patient = patient};
    FILE *file;
    int err = lam_image_read(import->ctx, path, (int64_t)1 << 28, &scan);

    if (err)
        return err;
    snprintf(patient, sizeof(patient), "%.*s", (int)strcspn(name, "."), name);
    image.width = scan->width;
    image.height = scan->height;
    image.bits = scan->bits;
    image.pixels = scan->pixels;
    image.mask = calloc((size_t)scan->width * (size_t)scan->height, 1);
    if (!image.mask)
        err = lam_fail(import->ctx, LAM_EMEMORY, "out of memory");
    snprintf(overlay, sizeof(overlay), "%s/%s.OVERLAY", folder, name);
    file = fopen(overlay, "r");
    if (file)
        fclose(file);
    if (!err && file)
        err = read_overlay(import, overlay, &image);
    if (err == LAM_EDATA) {
        import_leave_out(import, "%s", import->ctx->error);
        lam_error_clear(import->ctx);
        err = LAM_OK;
    } else if (!err) {
        err = data_writer_add(import->writer, import->changes, &image);
    }
    free(image.mask);
    lam_image_free(scan);
    return err;
}

static bool is_view(const char *name)
{
    static const char *const views[] = {".LEFT_CC.", ".LEFT_MLO.", ".RIGHT_CC.",
                                        ".RIGHT_MLO."};

    for (int i = 0; i < 4; i++)
        if (strstr(name, views[i]) && lam_image_is_name(name))
            return true;
    return false;
}

int import_ddsm(struct data_import *import, const char *folder)
{
    struct dirent **found;
    const int n = scandir(folder, &found, NULL, alphasort);
    int err = LAM_OK;

    if (n < 0)
        return lam_fail(import->ctx, LAM_EDATA, "folder %s cannot be read",
                        folder);
    for (int i = 0; i < n; i++) {
        const char *name = found[i]->d_name;
        struct stat info;
        char path[1200], base[256];

        snprintf(path, sizeof(path), "%s/%s", folder, name);
        snprintf(base, sizeof(base), "%s", name);
        if (!err && name[0] != '.' && is_view(name)) {
            *strrchr(base, '.') = '\0';
            err = write_view(import, folder, base, path);
        } else if (!err && name[0] != '.' && stat(path, &info) == 0 &&
                   S_ISDIR(info.st_mode)) {
            err = import_ddsm(import, path);
        }
        free(found[i]);
    }
    free(found);
    return err;
}
