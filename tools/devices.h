// devices.h - the devices of all drivers, asked for in a child process.
#ifndef LAM_DEVICES_H
#define LAM_DEVICES_H

#include "device.h"

// lam_device_list; *end and the error as apart() gives them.
int devices_ask(struct lam_context *ctx, struct lam_device_row **rows, int *n,
                int *end);
// After a crash: LAM_EDEVICE, with the drivers that do so when asked alone.
int devices_blame(struct lam_context *ctx, int end);
// For the rest of the program: a driver that crashes while the context looks
// for devices ends it with that sentence and exit code 3.
void devices_guard(const struct lam_context *ctx);
// The folder that names the drivers.
const char *devices_vendors(void);

#endif
