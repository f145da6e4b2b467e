// installed.h - where the installed files are. The tree may have been moved as
// a whole (DESTDIR, an unpacked package): it is looked for beside the program
// or library that this code is part of, then where it was configured to go.
#ifndef LAM_INSTALLED_H
#define LAM_INSTALLED_H

#include <stdbool.h>
#include <stddef.h>

// The folder of plugins, of this ABI.
const char *lam_installed_plugins(char *path, size_t size);
// Folder i of those that plugins are looked for in: LAM_PLUGIN_PATH, folders
// separated by ':'; an empty one, as in "mine:", is the installed folder.
// Without it the installed folder alone. False past the end.
bool lam_installed_plugin_folder(int i, char *path, size_t size);
// The folder of models and the blocks they share.
const char *lam_installed_models(char *path, size_t size);

// An installed model by its name ("unet", "unet.yaml"), or a file they include
// ("blocks.yaml"); false where there is none. Names with a folder are none.
bool lam_installed_model(const char *name, char *path, size_t size);
// The installed model whose name is nearest to this one; false where none is.
bool lam_installed_nearest(const char *name, char *near, size_t size);

#endif
