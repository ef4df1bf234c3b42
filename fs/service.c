#include "service.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* A path, or behind an '@' the name of an abstract socket; NULL: nobody listens. */
static char *manager;

void service_open(void)
{
    const char *name = g_getenv("NOTIFY_SOCKET");

    service_close();
    if (name && (*name == '/' || *name == '@') && name[1])
        manager = g_strdup(name);
    g_unsetenv("NOTIFY_SOCKET");
}

void service_close(void)
{
    g_clear_pointer(&manager, g_free);
}

static void send_to(const char *name, const char *message)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(name);
    int fd;

    if (length > sizeof address.sun_path)
        return;
    memcpy(address.sun_path, name, length);
    if (*name == '@')
        address.sun_path[0] = '\0';
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return;
    if (sendto(fd, message, strlen(message), MSG_NOSIGNAL, (struct sockaddr *)&address,
               (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)) < 0)
        g_info("the service manager can't be told: %s", g_strerror(errno));
    close(fd);
}

void service_notify(const char *message)
{
    if (manager)
        send_to(manager, message);
}

bool service_has_journal(void)
{
    const char *stream = g_getenv("JOURNAL_STREAM");
    g_auto(GStrv) numbers = stream ? g_strsplit(stream, ":", -1) : NULL;
    guint64 device, inode;
    struct stat about;

    return numbers && g_strv_length(numbers) == 2 &&
           g_ascii_string_to_unsigned(numbers[0], 10, 0, UINT64_MAX, &device, NULL) &&
           g_ascii_string_to_unsigned(numbers[1], 10, 0, UINT64_MAX, &inode, NULL) &&
           fstat(STDERR_FILENO, &about) == 0 && about.st_dev == device && about.st_ino == inode;
}
