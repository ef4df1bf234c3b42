#include "connect.h"
#include "transport.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

enum { KEEPALIVE_PROBES = 3 };

/* Owned by the pending GIO operation, whose end frees it. done is NULL once cancelled. */
struct Connect {
    unsigned timeout;
    ConnectDone done;
    gpointer data;
    GCancellable *cancellable;
};

static GError *resolver_error(const GError *error)
{
    const char *hint = "is it spelled right, and is the network up?";
    if (error->code == G_RESOLVER_ERROR_TEMPORARY_FAILURE)
        hint = "the name server did not answer; is the network up?";
    return g_error_new(MAIL_ERROR, EHOSTUNREACH, "the name can't be resolved: %s; %s",
                       error->message, hint);
}

static GError *translate(const GError *error)
{
    static const struct {
        int gio;
        int code;
    } table[] = {
        {G_IO_ERROR_CONNECTION_REFUSED, ECONNREFUSED},
        {G_IO_ERROR_TIMED_OUT, ETIMEDOUT},
        {G_IO_ERROR_NETWORK_UNREACHABLE, ENETUNREACH},
        {G_IO_ERROR_HOST_UNREACHABLE, EHOSTUNREACH},
    };
    if (error->domain == G_RESOLVER_ERROR)
        return resolver_error(error);
    for (size_t i = 0; i < G_N_ELEMENTS(table); i++)
        if (g_error_matches(error, G_IO_ERROR, table[i].gio))
            return transport_error(table[i].code);
    return g_error_new(MAIL_ERROR, EHOSTUNREACH, "can't connect: %s", error->message);
}

static void set_number(int fd, int option, unsigned number)
{
    const int value = (int)number;

    (void)setsockopt(fd, IPPROTO_TCP, option, &value, sizeof value);
}

/*
 * A peer that is gone without a word is noticed: by what it does not acknowledge, and, while
 * nothing is sent, by probes. None of this is worth a failure.
 */
static void watch_peer(int fd, unsigned timeout)
{
    static const int on = 1;

    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    if (!timeout)
        return;
    set_number(fd, TCP_USER_TIMEOUT, timeout * 1000);
    set_number(fd, TCP_KEEPIDLE, MAX(timeout / 2, 1));
    set_number(fd, TCP_KEEPINTVL, MAX(timeout / (2 * KEEPALIVE_PROBES), 1));
    set_number(fd, TCP_KEEPCNT, KEEPALIVE_PROBES);
}

/* A descriptor of our own, so that nothing of GIO's connection object is left. -1 with errno. */
static int take_descriptor(GSocketConnection *connection, unsigned timeout)
{
    static const int on = 1;
    int fd = fcntl(g_socket_get_fd(g_socket_connection_get_socket(connection)), F_DUPFD_CLOEXEC, 0);
    int flags = fd < 0 ? -1 : fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) {
        int code = errno;
        if (fd >= 0)
            close(fd);
        errno = code;
        return -1;
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    watch_peer(fd, timeout);
    return fd;
}

static void connect_free(Connect *connect)
{
    g_object_unref(connect->cancellable);
    g_free(connect);
}

static void connect_end(GObject *client, GAsyncResult *result, gpointer data)
{
    Connect *connect = data;
    ConnectDone done = connect->done;
    gpointer done_data = connect->data;
    unsigned timeout = connect->timeout;
    g_autoptr(GError) cause = NULL;
    g_autoptr(GError) error = NULL;
    g_autoptr(GSocketConnection)
        connection = g_socket_client_connect_finish(G_SOCKET_CLIENT(client), result, &cause);
    int fd = -1;
    connect_free(connect);
    if (!done)
        return;
    if (connection)
        fd = take_descriptor(connection, timeout);
    if (fd < 0)
        error = cause ? translate(cause) : transport_error(errno);
    done(done_data, fd, error);
}

Connect *connect_start(const char *host, uint16_t port, unsigned timeout, ConnectDone done,
                       gpointer data)
{
    Connect *connect = g_new0(Connect, 1);
    connect->timeout = timeout;
    connect->done = done;
    connect->data = data;
    connect->cancellable = g_cancellable_new();
    g_autoptr(GSocketClient) client = g_socket_client_new();
    g_socket_client_set_enable_proxy(client, FALSE);
    g_autoptr(GSocketConnectable) address = g_network_address_new(host, port);
    g_socket_client_connect_async(client, address, connect->cancellable, connect_end, connect);
    return connect;
}

void connect_cancel(Connect *connect)
{
    connect->done = NULL;
    g_cancellable_cancel(connect->cancellable);
}
