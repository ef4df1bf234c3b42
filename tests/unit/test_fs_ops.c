#include "fs_harness.h"

/* The reply to INIT, the first request. */
static struct fuse_init_out init_of(Fs *fs)
{
    struct fuse_init_out out = {0};
    size_t size;
    const void *body = fs_body(fs, 2, &size);
    assert_true(size > 0);
    memcpy(&out, body, MIN(size, sizeof out));
    return out;
}

/* What the session tells the kernel at the beginning. */
static void test_negotiation(void **state)
{
    Scene scene = scene_new();
    scene.fs = fs_mount(scene.server, *state);
    struct fuse_init_out out = init_of(scene.fs);
    assert_int_equal(out.major, FUSE_KERNEL_VERSION);
    /* Thousands of reads may be outstanding; the kernel's own bound is 12. */
    assert_true(out.max_background >= 1024);
    assert_true(out.congestion_threshold >= 1024);
    assert_int_equal(out.max_readahead, 1 << 20);
    assert_true(out.flags & FUSE_DO_READDIRPLUS);
    assert_false(out.flags & FUSE_READDIRPLUS_AUTO);
    assert_false(out.flags & FUSE_AUTO_INVAL_DATA);
    assert_true(out.flags & FUSE_ASYNC_READ);
    assert_false(out.flags & FUSE_WRITEBACK_CACHE);
    scene_end(&scene);
}

/* A kernel that can do less is not asked for more. */
static void test_an_old_kernel(void **state)
{
    Scene scene = scene_new();
    scene.fs = fs_prepare(scene.server);
    scene.fs->init.flags = 0;
    fs_begin(scene.fs, *state);
    struct fuse_init_out out = init_of(scene.fs);
    assert_false(out.flags & (FUSE_DO_READDIRPLUS | FUSE_ASYNC_READ | FUSE_PARALLEL_DIROPS));
    scene_end(&scene);
}

/* What changes the mailbox is refused, also where a kernel should ask in spite of "ro". */
static void test_changes_are_refused(void **state)
{
    static const struct {
        enum fuse_opcode opcode;
        size_t argument;
        const char *name;
    } changes[] = {
        {FUSE_MKDIR, sizeof(struct fuse_mkdir_in), "a"},
        {FUSE_MKNOD, sizeof(struct fuse_mknod_in), "a"},
        {FUSE_CREATE, sizeof(struct fuse_create_in), "a"},
        {FUSE_UNLINK, 0, "20231114-221420-1.eml"},
        {FUSE_RMDIR, 0, "INBOX"},
        {FUSE_SETATTR, sizeof(struct fuse_setattr_in), NULL},
        {FUSE_WRITE, sizeof(struct fuse_write_in), NULL},
        {FUSE_REMOVEXATTR, 0, "user.mail.flags"},
    };
    Scene scene = scene_new();
    fake_add(scene.server, scene.inbox, 1, 300, 700);
    uint64_t inbox = scene_mount(&scene, state);
    for (size_t i = 0; i < G_N_ELEMENTS(changes); i++) {
        static const char zeros[256];
        const char *name = changes[i].name;
        uint64_t unique = fs_send(scene.fs, changes[i].opcode, inbox, zeros, changes[i].argument,
                                  name, name ? strlen(name) + 1 : 0);
        int error = fs_error(scene.fs, unique);
        assert_true(error == ENOSYS || error == EPERM || error == EOPNOTSUPP);
    }
    fake_assert_idle(scene.server);
    scene_end(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_DIRECTORY(test_negotiation),
        TEST_IN_DIRECTORY(test_an_old_kernel),
        TEST_IN_DIRECTORY(test_changes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
