#include "transport.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * OpenSSL's own socket BIO writes with write(), which raises SIGPIPE on a connection that is gone.
 * This one does not, and needs no signal handling of the program.
 */
static int bio_write(BIO *bio, const char *bytes, int length)
{
    Transport *transport = BIO_get_data(bio);
    ssize_t sent = send(transport->fd, bytes, (size_t)length, MSG_NOSIGNAL);
    BIO_clear_retry_flags(bio);
    transport->code = sent < 0 ? errno : 0;
    if (sent < 0 && (errno == EAGAIN || errno == EINTR))
        BIO_set_retry_write(bio);
    return (int)sent;
}

static int bio_read(BIO *bio, char *bytes, int size)
{
    Transport *transport = BIO_get_data(bio);
    ssize_t received = recv(transport->fd, bytes, (size_t)size, 0);
    BIO_clear_retry_flags(bio);
    transport->code = received < 0 ? errno : 0;
    if (received < 0 && (errno == EAGAIN || errno == EINTR))
        BIO_set_retry_read(bio);
    transport->at_end = received == 0;
    return (int)received;
}

static long bio_control(BIO *bio, int command, long number, void *pointer)
{
    Transport *transport = BIO_get_data(bio);
    (void)number;
    (void)pointer;
    switch (command) {
    case BIO_CTRL_FLUSH:
        return 1;
    case BIO_CTRL_EOF:
        return transport->at_end;
    default:
        return 0;
    }
}

static BIO *bio_new(Transport *transport)
{
    static BIO_METHOD *method;
    static gsize once;
    if (g_once_init_enter(&once)) {
        method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "pullmail socket");
        if (method &&
            (!BIO_meth_set_write(method, bio_write) || !BIO_meth_set_read(method, bio_read) ||
             !BIO_meth_set_ctrl(method, bio_control)))
            g_clear_pointer(&method, BIO_meth_free);
        g_once_init_leave(&once, 1);
    }
    BIO *bio = method ? BIO_new(method) : NULL;
    if (bio) {
        BIO_set_data(bio, transport);
        BIO_set_init(bio, 1);
    }
    return bio;
}

Transport *transport_new(int fd)
{
    Transport *transport = g_new0(Transport, 1);
    transport->fd = fd;
    return transport;
}

uint32_t transport_round_trip(const Transport *transport)
{
    struct tcp_info info = {0};
    socklen_t length = sizeof info;

    if (getsockopt(transport->fd, IPPROTO_TCP, TCP_INFO, &info, &length) != 0)
        return 0;
    return info.tcpi_rtt;
}

void transport_free(Transport *transport)
{
    if (!transport)
        return;
    if (transport->ssl) {
        /* Without a farewell, OpenSSL would hold the session for broken and never resume it. */
        if (!transport->broken && SSL_is_init_finished(transport->ssl))
            SSL_shutdown(transport->ssl);
        ERR_clear_error();
        SSL_free(transport->ssl);
    }
    close(transport->fd);
    g_free(transport->host);
    g_free(transport);
}

bool transport_start_tls(Transport *transport, TlsPolicy *policy, const char *host, GError **error)
{
    SSL *ssl = tls_session_new(policy, host, error);
    if (!ssl)
        return false;
    BIO *bio = bio_new(transport);
    if (!bio) {
        g_set_error_literal(error, MAIL_ERROR, ENOMEM, "OpenSSL can't be set up for TLS");
        SSL_free(ssl);
        return false;
    }
    SSL_set_bio(ssl, bio, bio);
    transport->ssl = ssl;
    transport->host = g_strdup(host);
    return true;
}

static GError *closed_by_server(const char *how)
{
    return g_error_new(MAIL_ERROR, ENOTCONN, "closed by the server%s", how);
}

