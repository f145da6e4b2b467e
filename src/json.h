// json.h - writing JSON, what printf cannot do.
#ifndef LAM_JSON_H
#define LAM_JSON_H

#include <stdio.h>

// In quotes, escaped.
void lam_json_text(FILE *out, const char *text);
// null for what is not finite.
void lam_json_number(FILE *out, double value);

#endif
