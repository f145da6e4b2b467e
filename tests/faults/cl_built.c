#define _GNU_SOURCE // place.h
#include "cl_built.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "place.h"

enum { MAX_PROGRAMS = 256, MAX_PATH = 512 };

struct built {
    cl_program asked, given; // given NULL: as asked
    cl_context context;
    uint64_t hash; // of the source
    long refs;
};

static const struct _cl_icd_dispatch *next;
static const char *kept;
static struct built table[MAX_PROGRAMS]; // free where asked is NULL

static struct built *find(cl_program p)
{
    for (int i = 0; i < MAX_PROGRAMS && kept; i++)
        if (table[i].asked == p)
            return &table[i];
    return NULL;
}

void built_start(const struct _cl_icd_dispatch *driver, const char *folder)
{
    next = driver;
    kept = folder;
}

void built_add(cl_program p, cl_context c, cl_uint n, const char **texts,
               const size_t *sizes)
{
    struct built *b = find(NULL);
    uint64_t hash = 0;

    if (!kept || !p)
        return;
    if (!b)
        abort();
    for (cl_uint i = 0; i < n; i++)
        hash = place_hash(hash + i, texts[i],
                          sizes && sizes[i] ? sizes[i] : strlen(texts[i]));
    *b = (struct built){.asked = p, .context = c, .hash = hash, .refs = 1};
}

cl_program built_of(cl_program p)
{
    const struct built *b = p ? find(p) : NULL;

    return b && b->given ? b->given : p;
}

void built_count(cl_program p, int change)
{
    struct built *b = p ? find(p) : NULL;

    if (!b || (b->refs += change) > 0)
        return;
    if (b->given)
        next->clReleaseProgram(b->given);
    *b = (struct built){0};
}

// Its whole contents, or NULL.
static unsigned char *read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    unsigned char *data = NULL;
    long end = -1;

    if (!file)
        return NULL;
    if (!fseek(file, 0, SEEK_END) && (end = ftell(file)) > 0 &&
        !fseek(file, 0, SEEK_SET) && (data = malloc((size_t)end)) &&
        fread(data, 1, (size_t)end, file) != (size_t)end)
        abort();
    fclose(file);
    *size = (size_t)end;
    return data;
}

// Whole or not at all: other runs read at the same time.
static void keep(cl_program p, const char *path)
{
    char fresh[MAX_PATH + 16];
    unsigned char *data;
    size_t size = 0;
    FILE *file;

    if (next->clGetProgramInfo(p, CL_PROGRAM_BINARY_SIZES, sizeof(size), &size,
                               NULL) ||
        size == 0 || !(data = malloc(size)))
        return;
    snprintf(fresh, sizeof(fresh), "%s.%ld", path, (long)getpid());
    if (!next->clGetProgramInfo(p, CL_PROGRAM_BINARIES, sizeof(data), &data,
                                NULL) &&
        (file = fopen(fresh, "wb"))) {
        const size_t n = fwrite(data, 1, size, file);

        if (fclose(file) || n != size || rename(fresh, path))
            remove(fresh);
    }
    free(data);
}

cl_int built_build(cl_program p, cl_uint n, const cl_device_id *devices,
                   const char *options,
                   void(CL_CALLBACK *done)(cl_program, void *), void *data)
{
    struct built *b = find(p);
    unsigned char *binary;
    char path[MAX_PATH];
    size_t size;
    cl_int error;

    if (!b || n != 1)
        return next->clBuildProgram(p, n, devices, options, done, data);
    snprintf(path, sizeof(path), "%s/%llx", kept,
             (unsigned long long)place_hash(b->hash, options ? options : "",
                                            options ? strlen(options) : 0));
    binary = read_file(path, &size);
    if (!binary) {
        error = next->clBuildProgram(p, n, devices, options, done, data);
        if (!error)
            keep(p, path);
        return error;
    }
    if (b->given)
        next->clReleaseProgram(b->given);
    b->given = next->clCreateProgramWithBinary(b->context, 1, devices, &size,
                                               (const unsigned char **)&binary,
                                               NULL, &error);
    free(binary);
    return error ? error
                 : next->clBuildProgram(b->given, n, devices, options, done,
                                        data);
}
