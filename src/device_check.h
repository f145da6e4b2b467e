// device_check.h - does a device compute what the host computes? Drivers have
// been seen with a wrong exp and with wrong matrix products; lamina doctor
// prints this, and the first use on a device asks for it.
#ifndef LAM_DEVICE_CHECK_H
#define LAM_DEVICE_CHECK_H

#include "device.h"

enum lam_verdict { LAM_CHECK_OK, LAM_CHECK_LOOSE, LAM_CHECK_WRONG };

struct lam_device_check {
    char name[32];
    enum lam_verdict verdict;
    // Largest error in units in the last place of the right result, and what
    // the OpenCL specification (1.2, table 7.2) allows. For products of
    // matrices of small integers: how many elements differ, of none.
    double error, limit;
};

enum { LAM_DEVICE_CHECKS = 13 };

// LOOSE: above what the specification allows, WRONG: above 16 times that, or
// not exact where it must be. An error status only if the device gave none.
int lam_device_check(struct lam_queue *queue,
                     struct lam_device_check rows[LAM_DEVICE_CHECKS]);

// The same once per device, driver and version of lamina; it is noted in the
// cache folder. LAM_EDEVICE names what is wrong.
int lam_device_check_once(struct lam_queue *queue);

#endif
