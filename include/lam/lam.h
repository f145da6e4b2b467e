// lam/lam.h - lamina in a program of yours: load a trained network, predict.
//
//     struct lam_context *ctx = lam_context_create();
//     struct lam_network *network = NULL;
//     struct lam_map map = {0};
//
//     if (lam_network_open(ctx, "runs/nuclei", NULL, &network) ||
//         lam_network_predict_file(network, "scan.png", 0, 0, &map))
//         fprintf(stderr, "%s\n", lam_error(ctx));
//     // map.data[(c * map.height + y) * map.width + x]
//     lam_map_free(&map);
//     lam_network_close(network);
//     lam_context_destroy(ctx);
//
// Build with `pkg-config --cflags --libs liblamina`.
//
// Conventions
//   - A function that can fail returns LAM_OK (0) or a negative enum lam_status
//     and leaves one sentence for people in the context. Results are empty
//     then, never half filled.
//   - The library never prints and never exits.
//   - A context and all that was made from it belong to one thread at a time.
//     Several contexts may be used by several threads.
//   - `close` and `destroy` take NULL. Networks are closed before their
//     context is destroyed.
//   - Equal files, devices and drivers give equal bits.
#ifndef LAM_LAM_H
#define LAM_LAM_H

#include "lam/plugin.h" // enum lam_status

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define LAM_API __attribute__((visibility("default")))
#else
#define LAM_API
#endif

// "0.1.0", of the library that is running.
LAM_API const char *lam_version(void);
// What a status means, in a few words: "no usable device". Never NULL.
LAM_API const char *lam_status_text(int status);

// ---------------------------------------------------------------- context --

struct lam_context; // holds the error

// NULL when out of memory. Looks for no device and reads no file.
LAM_API struct lam_context *lam_context_create(void);
LAM_API void lam_context_destroy(struct lam_context *ctx);
// The sentence of the last call that failed: what was found, what was wanted.
// "" after a call that did not; "out of memory" of NULL, a context that could
// not be created. Valid until the next call.
LAM_API const char *lam_error(const struct lam_context *ctx);

enum lam_level { LAM_LOG_DEBUG, LAM_LOG_INFO, LAM_LOG_WARNING };

// Where messages go; a context is silent by itself. NULL: nowhere again.
typedef void lam_log_function(void *data, enum lam_level level,
                              const char *text);
LAM_API void lam_context_set_log(struct lam_context *ctx, lam_log_function *log,
                                 void *data);

// ---------------------------------------------------------------- network --

struct lam_network; // a trained network on a device, its kernels built

// path: a checkpoint, or the folder of a run (its best, else its last one).
// device: "gpu", "cpu", a number of `lamina devices`, a part of a name, or NULL
// for the best there is. Plugins are found as `lamina` finds them:
// LAM_PLUGIN_PATH, else the installed folder.
// LAM_ECHECKPOINT, LAM_EMODEL, LAM_EPLUGIN, LAM_EDEVICE, LAM_EMEMORY.
LAM_API int lam_network_open(struct lam_context *ctx, const char *path,
                             const char *device, struct lam_network **network);
LAM_API void lam_network_close(struct lam_network *network);

// The device it runs on. Valid until the network is closed.
LAM_API const char *lam_network_device(const struct lam_network *network);
// Height and width of the crops it was trained on; it predicts other sizes too.
LAM_API void lam_network_size(const struct lam_network *network, int *height,
                              int *width);
// The probability above which validation did best as foreground.
LAM_API double lam_network_threshold(const struct lam_network *network);

// The model's first output at each pixel. One channel: the probability of the
// foreground. Several: those of the classes, background first.
struct lam_map {
    float *data; // [channels, height, width]
    int channels;
    int height, width; // the image's; fewer where the network answers for cells
                       // of it, down to one (a classifier)
};

// pixels: height x width, row-major, 0 black to 1 white. tile 0: the image at
// once; else squares of that side (at least 16) where the image is larger,
// which share `overlap` pixels and are blended linearly: memory stays that of
// one tile. The first image of a size takes longer: kernels are built for it.
// LAM_EUSAGE, LAM_ENONFINITE (a pixel), LAM_ESHAPE, LAM_EMEMORY, LAM_ELOST.
LAM_API int lam_network_predict(struct lam_network *network,
                                const float *pixels, int height, int width,
                                int tile, int overlap, struct lam_map *map);
// The same for an image file (PNG, JPEG, PGM), as `lamina predict` reads it.
// Also LAM_EFILE and LAM_EDATA.
LAM_API int lam_network_predict_file(struct lam_network *network,
                                     const char *path, int tile, int overlap,
                                     struct lam_map *map);
// Gives the map's memory back and empties it.
LAM_API void lam_map_free(struct lam_map *map);

#ifdef __cplusplus
}
#endif

#endif
