// cmd.h - the verbs of the program, one file each (cmd_VERB.c), and the options
// they share (options.c).
#ifndef LAM_CMD_H
#define LAM_CMD_H

#include "data.h"
#include "device.h"
#include "registry.h"

// argv[0] is the verb. Results go to stdout, talk to stderr. Returns an enum
// lam_status; lamina.c prints the sentence and turns it into the exit code.
int cmd_bench(struct lam_context *ctx, int argc, char **argv);
int cmd_check(struct lam_context *ctx, int argc, char **argv);
int cmd_checkerboard(struct lam_context *ctx, int argc, char **argv);
int cmd_compare(struct lam_context *ctx, int argc, char **argv);
int cmd_data(struct lam_context *ctx, int argc, char **argv);
int cmd_devices(struct lam_context *ctx, int argc, char **argv);
int cmd_doctor(struct lam_context *ctx, int argc, char **argv);
int cmd_evaluate(struct lam_context *ctx, int argc, char **argv);
int cmd_experiment(struct lam_context *ctx, int argc, char **argv);
int cmd_graph(struct lam_context *ctx, int argc, char **argv);
int cmd_inspect(struct lam_context *ctx, int argc, char **argv);
int cmd_export(struct lam_context *ctx, int argc, char **argv);
int cmd_import(struct lam_context *ctx, int argc, char **argv);
int cmd_layers(struct lam_context *ctx, int argc, char **argv);
int cmd_plugin(struct lam_context *ctx, int argc, char **argv);
int cmd_predict(struct lam_context *ctx, int argc, char **argv);
int cmd_report(struct lam_context *ctx, int argc, char **argv);
int cmd_selftest(struct lam_context *ctx, int argc, char **argv);
int cmd_train(struct lam_context *ctx, int argc, char **argv);
int cmd_tune(struct lam_context *ctx, int argc, char **argv);

// One row of a verb's options; from this table come parsing and --help.
struct option_row {
    const char *name;     // "--device"; NULL ends the table
    const char *argument; // "N" in help; NULL: a flag
    const char *doc;
    // Where it goes: a flag sets *flag to 1, an argument sets *text; with list
    // set, arguments are appended to texts (at most 64) and counted.
    int *flag;
    const char **text;
    const char **texts;
    int *n_texts;
};

// Parses argv[1..]; what is not an option goes to rest (at most max, *n_rest of
// them). -h, wherever it is, prints usage, the rows and the examples to stdout
// and sets *done. The options of every verb (talk.h) are taken as well, unless
// rows have one of their name. LAM_EUSAGE with the nearest option name
// otherwise.
int options_parse(struct lam_context *ctx, int argc, char **argv,
                  const char *usage, const struct option_row *rows,
                  const char **rest, int max, int *n_rest, bool *done);
void options_print_common(void);
// The argument of --split. LAM_EUSAGE.
int options_split(struct lam_context *ctx, const char *text,
                  enum lam_split *split);

#endif
