#include "relay.h"

#include <arpa/inet.h>
#include <errno.h>
#include <glib.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BUFFER = 128 * 1024, PAIRS_MAX = 64 };

/* One direction: [begin, end) of buffer was read from `from` and not yet written to `to`. */
typedef struct {
    int from, to;
    size_t begin, end;
    bool ended;  /* from has no more */
    bool closed; /* and `to` was told */
    char buffer[BUFFER];
} Flow;

typedef struct {
    int sockets[2];
    Flow flows[2];
    bool broken;
} Pair;

static void fail(const char *what)
{
    fprintf(stderr, "link: %s: %s\n", what, g_strerror(errno));
    exit(EXIT_FAILURE);
}

int relay_listen(const char *address, in_port_t port)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    inet_pton(AF_INET, address, &name.sin_addr);
    if (fd < 0 || bind(fd, (struct sockaddr *)&name, sizeof name) != 0 || listen(fd, 64) != 0)
        fail(address);
    return fd;
}

static void set_options(int fd, bool far)
{
    int on = 1, small = BUFFER;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (far) {
        /* What most servers run, and what has a slow start; whatever this machine prefers. */
        setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "cubic", strlen("cubic"));
        return;
    }
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
}

static Pair *pair_new(const Relay *relay)
{
    int accepted = accept4(relay->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    int made;
    Pair *pair;

    if (accepted < 0)
        return NULL;
    made = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (made < 0)
        fail("a socket");
    set_options(accepted, !relay->target_is_far);
    set_options(made, relay->target_is_far);
    pair = g_new(Pair, 1);
    pair->sockets[0] = accepted;
    pair->sockets[1] = made;
    pair->broken = connect(made, (const struct sockaddr *)&relay->target, sizeof relay->target) !=
                       0 &&
                   errno != EINPROGRESS;
    for (int i = 0; i < 2; i++) {
        Flow *flow = &pair->flows[i];
        flow->from = pair->sockets[i];
        flow->to = pair->sockets[1 - i];
        flow->begin = flow->end = 0;
        flow->ended = flow->closed = false;
    }
    return pair;
}

static bool pair_done(const Pair *pair)
{
    return pair->broken || (pair->flows[0].closed && pair->flows[1].closed);
}

static void pair_free(gpointer data)
{
    Pair *pair = data;

    close(pair->sockets[0]);
    close(pair->sockets[1]);
    g_free(pair);
}

static bool must_wait(ssize_t n)
{
    return n < 0 && (errno == EAGAIN || errno == EINTR || errno == ENOTCONN);
}

/* Moves what can be moved; false if the connection broke. */
static bool flow_move(Flow *flow)
{
    ssize_t n;

    if (flow->begin == flow->end && !flow->ended) {
        n = recv(flow->from, flow->buffer, BUFFER, 0);
        if (n < 0)
            return must_wait(n);
        flow->ended = n == 0;
        flow->begin = 0;
        flow->end = (size_t)n;
    }
    if (flow->begin < flow->end) {
        n = send(flow->to, flow->buffer + flow->begin, flow->end - flow->begin, MSG_NOSIGNAL);
        if (n < 0)
            return must_wait(n);
        flow->begin += (size_t)n;
    }
    if (flow->begin == flow->end && flow->ended && !flow->closed) {
        if (shutdown(flow->to, SHUT_WR) != 0)
            return errno == ENOTCONN;
        flow->closed = true;
    }
    return true;
}

/* What the two sockets of a pair are waited for. */
static void pair_poll(const Pair *pair, struct pollfd *polled)
{
    for (int i = 0; i < 2; i++)
        polled[i] = (struct pollfd){.fd = -1};
    for (int i = 0; i < 2; i++) {
        const Flow *flow = &pair->flows[i];
        if (flow->closed)
            continue;
        if (flow->begin == flow->end && !flow->ended) {
            polled[i].fd = flow->from;
            polled[i].events |= POLLIN;
        } else {
            polled[1 - i].fd = flow->to;
            polled[1 - i].events |= POLLOUT;
        }
    }
}

void *relay_run(void *argument)
{
    const Relay *relay = argument;
    g_autoptr(GPtrArray) pairs = g_ptr_array_new_with_free_func(pair_free);
    struct pollfd polled[1 + 2 * PAIRS_MAX];

    for (;;) {
        /* A negative descriptor is passed over. */
        polled[0] = (struct pollfd){.fd = pairs->len < PAIRS_MAX ? relay->listener : -1,
                                    .events = POLLIN};
        for (guint i = 0; i < pairs->len; i++)
            pair_poll(pairs->pdata[i], &polled[1 + 2 * i]);
        if (poll(polled, 1 + 2 * pairs->len, -1) < 0 && errno != EINTR)
            fail("poll");
        for (guint i = pairs->len; i-- > 0;) {
            Pair *pair = pairs->pdata[i];
            for (int way = 0; way < 2 && !pair->broken; way++)
                pair->broken = !flow_move(&pair->flows[way]);
            if (pair_done(pair))
                g_ptr_array_remove_index_fast(pairs, i);
        }
        if (polled[0].revents & POLLIN) {
            Pair *pair = pair_new(relay);
            if (pair)
                g_ptr_array_add(pairs, pair);
        }
    }
    return NULL;
}
