#include "rawclient.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static int server;

void raw_fail(const char *what)
{
    fprintf(stderr, "%s: %s\n", g_get_prgname(), what);
    exit(EXIT_FAILURE);
}

void raw_connect(const char *port)
{
    struct sockaddr_in name = {.sin_family = AF_INET};
    int on = 1;

    name.sin_port = htons((in_port_t)g_ascii_strtoull(port, NULL, 10));
    inet_pton(AF_INET, "127.0.0.1", &name.sin_addr);
    server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (server < 0 || connect(server, (struct sockaddr *)&name, sizeof name) != 0)
        raw_fail(g_strerror(errno));
    setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

void raw_close(void)
{
    close(server);
}

void raw_send(const void *data, size_t length)
{
    const char *from = data;

    while (length > 0) {
        ssize_t n = send(server, from, length, MSG_NOSIGNAL);
        if (n <= 0)
            raw_fail("the server went away");
        from += n;
        length -= (size_t)n;
    }
}

size_t raw_receive(unsigned char buffer[RAW_INPUT])
{
    ssize_t n;

    while ((n = recv(server, buffer, RAW_INPUT, 0)) < 0 && errno == EINTR)
        ;
    if (n <= 0)
        raw_fail("the server went away");
    return (size_t)n;
}