GError *transport_error(int code)
{
    switch (code) {
    case ECONNREFUSED:
        return g_error_new_literal(MAIL_ERROR, code, "connection refused; is the port right?");
    case ETIMEDOUT:
        return g_error_new_literal(MAIL_ERROR, code,
                                   "no answer; are host and port right, and does no firewall "
                                   "stand in between?");
    case ENETUNREACH:
    case ENETDOWN:
    case ENONET:
        return g_error_new_literal(MAIL_ERROR, ENETUNREACH,
                                   "the network can't be reached; is this machine connected?");
    case EHOSTUNREACH:
    case EHOSTDOWN:
        return g_error_new_literal(MAIL_ERROR, EHOSTUNREACH,
                                   "the host can't be reached; is the network up?");
    case ECONNRESET:
    case EPIPE:
        return closed_by_server(", which reset the connection");
    default:
        return g_error_new(MAIL_ERROR, ENOTCONN, "the connection broke: %s", g_strerror(code));
    }
}

static bool is_cut_off(void)
{
    unsigned long code = ERR_peek_error();
    return ERR_GET_LIB(code) == ERR_LIB_SSL &&
           ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
}

/* What an SSL function that failed with status means. */
static TransportResult tls_result(Transport *transport, int status, GError **error)
{
    GError *reason;
    switch (SSL_get_error(transport->ssl, status)) {
    case SSL_ERROR_WANT_READ:
        return TRANSPORT_WANT_READ;
    case SSL_ERROR_WANT_WRITE:
        return TRANSPORT_WANT_WRITE;
    case SSL_ERROR_ZERO_RETURN:
        reason = closed_by_server("");
        break;
    case SSL_ERROR_SYSCALL:
        transport->broken = true;
        reason = transport->at_end || transport->code == 0
                     ? closed_by_server(" without TLS's farewell")
                     : transport_error(transport->code);
        break;
    default:
        transport->broken = true;
        reason = is_cut_off() ? closed_by_server(" without TLS's farewell")
                              : tls_handshake_error(transport->ssl, transport->host);
        break;
    }
    ERR_clear_error();
    g_propagate_error(error, reason);
    return TRANSPORT_FAILED;
}

TransportResult transport_handshake(Transport *transport, GError **error)
{
    ERR_clear_error();
    int status = SSL_do_handshake(transport->ssl);
    if (status != 1)
        return tls_result(transport, status, error);
    /* OpenSSL has seen to this already (SSL_VERIFY_PEER); nothing else may rest on one setting. */
    if (SSL_get0_peer_certificate(transport->ssl) &&
        SSL_get_verify_result(transport->ssl) == X509_V_OK)
        return TRANSPORT_OK;
    transport->broken = true;
    g_propagate_error(error, tls_handshake_error(transport->ssl, transport->host));
    return TRANSPORT_FAILED;
}

static TransportResult clear_failure(int code, TransportResult again, GError **error)
{
    if (code == EAGAIN || code == EINTR)
        return again;
    g_propagate_error(error, transport_error(code));
    return TRANSPORT_FAILED;
}

TransportResult transport_read(Transport *transport, void *bytes, size_t size, size_t *length,
                               GError **error)
{
    if (transport->ssl) {
        ERR_clear_error();
        int status = SSL_read_ex(transport->ssl, bytes, size, length);
        return status == 1 ? TRANSPORT_OK : tls_result(transport, status, error);
    }
    ssize_t received = recv(transport->fd, bytes, size, 0);
    if (received < 0)
        return clear_failure(errno, TRANSPORT_WANT_READ, error);
    if (received == 0) {
        g_propagate_error(error, closed_by_server(""));
        return TRANSPORT_FAILED;
    }
    *length = (size_t)received;
    return TRANSPORT_OK;
}

TransportResult transport_write(Transport *transport, const void *bytes, size_t size,
                                size_t *length, GError **error)
{
    if (transport->ssl) {
        ERR_clear_error();
        int status = SSL_write_ex(transport->ssl, bytes, size, length);
        return status == 1 ? TRANSPORT_OK : tls_result(transport, status, error);
    }
    ssize_t sent = send(transport->fd, bytes, size, MSG_NOSIGNAL);
    if (sent < 0)
        return clear_failure(errno, TRANSPORT_WANT_WRITE, error);
    *length = (size_t)sent;
    return TRANSPORT_OK;
}

bool transport_has_unread(Transport *transport)
{
    char byte;
    return recv(transport->fd, &byte, sizeof(byte), MSG_PEEK | MSG_DONTWAIT) > 0;
}
