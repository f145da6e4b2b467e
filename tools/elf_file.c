#include "elf_file.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if UINTPTR_MAX > 0xffffffffu
typedef Elf64_Ehdr elf_header;
typedef Elf64_Shdr elf_section;
typedef Elf64_Sym elf_symbol;
typedef Elf64_Dyn elf_entry;
enum { OWN_CLASS = ELFCLASS64 };
#else
typedef Elf32_Ehdr elf_header;
typedef Elf32_Shdr elf_section;
typedef Elf32_Sym elf_symbol;
typedef Elf32_Dyn elf_entry;
enum { OWN_CLASS = ELFCLASS32 };
#endif

struct view {
    const char *data;
    size_t size;
};

static int read_all(struct lam_context *ctx, const char *path, char **data,
                    size_t *size)
{
    FILE *file = fopen(path, "rb");
    long end = -1;
    bool good;

    *data = NULL;
    if (!file)
        return lam_fail(ctx, LAM_EFILE, "%s: %s", path, strerror(errno));
    if (fseek(file, 0, SEEK_END) == 0)
        end = ftell(file);
    good = end >= 0 && end < 1 << 30;
    if (good) {
        *size = (size_t)end;
        *data = malloc(*size + 1);
        good = *data && fseek(file, 0, SEEK_SET) == 0 &&
               fread(*data, 1, *size, file) == *size;
    }
    fclose(file);
    if (!good) {
        free(*data);
        *data = NULL;
        return lam_fail(ctx, LAM_EFILE, "%s cannot be read", path);
    }
    (*data)[*size] = '\0'; // the last name ends, whatever the file says
    return LAM_OK;
}

// Part i of a table at offset, or false where it lies outside the file.
static bool part(const struct view *v, uint64_t offset, uint64_t i, void *to,
                 size_t size)
{
    if (offset > v->size || i > (v->size - offset) / size)
        return false;
    offset += i * size;
    if (v->size - offset < size)
        return false;
    memcpy(to, v->data + offset, size);
    return true;
}

static const char *name_at(const struct view *v, const elf_section *names,
                           uint64_t at)
{
    if (at >= names->sh_size || names->sh_offset > v->size ||
        at >= v->size - names->sh_offset)
        return NULL;
    return v->data + names->sh_offset + at;
}

static bool add(const char **names, int *n, const char *name)
{
    if (!name || *n == ELF_MAX_NAMES)
        return false;
    names[(*n)++] = name;
    return true;
}

static bool read_symbols(const struct view *v, const elf_section *table,
                         const elf_section *names, struct elf_file *file)
{
    elf_symbol s;

    // The first is empty by definition.
    for (uint64_t i = 1; i < table->sh_size / sizeof(s); i++) {
        const char *name;

        if (!part(v, table->sh_offset, i, &s, sizeof(s)))
            return false;
        name = name_at(v, names, s.st_name);
        if (s.st_shndx == SHN_UNDEF) {
            if (ELF32_ST_BIND(s.st_info) != STB_WEAK &&
                !add(file->open, &file->n_open, name))
                return false;
        } else if (ELF32_ST_BIND(s.st_info) != STB_LOCAL &&
                   s.st_shndx != SHN_ABS &&
                   !add(file->exported, &file->n_exported, name)) {
            return false;
        }
    }
    return true;
}

static bool read_needed(const struct view *v, const elf_section *table,
                        const elf_section *names, struct elf_file *file)
{
    elf_entry e;

    for (uint64_t i = 0; i < table->sh_size / sizeof(e); i++) {
        if (!part(v, table->sh_offset, i, &e, sizeof(e)))
            return false;
        if (e.d_tag == DT_NULL)
            break;
        if (e.d_tag == DT_NEEDED && !add(file->needed, &file->n_needed,
                                         name_at(v, names, e.d_un.d_val)))
            return false;
    }
    return true;
}

static bool read_sections(const struct view *v, const elf_header *header,
                          struct elf_file *file)
{
    bool found = false;

    for (unsigned i = 0; i < header->e_shnum; i++) {
        elf_section s, names;

        if (!part(v, header->e_shoff, i, &s, sizeof(s)))
            return false;
        if (s.sh_type != SHT_DYNSYM && s.sh_type != SHT_DYNAMIC)
            continue;
        if (!part(v, header->e_shoff, s.sh_link, &names, sizeof(names)))
            return false;
        if (!(s.sh_type == SHT_DYNSYM ? read_symbols
                                      : read_needed)(v, &s, &names, file))
            return false;
        found |= s.sh_type == SHT_DYNSYM;
    }
    return found;
}

// What this program itself is built for.
static unsigned own_machine(void)
{
    FILE *file = fopen("/proc/self/exe", "rb");
    elf_header header = {0};
    const bool good = file && fread(&header, sizeof(header), 1, file) == 1;

    if (file)
        fclose(file);
    return good ? header.e_machine : 0;
}

int elf_file_read(struct lam_context *ctx, const char *path,
                  struct elf_file *file)
{
    struct view v = {0};
    elf_header header;
    const unsigned machine = own_machine();
    char *data;
    int err;

    *file = (struct elf_file){0};
    err = read_all(ctx, path, &data, &v.size);
    if (err)
        return err;
    v.data = file->data = data;
    if (!part(&v, 0, 0, &header, sizeof(header)) ||
        memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
        err =
            lam_fail(ctx, LAM_EPLUGIN, "%s is not a shared module (ELF)", path);
    else if (header.e_ident[EI_CLASS] != OWN_CLASS ||
             (machine && header.e_machine != machine))
        err = lam_fail(ctx, LAM_EPLUGIN,
                       "%s is built for another machine (ELF machine %u, class "
                       "%u), wanted %u, %u",
                       path, header.e_machine, header.e_ident[EI_CLASS],
                       machine, OWN_CLASS);
    else if (header.e_type != ET_DYN ||
             header.e_shentsize != sizeof(elf_section) ||
             !read_sections(&v, &header, file))
        err = lam_fail(ctx, LAM_EPLUGIN,
                       "%s is not a whole shared module: no table of symbols "
                       "can be read",
                       path);
    if (err)
        elf_file_close(file);
    return err;
}

void elf_file_close(struct elf_file *file)
{
    free(file->data);
    *file = (struct elf_file){0};
}
