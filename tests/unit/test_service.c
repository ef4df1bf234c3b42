/* What a service manager is told, and whether stderr is the journal's. */
#include "../../fs/service.h"
#include "cache_helpers.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

/* A manager's socket; name as in $NOTIFY_SOCKET. */
static int listen_at(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(name);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0 && length < sizeof address.sun_path);
    memcpy(address.sun_path, name, length);
    if (*name == '@')
        address.sun_path[0] = '\0';
    assert_int_equal(bind(fd, (struct sockaddr *)&address,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)),
                     0);
    return fd;
}

static void assert_hears(int fd, const char *message)
{
    char buffer[200];
    ssize_t length = recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);

    assert_int_equal(length, strlen(message));
    assert_memory_equal(buffer, message, length);
}

static void assert_hears_nothing(int fd)
{
    char byte;

    assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
}

static void check_socket(const char *name)
{
    int fd = listen_at(name);

    g_setenv("NOTIFY_SOCKET", name, TRUE);
    service_open();
    assert_null(g_getenv("NOTIFY_SOCKET"));
    service_notify("STATUS=half way");
    service_notify("READY=1\nSTATUS=there");
    assert_hears(fd, "STATUS=half way");
    assert_hears(fd, "READY=1\nSTATUS=there");
    service_close();
    service_notify("STOPPING=1");
    assert_hears_nothing(fd);
    close(fd);
}

static void test_sockets(void **state)
{
    g_autofree char *path = g_build_filename(*state, "notify", NULL);
    g_autofree char *abstract = g_strdup_printf("@pullmail-test-%d", (int)getpid());
    /* No room for a NUL behind it. */
    g_autofree char *longest = g_strdup_printf("%-107s", abstract);

    check_socket(path);
    check_socket(abstract);
    check_socket(g_strdelimit(longest, " ", '-'));
}

/* Nobody is told, and nothing breaks. */
static void test_no_manager(void **state)
{
    g_autofree char *nobody = g_build_filename(*state, "nobody", NULL);
    g_autofree char *long_one = g_strnfill(300, '/');
    const char *const names[] = {NULL, "", "@", "/", "relative", "vsock:2:1234", nobody, long_one};

    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        if (names[i])
            g_setenv("NOTIFY_SOCKET", names[i], TRUE);
        service_open();
        assert_null(g_getenv("NOTIFY_SOCKET"));
        service_notify("READY=1");
        service_close();
    }
}

/* A manager that does not read does not hold us up. */
static void test_full_socket(void **state)
{
    g_autofree char *path = g_build_filename(*state, "full", NULL);
    int fd = listen_at(path);

    g_setenv("NOTIFY_SOCKET", path, TRUE);
    service_open();
    for (int i = 0; i < 10000; i++)
        service_notify("STATUS=again");
    assert_hears(fd, "STATUS=again");
    service_close();
    close(fd);
}

static void set_stream(const struct stat *about, int more)
{
    g_autofree char *stream = g_strdup_printf("%ju:%ju", (uintmax_t)about->st_dev,
                                              (uintmax_t)about->st_ino + (uintmax_t)more);

    g_setenv("JOURNAL_STREAM", stream, TRUE);
}

static void test_journal(void **state)
{
    static const char *const wrong[] = {"", ":", "1", "1:", ":1", "1:2:3", "a:b", "-1:-1"};
    struct stat about;
    (void)state;

    g_unsetenv("JOURNAL_STREAM");
    assert_false(service_has_journal());
    assert_int_equal(fstat(STDERR_FILENO, &about), 0);
    set_stream(&about, 0);
    assert_true(service_has_journal());
    set_stream(&about, 1);
    assert_false(service_has_journal());
    for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_setenv("JOURNAL_STREAM", wrong[i], TRUE);
        assert_false(service_has_journal());
    }
    g_unsetenv("JOURNAL_STREAM");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_DIRECTORY(test_sockets),
        TEST_IN_DIRECTORY(test_no_manager),
        TEST_IN_DIRECTORY(test_full_socket),
        cmocka_unit_test(test_journal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
