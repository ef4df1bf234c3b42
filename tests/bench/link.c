/*
 * link: a long way to a server on this machine.
 *
 *   link RTT_MS MBIT PORT
 *
 * Prints the port of 127.0.0.1 from which connections go to PORT of 127.0.0.1 over a link with
 * this round trip time and this capacity each way (0: no bound, but as fast as this program can).
 * The way:
 *
 *   client - loopback - relay - TCP over two TUN devices - relay - loopback - server
 *
 * Each relay's end of the middle lies in a network namespace of its own, and this program carries
 * the packets between the two: it delays each by half the round trip time, lets them out at the
 * link's pace, and drops what finds more than a megabyte waiting in front of it. So the kernel's
 * own TCP does what it does on a long way: the handshake takes a round trip, a connection has a
 * slow start, what was lost is sent again. Client and server lie where they always do and need
 * nothing.
 *
 * Ends when its input does. For each line of input it prints one, of what passed since the last:
 * bytes to the client, bytes to the server (with all headers), and turns: how often the client
 * sent something after having received something, a connection included, which is how many round
 * trips it may have waited for.
 */
#include "netns.h"
#include "relay.h"

#include <arpa/inet.h>
#include <errno.h>
#include <glib.h>
#include <linux/virtio_net.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

enum {
    TO_SERVER,
    TO_CLIENT,
    QUEUE = 1024 * 1024, /* bytes that may wait for the link */
    PACKET_MAX = 65536 + sizeof(struct virtio_net_hdr),
    BURST = 64, /* packets taken from one side before the other has its turn */
};

typedef struct {
    gint64 due; /* ns */
    size_t length;
    char bytes[];
} Packet;

/* Packets leave in the order they came: due never decreases in `packets`. */
typedef struct {
    int in, out;
    GQueue packets;
    gint64 idle_from; /* when the link will have let out all that came */
    guint64 bytes;
} Direction;

static Direction directions[2];
static double ns_per_byte; /* 0: no bound */
static gint64 delay;       /* ns, one way */
static unsigned turns;
/* By the client's port: it has received since it last sent, so that its next word is a turn. */
static bool received[65536];

static gint64 now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * G_GINT64_CONSTANT(1000000000) + now.tv_nsec;
}

/* The length of an IPv4 packet's headers, 0 where it is no TCP. */
static size_t headers_length(const unsigned char *ip, size_t length)
{
    size_t ip_length = length >= 20 && ip[0] >> 4 == 4 ? (ip[0] & 15u) * 4 : 0;

    if (!ip_length || ip[9] != IPPROTO_TCP || length < ip_length + 20)
        return 0;
    return ip_length + (size_t)(ip[ip_length + 12] >> 4) * 4;
}

static void count_turn(int way, const unsigned char *ip, size_t length)
{
    size_t headers = headers_length(ip, length);
    size_t ip_length = (ip[0] & 15u) * 4;
    const unsigned char *tcp = ip + ip_length;

    if (!headers)
        return;
    bool syn = tcp[13] & 2;
    bool *since = &received[way == TO_SERVER ? tcp[0] << 8 | tcp[1] : tcp[2] << 8 | tcp[3]];
    if (!syn && length <= headers)
        return;
    if (way == TO_SERVER && (syn || *since))
        turns++;
    *since = way == TO_CLIENT || syn;
}

/* What the packet takes of the link: one that is to be cut up has headers for each piece. */
static size_t length_on_link(const char *bytes, size_t length)
{
    struct virtio_net_hdr virtio;
    const unsigned char *ip = (const unsigned char *)bytes + sizeof virtio;
    size_t headers, payload;

    memcpy(&virtio, bytes, sizeof virtio);
    length -= sizeof virtio;
    headers = headers_length(ip, length);
    if (virtio.gso_type == VIRTIO_NET_HDR_GSO_NONE || !virtio.gso_size || headers >= length)
        return length;
    payload = length - headers;
    return payload + (payload + virtio.gso_size - 1) / virtio.gso_size * headers;
}

static void take_packet(int way, const char *bytes, size_t length)
{
    Direction *direction = &directions[way];
    gint64 now = now_ns();
    size_t on_link = length_on_link(bytes, length);
    gint64 begin = MAX(direction->idle_from, now);
    Packet *packet;

    count_turn(way, (const unsigned char *)bytes + sizeof(struct virtio_net_hdr),
               length - sizeof(struct virtio_net_hdr));
    if (ns_per_byte > 0 && (double)(begin - now) > QUEUE * ns_per_byte)
        return;
    direction->idle_from = begin + (gint64)((double)on_link * ns_per_byte);
    direction->bytes += on_link;
    packet = g_malloc(sizeof *packet + length);
    packet->due = direction->idle_from + delay;
    packet->length = length;
    memcpy(packet->bytes, bytes, length);
    g_queue_push_tail(&direction->packets, packet);
}

