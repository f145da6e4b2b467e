// cache_folder.h - where lamina keeps what it can make again: built programs,
// measured choices.
#ifndef LAM_CACHE_FOLDER_H
#define LAM_CACHE_FOLDER_H

#include <stdbool.h>
#include <stddef.h>

// Makes the folder `wanted`, else $XDG_CACHE_HOME/lamina, else ~/.cache/lamina,
// and in it `part`, unless NULL. path is "" where no place is known. false
// where it is no folder that we alone may write.
bool lam_cache_folder(const char *wanted, const char *part, char *path,
                      size_t size);

#endif
