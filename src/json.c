#include "json.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>

// Bytes of the UTF-8 character there, 0 if it is none (RFC 3629).
static int character(const unsigned char *c)
{
    const int n = c[0] < 0x80                   ? 1
                  : c[0] >= 0xC2 && c[0] < 0xE0 ? 2
                  : c[0] >= 0xE0 && c[0] < 0xF0 ? 3
                  : c[0] >= 0xF0 && c[0] < 0xF5 ? 4
                                                : 0;

    for (int i = 1; i < n; i++)
        if ((c[i] & 0xC0) != 0x80)
            return 0;
    if ((c[0] == 0xE0 && c[1] < 0xA0) || (c[0] == 0xED && c[1] > 0x9F) ||
        (c[0] == 0xF0 && c[1] < 0x90) || (c[0] == 0xF4 && c[1] > 0x8F))
        return 0;
    return n;
}

static void write_text(FILE *out, const char *text)
{
    const unsigned char *c = (const unsigned char *)text;

    fputc('"', out);
    while (*c) {
        const int n = character(c);

        if (*c == '"' || *c == '\\')
            fprintf(out, "\\%c", *c);
        else if (*c < 0x20 || n == 0)
            fprintf(out, "\\u%04x", n ? *c : 0xFFFD);
        else
            fwrite(c, 1, (size_t)n, out);
        c += n ? n : 1;
    }
    fputc('"', out);
}

// The comma and the key before an item. Items of the first two levels start a
// line.
static void start_item(struct lam_json *j, const char *key)
{
    const int at = j->depth - 1;

    if (j->has_item[at])
        fputc(',', j->out);
    if (j->depth <= 2)
        fprintf(j->out, "\n%*s", 2 * j->depth, "");
    else if (j->has_item[at])
        fputc(' ', j->out);
    j->has_item[at] = true;
    if (key) {
        write_text(j->out, key);
        fputs(": ", j->out);
    }
}

static void push(struct lam_json *j, bool is_list)
{
    assert(j->depth < LAM_JSON_DEPTH);
    fputc(is_list ? '[' : '{', j->out);
    j->is_list[j->depth] = is_list;
    j->has_item[j->depth++] = false;
}

void lam_json_begin(struct lam_json *j, FILE *out)
{
    *j = (struct lam_json){.out = out};
    push(j, false);
}

void lam_json_end(struct lam_json *j)
{
    while (j->depth > 0)
        lam_json_close(j);
    fputc('\n', j->out);
}

void lam_json_object(struct lam_json *j, const char *key)
{
    start_item(j, key);
    push(j, false);
}

void lam_json_list(struct lam_json *j, const char *key)
{
    start_item(j, key);
    push(j, true);
}

void lam_json_close(struct lam_json *j)
{
    j->depth--;
    if (j->has_item[j->depth] && j->depth < 2)
        fprintf(j->out, "\n%*s", 2 * j->depth, "");
    fputc(j->is_list[j->depth] ? ']' : '}', j->out);
}

void lam_json_text(struct lam_json *j, const char *key, const char *text)
{
    start_item(j, key);
    if (text)
        write_text(j->out, text);
    else
        fputs("null", j->out);
}

void lam_json_int(struct lam_json *j, const char *key, int64_t value)
{
    start_item(j, key);
    fprintf(j->out, "%" PRId64, value);
}

void lam_json_real(struct lam_json *j, const char *key, double value)
{
    start_item(j, key);
    if (isfinite(value))
        fprintf(j->out, "%.9g", value);
    else
        fputs("null", j->out);
}

void lam_json_bool(struct lam_json *j, const char *key, bool value)
{
    start_item(j, key);
    fputs(value ? "true" : "false", j->out);
}
