#include "yaml_tree.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

enum {
    MAX_BYTES = 1 << 20,
    MAX_DEPTH = 64,
    MAX_EVENTS = 100000,
    MAX_KEYS = 1000 // of a mapping; each is compared with all before it
};

struct reader {
    struct lam_context *ctx;
    const char *name;
    yaml_parser_t parser;
    int n_events;
};

void lam_yaml_free(struct lam_yaml *tree)
{
    if (!tree)
        return;
    for (int i = 0; i < tree->n_items; i++)
        lam_yaml_free(tree->items[i]);
    free(tree->items);
    free(tree->text);
    free(tree->key);
    free(tree);
}

struct lam_yaml *lam_yaml_make(enum lam_yaml_kind kind, const char *text)
{
    struct lam_yaml *node = calloc(1, sizeof(*node));

    if (!node)
        return NULL;
    node->kind = kind;
    if (text && !(node->text = strdup(text))) {
        free(node);
        return NULL;
    }
    return node;
}

struct lam_yaml *lam_yaml_get(const struct lam_yaml *map, const char *key)
{
    if (!map || map->kind != LAM_YAML_MAP)
        return NULL;
    for (int i = 0; i < map->n_items; i++)
        if (strcmp(map->items[i]->key, key) == 0)
            return map->items[i];
    return NULL;
}

const char *lam_yaml_text(const struct lam_yaml *map, const char *key)
{
    const struct lam_yaml *node = lam_yaml_get(map, key);

    return node && node->kind == LAM_YAML_SCALAR ? node->text : NULL;
}

bool lam_yaml_put(struct lam_yaml *parent, const char *key,
                  struct lam_yaml *item)
{
    struct lam_yaml **grown;
    // key may be the one that is freed.
    char *copy = key ? strdup(key) : NULL;

    if (!item) {
        free(copy);
        return false;
    }
    free(item->key);
    item->key = copy;
    if (key && !copy) {
        lam_yaml_free(item);
        return false;
    }
    for (int i = 0; key && i < parent->n_items; i++)
        if (parent->items[i]->key && strcmp(parent->items[i]->key, copy) == 0) {
            lam_yaml_free(parent->items[i]);
            parent->items[i] = item;
            return true;
        }
    grown = realloc(parent->items,
                    sizeof(struct lam_yaml *) * (size_t)(parent->n_items + 1));
    if (!grown) {
        lam_yaml_free(item);
        return false;
    }
    parent->items = grown;
    parent->items[parent->n_items++] = item;
    return true;
}

struct lam_yaml *lam_yaml_copy(const struct lam_yaml *tree)
{
    struct lam_yaml *copy = lam_yaml_make(tree->kind, tree->text);

    if (!copy)
        return NULL;
    copy->line = tree->line;
    copy->column = tree->column;
    for (int i = 0; i < tree->n_items; i++) {
        struct lam_yaml *item = lam_yaml_copy(tree->items[i]);

        if (!item || !lam_yaml_put(copy, tree->items[i]->key, item)) {
            lam_yaml_free(copy);
            return NULL;
        }
    }
    return copy;
}

bool lam_yaml_flat(const struct lam_yaml *node, char *text, size_t size)
{
    size_t used = 0;

    text[0] = '\0';
    if (node->kind == LAM_YAML_SCALAR)
        return (size_t)snprintf(text, size, "%s", node->text) < size;
    if (node->kind != LAM_YAML_LIST)
        return false;
    for (int i = 0; i < node->n_items; i++) {
        if (node->items[i]->kind != LAM_YAML_SCALAR)
            return false;
        used += (size_t)snprintf(text + used, size - used, "%s%s", i ? " " : "",
                                 node->items[i]->text);
        if (used >= size)
            return false;
    }
    return true;
}

// Plain where that reads back as the same text.
static void print_scalar(const char *text, FILE *out)
{
    const char *special = ":#{}[],&*!|>'\"%@`\n\t";

    if (text[0] && !strpbrk(text, special) && text[0] != '-' &&
        text[0] != '?' && text[0] != ' ' && text[strlen(text) - 1] != ' ') {
        fputs(text, out);
        return;
    }
    if (text[0] == '-' && text[1] && !strpbrk(text, special) &&
        text[1] != ' ') {
        fputs(text, out);
        return;
    }
    fputc('"', out);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            fputc('\\', out);
        if (*text == '\n')
            fputs("\\n", out);
        else if (*text == '\t')
            fputs("\\t", out);
        else
            fputc(*text, out);
    }
    fputc('"', out);
}

