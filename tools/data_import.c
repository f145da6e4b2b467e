#include "data_import.h"

#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

static const struct format {
    const char *name;
    int (*import)(struct data_import *import, const char *folder);
} formats[] = {
    {"cbis-ddsm", import_cbis}, {"ddsm", import_ddsm}, {"mias", import_mias}};

int data_import(struct lam_context *ctx, const char *format, const char *folder,
                const char *out, const struct data_changes *changes)
{
    struct data_writer writer;
    struct data_import import = {ctx, &writer, changes, 0};

    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        int err;

        if (strcmp(formats[i].name, format) != 0)
            continue;
        err = data_writer_open(ctx, out, &writer);
        if (!err)
            err = formats[i].import(&import, folder);
        err = data_writer_close(&writer, err);
        if (!err && writer.n == 0)
            err = lam_fail(ctx, LAM_EDATA, "%s holds no image of %s", folder,
                           format);
        if (!err)
            lam_log(ctx, LAM_LOG_INFO,
                    "%d images written to %s, %d cases left out", writer.n, out,
                    import.n_left_out);
        return err;
    }
    return lam_fail(ctx, LAM_EUSAGE,
                    "no format '%s'; there are cbis-ddsm, ddsm and mias",
                    format);
}

void import_leave_out(struct data_import *import, const char *format, ...)
{
    char text[700];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    lam_log(import->ctx, LAM_LOG_WARNING, "left out: %s", text);
    import->n_left_out++;
}

bool import_find(const char *folder, const char *name, char *path)
{
    static const char *const endings[] = {"png", "pgm", "jpg", NULL};
    struct stat info;

    for (int i = 0; endings[i]; i++) {
        snprintf(path, 1200, "%s/%s.%s", folder, name, endings[i]);
        if (stat(path, &info) == 0)
            return true;
    }
    return false;
}
