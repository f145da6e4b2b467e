#include "status.h"

#include <stdarg.h>
#include <stdio.h>

int(lam_fail)(struct lam_context *ctx, int code, const char *format, ...)
{
    if (!ctx->code) {
        va_list args;

        va_start(args, format);
        vsnprintf(ctx->error, sizeof(ctx->error), format, args);
        va_end(args);
        ctx->code = code;
    }
    return code;
}

void lam_error_clear(struct lam_context *ctx)
{
    ctx->code = LAM_OK;
    ctx->error[0] = '\0';
}

void lam_log(struct lam_context *ctx, enum lam_level level, const char *format,
             ...)
{
    char text[1024];
    va_list args;

    if (!ctx->log)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    ctx->log(ctx->log_data, level, text);
}

const char *lam_status_text(int status)
{
#define STATUS_TEXT(name, value, code, text)                                   \
    case name:                                                                 \
        return text;
    switch (status) {
        LAM_STATUS_LIST(STATUS_TEXT)
    default:
        return "unknown status";
    }
#undef STATUS_TEXT
}

int lam_status_exit(int status)
{
#define STATUS_EXIT(name, value, code, text)                                   \
    case name:                                                                 \
        return code;
    switch (status) {
        LAM_STATUS_LIST(STATUS_EXIT) // NOLINT(bugprone-branch-clone)
    default:
        return 1;
    }
#undef STATUS_EXIT
}
