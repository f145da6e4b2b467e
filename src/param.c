#include "param.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_NUMBERS = 8 };

bool lam_parse_int(const char *text, int64_t *value)
{
    const char *digits = text[0] == '-' || text[0] == '+' ? text + 1 : text;
    char *end;

    if (digits[0] < '0' || digits[0] > '9' ||
        (digits[0] == '0' && digits[1] != '\0'))
        return false;
    errno = 0;
    *value = strtoll(text, &end, 10);
    return *end == '\0' && errno == 0;
}

bool lam_parse_real(const char *text, double *value)
{
    char *end;

    // strtod also takes blanks, hexadecimal numbers, infinities and NaN.
    if (text[0] == '\0' || strspn(text, "+-.0123456789eE") != strlen(text))
        return false;
    errno = 0;
    *value = strtod(text, &end);
    return *end == '\0' && isfinite(*value);
}

static int distance_min(int a, int b, int c)
{
    const int least = a < b ? a : b;

    return least < c ? least : c;
}

// Edits between names of at most 63 characters: one that is added, left out or
// another, or two neighbours exchanged ("optimal string alignment").
static int distance(const char *a, const char *b)
{
    const int n = (int)strlen(a), m = (int)strlen(b);
    int rows[3][64];

    if (n > 63 || m > 63)
        return 64;
    for (int i = 0; i <= n; i++) {
        int *row = rows[i % 3];
        const int *above = rows[(i + 2) % 3], *second = rows[(i + 1) % 3];

        for (int j = 0; j <= m; j++) {
            row[j] = i == 0 ? j
                     : j == 0
                         ? i
                         : distance_min(above[j] + 1, row[j - 1] + 1,
                                        above[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
                a[i - 2] == b[j - 1] && second[j - 2] + 1 < row[j])
                row[j] = second[j - 2] + 1;
        }
    }
    return rows[n % 3][m];
}

const char *lam_nearest(const char *name, const char *const *candidates)
{
    const int length = (int)strlen(name);
    int best = length / 3 > 1 ? length / 3 : 1;
    const char *nearest = NULL;

    for (; candidates && *candidates; candidates++) {
        const int d = distance(name, *candidates);

        if (d < best || (d == best && !nearest)) {
            best = d;
            nearest = *candidates;
        }
    }
    return nearest;
}

int lam_settings_split(char *text, struct lam_setting *settings, int max)
{
    char *rest, *word;
    int n = 0;

    for (word = strtok_r(text, " ", &rest); word;
         word = strtok_r(NULL, " ", &rest)) {
        char *equals = strchr(word, '=');

        if (!equals || equals == word || n == max)
            return -1;
        *equals = '\0';
        for (char *c = equals + 1; *c; c++)
            if (*c == ',')
                *c = ' ';
        settings[n++] = (struct lam_setting){.key = word, .value = equals + 1};
    }
    return n;
}

// "file:line:col: conv1: " or "conv1: ".
struct place {
    char text[320];
};

static struct place place_of(const char *owner, const struct lam_setting *s)
{
    struct place place;

    if (s && s->file)
        snprintf(place.text, sizeof(place.text), "%.200s:%d:%d: %.80s", s->file,
                 s->line, s->column, owner);
    else
        snprintf(place.text, sizeof(place.text), "%.80s", owner);
    return place;
}

// Splits at blanks and commas. -1: too many, or one that does not parse.
static int numbers(const char *text, bool whole, double *values)
{
    char copy[256], *rest, *word;
    int n = 0;

    if ((size_t)snprintf(copy, sizeof(copy), "%s", text) >= sizeof(copy))
        return -1;
    for (word = strtok_r(copy, " ,", &rest); word;
         word = strtok_r(NULL, " ,", &rest)) {
        int64_t integer;

        if (n == MAX_NUMBERS)
            return -1;
        if (whole) {
            if (!lam_parse_int(word, &integer) || integer > INT32_MAX ||
                integer < INT32_MIN)
                return -1;
            values[n++] = (double)integer;
        } else if (!lam_parse_real(word, &values[n++])) {
            return -1;
        }
    }
    return n;
}

static const char *kind_text(int kind)
{
    switch (kind) {
    case LAM_PARAM_INT:
        return "a whole number";
    case LAM_PARAM_REAL:
        return "a number";
    case LAM_PARAM_BOOL:
        return "true or false";
    case LAM_PARAM_PAIR:
        return "one or two whole numbers";
    case LAM_PARAM_LIST:
        return "at most 8 whole numbers";
    case LAM_PARAM_REALS:
        return "at most 8 numbers";
    default:
        return "a word";
    }
}

static int set_choice(struct lam_context *ctx, const struct place *place,
                      const struct lam_param *p, int32_t *dst,
                      const char *value)
{
    char known[400] = "";
    const char *near;

    for (int i = 0; p->choices[i]; i++)
        if (strcmp(p->choices[i], value) == 0) {
            *dst = i;
            return LAM_OK;
        }
    for (int i = 0; p->choices[i]; i++) {
        const size_t used = strlen(known);

        snprintf(known + used, sizeof(known) - used, "%s%s", i ? ", " : "",
                 p->choices[i]);
    }
    near = lam_nearest(value, p->choices);
    if (near)
        return lam_fail(ctx, LAM_EMODEL,
                        "%s: %s is '%.60s', wanted one of %s (did you mean "
                        "'%s'?)",
                        place->text, p->name, value, known, near);
    return lam_fail(ctx, LAM_EMODEL, "%s: %s is '%.60s', wanted one of %s",
                    place->text, p->name, value, known);
}

static int check_range(struct lam_context *ctx, const struct place *place,
                       const struct lam_param *p, const double *v, int n)
{
    for (int i = 0; i < n; i++)
        if (p->min != p->max && !(v[i] >= p->min && v[i] <= p->max))
            return lam_fail(ctx, LAM_EMODEL,
                            "%s: %s is %.15g, wanted %.15g to %.15g",
                            place->text, p->name, v[i], p->min, p->max);
    return LAM_OK;
}

static void store(const struct lam_param *p, char *at, const double *v, int n)
{
    struct lam_list *list = (void *)at;
    struct lam_reals *reals = (void *)at;
    int32_t *whole = (void *)at;

    switch (p->kind) {
    case LAM_PARAM_INT:
        *whole = (int32_t)v[0];
        break;
    case LAM_PARAM_REAL:
        memcpy(at, v, sizeof(*v));
        break;
    case LAM_PARAM_PAIR:
        whole[0] = (int32_t)v[0];
        whole[1] = (int32_t)v[n - 1];
        break;
    case LAM_PARAM_LIST:
        *list = (struct lam_list){.n = n};
        for (int i = 0; i < n; i++)
            list->v[i] = (int32_t)v[i];
        break;
    default:
        *reals = (struct lam_reals){.n = n};
        memcpy(reals->v, v, (size_t)n * sizeof(*v));
    }
}

static int set_param(struct lam_context *ctx, const struct place *place,
                     const struct lam_param *p, void *config, const char *value)
{
    char *at = (char *)config + p->offset;
    double v[MAX_NUMBERS] = {0};
    int n, max, err;

    if (p->kind == LAM_PARAM_CHOICE)
        return set_choice(ctx, place, p, (int32_t *)(void *)at, value);
    if (p->kind == LAM_PARAM_TEXT) {
        memcpy(at, &value, sizeof(value));
        return LAM_OK;
    }
    if (p->kind == LAM_PARAM_BOOL) {
        const int32_t is_true = strcmp(value, "true") == 0;

        if (!is_true && strcmp(value, "false") != 0)
            return lam_fail(ctx, LAM_EMODEL,
                            "%s: %s is '%.60s', wanted true or false",
                            place->text, p->name, value);
        memcpy(at, &is_true, sizeof(is_true));
        return LAM_OK;
    }
    max = p->kind == LAM_PARAM_INT || p->kind == LAM_PARAM_REAL ? 1
          : p->kind == LAM_PARAM_PAIR                           ? 2
                                                                : MAX_NUMBERS;
    n = numbers(value, p->kind != LAM_PARAM_REAL && p->kind != LAM_PARAM_REALS,
                v);
    if (n < 0 || n > max || (n == 0 && max < MAX_NUMBERS))
        return lam_fail(ctx, LAM_EMODEL, "%s: %s is '%.60s', wanted %s",
                        place->text, p->name, value, kind_text(p->kind));
    err = check_range(ctx, place, p, v, n);
    if (!err)
        store(p, at, v, n);
    return err;
}

size_t lam_param_bytes(const struct lam_param *p)
{
    switch (p->kind) {
    case LAM_PARAM_REAL:
        return sizeof(double);
    case LAM_PARAM_PAIR:
        return 2 * sizeof(int32_t);
    case LAM_PARAM_LIST:
        return sizeof(struct lam_list);
    case LAM_PARAM_REALS:
        return sizeof(struct lam_reals);
    case LAM_PARAM_TEXT:
        return sizeof(const char *);
    default:
        return sizeof(int32_t);
    }
}

int lam_param_set(struct lam_context *ctx, const char *owner,
                  const struct lam_param *param, void *config,
                  const char *value)
{
    const struct place place = place_of(owner, NULL);

    return set_param(ctx, &place, param, config, value);
}

static const struct lam_param *find(const struct lam_param *table,
                                    const char *name)
{
    for (const struct lam_param *p = table; p && p->name; p++)
        if (strcmp(p->name, name) == 0)
            return p;
    return NULL;
}

static int fail_unknown(struct lam_context *ctx, const char *owner,
                        const struct lam_param *table,
                        const struct lam_setting *s)
{
    const struct place place = place_of(owner, s);
    const char *names[65] = {NULL};
    char known[500] = "";
    const char *near;
    int n = 0;

    for (const struct lam_param *p = table; p && p->name && n < 64; p++) {
        const size_t used = strlen(known);

        snprintf(known + used, sizeof(known) - used, "%s%s", n ? ", " : "",
                 p->name);
        names[n++] = p->name;
    }
    near = lam_nearest(s->key, names);
    if (near)
        return lam_fail(ctx, LAM_EMODEL,
                        "%s: unknown parameter '%.60s' (did you mean '%s'?)",
                        place.text, s->key, near);
    if (n == 0)
        return lam_fail(ctx, LAM_EMODEL,
                        "%s: unknown parameter '%.60s'; it has none",
                        place.text, s->key);
    return lam_fail(ctx, LAM_EMODEL, "%s: unknown parameter '%.60s'; it has %s",
                    place.text, s->key, known);
}

int lam_params_fill(struct lam_context *ctx, const char *owner,
                    const struct lam_param *table, void *config,
                    size_t config_size, const struct lam_setting *settings,
                    int n_settings)
{
    const struct place plain = place_of(owner, NULL);
    int err = LAM_OK;

    memset(config, 0, config_size);
    for (const struct lam_param *p = table; p && p->name && !err; p++)
        if (p->def)
            err = set_param(ctx, &plain, p, config, p->def);
    for (int i = 0; i < n_settings && !err; i++) {
        const struct lam_param *p = find(table, settings[i].key);
        const struct place place = place_of(owner, &settings[i]);

        if (!p)
            return fail_unknown(ctx, owner, table, &settings[i]);
        for (int j = 0; j < i; j++)
            if (strcmp(settings[j].key, settings[i].key) == 0)
                return lam_fail(ctx, LAM_EMODEL,
                                "%s: parameter '%s' is there twice", place.text,
                                p->name);
        err = set_param(ctx, &place, p, config, settings[i].value);
    }
    for (const struct lam_param *p = table; p && p->name && !err; p++) {
        bool is_set = p->def != NULL;

        for (int i = 0; i < n_settings; i++)
            is_set |= strcmp(settings[i].key, p->name) == 0;
        if (!is_set)
            err = lam_fail(ctx, LAM_EMODEL, "%s: parameter '%s' is missing: %s",
                           plain.text, p->name, p->doc ? p->doc : "");
    }
    return err;
}
