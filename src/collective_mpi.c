// Messages by MPI: the module lamina_mpi.so, the one door to mpi.h. It is
// loaded only by processes that mpirun or srun has started, so that lamina
// itself needs no MPI library. MPI is called from one thread.
#include <limits.h>
#include <mpi.h>
#include <stdlib.h>

#include "transport.h"

#if defined(__GNUC__)
__attribute__((visibility("default")))
#endif
extern const struct lam_transport lam_transport;

// Errors come back as codes: a dead peer gets a sentence, not MPI's abort.
static int mpi_open(void **data, struct lam_place *place, const char **error)
{
    MPI_Comm local;
    int provided, *tag_limit, has_limit;

    *data = NULL;
    if (MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided)) {
        *error = "MPI cannot be started";
        return LAM_ERUN;
    }
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    MPI_Comm_rank(MPI_COMM_WORLD, &place->rank);
    MPI_Comm_size(MPI_COMM_WORLD, &place->size);
    MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, place->rank,
                        MPI_INFO_NULL, &local);
    MPI_Comm_rank(local, &place->local_rank);
    MPI_Comm_size(local, &place->local_size);
    MPI_Comm_free(&local);
    MPI_Comm_get_attr(MPI_COMM_WORLD, MPI_TAG_UB, &tag_limit, &has_limit);
    if (provided < MPI_THREAD_FUNNELED || (has_limit && *tag_limit < 32767)) {
        *error = "this MPI takes no calls from a program with threads";
        return LAM_ERUN;
    }
    return LAM_OK;
}

static void *mpi_send(void *data, int to, int tag, const void *src,
                      size_t bytes)
{
    MPI_Request *request = malloc(sizeof(*request));

    (void)data;
    if (request && MPI_Isend(src, (int)bytes, MPI_BYTE, to, tag, MPI_COMM_WORLD,
                             request)) {
        free(request);
        return NULL;
    }
    return request;
}

static void *mpi_receive(void *data, int from, int tag, void *dst, size_t bytes)
{
    MPI_Request *request = malloc(sizeof(*request));

    (void)data;
    if (request && MPI_Irecv(dst, (int)bytes, MPI_BYTE, from, tag,
                             MPI_COMM_WORLD, request)) {
        free(request);
        return NULL;
    }
    return request;
}

static int mpi_test(void *data, void *request)
{
    int done = 0;
    const int err = MPI_Test(request, &done, MPI_STATUS_IGNORE);

    (void)data;
    if (err || done)
        free(request);
    return err ? -1 : done;
}

static void mpi_abort(void *data, int exit_code)
{
    (void)data;
    MPI_Abort(MPI_COMM_WORLD, exit_code);
}

static void mpi_close(void *data)
{
    (void)data;
    MPI_Finalize();
}

const struct lam_transport lam_transport = {
    .version = LAM_TRANSPORT_VERSION,
    .name = "MPI",
    .open = mpi_open,
    .send = mpi_send,
    .receive = mpi_receive,
    .test = mpi_test,
    .abort = mpi_abort,
    .close = mpi_close,
};
