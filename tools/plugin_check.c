// lamina plugin check - all that can be found out about a plugin. The parts
// that run it are in a child process.
#define _DEFAULT_SOURCE // MAP_ANONYMOUS
#include "cmd_plugin.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "elf_file.h"
#include "json.h"
#include "plugin_lint.h"
#include "selftest.h"

// Shared by both processes, so that a crash loses no count.
static struct tally {
    int passed, failed, skipped, is_verbose, is_json, code;
    struct lam_json json;
    char last[300]; // what was checked last
} * tally;

static void result(const char *name, const char *problem)
{
    *(problem[0] ? &tally->failed : &tally->passed) += 1;
    snprintf(tally->last, sizeof(tally->last), "%s", name);
    if (tally->is_json && (problem[0] || tally->is_verbose)) {
        lam_json_object(&tally->json, NULL);
        lam_json_text(&tally->json, "check", name);
        lam_json_text(&tally->json, "problem", problem[0] ? problem : NULL);
        lam_json_close(&tally->json);
    } else if (tally->is_json)
        return;
    else if (problem[0])
        printf("FAILED %s\n    %s\n", name, problem);
    else if (tally->is_verbose)
        printf("ok     %s\n", name);
    fflush(stdout);
}

static void list_names(char *text, size_t size, const char *const *names, int n)
{
    size_t used = 0;

    text[0] = '\0';
    for (int i = 0; i < n && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%s",
                                 i ? ", " : "", names[i]);
}

// "lam_fail", "clFinish"; but not "close".
static bool is_ours(const char *symbol)
{
    return strncmp(symbol, "lam_", 4) == 0 ||
           (strncmp(symbol, "cl", 2) == 0 && isupper((unsigned char)symbol[2]));
}

// Of the C library and what a compiler adds by itself.
static bool is_plain(const char *library)
{
    static const char *const plain[] = {"libc.",  "libm.",       "libgcc_s.",
                                        "ld-",    "libc.musl-",  "ld64",
                                        "libdl.", "libpthread.", "linux-vdso"};

    for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
        if (strncmp(library, plain[i], strlen(plain[i])) == 0)
            return true;
    return false;
}

static int check_file(struct lam_context *ctx, const char *path)
{
    struct elf_file *file = calloc(1, sizeof(*file));
    char names[500], problem[700] = "";
    int n = 0, err;

    if (!file)
        return lam_fail(ctx, LAM_EMEMORY, "out of memory");
    err = elf_file_read(ctx, path, file);
    if (err) {
        free(file);
        return err;
    }
    result("a shared module for this machine", "");
    if (file->n_exported != 1 || strcmp(file->exported[0], "lam_plugin") != 0) {
        list_names(names, sizeof(names), file->exported, file->n_exported);
        snprintf(
            problem, sizeof(problem),
            "it exports %s; wanted lam_plugin alone: make all else static, "
            "or build with -fvisibility=hidden",
            names[0] ? names : "nothing");
    }
    result("it exports lam_plugin alone", problem);
    for (int i = 0; i < file->n_open; i++)
        if (is_ours(file->open[i]))
            file->open[n++] = file->open[i];
    list_names(names, sizeof(names), file->open, n);
    snprintf(problem, sizeof(problem),
             n ? "it wants %s; a plugin links to nothing of lamina's nor of "
                 "OpenCL's"
               : "%s",
             n ? names : "");
    result("it wants no symbol of lamina or OpenCL", problem);
    n = 0;
    for (int i = 0; i < file->n_needed; i++)
        if (!is_plain(file->needed[i]))
            file->needed[n++] = file->needed[i];
    list_names(names, sizeof(names), file->needed, n);
    snprintf(problem, sizeof(problem),
             n ? "it needs %s, which users may not have; link to the C library "
                 "alone"
               : "%s",
             n ? names : "");
    result("it needs the C library alone", problem);
    elf_file_close(file);
    free(file);
    return LAM_OK;
}

// Whether the installed plugins would let it in beside them.
static void check_neighbours(const struct lam_plugin *plugin, const char *path)
{
    struct lam_context ctx = {0};
    struct lam_registry *installed = lam_registry_create(&ctx);
    const char *base = strrchr(path, '/');
    char problem[700] = "";

    base = base ? base + 1 : path;
    if (!installed || lam_registry_load_default(installed)) {
        lam_registry_destroy(installed);
        printf("note: not compared with other plugins: %s\n", ctx.error);
        return;
    }
    for (int i = 0; plugin->layers && plugin->layers[i]; i++) {
        const char *name = plugin->layers[i]->name;
        const char *origin = lam_registry_layer(installed, name)
                                 ? lam_registry_origin(installed, name)
                                 : NULL;
        const char *slash = origin ? strrchr(origin, '/') : NULL;

        // An older build of itself is no stranger.
        if (origin && strcmp(slash ? slash + 1 : origin, base) != 0)
            snprintf(problem, sizeof(problem),
                     "layer '%s' is already there, from %.500s: name it "
                     "differently",
                     name, origin);
    }
    lam_registry_destroy(installed);
    result("its names are its own", problem);
}

