// lamina check - checks model files without a device.
#include <inttypes.h>
#include <stdio.h>

#include "blueprint.h"
#include "cmd.h"

static int check(struct lam_context *ctx, const char *path,
                 const char *const *sets, int n_sets)
{
    struct blueprint b;
    const int err = blueprint_open(ctx, path, sets, n_sets, 2, &b);

    if (!err)
        printf("ok: %s: %d layers, %" PRId64 " parameters\n",
               lam_model_name(b.model), b.graph->n_nodes,
               lam_graph_parameters(b.graph, false));
    blueprint_close(&b);
    return err;
}

int cmd_check(struct lam_context *ctx, int argc, char **argv)
{
    static const char usage[] =
        "lamina check MODEL.yaml... [--set NAME.KEY=VALUE]\n"
        "Reads model files, infers all shapes, needs no device. Exit code 2 at "
        "the first\nfault, with file:line:column.\n";
    const char *sets[64], *files[64];
    int n_sets = 0, n_files, err;
    const struct option_row rows[] = {{"--set", "NAME.KEY=VALUE",
                                       "override, may be repeated", NULL, NULL,
                                       sets, &n_sets},
                                      {0}};
    bool done;

    err =
        options_parse(ctx, argc, argv, usage, rows, files, 64, &n_files, &done);
    if (err || done)
        return err;
    if (n_files == 0)
        return lam_fail(ctx, LAM_EUSAGE, "no model file was given");
    for (int i = 0; i < n_files && !err; i++)
        err = check(ctx, files[i], sets, n_sets);
    return err;
}
