#include "talk.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

struct talk talk;

static FILE *file;

// A line of the file has its time, UTC.
static void write_line(const char *before, const char *text)
{
    const time_t now = time(NULL);
    struct tm parts;
    char at[24];

    if (!file || !gmtime_r(&now, &parts))
        return;
    strftime(at, sizeof(at), "%Y-%m-%dT%H:%M:%SZ", &parts);
    fprintf(file, "%s %s%s\n", at, before, text);
}

static void print_log(void *data, enum lam_level level, const char *text)
{
    const char *before = level == LAM_LOG_WARNING ? "warning: " : "";

    (void)data;
    if (level != LAM_LOG_DEBUG || talk.is_verbose)
        write_line(before, text);
    if (level == LAM_LOG_WARNING || (level == LAM_LOG_INFO && !talk.is_quiet) ||
        talk.is_verbose)
        fprintf(stderr, "%s%s\n", before, text);
}

void talk_start(struct lam_context *ctx)
{
    ctx->log = print_log;
}

int talk_open(struct lam_context *ctx)
{
    if (!talk.log_file || file)
        return LAM_OK;
    file = fopen(talk.log_file, "a");
    if (!file)
        return lam_fail(ctx, LAM_EFILE, "log file %s: %s", talk.log_file,
                        strerror(errno));
    setvbuf(file, NULL, _IOLBF, 0);
    return LAM_OK;
}

void talk_error(const char *verb, const char *sentence)
{
    fprintf(stderr, "lamina %s: %s\n", verb, sentence);
    write_line("error: ", sentence);
}

bool talk_shows_progress(void)
{
    return !talk.is_quiet && !talk.no_progress;
}