static void take_packets(int way)
{
    static char bytes[PACKET_MAX];

    for (int i = 0; i < BURST; i++) {
        ssize_t n = read(directions[way].in, bytes, sizeof bytes);
        if (n <= (ssize_t)sizeof(struct virtio_net_hdr))
            return;
        take_packet(way, bytes, (size_t)n);
    }
}

static void deliver_packets(int way)
{
    Direction *direction = &directions[way];
    gint64 now = now_ns();
    Packet *packet;

    while ((packet = g_queue_peek_head(&direction->packets)) && packet->due <= now) {
        /* A packet that the kernel does not take is one that was lost. */
        ssize_t ignored = write(direction->out, packet->bytes, packet->length);
        (void)ignored;
        g_free(g_queue_pop_head(&direction->packets));
    }
}

/* Until the next packet is due; false: none waits. */
static bool next_due(struct timespec *wait)
{
    gint64 now = now_ns(), due = G_MAXINT64, rest;

    for (int way = 0; way < 2; way++) {
        const Packet *packet = g_queue_peek_head(&directions[way].packets);
        if (packet)
            due = MIN(due, packet->due);
    }
    rest = due == G_MAXINT64 ? 0 : MAX(due - now, 0);
    wait->tv_sec = rest / 1000000000;
    wait->tv_nsec = rest % 1000000000;
    return due != G_MAXINT64;
}

/* Answers a line of input; ends the process with the input. */
static void answer(void)
{
    char line[64];

    if (read(STDIN_FILENO, line, sizeof line) <= 0)
        exit(EXIT_SUCCESS);
    printf("%" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT " %u\n", directions[TO_CLIENT].bytes,
           directions[TO_SERVER].bytes, turns);
    fflush(stdout);
    directions[TO_CLIENT].bytes = directions[TO_SERVER].bytes = turns = 0;
}

static G_GNUC_NORETURN void carry(void)
{
    struct pollfd polled[] = {{directions[TO_SERVER].in, POLLIN, 0},
                              {directions[TO_CLIENT].in, POLLIN, 0},
                              {STDIN_FILENO, POLLIN, 0}};
    struct sched_param first = {.sched_priority = 1};

    /* A link does not wait for a processor. Where that isn't allowed, it has to. */
    sched_setscheduler(0, SCHED_RR, &first);
    prctl(PR_SET_TIMERSLACK, 1000);
    for (;;) {
        struct timespec wait;
        if (ppoll(polled, G_N_ELEMENTS(polled), next_due(&wait) ? &wait : NULL, NULL) < 0 &&
            errno != EINTR)
            exit(EXIT_FAILURE);
        for (int way = 0; way < 2; way++) {
            take_packets(way);
            deliver_packets(way);
        }
        if (polled[2].revents)
            answer();
    }
}

/* --- the two ends ---------------------------------------------------------------------------- */

static struct sockaddr_in address(const char *host, guint64 port)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons((in_port_t)port)};

    inet_pton(AF_INET, host, &name.sin_addr);
    return name;
}

static pthread_barrier_t ready;
static Relay near_relay, far_relay;

/* The namespace at the server's end: it is made, and left to those sockets. */
static void *make_far(void *argument)
{
    directions[TO_CLIENT].in = directions[TO_SERVER].out = netns_enter(NETNS_FAR, ns_per_byte == 0);
    far_relay.listener = relay_listen(NETNS_FAR, NETNS_PORT);
    return argument;
}

/* The namespace at the client's end, with the relay that makes connections from it. */
static void *run_near(void *argument)
{
    directions[TO_SERVER].in = directions[TO_CLIENT].out = netns_enter(NETNS_NEAR,
                                                                       ns_per_byte == 0);
    near_relay.target = address(NETNS_FAR, NETNS_PORT);
    near_relay.target_is_far = true;
    pthread_barrier_wait(&ready);
    (void)argument;
    return relay_run(&near_relay);
}

static void start(void *(*run)(void *), void *argument, bool wait)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, run, argument) != 0)
        exit(EXIT_FAILURE);
    if (wait)
        pthread_join(thread, NULL);
    else
        pthread_detach(thread);
}

int main(int argc, char **argv)
{
    struct sockaddr_in name = {0};
    socklen_t length = sizeof name;

    if (argc != 4) {
        fputs("usage: link RTT_MS MBIT PORT\n", stderr);
        return 2;
    }
    double mbit = g_ascii_strtod(argv[2], NULL);
    ns_per_byte = mbit > 0 ? 8000 / mbit : 0;
    delay = (gint64)(g_ascii_strtod(argv[1], NULL) * 500000);
    netns_prepare();
    near_relay.listener = relay_listen("127.0.0.1", 0);
    far_relay.target = address("127.0.0.1", g_ascii_strtoull(argv[3], NULL, 10));
    pthread_barrier_init(&ready, NULL, 2);
    start(make_far, NULL, true);
    start(run_near, NULL, false);
    pthread_barrier_wait(&ready);
    start(relay_run, &far_relay, false);
    getsockname(near_relay.listener, (struct sockaddr *)&name, &length);
    printf("%d\n", ntohs(name.sin_port));
    fflush(stdout);
    carry();
}
