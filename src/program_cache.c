#include "program_cache.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sha256.h"

// File: this header, then the binary.
struct header {
    char magic[8];
    char key[LAM_PROGRAM_KEY];
    unsigned char digest[32];
    uint64_t size;
};

static const char magic[8] = "LAMCL01";

void lam_program_key(const struct lam_queue *q, const char *prelude,
                     const char *source, const char *options,
                     char key[LAM_PROGRAM_KEY])
{
    const char *const parts[] = {magic,          prelude,       source,
                                 options,        q->row.name,   q->row.platform,
                                 q->row.version, q->row.driver, q->row.vendor};
    unsigned char digest[32];
    struct lam_sha256 s;

    lam_sha256_init(&s);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        lam_sha256_add(&s, parts[i], strlen(parts[i]) + 1);
    lam_sha256_finish(&s, digest);
    lam_sha256_hex(digest, key);
}

static bool make_folder(const char *path)
{
    struct stat info;

    mkdir(path, 0700);
    // Binaries of others are never given to a driver.
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode) &&
           info.st_uid == geteuid() && !(info.st_mode & S_IWOTH);
}

void lam_program_cache_open(struct lam_queue *q, const char *wanted)
{
    const char *base = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    char folder[1000];

    q->cache[0] = '\0';
    if (wanted) {
        snprintf(folder, sizeof(folder), "%s", wanted);
    } else if (strcmp(q->row.platform, "Portable Computing Language") == 0 ||
               strstr(q->row.platform, "NVIDIA")) {
        return;
    } else if (base && base[0]) {
        snprintf(folder, sizeof(folder), "%s/lamina", base);
    } else if (home && home[0]) {
        snprintf(folder, sizeof(folder), "%s/.cache", home);
        mkdir(folder, 0700);
        snprintf(folder, sizeof(folder), "%s/.cache/lamina", home);
    } else {
        return;
    }
    if (make_folder(folder))
        snprintf(q->cache, sizeof(q->cache), "%s", folder);
    else
        lam_log(q->ctx, LAM_LOG_WARNING,
                "%s is no folder of ours: built programs are not kept", folder);
}

static void digest_of(const void *data, size_t size, unsigned char digest[32])
{
    struct lam_sha256 s;

    lam_sha256_init(&s);
    lam_sha256_add(&s, data, size);
    lam_sha256_finish(&s, digest);
}

// The verified binary, to free(), or NULL.
static unsigned char *read_binary(const char *path, const char *key,
                                  size_t *size)
{
    FILE *file = fopen(path, "rb");
    struct stat info;
    struct header header;
    unsigned char digest[32], *data = NULL;
    bool is_good;

    if (!file)
        return NULL;
    is_good = fstat(fileno(file), &info) == 0 && info.st_uid == geteuid() &&
              fread(&header, sizeof(header), 1, file) == 1 &&
              memcmp(header.magic, magic, sizeof(magic)) == 0 &&
              memcmp(header.key, key, LAM_PROGRAM_KEY) == 0 &&
              header.size > 0 &&
              header.size == (uint64_t)info.st_size - sizeof(header);
    if (is_good)
        data = malloc(header.size);
    if (data && fread(data, 1, header.size, file) == header.size) {
        digest_of(data, header.size, digest);
        is_good = memcmp(digest, header.digest, sizeof(digest)) == 0;
    } else {
        is_good = false;
    }
    fclose(file);
    if (!is_good) {
        free(data);
        return NULL;
    }
    *size = header.size;
    return data;
}

bool lam_program_cache_load(struct lam_queue *q, const char *key,
                            const char *options, cl_program *program)
{
    char path[1100];
    size_t size;
    unsigned char *binary;
    cl_int status, error;

    snprintf(path, sizeof(path), "%s/%s", q->cache, key);
    binary = read_binary(path, key, &size);
    *program = NULL;
    if (!binary)
        return false;
    *program = clCreateProgramWithBinary(q->context, 1, &q->device, &size,
                                         (const unsigned char **)&binary,
                                         &status, &error);
    free(binary);
    if (error)
        *program = NULL;
    else
        error = clBuildProgram(*program, 1, &q->device, options, NULL, NULL);
    if (error && *program) {
        clReleaseProgram(*program);
        *program = NULL;
    }
    return *program != NULL;
}

void lam_program_cache_store(struct lam_queue *q, const char *key,
                             cl_program program)
{
    struct header header = {.size = 0};
    char path[1100], temporary[1150];
    size_t size = 0;
    unsigned char *binary = NULL;
    FILE *file = NULL;
    bool is_good = false;

    if (clGetProgramInfo(program, CL_PROGRAM_BINARY_SIZES, sizeof(size), &size,
                         NULL) ||
        size == 0)
        return;
    binary = malloc(size);
    if (!binary || clGetProgramInfo(program, CL_PROGRAM_BINARIES,
                                    sizeof(binary), &binary, NULL))
        goto out;
    memcpy(header.magic, magic, sizeof(magic));
    memcpy(header.key, key, LAM_PROGRAM_KEY);
    header.size = size;
    digest_of(binary, size, header.digest);
    snprintf(path, sizeof(path), "%s/%s", q->cache, key);
    snprintf(temporary, sizeof(temporary), "%s.%ld", path, (long)getpid());
    file = fopen(temporary, "wb");
    if (!file)
        goto out;
    is_good = fwrite(&header, sizeof(header), 1, file) == 1 &&
              fwrite(binary, 1, size, file) == size;
    is_good = fclose(file) == 0 && is_good;
    if (!is_good || rename(temporary, path))
        remove(temporary);
out:
    free(binary);
}
