// fuzz.h - what the fuzz targets share. A target is one file with a function
// that takes any bytes: libFuzzer calls it (meson -Dfuzz=true, with clang), or
// replay.c on the files of folders. Broken promises end the program.
#ifndef LAM_FUZZ_H
#define LAM_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// A file in memory that holds the bytes; valid until the next call.
const char *fuzz_file(const uint8_t *data, size_t size);

// A promise of the reader; false is a finding.
static inline void fuzz_holds(int promise)
{
    if (!promise)
        abort();
}

#endif
