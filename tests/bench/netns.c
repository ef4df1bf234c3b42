#include "netns.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static void need(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "link: %s: %s\n", what, g_strerror(errno));
    exit(EXIT_FAILURE);
}

static void write_text(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    need(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text), path);
    close(fd);
}

void netns_prepare(void)
{
    g_autofree char *uids = g_strdup_printf("0 %u 1", geteuid());
    g_autofree char *gids = g_strdup_printf("0 %u 1", getegid());

    if (geteuid() == 0)
        return;
    need(unshare(CLONE_NEWUSER) == 0, "a user namespace (root needs none)");
    write_text("/proc/self/setgroups", "deny");
    write_text("/proc/self/uid_map", uids);
    write_text("/proc/self/gid_map", gids);
}

static struct sockaddr inet_address(const char *address)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr any;

    inet_pton(AF_INET, address, &in.sin_addr);
    memcpy(&any, &in, sizeof any);
    return any;
}

static void configure(struct ifreq *device, const char *address)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    need(fd >= 0, "a socket");
    device->ifr_addr = inet_address(address);
    need(ioctl(fd, SIOCSIFADDR, device) == 0, "the device's address");
    device->ifr_netmask = inet_address("255.255.255.252");
    need(ioctl(fd, SIOCSIFNETMASK, device) == 0, "the device's network");
    /* The queue that counts is the link's own. Root alone may say so; others have 500 packets,
     * which do where the link gets a processor when it needs one. */
    device->ifr_qlen = 20000;
    ioctl(fd, SIOCSIFTXQLEN, device);
    device->ifr_flags = IFF_UP | IFF_RUNNING;
    need(ioctl(fd, SIOCSIFFLAGS, device) == 0, "the device");
    close(fd);
}

int netns_enter(const char *address, bool large)
{
    struct ifreq device = {.ifr_name = "link0"};
    int fd;

    need(unshare(CLONE_NEWNET) == 0, "a network namespace (needs root, or user namespaces)");
    /* A connection must not begin with what an earlier one learnt of the path. */
    write_text("/proc/sys/net/ipv4/tcp_no_metrics_save", "1");
    fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    need(fd >= 0, "/dev/net/tun");
    device.ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR;
    need(ioctl(fd, TUNSETIFF, &device) == 0, "a TUN device");
    need(ioctl(fd, TUNSETOFFLOAD, large ? TUN_F_CSUM | TUN_F_TSO4 : 0) == 0, "the TUN's offload");
    configure(&device, address);
    return fd;
}
