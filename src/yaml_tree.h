// yaml_tree.h - YAML text as a tree with marks; the only door to libyaml. Of
// YAML we take mappings, sequences and scalars: aliases, anchors, tags and
// second documents are errors, duplicate keys too. Scalars stay text.
#ifndef LAM_YAML_TREE_H
#define LAM_YAML_TREE_H

#include <stdio.h>

#include "status.h"

enum lam_yaml_kind { LAM_YAML_SCALAR, LAM_YAML_LIST, LAM_YAML_MAP };

struct lam_yaml {
    enum lam_yaml_kind kind;
    char *text;              // of a scalar
    char *key;               // under which its parent holds it, NULL in a list
    int line, column;        // from 1, of the key where there is one
    struct lam_yaml **items; // of a list or map, in file order
    int n_items;
};

// At most 1 MiB, 64 levels, 100,000 events. name stands for the file in
// messages: "name:line:column: ...". LAM_EMODEL.
int lam_yaml_parse(struct lam_context *ctx, const char *name, const char *text,
                   size_t size, struct lam_yaml **tree);
// Reads the file, then parses. LAM_EFILE when it cannot be read. *text (may be
// NULL) gets the contents, to free().
int lam_yaml_load(struct lam_context *ctx, const char *path,
                  struct lam_yaml **tree);
void lam_yaml_free(struct lam_yaml *tree); // NULL is fine

// Member of a map, NULL if absent (or not a map).
struct lam_yaml *lam_yaml_get(const struct lam_yaml *map, const char *key);
// Text of a scalar member, NULL if absent or no scalar.
const char *lam_yaml_text(const struct lam_yaml *map, const char *key);
struct lam_yaml *lam_yaml_copy(const struct lam_yaml *tree); // NULL: no memory
// Adds item under key (NULL for lists), taking it over; replaces a member of
// the same key. false when out of memory (item is freed).
bool lam_yaml_put(struct lam_yaml *parent, const char *key,
                  struct lam_yaml *item);
struct lam_yaml *lam_yaml_make(enum lam_yaml_kind kind, const char *text);
// The scalar, or a list of scalars joined by blanks, into text. false if it is
// neither or too long.
bool lam_yaml_flat(const struct lam_yaml *node, char *text, size_t size);
void lam_yaml_print(const struct lam_yaml *tree, FILE *out);

#endif
