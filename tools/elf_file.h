// elf_file.h - what a shared module exports, leaves open and needs, read from
// its file without running any of it.
#ifndef LAM_ELF_FILE_H
#define LAM_ELF_FILE_H

#include "status.h"

enum { ELF_MAX_NAMES = 512 };

struct elf_file {
    char *data; // the file; all names point into it
    const char *exported[ELF_MAX_NAMES], *open[ELF_MAX_NAMES];
    const char *needed[ELF_MAX_NAMES]; // file names of libraries
    int n_exported, n_open, n_needed;
};

// LAM_EFILE; LAM_EPLUGIN: not a module for this machine, or damaged. Weak names
// that are left open are not counted.
int elf_file_read(struct lam_context *ctx, const char *path,
                  struct elf_file *file);
void elf_file_close(struct elf_file *file);

#endif