static int run_selftest(struct lam_context *ctx,
                        const struct lam_registry *registry, const char *device)
{
    struct lam_queue_options options = {
        .device = device, .poison = true, .canary = true};
    struct lam_selftest test = {
        .ctx = ctx, .registry = registry, .only_case = -1, .report = result};
    int err = lam_queue_open(ctx, &options, &test.queue);

    if (!err)
        err = lam_selftest_open(&test);
    if (!err)
        err = lam_selftest_run(&test);
    tally->skipped += test.skipped;
    lam_selftest_close(&test);
    lam_queue_close(test.queue);
    return err;
}

static int check_inside(struct lam_context *ctx, const char *path,
                        const char *device, bool no_device)
{
    struct lam_registry *registry = lam_registry_create(ctx);
    const struct lam_plugin *plugin;
    char absolute[4096];
    int err;

    if (!registry)
        return ctx->code;
    // dlopen would look for a bare name in the system's folders.
    snprintf(absolute, sizeof(absolute), "%s%s", strchr(path, '/') ? "" : "./",
             path);
    err = lam_registry_load_file(registry, absolute);
    if (err) {
        lam_registry_destroy(registry);
        return err;
    }
    result("it loads, with this ABI", "");
    plugin = lam_registry_plugin_at(registry, 0, NULL);
    if (!tally->is_json) {
        printf("plugin %s %s, ABI %u:", plugin->name, plugin->version,
               plugin->abi_version);
        plugin_print(plugin);
    }
    check_neighbours(plugin, path);
    plugin_lint(ctx, plugin, result);
    if (!no_device)
        err = run_selftest(ctx, registry, device);
    else
        tally->skipped++;
    for (int i = 0;
         !err && !tally->is_json && plugin->layers && plugin->layers[i]; i++)
        plugin_hints(plugin->layers[i]);
    lam_registry_destroy(registry);
    return err;
}

// The child prints its own sentence: its context is gone with it.
static int run_child(struct lam_context *ctx, const char *path,
                     const char *device, bool no_device)
{
    char problem[400];
    pid_t child;
    int end = 0;

    fflush(stdout);
    child = fork();
    if (child == 0) {
        const int err = check_inside(ctx, path, device, no_device);

        if (err)
            fprintf(stderr, "lamina plugin: %s\n", ctx->error);
        tally->code = err;
        fflush(stdout);
        // Not exit(): the plugin's code may be broken.
        _exit(0);
    }
    if (child < 0 || waitpid(child, &end, 0) < 0)
        return lam_fail(ctx, LAM_ERUN, "no process can be started");
    if (WIFSIGNALED(end)) {
        snprintf(problem, sizeof(problem), "it crashed (%s) after: %s",
                 strsignal(WTERMSIG(end)), tally->last);
        result("it runs to the end", problem);
    } else if (tally->code) {
        tally->failed++;
    }
    return LAM_OK;
}

// A simulator that watches each access; slow, but it sees what no run shows.
static void print_oclgrind(const char *path)
{
    const char *preload = getenv("LD_PRELOAD");

    if (!preload || !strstr(preload, "oclgrind"))
        printf("hint: oclgrind --data-races lamina plugin check %s\n"
               "      finds races and accesses outside buffers (Debian: "
               "oclgrind)\n",
               path);
}

int plugin_check(struct lam_context *ctx, const char *path, const char *device,
                 bool no_device, bool is_verbose, bool is_json)
{
    int err;

    tally = mmap(NULL, sizeof(*tally), PROT_READ | PROT_WRITE,
                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (tally == MAP_FAILED)
        return lam_fail(ctx, LAM_EMEMORY, "out of memory");
    tally->is_verbose = is_verbose;
    tally->is_json = is_json;
    if (is_json) {
        lam_json_begin(&tally->json, stdout);
        lam_json_list(&tally->json, "checks");
        fflush(stdout);
    }
    err = check_file(ctx, path);
    if (!err)
        err = run_child(ctx, path, device, no_device);
    if (is_json) {
        lam_json_close(&tally->json);
        lam_json_int(&tally->json, "passed", tally->passed);
        lam_json_int(&tally->json, "failed", tally->failed);
        lam_json_int(&tally->json, "skipped", tally->skipped);
        lam_json_text(&tally->json, "error", err ? ctx->error : NULL);
        lam_json_end(&tally->json);
    }
    if (err)
        return err;
    if (!is_json) {
        if (!tally->failed)
            print_oclgrind(path);
        printf("%d passed, %d failed, %d skipped\n", tally->passed,
               tally->failed, tally->skipped);
    }
    if (!tally->failed)
        return LAM_OK;
    return tally->code
               ? lam_fail(ctx, tally->code, "the check did not end")
               : lam_fail(ctx, LAM_EPLUGIN, "%d checks failed", tally->failed);
}
