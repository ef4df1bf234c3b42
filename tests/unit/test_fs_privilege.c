/*
 * test_fs_privilege.c: whom the daemon works as. Each case is a process of its own, since there is
 * no way back from most of it; what only root can do is tried by root, and else must do nothing.
 */
#include "../../fs/privilege.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <linux/capability.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define UID 12345
#define GID 54321

#define CHECK(condition)                                                          \
    do {                                                                          \
        if (!(condition)) {                                                       \
            fprintf(stderr, "line %d: %s does not hold\n", __LINE__, #condition); \
            _exit(1);                                                             \
        }                                                                         \
    } while (0)

static void in_a_process(void (*play)(void))
{
    int status = -1;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        play();
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* This thread's capabilities up to number 31. */
static struct __user_cap_data_struct capabilities(void)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct sets[2] = {{0}};

    CHECK(syscall(SYS_capget, &header, sets) == 0);
    return sets[0];
}

/* As root the user of uid=; as anybody else the same as before. */
static bool is_other(void)
{
    return getuid() == 0;
}

static pthread_barrier_t dropped;

/* A thread that was there before. */
static void *stay(void *data)
{
    pthread_barrier_wait(&dropped);
    CHECK(getuid() == UID && geteuid() == UID && getegid() == GID);
    CHECK(capabilities().permitted == 0);
    return data;
}

static void play_drop(void)
{
    const Options options = {.uid = UID, .gid = GID};
    const uint32_t unmounting = 1u << CAP_SYS_ADMIN | 1u << CAP_DAC_READ_SEARCH;
    Privilege privilege = privilege_of(&options);
    pthread_t thread;

    if (!privilege.drops)
        return; /* play_nobody sees to that */
    pthread_barrier_init(&dropped, NULL, 2);
    CHECK(pthread_create(&thread, NULL, stay, NULL) == 0);
    CHECK(privilege_lend(&privilege, NULL));
    CHECK(geteuid() == UID && getegid() == GID && getuid() == 0);
    CHECK(capabilities().effective == 0 && prctl(PR_GET_DUMPABLE) == 0);
    CHECK(privilege_take_back(&privilege, NULL));
    CHECK(geteuid() == 0 && getegid() == 0);
    CHECK(privilege_drop(&privilege, NULL));
    pthread_barrier_wait(&dropped);
    pthread_join(thread, NULL);
    CHECK(getuid() == UID && geteuid() == UID && getgid() == GID && getegid() == GID);
    CHECK(getgroups(0, NULL) == 0 && prctl(PR_GET_DUMPABLE) == 0);
    CHECK(seteuid(0) != 0 && setgid(0) != 0);
    CHECK(capabilities().effective == 0 && capabilities().permitted == unmounting);
    privilege_raise_to_unmount(&privilege);
    CHECK(capabilities().effective == unmounting && capabilities().inheritable == 0);
}

/* For oneself, or where there is no right to be another. */
static void play_nobody(void)
{
    const Options options = {.uid = is_other() ? 0 : UID, .gid = GID};
    Privilege privilege = privilege_of(&options);
    uid_t uid = getuid();

    CHECK(!privilege.drops);
    CHECK(privilege_lend(&privilege, NULL) && geteuid() == uid);
    CHECK(privilege_take_back(&privilege, NULL) && geteuid() == uid);
    CHECK(privilege_drop(&privilege, NULL) && getuid() == uid && geteuid() == uid);
    privilege_raise_to_unmount(&privilege);
}

/* The group that was not given is the user's own, never root's. */
static void play_group(void)
{
    const Options options = {.uid = UID};
    Privilege privilege = privilege_of(&options);

    CHECK(!privilege.drops || privilege.gid == UID);
}

static void test_root_becomes_the_user(void **state)
{
    (void)state;
    in_a_process(play_drop);
}

static void test_nobody_else_becomes_anybody(void **state)
{
    (void)state;
    in_a_process(play_nobody);
}

static void test_group(void **state)
{
    (void)state;
    in_a_process(play_group);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_root_becomes_the_user),
        cmocka_unit_test(test_nobody_else_becomes_anybody),
        cmocka_unit_test(test_group),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
