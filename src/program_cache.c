#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cache_folder.h"
#include "program_cache.h"
#include "sha256.h"

// File: this header, without padding, then the binary.
struct header {
    char magic[8];
    char key[LAM_PROGRAM_KEY - 1];
    unsigned char digest[32];
    uint64_t size;
};

static const char magic[8] = "LAMCL01";

void lam_program_key(const struct lam_queue *q, const char *prelude,
                     const char *source, const char *options,
                     char key[LAM_PROGRAM_KEY])
{
    const char *const parts[] = {magic,          prelude,
                                 source,         options,
                                 q->row.name,    q->row.platform,
                                 q->row.version, q->row.driver,
                                 q->row.vendor,  q->platform_version};
    unsigned char digest[32];
    struct lam_sha256 s;

    lam_sha256_init(&s);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        lam_sha256_add(&s, parts[i], strlen(parts[i]) + 1);
    lam_sha256_finish(&s, digest);
    lam_sha256_hex(digest, key);
}

static bool driver_has_cache(const struct lam_queue *q)
{
    const char *always = getenv("LAM_CACHE_ALWAYS");

    if (always && strcmp(always, "1") == 0)
        return false;
    return strcmp(q->row.platform, "Portable Computing Language") == 0 ||
           strstr(q->row.platform, "NVIDIA");
}

void lam_program_cache_open(struct lam_queue *q, const char *wanted)
{
    char folder[sizeof(q->cache)];

    q->cache[0] = '\0';
    if (driver_has_cache(q))
        return;
    if (lam_cache_folder(wanted, NULL, folder, sizeof(folder)))
        strcpy(q->cache, folder);
    else if (folder[0])
        lam_log(q->ctx, LAM_LOG_WARNING,
                "built programs are not kept: '%s' is no folder that we alone "
                "may write",
                folder);
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
    const int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "rb");
    struct stat info;
    struct header header;
    unsigned char digest[32], *data = NULL;
    bool is_good;

    if (!file) {
        if (fd >= 0)
            close(fd);
        return NULL;
    }
    is_good = fstat(fd, &info) == 0 && S_ISREG(info.st_mode) &&
              info.st_uid == geteuid() &&
              fread(&header, sizeof(header), 1, file) == 1 &&
              memcmp(header.magic, magic, sizeof(magic)) == 0 &&
              memcmp(header.key, key, sizeof(header.key)) == 0 &&
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
    char path[sizeof(q->cache) + LAM_PROGRAM_KEY + 1];
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
    struct header header;
    char path[sizeof(q->cache) + LAM_PROGRAM_KEY + 1];
    char temporary[sizeof(path) + 24];
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
    memcpy(header.key, key, sizeof(header.key));
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
