// The library's functions where they fail, without a device.
#include "lam/lam.h"

#include <stdio.h>
#include <string.h>

#include "check.h"

static int n_logged;

static void count_log(void *data, enum lam_level level, const char *text)
{
    (void)data;
    (void)level;
    n_logged += text != NULL;
}

int main(void)
{
    struct lam_context *ctx = lam_context_create();
    struct lam_network *network = (struct lam_network *)&n_logged;
    struct lam_map map = {0};

    CHECK(ctx != NULL);
    CHECK_STR(lam_version(), LAM_VERSION);
    CHECK_STR(lam_error(ctx), "");
    CHECK_STR(lam_error(NULL), "out of memory");
    CHECK_STR(lam_status_text(LAM_EDEVICE), "no usable device");
    CHECK_STR(lam_status_text(1), "unknown status");
    lam_context_set_log(ctx, count_log, NULL);

    CHECK_INT(lam_network_open(ctx, NULL, NULL, &network), LAM_EUSAGE);
    CHECK(network == NULL);
    CHECK_STR(lam_error(ctx), "no checkpoint was named");
    CHECK_INT(lam_network_open(ctx, "no/such/file", NULL, &network),
              LAM_ECHECKPOINT);
    CHECK(network == NULL);
    CHECK_HAS(lam_error(ctx), "no/such/file");
    // A folder without a checkpoint, a file that is none.
    CHECK_INT(lam_network_open(ctx, "tests", NULL, &network), LAM_ECHECKPOINT);
    CHECK_INT(lam_network_open(ctx, "README.md", NULL, &network),
              LAM_ECHECKPOINT);

    lam_map_free(&map);
    lam_network_close(NULL);
    lam_context_set_log(ctx, NULL, NULL);
    lam_context_destroy(ctx);
    lam_context_destroy(NULL);
    return check_done();
}
