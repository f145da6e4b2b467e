// The cache of built programs: hits, and damage of every kind, which must end
// in a clean build.
#include "program_cache.h"
#include "check.h"
#include "sha256.h"

#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static struct lam_context ctx;
static char folder[] = "/tmp/lamina-cache-XXXXXX";

static const char source[] = "kernel void set(global int *x)\n"
                             "{\n"
                             "    x[0] = VALUE;\n"
                             "}\n";

static void check_sha256(void)
{
    static const struct {
        const char *text, *hex;
        int repeat;
    } rows[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
         1},
        {"abc",
         "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", 1},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1", 1},
        {"aaaaaaaaaa",
         "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
         100000},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct lam_sha256 s;
        unsigned char digest[32];
        char hex[65];

        lam_sha256_init(&s);
        for (int r = 0; r < rows[i].repeat; r++)
            lam_sha256_add(&s, rows[i].text, strlen(rows[i].text));
        lam_sha256_finish(&s, digest);
        lam_sha256_hex(digest, hex);
        CHECK_STR(hex, rows[i].hex);
    }
}

// Builds (or finds) the kernel and runs it. -1 when that fails.
static int run(const char *options, int *hits)
{
    const struct lam_queue_options open = {.cache = folder};
    const size_t one[3] = {1, 1, 1};
    struct lam_tensor x = {.shape = {.dtype = LAM_I32, .rank = 1, .dim = {1}}};
    struct lam_kernel *kernel;
    struct lam_buffer *buffer = NULL;
    struct lam_queue *q = NULL;
    int value = -1, programs;
    double seconds;

    if (lam_queue_open(&ctx, &open, &q) == 0 &&
        lam_buffer_create(q, sizeof(value), &buffer) == 0 &&
        lam_queue_kernel(q, LAM_F32, source, "set", options, &kernel) == 0) {
        struct lam_arg args[] = {LAM_ARG_TENSOR(&x)};

        x.buffer = buffer;
        if (lam_queue_launch(q, kernel, args, 1, one, NULL) ||
            lam_buffer_read(buffer, 0, sizeof(value), &value))
            value = -1;
        lam_queue_built(q, &programs, hits, &seconds);
    }
    lam_buffer_destroy(buffer);
    lam_queue_close(q);
    return value;
}

// Paths of the cached files, at most two; returns how many there are.
static int list(char paths[2][300])
{
    DIR *dir = opendir(folder);
    int n = 0;

    for (struct dirent *e = dir ? readdir(dir) : NULL; e; e = readdir(dir))
        if (e->d_name[0] != '.' && n++ < 2)
            snprintf(paths[n - 1], 300, "%s/%.255s", folder, e->d_name);
    if (dir)
        closedir(dir);
    return n;
}

static char *read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    char *data = calloc(1, 1 << 20);

    *size = file && data ? fread(data, 1, 1 << 20, file) : 0;
    if (file)
        fclose(file);
    return data;
}

static void write_file(const char *path, const char *data, size_t size)
{
    FILE *file = fopen(path, "wb");

    CHECK(file && fwrite(data, 1, size, file) == size);
    if (file)
        fclose(file);
}

// Right numbers, from a program built anew.
static bool heals(void)
{
    int hits = -1;

    return run("-DVALUE=1", &hits) == 1 && hits == 0;
}

// Whether the driver would be given this file.
static bool loads(struct lam_queue *q, const char *path)
{
    cl_program program = NULL;
    const bool is_loaded = lam_program_cache_load(
        q, strrchr(path, '/') + 1, "-cl-std=CL1.2 -DVALUE=1", &program);

    if (program)
        clReleaseProgram(program);
    return is_loaded;
}

