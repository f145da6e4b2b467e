// doctor.h - what lamina doctor looks at: the machine (doctor_machine.c), then
// each device (cmd_doctor.c).
#ifndef LAM_DOCTOR_H
#define LAM_DOCTOR_H

#include "json.h"
#include "status.h"

enum doctor_state { DOCTOR_OK, DOCTOR_WARNING, DOCTOR_FAILED };

struct doctor {
    struct lam_context *ctx;
    struct lam_json *json; // NULL: lines for people
    int n, n_warnings, n_failed;
};

// One line of the result. advice: what to do, or NULL.
void doctor_say(struct doctor *doctor, enum doctor_state state,
                const char *what, const char *advice, const char *format, ...)
    LAM_PRINTF(5, 6);

// Drivers that are registered and whether their libraries load.
void doctor_drivers(struct doctor *doctor);
// Render nodes of GPUs and whether we may use them.
void doctor_permissions(struct doctor *doctor);
// Cache folder, memory, plugins.
void doctor_machine(struct doctor *doctor);

#endif
