#include "tfevents.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "file.h"
#include "protobuf.h"

// Fields of Event, Summary, Summary.Value and SessionLog.
enum {
    EVENT_WALL_TIME = 1,
    EVENT_STEP = 2,
    EVENT_FILE_VERSION = 3,
    EVENT_SUMMARY = 5,
    EVENT_SESSION_LOG = 7,
    SUMMARY_VALUE = 1,
    VALUE_TAG = 1,
    VALUE_SIMPLE = 2,
    SESSION_LOG_STATUS = 1,
    STATUS_START = 1
};

// CRC-32C (Castagnoli, reflected), turned by 15 bits and shifted as TFRecord
// does, so that a sum over sums is not regular.
static uint32_t masked_crc(const unsigned char *data, size_t size)
{
    uint32_t crc = 0xFFFFFFFFu;

    for (size_t i = 0; i < size; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0x82F63B78u : 0);
    }
    crc = ~crc;
    return (crc >> 15 | crc << 17) + 0xA282EAD8u;
}

static void write_number(FILE *file, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        fputc((int)(value >> 8 * i & 0xFF), file);
}

// Adds the record: its length, the sum of that, the event, the sum of it.
static int add_record(struct lam_context *ctx, const char *path,
                      const char *mode, struct lam_pb_writer *event)
{
    unsigned char length[8];
    FILE *file = event->has_failed ? NULL : fopen(path, mode);

    if (!file) {
        free(event->data);
        return event->has_failed
                   ? lam_fail(ctx, LAM_EMEMORY, "out of memory")
                   : lam_fail(ctx, LAM_EFILE, "%s cannot be written", path);
    }
    for (int i = 0; i < 8; i++)
        length[i] = (unsigned char)((uint64_t)event->size >> 8 * i);
    fwrite(length, 1, sizeof(length), file);
    write_number(file, masked_crc(length, sizeof(length)), 4);
    fwrite(event->data, 1, event->size, file);
    write_number(file, masked_crc(event->data, event->size), 4);
    free(event->data);
    return lam_file_close(ctx, file, path);
}

static struct lam_pb_writer start_event(int64_t step)
{
    struct lam_pb_writer event = {0};

    lam_pb_put_double(&event, EVENT_WALL_TIME, (double)time(NULL));
    lam_pb_put_int(&event, EVENT_STEP, step);
    return event;
}

int lam_tfevents_create(struct lam_context *ctx, const char *path)
{
    struct lam_pb_writer event = start_event(0);

    lam_pb_put_text(&event, EVENT_FILE_VERSION, "brain.Event:2");
    return add_record(ctx, path, "wb", &event);
}

int lam_tfevents_restart(struct lam_context *ctx, const char *path,
                         int64_t step)
{
    struct lam_pb_writer event = start_event(step), log = {0};

    lam_pb_put_int(&log, SESSION_LOG_STATUS, STATUS_START);
    lam_pb_put_message(&event, EVENT_SESSION_LOG, &log);
    return add_record(ctx, path, "ab", &event);
}

int lam_tfevents_add(struct lam_context *ctx, const char *path, int64_t step,
                     const struct lam_scalar *scalars, int n)
{
    struct lam_pb_writer event = start_event(step), summary = {0};

    for (int i = 0; i < n; i++) {
        struct lam_pb_writer value = {0};

        if (!isfinite(scalars[i].value))
            continue;
        lam_pb_put_text(&value, VALUE_TAG, scalars[i].name);
        lam_pb_put_float(&value, VALUE_SIMPLE, (float)scalars[i].value);
        lam_pb_put_message(&summary, SUMMARY_VALUE, &value);
    }
    lam_pb_put_message(&event, EVENT_SUMMARY, &summary);
    return add_record(ctx, path, "ab", &event);
}
