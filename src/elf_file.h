// elf_file.h - whether a shared module is whole, before the loader maps it: it
// would end the process with SIGBUS where the file has been cut.
#ifndef LAM_ELF_FILE_H
#define LAM_ELF_FILE_H

// NULL when all its segments lie within the file, or it is no ELF file of this
// machine at all (the loader says so); else what is wrong.
const char *lam_elf_problem(const char *path);

#endif
