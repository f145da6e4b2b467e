// Gives a fuzz target every file of folders: replay FOLDER... An input that
// takes more than a second of processor time is a failure, like a crash.
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "fuzz.h"

static int n_inputs;

static int is_slow(const char *path)
{
    static unsigned char bytes[1 << 24];
    FILE *file = fopen(path, "rb");
    const size_t size = file ? fread(bytes, 1, sizeof(bytes), file) : 0;
    const clock_t start = clock();
    double seconds;
    // Of its own, so that reading behind it is seen.
    uint8_t *exact = malloc(size ? size : 1);

    fuzz_holds(file && exact && fclose(file) == 0);
    memcpy(exact, bytes, size);
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
    n_inputs++;
    seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
    if (seconds > 1.0)
        printf("%s took %.1f s\n", path, seconds);
    return seconds > 1.0;
}

int main(int argc, char **argv)
{
    int n_slow = 0;

    for (int i = 1; i < argc; i++) {
        DIR *folder = opendir(argv[i]);
        struct dirent *entry;

        while (folder && (entry = readdir(folder))) {
            char path[1024];

            snprintf(path, sizeof(path), "%s/%s", argv[i], entry->d_name);
            if (entry->d_name[0] != '.')
                n_slow += is_slow(path);
        }
        if (folder)
            closedir(folder);
    }
    printf("%d inputs\n", n_inputs);
    return n_slow > 0 || n_inputs == 0;
}
