// place.h - where in the program a call comes from, for tests that make it
// fail.
//
// A place is a hash of the call's name and its stack; its end one of the name
// and the innermost functions. They are the same in each run of a build, since
// code is counted from the start of its file. Needs _GNU_SOURCE.
#ifndef LAM_FAULTS_PLACE_H
#define LAM_FAULTS_PLACE_H

#include <dlfcn.h>
#include <execinfo.h>
#include <stdint.h>
#include <string.h>

struct place {
    uint64_t whole, end;
};

static inline uint64_t place_hash(uint64_t hash, const void *data, size_t size)
{
    const unsigned char *bytes = data;

    for (size_t i = 0; i < size; i++)
        hash = (hash ^ bytes[i]) * 0x100000001b3u; // FNV-1a
    return hash;
}

// Left out are functions of the file that `apart` lies in, where it is not
// NULL. The end has n_end functions.
static inline struct place find_place(const char *name, const void *apart,
                                      int n_end)
{
    void *frames[128];
    const int n = backtrace(frames, sizeof(frames) / sizeof(frames[0]));
    uint64_t hash = place_hash(0xcbf29ce484222325u, name, strlen(name));
    struct place place = {hash, hash};
    Dl_info file, left_out = {0};

    if (apart)
        dladdr(apart, &left_out);
    for (int i = 0, n_seen = 0; i < n; i++) {
        uintptr_t offset = (uintptr_t)frames[i];

        if (dladdr(frames[i], &file)) {
            if (file.dli_fbase == left_out.dli_fbase)
                continue;
            hash = place_hash(hash, file.dli_fname, strlen(file.dli_fname));
            offset -= (uintptr_t)file.dli_fbase;
        }
        hash = place_hash(hash, &offset, sizeof(offset));
        if (n_seen++ < n_end)
            place.end = hash;
    }
    place.whole = hash;
    return place;
}

#endif
