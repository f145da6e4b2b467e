// memory_json.h - a memory plan as JSON, for the verbs that tell of one.
#ifndef LAM_MEMORY_JSON_H
#define LAM_MEMORY_JSON_H

#include "json.h"
#include "session.h"

void memory_json(struct lam_json *json, const char *key,
                 const struct lam_memory *memory);

#endif
