// devices.h - the devices of all drivers, asked for in a child process.
#ifndef LAM_DEVICES_H
#define LAM_DEVICES_H

#include "device.h"

// lam_device_list; *end and the error as apart() gives them.
int devices_ask(struct lam_context *ctx, struct lam_device_row **rows, int *n,
                int *end);
// After a crash: LAM_EDEVICE, with the drivers that do so when asked alone.
int devices_blame(struct lam_context *ctx, int end);
// The folder that names the drivers.
const char *devices_vendors(void);

#endif