static void print_flow(const struct lam_yaml *node, FILE *out)
{
    if (node->kind == LAM_YAML_SCALAR) {
        print_scalar(node->text, out);
        return;
    }
    fputc(node->kind == LAM_YAML_MAP ? '{' : '[', out);
    for (int i = 0; i < node->n_items; i++) {
        if (i)
            fputs(", ", out);
        if (node->kind == LAM_YAML_MAP) {
            print_scalar(node->items[i]->key, out);
            fputs(": ", out);
        }
        print_flow(node->items[i], out);
    }
    fputc(node->kind == LAM_YAML_MAP ? '}' : ']', out);
}

void lam_yaml_print(const struct lam_yaml *tree, FILE *out)
{
    for (int i = 0; i < tree->n_items; i++) {
        const struct lam_yaml *item = tree->items[i];
        const bool is_rows = item->kind == LAM_YAML_LIST && item->n_items &&
                             item->items[0]->kind == LAM_YAML_MAP;

        print_scalar(item->key, out);
        fputc(':', out);
        if (is_rows) {
            fputc('\n', out);
            for (int k = 0; k < item->n_items; k++) {
                fputs("  - ", out);
                print_flow(item->items[k], out);
                fputc('\n', out);
            }
        } else {
            fputc(' ', out);
            print_flow(item, out);
            fputc('\n', out);
        }
    }
}

static int fail_mark(struct reader *r, const yaml_mark_t *mark,
                     const char *problem)
{
    return lam_fail(r->ctx, LAM_EMODEL, "%s:%zu:%zu: %s", r->name,
                    mark->line + 1, mark->column + 1, problem);
}

static int fail_parser(struct reader *r)
{
    const yaml_parser_t *p = &r->parser;

    if (p->error == YAML_MEMORY_ERROR)
        return lam_fail(r->ctx, LAM_EMEMORY, "out of memory");
    if (p->error == YAML_READER_ERROR)
        return lam_fail(r->ctx, LAM_EMODEL, "%s: byte %zu: %s", r->name,
                        p->problem_offset,
                        p->problem ? p->problem : "not UTF-8 text");
    return fail_mark(r, &p->problem_mark,
                     p->problem ? p->problem : "this is not YAML");
}

static int next(struct reader *r, yaml_event_t *event)
{
    if (++r->n_events > MAX_EVENTS)
        return fail_mark(r, &r->parser.mark, "the file has too many parts");
    return yaml_parser_parse(&r->parser, event) ? LAM_OK : fail_parser(r);
}

static int read_node(struct reader *r, yaml_event_t *event, int depth,
                     struct lam_yaml **node);

static int read_items(struct reader *r, struct lam_yaml *parent, int depth)
{
    const yaml_event_type_t end = parent->kind == LAM_YAML_MAP
                                      ? YAML_MAPPING_END_EVENT
                                      : YAML_SEQUENCE_END_EVENT;

    for (;;) {
        struct lam_yaml *key = NULL, *item = NULL;
        yaml_event_t event;
        int err = next(r, &event);

        if (err)
            return err;
        if (event.type == end) {
            yaml_event_delete(&event);
            return LAM_OK;
        }
        if (parent->kind == LAM_YAML_MAP) {
            const yaml_mark_t mark = event.start_mark;

            err = read_node(r, &event, depth, &key);
            if (!err && key->kind != LAM_YAML_SCALAR)
                err = fail_mark(r, &mark, "a key must be a word");
            if (!err && parent->n_items == MAX_KEYS)
                err = fail_mark(r, &mark, "a mapping of more than 1000 keys");
            if (!err && lam_yaml_get(parent, key->text))
                err = lam_fail(r->ctx, LAM_EMODEL,
                               "%s:%d:%d: key '%.80s' is there twice", r->name,
                               key->line, key->column, key->text);
            if (!err)
                err = next(r, &event);
        }
        if (!err)
            err = read_node(r, &event, depth, &item);
        if (!err && key) {
            item->line = key->line;
            item->column = key->column;
        }
        if (!err && !lam_yaml_put(parent, key ? key->text : NULL, item))
            err = lam_fail(r->ctx, LAM_EMEMORY, "out of memory");
        lam_yaml_free(key);
        if (err)
            return err;
    }
}

// Takes over the event.
static int read_node(struct reader *r, yaml_event_t *event, int depth,
                     struct lam_yaml **node)
{
    const yaml_mark_t mark = event->start_mark;
    const char *problem = NULL;
    int err = LAM_OK;

