#include "elf_file.h"

#include <elf.h>
#include <link.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

// Whether the file has the bytes that a segment is mapped from.
static bool has_segments(FILE *file, const ElfW(Ehdr) * header, long size)
{
    for (int i = 0; i < header->e_phnum; i++) {
        const long at =
            (long)header->e_phoff + (long)i * (long)header->e_phentsize;
        ElfW(Phdr) segment;

        if (fseek(file, at, SEEK_SET) ||
            fread(&segment, sizeof(segment), 1, file) != 1)
            return false;
        if (segment.p_type == PT_LOAD &&
            (segment.p_offset > (size_t)size ||
             segment.p_filesz > (size_t)size - segment.p_offset))
            return false;
    }
    return true;
}

const char *lam_elf_problem(const char *path)
{
    FILE *file = fopen(path, "rb");
    ElfW(Ehdr) header;
    const char *problem = NULL;
    long size;

    if (!file)
        return NULL;
    if (fseek(file, 0, SEEK_END) == 0 && (size = ftell(file)) > 0 &&
        fseek(file, 0, SEEK_SET) == 0 &&
        fread(&header, sizeof(header), 1, file) == 1 &&
        memcmp(header.e_ident, ELFMAG, SELFMAG) == 0 &&
        header.e_ident[EI_CLASS] ==
            (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32) &&
        header.e_phentsize == sizeof(ElfW(Phdr)) &&
        !has_segments(file, &header, size))
        problem = "the file is cut short";
    fclose(file);
    return problem;
}
