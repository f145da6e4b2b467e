// Messages between threads of one process: a message is copied by the thread
// that receives it.
#include "collective_threads.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct message {
    int from, to, tag;
    const void *src; // of a send
    void *dst;       // of a receive
    size_t bytes;
    bool is_done;
    struct message *next;
};

struct lam_thread_group {
    pthread_mutex_t lock;
    struct message *sends; // not yet received, oldest first
    bool is_aborted;
    int size;
};

struct member {
    struct lam_thread_group *group;
    int rank;
};

static struct message *message_make(const struct member *m)
{
    struct message *made = calloc(1, sizeof(*made));

    if (made)
        made->from = made->to = m->rank;
    return made;
}

static void *threads_send(void *data, int to, int tag, const void *src,
                          size_t bytes)
{
    struct member *m = data;
    struct message *made = message_make(m), **at = &m->group->sends;

    if (!made)
        return NULL;
    made->to = to;
    made->tag = tag;
    made->src = src;
    made->bytes = bytes;
    pthread_mutex_lock(&m->group->lock);
    while (*at)
        at = &(*at)->next;
    *at = made;
    pthread_mutex_unlock(&m->group->lock);
    return made;
}

static void *threads_receive(void *data, int from, int tag, void *dst,
                             size_t bytes)
{
    struct message *made = message_make(data);

    if (!made)
        return NULL;
    made->from = from;
    made->tag = tag;
    made->dst = dst;
    made->bytes = bytes;
    return made;
}

// Takes the oldest message that a receive waits for; the group is locked.
static struct message *take(struct lam_thread_group *group,
                            const struct message *wanted)
{
    for (struct message **at = &group->sends; *at; at = &(*at)->next) {
        struct message *found = *at;

        if (found->from != wanted->from || found->to != wanted->to ||
            found->tag != wanted->tag)
            continue;
        *at = found->next;
        return found;
    }
    return NULL;
}

static int threads_test(void *data, void *request)
{
    struct member *m = data;
    struct message *message = request, *sent = NULL;
    bool is_done, is_aborted;

    pthread_mutex_lock(&m->group->lock);
    is_aborted = m->group->is_aborted;
    if (message->dst && !is_aborted)
        sent = take(m->group, message);
    // Under the lock: whoever leaves waits for it before its memory goes.
    if (sent) {
        memcpy(message->dst, sent->src,
               sent->bytes < message->bytes ? sent->bytes : message->bytes);
        message->is_done = sent->is_done = true;
    }
    is_done = message->is_done;
    pthread_mutex_unlock(&m->group->lock);
    if (is_done)
        free(message);
    return is_done ? 1 : is_aborted ? -1 : 0;
}

static void threads_leave(void *data)
{
    struct member *m = data;

    pthread_mutex_lock(&m->group->lock);
    m->group->is_aborted = true;
    pthread_mutex_unlock(&m->group->lock);
}

static const struct lam_transport transport = {
    .version = LAM_TRANSPORT_VERSION,
    .name = "threads",
    .send = threads_send,
    .receive = threads_receive,
    .test = threads_test,
    .leave = threads_leave,
};

struct lam_thread_group *lam_thread_group_create(int size)
{
    struct lam_thread_group *group = calloc(1, sizeof(*group));

    if (!group)
        return NULL;
    pthread_mutex_init(&group->lock, NULL);
    group->size = size;
    return group;
}

void lam_thread_group_destroy(struct lam_thread_group *group)
{
    if (!group)
        return;
    while (group->sends) {
        struct message *sent = group->sends;

        group->sends = sent->next;
        free(sent);
    }
    pthread_mutex_destroy(&group->lock);
    free(group);
}

bool lam_thread_group_join(struct lam_thread_group *group, int rank,
                           struct lam_collective *ranks)
{
    struct member *m = malloc(sizeof(*m));

    if (!m)
        return false;
    *m = (struct member){group, rank};
    ranks->place = (struct lam_place){rank, group->size, rank, group->size};
    ranks->transport = &transport;
    ranks->data = m;
    return true;
}
