#include "cmd_plugin.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "template.h"

enum { N_FILES = sizeof(template_files) / sizeof(template_files[0]) };

static bool is_name(const char *name)
{
    static const char *const words[] = {
        "auto",   "break",  "case",   "char",     "const",  "continue",
        "double", "do",     "else",   "enum",     "extern", "float",
        "for",    "global", "goto",   "half",     "if",     "inline",
        "int",    "kernel", "layers", "local",    "long",   "private",
        "real",   "return", "short",  "signed",   "sizeof", "static",
        "struct", "switch", "union",  "unsigned", "void",   "while",
    };
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strcmp(name, words[i]) == 0)
            return false;
    return n <= 40 && name[n] == '\0' && islower((unsigned char)name[0]);
}

// Writes text with each "@name@" (or, in a path, "NAME") replaced.
static void replace(char *dst, size_t size, const char *text, const char *mark,
                    const char *name)
{
    size_t used = 0;
    const char *found;

    for (; (found = strstr(text, mark)) && used < size;
         text = found + strlen(mark))
        used += (size_t)snprintf(dst + used, size - used, "%.*s%s",
                                 (int)(found - text), text, name);
    if (used < size)
        snprintf(dst + used, size - used, "%s", text);
}

static int write_file(struct lam_context *ctx, const char *folder,
                      const struct template_file *from, const char *name)
{
    char part[256], path[4096], text[16384];
    FILE *file;
    int bad;

    replace(part, sizeof(part), from->path, "NAME", name);
    replace(text, sizeof(text), from->text, "@name@", name);
    snprintf(path, sizeof(path), "%s/%s", folder, part);
    for (char *at = path + strlen(folder) + 1; *at; at++)
        if (*at == '/') {
            *at = '\0';
            mkdir(path, 0777);
            *at = '/';
        }
    file = fopen(path, "w");
    if (!file)
        return lam_fail(ctx, LAM_EFILE, "%s cannot be written: %s", path,
                        strerror(errno));
    bad = fputs(text, file) < 0;
    if (fclose(file) || bad)
        return lam_fail(ctx, LAM_EFILE, "%s cannot be written: %s", path,
                        strerror(errno));
    if (from->is_program && chmod(path, 0755))
        return lam_fail(ctx, LAM_EFILE, "%s cannot be made a program", path);
    return LAM_OK;
}

int plugin_new(struct lam_context *ctx, const char *name, const char *out)
{
    const char *folder = out ? out : name;
    struct lam_registry *registry;
    int err = LAM_OK;

    if (!is_name(name))
        return lam_fail(ctx, LAM_EUSAGE,
                        "'%.60s' cannot be the name of a layer: wanted lower "
                        "case letters, digits and _, a letter first, no word "
                        "of C or OpenCL C",
                        name);
    registry = lam_registry_create(ctx);
    if (registry && lam_registry_load_default(registry) == LAM_OK &&
        lam_registry_layer(registry, name))
        err =
            lam_fail(ctx, LAM_EUSAGE, "there is a layer '%s' already, from %s",
                     name, lam_registry_origin(registry, name));
    lam_registry_destroy(registry);
    if (err)
        return err;
    lam_error_clear(ctx); // without lamina's plugins it can be made as well
    if (mkdir(folder, 0777))
        return lam_fail(ctx, LAM_EFILE, "folder %s cannot be made: %s", folder,
                        strerror(errno));
    for (int i = 0; i < N_FILES && !err; i++)
        err = write_file(ctx, folder, &template_files[i], name);
    if (!err)
        printf("%s: %d files; next:\n  cd %s\n  meson setup build && meson "
               "test -C build\n",
               folder, N_FILES, folder);
    return err;
}
