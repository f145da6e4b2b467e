// train_devices.h - training on several devices of this process: one rank, one
// thread a device.
#ifndef LAM_TRAIN_DEVICES_H
#define LAM_TRAIN_DEVICES_H

#include "train.h"

enum { LAM_MAX_TRAIN_DEVICES = 16 };

// Item i of a list "0,1", in item; of equal ones *nth counts those before.
// False past the end.
bool lam_device_item(const char *list, int i, char *item, size_t size,
                     int *nth);

// lam_train, on each item of options->device.
int lam_train_devices(struct lam_context *ctx,
                      const struct lam_train_options *options);

#endif