    *node = NULL;
    if (depth > MAX_DEPTH)
        problem = "this is nested too deeply";
    else if (event->type == YAML_ALIAS_EVENT)
        problem = "aliases (*name) are not taken here: write it out";
    else if (event->type == YAML_SCALAR_EVENT) {
        const yaml_char_t *value = event->data.scalar.value;

        if (event->data.scalar.anchor || event->data.scalar.tag)
            problem = "anchors (&name) and tags (!name) are not taken here";
        else if (strlen((const char *)value) != event->data.scalar.length)
            problem = "this text holds a NUL byte";
        else
            *node = lam_yaml_make(LAM_YAML_SCALAR, (const char *)value);
    } else if (event->type == YAML_SEQUENCE_START_EVENT) {
        if (event->data.sequence_start.anchor || event->data.sequence_start.tag)
            problem = "anchors (&name) and tags (!name) are not taken here";
        else
            *node = lam_yaml_make(LAM_YAML_LIST, NULL);
    } else if (event->type == YAML_MAPPING_START_EVENT) {
        if (event->data.mapping_start.anchor || event->data.mapping_start.tag)
            problem = "anchors (&name) and tags (!name) are not taken here";
        else
            *node = lam_yaml_make(LAM_YAML_MAP, NULL);
    } else {
        problem = "something is missing here";
    }
    yaml_event_delete(event);
    if (problem)
        return fail_mark(r, &mark, problem);
    if (!*node)
        return lam_fail(r->ctx, LAM_EMEMORY, "out of memory");
    (*node)->line = (int)mark.line + 1;
    (*node)->column = (int)mark.column + 1;
    if ((*node)->kind != LAM_YAML_SCALAR)
        err = read_items(r, *node, depth + 1);
    if (err) {
        lam_yaml_free(*node);
        *node = NULL;
    }
    return err;
}

static int read_document(struct reader *r, struct lam_yaml **tree)
{
    yaml_event_t event;
    int err = next(r, &event); // the stream's start

    if (err)
        return err;
    yaml_event_delete(&event);
    err = next(r, &event);
    if (err)
        return err;
    if (event.type == YAML_STREAM_END_EVENT) {
        yaml_event_delete(&event);
        return lam_fail(r->ctx, LAM_EMODEL, "%s:1:1: the file is empty",
                        r->name);
    }
    yaml_event_delete(&event);
    err = next(r, &event);
    if (!err)
        err = read_node(r, &event, 0, tree);
    if (!err)
        err = next(r, &event); // the document's end
    if (err)
        return err;
    yaml_event_delete(&event);
    err = next(r, &event);
    if (err)
        return err;
    if (event.type != YAML_STREAM_END_EVENT)
        err = fail_mark(r, &event.start_mark,
                        "a second document starts here; a file holds one");
    yaml_event_delete(&event);
    return err;
}

int lam_yaml_parse(struct lam_context *ctx, const char *name, const char *text,
                   size_t size, struct lam_yaml **tree)
{
    struct reader r = {.ctx = ctx, .name = name};
    int err;

    *tree = NULL;
    if (size > MAX_BYTES)
        return lam_fail(ctx, LAM_EMODEL,
                        "%s: %zu bytes are too many, at most %d are taken",
                        name, size, MAX_BYTES);
    if (!yaml_parser_initialize(&r.parser))
        return lam_fail(ctx, LAM_EMEMORY, "out of memory");
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, size);
    err = read_document(&r, tree);
    yaml_parser_delete(&r.parser);
    if (!err && (*tree)->kind != LAM_YAML_MAP)
        err = lam_fail(ctx, LAM_EMODEL,
                       "%s:1:1: a mapping was wanted at the top", name);
    if (err) {
        lam_yaml_free(*tree);
        *tree = NULL;
    }
    return err;
}

int lam_yaml_load(struct lam_context *ctx, const char *path,
                  struct lam_yaml **tree)
{
    FILE *file = fopen(path, "rb");
    char *text;
    size_t size;
    int err;

    *tree = NULL;
    if (!file)
        return lam_fail(ctx, LAM_EMODEL, "%s cannot be read", path);
    text = malloc(MAX_BYTES + 1);
    if (!text) {
        fclose(file);
        return lam_fail(ctx, LAM_EMEMORY, "out of memory");
    }
    size = fread(text, 1, MAX_BYTES + 1, file);
    if (ferror(file))
        err = lam_fail(ctx, LAM_EMODEL, "%s cannot be read", path);
    else
        err = lam_yaml_parse(ctx, path, text, size, tree);
    fclose(file);
    free(text);
    return err;
}
