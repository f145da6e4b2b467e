// lamina check - checks model files without a device.
#include <inttypes.h>
#include <stdio.h>

#include "blueprint.h"
#include "cmd.h"
#include "json.h"

static int check(struct lam_context *ctx, const char *path,
                 const char *const *sets, int n_sets, struct lam_json *json)
{
    struct blueprint b;
    const int err = blueprint_open(ctx, path, sets, n_sets, 2, &b);

    if (!err && json) {
        lam_json_object(json, NULL);
        lam_json_text(json, "file", path);
        lam_json_text(json, "model", lam_model_name(b.model));
        lam_json_int(json, "layers", b.graph->n_nodes);
        lam_json_int(json, "parameters", lam_graph_parameters(b.graph, false));
        lam_json_close(json);
    } else if (!err)
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
    int n_sets = 0, n_files, is_json = 0, err;
    struct lam_json json;
    const struct option_row rows[] = {
        {"--set", "NAME.KEY=VALUE", "override, may be repeated", NULL, NULL,
         sets, &n_sets},
        {"--json", NULL, "for programs", &is_json, NULL, NULL, NULL},
        {0}};
    bool done;

    err =
        options_parse(ctx, argc, argv, usage, rows, files, 64, &n_files, &done);
    if (err || done)
        return err;
    if (n_files == 0)
        return lam_fail(ctx, LAM_EUSAGE, "no model file was given");
    if (is_json) {
        lam_json_begin(&json, stdout);
        lam_json_list(&json, "models");
    }
    for (int i = 0; i < n_files && !err; i++)
        err = check(ctx, files[i], sets, n_sets, is_json ? &json : NULL);
    if (is_json) {
        lam_json_close(&json);
        lam_json_text(&json, "error", err ? ctx->error : NULL);
        lam_json_end(&json);
    }
    return err;
}