// paths[0] is the file of VALUE=1.
static void check_damage(char paths[2][300])
{
    const struct lam_queue_options open = {.cache = folder};
    struct lam_queue *q = NULL;
    size_t sizes[2];
    char *data[2] = {read_file(paths[0], &sizes[0]),
                     read_file(paths[1], &sizes[1])};
    int hits = 0, n_loaded = 0, n_healed = 0;

    CHECK(data[0] && data[1] && sizes[0] > 100 && sizes[1] > 100);
    if (!data[0] || !data[1]) {
        free(data[0]);
        free(data[1]);
        return;
    }
    CHECK_INT(lam_queue_open(&ctx, &open, &q), LAM_OK);
    CHECK(loads(q, paths[0]));
    // One bit of each of the first bytes, the header, and of 100 others.
    for (int i = 0; i < 250; i++) {
        const size_t at =
            i < 150 ? (size_t)i : sizes[0] * (size_t)(i - 150) / 100;

        data[0][at] = (char)(data[0][at] ^ 1 << i % 8);
        write_file(paths[0], data[0], sizes[0]);
        n_loaded += loads(q, paths[0]);
        n_healed += i >= 150 && heals();
        data[0][at] = (char)(data[0][at] ^ 1 << i % 8);
    }
    CHECK_INT(n_loaded, 0);
    CHECK_INT(n_healed, 100);
    for (int i = 0; i < 100; i++) {
        write_file(paths[0], data[0], sizes[0] * (size_t)i / 100);
        n_loaded += loads(q, paths[0]);
        n_healed += i % 50 == 0 && heals(); // emptied, halved
    }
    CHECK_INT(n_loaded, 0);
    CHECK_INT(n_healed, 102);
    write_file(paths[0], data[1], sizes[1]);
    CHECK(!loads(q, paths[0]));
    write_file(paths[1], data[0], sizes[0]);
    lam_queue_close(q);

    // Swapped: the right numbers, built anew, and found the next time.
    CHECK_INT(run("-DVALUE=1", &hits), 1);
    CHECK_INT(hits, 0);
    CHECK_INT(run("-DVALUE=2", &hits), 2);
    CHECK_INT(hits, 0);
    CHECK_INT(run("-DVALUE=1", &hits), 1);
    CHECK_INT(hits, 1);
    free(data[0]);
    free(data[1]);
}

static void check_owner(const char *path)
{
    const struct lam_queue_options open = {.cache = folder};
    struct lam_queue *q = NULL;
    char moved[320];

    CHECK_INT(lam_queue_open(&ctx, &open, &q), LAM_OK);
    CHECK(loads(q, path));
    if (geteuid() == 0) {
        CHECK(chown(path, 1, 1) == 0);
        CHECK(!loads(q, path));
        CHECK(chown(path, 0, 0) == 0);
    }
    snprintf(moved, sizeof(moved), "%s.moved", path);
    CHECK(rename(path, moved) == 0 && symlink(moved, path) == 0);
    CHECK(!loads(q, path));
    CHECK(unlink(path) == 0 && rename(moved, path) == 0);
    CHECK(loads(q, path));
    lam_queue_close(q);

    CHECK(chmod(folder, 0777) == 0);
    CHECK_INT(lam_queue_open(&ctx, &open, &q), LAM_OK);
    CHECK_STR(q->cache, "");
    lam_queue_close(q);
    CHECK(chmod(folder, 0700) == 0);
}

static void check_off(void)
{
    const struct lam_queue_options open = {.cache = folder};
    struct lam_queue *q = NULL;

    CHECK(unsetenv("LAM_CACHE_ALWAYS") == 0);
    CHECK_INT(lam_queue_open(&ctx, &open, &q), LAM_OK);
    if (strcmp(q->row.platform, "Portable Computing Language") == 0)
        CHECK_STR(q->cache, "");
    lam_queue_close(q);
}

int main(void)
{
    char paths[2][300], first[300];
    struct lam_device_row *rows = NULL;
    int hits = -1, n;

    check_sha256();
    if (lam_device_list(&ctx, &rows, &n)) {
        printf("%s\n", ctx.error);
        return 77;
    }
    free(rows);
    CHECK(mkdtemp(folder) != NULL);
    setenv("LAM_CACHE_ALWAYS", "1", 1);
    CHECK_INT(run("-DVALUE=1", &hits), 1);
    CHECK_INT(hits, 0);
    CHECK_INT(run("-DVALUE=1", &hits), 1);
    CHECK_INT(hits, 1);
    CHECK_INT(list(paths), 1);
    strcpy(first, paths[0]);
    CHECK_INT(run("-DVALUE=2", &hits), 2);
    CHECK_INT(hits, 0);
    CHECK_INT(list(paths), 2);
    if (strcmp(paths[0], first) != 0) {
        strcpy(paths[1], paths[0]);
        strcpy(paths[0], first);
    }
    check_damage(paths);
    CHECK_INT(list(paths), 2);
    check_owner(paths[0]);
    check_off();
    CHECK_STR(ctx.error, "");
    unlink(paths[0]);
    unlink(paths[1]);
    CHECK(rmdir(folder) == 0);
    return check_done();
}
