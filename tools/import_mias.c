// The MIAS collection (Suckling et al. 1994), "mini": 322 films of 1024 x 1024.
#include <stdlib.h>
#include <string.h>

#include "data_import.h"

struct lesion {
    char name[16];
    int x, y, radius; // radius 0: no place is given
};

static FILE *open_info(const char *folder, char *path, size_t size)
{
    static const char *const names[] = {"Info.txt", "info.txt"};
    FILE *file = NULL;

    for (int i = 0; i < 2 && !file; i++) {
        snprintf(path, size, "%s/%s", folder, names[i]);
        file = fopen(path, "r");
    }
    return file;
}

// "mdb001 G CIRC B 535 425 197"; normals end behind the class, and some lesions
// have a note in the place of numbers. False for any other line.
static bool parse_line(const char *line, struct lesion *l)
{
    char tissue[8], kind[16], severity[8] = "";
    int n;

    *l = (struct lesion){0};
    if (strncmp(line, "mdb", 3) != 0)
        return false;
    n = sscanf(line, "%15s %7s %15s %7s %d %d %d", l->name, tissue, kind,
               severity, &l->x, &l->y, &l->radius);
    return n >= 3;
}

static void fill_circle(unsigned char *mask, int width, int height, int cx,
                        int cy, int radius)
{
    for (int y = cy - radius; y <= cy + radius; y++)
        for (int x = cx - radius; x <= cx + radius; x++)
            if (x >= 0 && y >= 0 && x < width && y < height &&
                (x - cx) * (x - cx) + (y - cy) * (y - cy) <= radius * radius)
                mask[(size_t)y * width + x] = 1;
}

// All rows of one film: its lesions.
static int write_film(struct data_import *import, const char *folder,
                      const struct lesion *rows, int n)
{
    char path[1200], patient[32];
    struct lam_image *film = NULL;
    struct data_image image = {.name = rows[0].name, .split = ""};
    int err;

    if (!import_find(folder, rows[0].name, path)) {
        import_leave_out(import, "%s: there is no %s/%s.pgm", rows[0].name,
                         folder, rows[0].name);
        return LAM_OK;
    }
    for (int i = 0; i < n; i++)
        if (rows[i].radius == 0 && (rows[i].x || n > 1)) {
            import_leave_out(import, "%s: a lesion without a place",
                             rows[0].name);
            return LAM_OK;
        }
    err = lam_image_read(import->ctx, path, 0, &film);
    if (err)
        return err;
    snprintf(patient, sizeof(patient), "mias%03d",
             (atoi(rows[0].name + 3) + 1) / 2);
    image.patient = patient;
    image.width = film->width;
    image.height = film->height;
    image.bits = film->bits;
    image.pixels = film->pixels;
    image.mask = calloc((size_t)film->width * (size_t)film->height, 1);
    if (!image.mask)
        err = lam_fail(import->ctx, LAM_EMEMORY, "out of memory");
    for (int i = 0; i < n && !err; i++)
        if (rows[i].radius)
            fill_circle(image.mask, film->width, film->height, rows[i].x,
                        film->height - rows[i].y, rows[i].radius);
    if (!err)
        err = data_writer_add(import->writer, import->changes, &image);
    free(image.mask);
    lam_image_free(film);
    return err;
}

int import_mias(struct data_import *import, const char *folder)
{
    enum { MAX_LESIONS = 16 };
    struct lesion rows[MAX_LESIONS], next;
    char path[1200], line[256];
    FILE *file = open_info(folder, path, sizeof(path));
    int n = 0, err = LAM_OK;

    if (!file)
        return lam_fail(import->ctx, LAM_EDATA, "%s holds no Info.txt", folder);
    while (!err && fgets(line, sizeof(line), file)) {
        if (!parse_line(line, &next))
            continue;
        // A class with a severity but no radius has lost its place.
        if (!next.radius && !strstr(line, "NORM"))
            next.x = 1;
        if (n && strcmp(rows[0].name, next.name) != 0) {
            err = write_film(import, folder, rows, n);
            n = 0;
        }
        if (n < MAX_LESIONS)
            rows[n++] = next;
    }
    if (!err && n)
        err = write_film(import, folder, rows, n);
    fclose(file);
    return err;
}
