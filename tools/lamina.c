// lamina - trains and runs convolutional networks on any OpenCL device.
#include "cmd.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

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
    printf("\nlamina VERB -h explains a verb. Exit codes: 0 done, 1 failed, "
           "2 bad usage or model,\n3 no device, 4 out of memory, 5 non-finite "
           "values, 6 device lost,\n7 checkpoint unreadable, 130 "
           "interrupted.\n");
}

static void print_log(void *data, enum lam_level level, const char *text)
{
    (void)data;
    if (level == LAM_LOG_DEBUG)
        return;
    fprintf(stderr, "%s%s\n", level == LAM_LOG_WARNING ? "warning: " : "",
            text);
}

// The driver holds the thread that could clean up.
static void end(const char *sentence)
{
    fprintf(stderr, "lamina: %s\n", sentence);
    _exit(lam_status_exit(LAM_ELOST));
}

int main(int argc, char **argv)
{
    struct lam_context ctx = {.log = print_log, .on_hang = end};
    int status;

    if (argc < 2 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
        print_help();
        return argc < 2 ? 2 : 0;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("lamina " LAM_VERSION " (plugin ABI %u)\n", LAM_ABI_VERSION);
        return 0;
    }
    for (int i = 0; i < N_VERBS; i++) {
        if (strcmp(argv[1], verbs[i].name) != 0)
            continue;
        status = verbs[i].run(&ctx, argc - 1, argv + 1);
        if (status)
            fprintf(stderr, "lamina %s: %s\n", argv[1],
                    ctx.error[0] ? ctx.error : lam_status_text(status));
        if (fflush(stdout) || ferror(stdout)) {
            fprintf(stderr, "lamina: cannot write to standard output\n");
            return status ? lam_status_exit(status) : 1;
        }
        return lam_status_exit(status);
    }
    fprintf(stderr, "lamina: unknown verb '%s'; lamina -h lists them\n",
            argv[1]);
    return 2;
}
