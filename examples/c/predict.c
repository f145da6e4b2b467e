// predict - how much of an image is foreground, by a trained network:
//
//     predict CHECKPOINT|RUN IMAGE [OUT.pgm]
//
// OUT.pgm: the probabilities, 0 black to 1 white. All of lamina's C interface
// is in lam/lam.h.
#include <lam/lam.h>

#include <stdio.h>

// Of several classes the first is the background.
static float foreground(const struct lam_map *map, size_t pixel)
{
    const size_t n = (size_t)map->height * (size_t)map->width;
    float sum = map->channels == 1 ? map->data[pixel] : 0.0f;

    for (int c = 1; c < map->channels; c++)
        sum += map->data[(size_t)c * n + pixel];
    return sum;
}

static int write_pgm(const char *path, const struct lam_map *map)
{
    const size_t n = (size_t)map->height * (size_t)map->width;
    FILE *file = fopen(path, "wb");

    if (!file)
        return 1;
    fprintf(file, "P5\n%d %d\n65535\n", map->width, map->height);
    for (size_t i = 0; i < n; i++) {
        const int value = (int)(65535.0f * foreground(map, i) + 0.5f);

        fputc(value >> 8, file);
        fputc(value & 255, file);
    }
    return fclose(file) != 0;
}

static void print_log(void *data, enum lam_level level, const char *text)
{
    (void)data;
    if (level == LAM_LOG_WARNING)
        fprintf(stderr, "warning: %s\n", text);
}

int main(int argc, char **argv)
{
    struct lam_context *ctx = lam_context_create();
    struct lam_network *network = NULL;
    struct lam_map map = {0};
    size_t positive = 0;
    int status = 1;

    if (argc < 3 || argc > 4 || !ctx) {
        fprintf(stderr, "usage: predict CHECKPOINT|RUN IMAGE [OUT.pgm]\n");
        goto out;
    }
    lam_context_set_log(ctx, print_log, NULL);
    // Whole images; large ones are better taken in tiles: 512, 32.
    if (lam_network_open(ctx, argv[1], NULL, &network) ||
        lam_network_predict_file(network, argv[2], 0, 0, &map)) {
        fprintf(stderr, "predict: %s\n", lam_error(ctx));
        goto out;
    }
    for (size_t i = 0; i < (size_t)map.height * (size_t)map.width; i++)
        positive +=
            (double)foreground(&map, i) > lam_network_threshold(network);
    printf("%s %d x %d foreground %.4f\n", argv[2], map.width, map.height,
           (double)positive / ((double)map.height * map.width));
    if (argc == 4 && write_pgm(argv[3], &map))
        fprintf(stderr, "predict: %s cannot be written\n", argv[3]);
    else
        status = 0;
out:
    lam_map_free(&map);
    lam_network_close(network);
    lam_context_destroy(ctx);
    return status;
}
