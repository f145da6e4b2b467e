// lamina - trains and runs convolutional networks on any OpenCL device.
#include "cmd.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "devices.h"
#include "param.h"
#include "talk.h"

static const struct verb {
    const char *name, *summary;
    int (*run)(struct lam_context *ctx, int argc, char **argv);
} verbs[] = {
    {"train", "train a network from a model file", cmd_train},
    {"predict", "segment images with a trained network", cmd_predict},
    {"evaluate", "measure a trained network on a data set", cmd_evaluate},
    {"checkerboard", "measure the grids that upsampling leaves",
     cmd_checkerboard},
    {"experiment", "train with several changes and seeds, and compare",
     cmd_experiment},
    {"compare", "print what differs between runs", cmd_compare},
    {"report", "write a page about a run", cmd_report},
    {"export", "write a network as ONNX or safetensors", cmd_export},
    {"import", "read a network from an ONNX file", cmd_import},
    {"bench", "measure a training step, inference or a layer", cmd_bench},
    {"tune", "find the fastest kernels for a model", cmd_tune},
    {"check", "check model files, without a device", cmd_check},
    {"inspect", "print a model's layers, shapes, cost, memory", cmd_inspect},
    {"graph", "draw a model", cmd_graph},
    {"layers", "list layers, losses and optimisers", cmd_layers},
    {"devices", "list OpenCL devices", cmd_devices},
    {"doctor", "check drivers, permissions and what devices compute",
     cmd_doctor},
    {"data", "make, check and measure data sets", cmd_data},
    {"plugin", "make, check and list plugins", cmd_plugin},
    {"selftest", "prove every layer on this device", cmd_selftest},
};
enum { N_VERBS = sizeof(verbs) / sizeof(verbs[0]) };

static void print_help(void)
{
    printf("lamina - train and run segmentation networks on OpenCL devices\n\n"
           "usage: lamina VERB [options]\n\n");
    for (int i = 0; i < N_VERBS; i++)
        printf("  %-12s %s\n", verbs[i].name, verbs[i].summary);
    printf("\nlamina VERB -h explains a verb. Every verb takes:\n\n");
    options_print_common();
    printf("\nExit codes: 0 done, 1 failed, 2 bad usage or model, 3 no "
           "device,\n4 out of memory, 5 non-finite values, 6 device lost, "
           "7 checkpoint unreadable,\n130 interrupted.\n");
}

static const struct verb *find(const char *name)
{
    for (int i = 0; i < N_VERBS; i++)
        if (strcmp(name, verbs[i].name) == 0)
            return &verbs[i];
    return NULL;
}

static int fail_unknown(const char *found)
{
    const char *names[N_VERBS + 1] = {NULL};
    const char *near;

    for (int i = 0; i < N_VERBS; i++)
        names[i] = verbs[i].name;
    near = lam_nearest(found, names);
    if (near)
        fprintf(stderr, "lamina: unknown verb '%s' (did you mean '%s'?)\n",
                found, near);
    else
        fprintf(stderr, "lamina: unknown verb '%s'; lamina -h lists them\n",
                found);
    return 2;
}

// What was printed must have arrived; the exit code.
static int flushed(const char *verb, int code)
{
    if (!fflush(stdout) && !ferror(stdout))
        return code;
    talk_error(verb, "cannot write to standard output");
    return code ? code : lam_status_exit(LAM_ERUN);
}

static int run(const struct verb *verb, struct lam_context *ctx, int argc,
               char **argv)
{
    const int status = verb->run(ctx, argc, argv);

    if (status)
        talk_error(verb->name,
                   ctx->error[0] ? ctx->error : lam_status_text(status));
    return flushed(verb->name, lam_status_exit(status));
}

// The driver holds the thread that could clean up.
static void end(const char *sentence)
{
    fprintf(stderr, "lamina: %s\n", sentence);
    _exit(lam_status_exit(LAM_ELOST));
}

int main(int argc, char **argv)
{
    static char help_option[] = "-h";
    static struct lam_context ctx = {.on_hang = end};
    const char *first = argc < 2 ? "" : argv[1];
    const bool is_help = strcmp(first, "-h") == 0 ||
                         strcmp(first, "--help") == 0 ||
                         strcmp(first, "help") == 0;
    const struct verb *verb = find(is_help && argc > 2 ? argv[2] : first);

    talk_start(&ctx);
    devices_guard(&ctx);
    if (strcmp(first, "--version") == 0) {
        printf("lamina " LAM_VERSION " (plugin ABI %u)\n", LAM_ABI_VERSION);
        return flushed(first, 0);
    }
    if (argc < 2 || (is_help && argc == 2)) {
        print_help();
        return flushed("-h", argc < 2 ? 2 : 0);
    }
    if (!verb)
        return fail_unknown(is_help ? argv[2] : first);
    if (is_help) {
        char *words[] = {argv[2], help_option, NULL};

        return run(verb, &ctx, 2, words);
    }
    return run(verb, &ctx, argc - 1, argv + 1);
}
