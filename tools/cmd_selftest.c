// lamina selftest - proves every layer, loss and optimiser on a device.
#include "cmd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "param.h"
#include "selftest.h"

static int is_verbose, is_tiny;
static struct lam_json *json; // NULL: lines for people

static void report(const char *name, const char *problem)
{
    if (json && (problem[0] || is_verbose)) {
        lam_json_object(json, NULL);
        lam_json_text(json, "case", name);
        lam_json_text(json, "problem", problem[0] ? problem : NULL);
        lam_json_close(json);
    } else if (json)
        return;
    else if (problem[0])
        printf("FAILED %s\n    %s\n", name, problem);
    else if (is_verbose)
        printf("ok     %s\n", name);
    fflush(stdout);
}

static int run(struct lam_selftest *test, const char *exact, const char *batch,
               const char *files, const char *seed_text)
{
    int64_t n = 0, seed = 1;

    if ((exact && !lam_parse_int(exact, &n)) ||
        (seed_text && !lam_parse_int(seed_text, &seed)))
        return lam_fail(test->ctx, LAM_EUSAGE,
                        "--exact and --seed take whole numbers");
    if (files)
        return lam_selftest_files(test, files);
    if (batch)
        return lam_selftest_batch(test, batch);
    if (exact)
        return lam_selftest_exact(test, (int)n, (uint64_t)seed);
    return lam_selftest_run(test);
}

// A line each: name and calls.
static int write_kernels(struct lam_selftest *test, const char *path)
{
    struct lam_kernel_time *rows;
    const int n = lam_queue_times(test->queue, &rows);
    FILE *file = rows ? fopen(path, "w") : NULL;
    bool ok = file != NULL;

    for (int i = 0; i < n && ok; i++)
        ok = fprintf(file, "%s %ld\n", rows[i].name, rows[i].calls) > 0;
    ok = file && fclose(file) == 0 && ok;
    free(rows);
    return ok ? LAM_OK
              : lam_fail(test->ctx, LAM_EFILE, "%s cannot be written", path);
}

int cmd_selftest(struct lam_context *ctx, int argc, char **argv)
{
    static const char usage[] =
        "lamina selftest [options]\n"
        "Runs what every plugin ships as its proof: samples against a plain C\n"
        "reference, gradients against central differences in double, "
        "adjoints,\n"
        "variants against plain kernels, poison and canaries.\n\n"
        "  lamina selftest --op conv2d\n"
        "  lamina selftest --exact 500      500 made-up shapes, bit-equal\n\n"
        "LAM_GUARD=end or start puts every buffer of a processor against a "
        "page that may\nnot be touched: a kernel that leaves its buffer ends "
        "the program.\n";
    const char *device = NULL, *op = NULL, *only = NULL, *exact = NULL;
    const char *batch = NULL, *seed = NULL, *files = NULL;
    const char *kernels = NULL, *timeout = NULL;
    int is_json = 0;
    const struct option_row rows[] = {
        {"--device", "D", "gpu, cpu, a number or part of a name", NULL, &device,
         NULL, NULL},
        {"--op", "NAME", "only this layer, loss or optimiser", NULL, &op, NULL,
         NULL},
        {"--case", "N", "only this case of it", NULL, &only, NULL, NULL},
        {"--exact", "N", "N made-up shapes, bit-equal on integers", NULL,
         &exact, NULL, NULL},
        {"--batch", "FILE", "shapes of a file, bit-equal on integers", NULL,
         &batch, NULL, NULL},
        {"--cases", "DIR", "cases of a folder, a safetensors file each", NULL,
         &files, NULL, NULL},
        {"--seed", "N", "of the made-up shapes (1)", NULL, &seed, NULL, NULL},
        {"--tiny", NULL, "small samples only, once: for simulators of a device",
         &is_tiny, NULL, NULL, NULL},
        {"--kernels", "FILE", "write which kernels were enqueued", NULL,
         &kernels, NULL, NULL},
        {"--timeout", "S", "give a hung device up after S seconds (300)", NULL,
         &timeout, NULL, NULL},
        {"--verbose", NULL, "name every case (-v)", &is_verbose, NULL, NULL,
         NULL},
        {"--json", NULL, "for programs: the cases that fail, with -v all",
         &is_json, NULL, NULL, NULL},
        {0}};
    struct lam_selftest test = {.ctx = ctx, .only_case = -1, .report = report};
    struct lam_queue_options options = {.poison = true, .canary = true};
    struct lam_registry *registry = NULL;
    struct lam_json document;
    bool done;
    int n_rest, err;

    err = options_parse(ctx, argc, argv, usage, rows, NULL, 0, &n_rest, &done);
    if (err || done)
        return err;
    test.op = op;
    if (only) {
        int64_t n;

        if (!lam_parse_int(only, &n))
            return lam_fail(ctx, LAM_EUSAGE, "--case takes a whole number");
        test.only_case = (int)n;
    }
    if (timeout && (!lam_parse_real(timeout, &options.timeout_s) ||
                    options.timeout_s <= 0))
        return lam_fail(ctx, LAM_EUSAGE,
                        "--timeout is '%s', wanted seconds above 0", timeout);
    options.device = device;
    options.profile = kernels != NULL;
    options.guard = getenv("LAM_GUARD");
    test.is_tiny = is_tiny != 0;
    registry = lam_registry_create(ctx);
    if (!registry)
        return ctx->code;
    err = lam_registry_load_default(registry);
    test.registry = registry;
    if (!err)
        err = lam_queue_open(ctx, &options, &test.queue);
    if (!err)
        err = lam_selftest_open(&test);
    if (is_json) {
        json = &document;
        lam_json_begin(json, stdout);
        lam_json_list(json, "cases");
    }
    if (!err)
        err = run(&test, exact, batch, files, seed);
    if (!err && kernels)
        err = write_kernels(&test, kernels);
    lam_selftest_close(&test);
    lam_queue_close(test.queue);
    lam_registry_destroy(registry);
    if (json) {
        lam_json_close(json);
        lam_json_int(json, "passed", test.passed);
        lam_json_int(json, "failed", test.failed);
        lam_json_int(json, "skipped", test.skipped);
        lam_json_int(json, "gradients", test.n_gradients);
        lam_json_int(json, "adjoints", test.n_adjoints);
        lam_json_int(json, "variants", test.n_variants);
        lam_json_int(json, "halves", test.n_halves);
        lam_json_int(json, "gates", test.n_gates);
        lam_json_int(json, "gaps", test.n_gaps);
        lam_json_text(json, "error", err ? ctx->error : NULL);
        lam_json_end(json);
    }
    if (err)
        return err;
    if (!json) {
        printf("among them %d gradients in double, %d adjoints, %d variants, "
               "%d with halves, %d with gates, %d with gaps\n",
               test.n_gradients, test.n_adjoints, test.n_variants,
               test.n_halves, test.n_gates, test.n_gaps);
        printf("%d passed, %d failed, %d skipped\n", test.passed, test.failed,
               test.skipped);
    }
    if (test.failed)
        return lam_fail(ctx, LAM_ERUN, "%d cases failed", test.failed);
    return test.passed ? LAM_OK : lam_fail(ctx, LAM_ERUN, "no case was run");
}
