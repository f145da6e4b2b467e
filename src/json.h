// json.h - writing JSON: a document is one object that may hold others and
// lists.
#ifndef LAM_JSON_H
#define LAM_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { LAM_JSON_DEPTH = 8 };

struct lam_json {
    FILE *out;
    int depth; // what is open, the document's object included
    bool is_list[LAM_JSON_DEPTH], has_item[LAM_JSON_DEPTH];
};

void lam_json_begin(struct lam_json *json, FILE *out);
// Closes all that is open; a newline follows.
void lam_json_end(struct lam_json *json);

// The key of what comes is NULL in a list. What is opened is closed by
// lam_json_close.
void lam_json_object(struct lam_json *json, const char *key);
void lam_json_list(struct lam_json *json, const char *key);
void lam_json_close(struct lam_json *json);

// Bytes that are no UTF-8 become U+FFFD; NULL is null.
void lam_json_text(struct lam_json *json, const char *key, const char *text);
void lam_json_int(struct lam_json *json, const char *key, int64_t value);
// null for what is not finite.
void lam_json_real(struct lam_json *json, const char *key, double value);
void lam_json_bool(struct lam_json *json, const char *key, bool value);

#endif
