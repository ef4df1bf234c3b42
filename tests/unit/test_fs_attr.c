#include "../../fs/attr.h"
#include "fs_harness.h"

/* A mount that is never started: attr.c looks at memory alone. */
typedef struct {
    Options options;
    Mount mount;
    uint32_t folder;
} Still;

static uint32_t no_parent(gpointer data, const MailFolderInfo *info)
{
    (void)data, (void)info;
    return 0;
}

static void plant(Still *still)
{
    g_autoptr(GArray) folders = catalog_folders(still->mount.catalog);
    g_autoptr(GArray) gone = NULL;
    assert_true(tree_update(still->mount.tree, (const CatalogFolder *)(void *)folders->data,
                            folders->len, NULL, no_parent, NULL, &gone, NULL));
}

static int setup(void **state)
{
    Still *still = g_new0(Still, 1);
    MailFolderInfo info = {.name = "INBOX", .delimiter = '/'};
    g_log_set_default_handler(count_warning, NULL);
    still->options = (Options){.uid = 1234, .gid = 5678, .umask = 077, .refresh = 60};
    still->mount.options = &still->options;
    still->mount.started = 1600000000;
    still->mount.catalog = catalog_open(NULL);
    still->mount.tree = tree_new();
    still->mount.drafts = drafts_new(NULL);
    still->mount.arrivals = arrivals_new();
    still->folder = catalog_put_folder(still->mount.catalog, &info);
    plant(still);
    *state = still;
    return 0;
}

static int teardown(void **state)
{
    Still *still = *state;
    arrivals_free(still->mount.arrivals);
    drafts_free(still->mount.drafts);
    tree_free(still->mount.tree);
    catalog_close(still->mount.catalog);
    g_free(still);
    return 0;
}

static void test_message(void **state)
{
    const Still *still = *state;
    CatalogMessage message = {.uid = 17, .size = 1025, .date = 1700000000};
    struct stat st;
    memset(&st, 0xff, sizeof st);
    attr_message(&still->mount, still->folder, &message, &st);
    assert_int_equal(st.st_ino, inode_number(INODE_MESSAGE, still->folder, 17));
    assert_int_equal(st.st_mode, S_IFREG | 0600);
    assert_int_equal(st.st_nlink, 1);
    assert_int_equal(st.st_uid, 1234);
    assert_int_equal(st.st_gid, 5678);
    assert_int_equal(st.st_size, 1025);
    assert_int_equal(st.st_blocks, 3); /* of 512 bytes */
    assert_int_equal(st.st_mtim.tv_sec, 1700000000);
    assert_int_equal(st.st_mtim.tv_nsec, 0);
    assert_int_equal(st.st_ctim.tv_sec, 1700000000);
    assert_int_equal(st.st_atim.tv_sec, 1700000000);
    assert_int_equal(st.st_rdev, 0);
}

static void test_sizes(void **state)
{
    static const struct {
        uint64_t size;
        int64_t shown, blocks;
    } sizes[] = {
        {0, 0, 0},
        {1, 1, 1},
        {512, 512, 1},
        {513, 513, 2},
        {INT64_MAX, INT64_MAX, INT64_C(1) << 54},
        {UINT64_MAX, INT64_MAX, INT64_C(1) << 54},
    };
    const Still *still = *state;
    for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
        CatalogMessage message = {.uid = 1, .size = sizes[i].size, .date = -1};
        struct stat st;
        attr_message(&still->mount, still->folder, &message, &st);
        assert_int_equal(st.st_size, sizes[i].shown);
        assert_int_equal(st.st_blocks, sizes[i].blocks);
        assert_int_equal(st.st_mtim.tv_sec, -1);
    }
}

static void test_umask(void **state)
{
    Still *still = *state;
    static const mode_t masks[] = {0, 022, 027, 077, 0777};
    for (size_t i = 0; i < G_N_ELEMENTS(masks); i++) {
        CatalogMessage message = {.uid = 1};
        struct stat st;
        still->options.umask = masks[i];
        attr_message(&still->mount, still->folder, &message, &st);
        assert_int_equal(st.st_mode, S_IFREG | (0666 & ~masks[i]));
        assert_true(attr_of(&still->mount, FUSE_ROOT_ID, &st));
        assert_int_equal(st.st_mode, S_IFDIR | (0777 & ~masks[i]));
    }
}

/* As old as the newest message, else as the mount. */
static void test_folder(void **state)
{
    Still *still = *state;
    uint64_t ino = inode_number(INODE_FOLDER, still->folder, 0);
    MailMessage messages[] = {
        {.uid = 1, .has = MAIL_HAS_DATE, .date = 1700000100},
        {.uid = 2, .has = MAIL_HAS_DATE, .date = 1700000000},
        {.uid = 3, .has = MAIL_HAS_DATE, .date = 0},
    };
    struct stat st;
    assert_true(attr_of(&still->mount, ino, &st));
    assert_int_equal(st.st_ino, ino);
    assert_int_equal(st.st_mode, S_IFDIR | 0700);
    assert_int_equal(st.st_nlink, 2);
    assert_int_equal(st.st_mtim.tv_sec, 1600000000);
    catalog_put_messages(still->mount.catalog, still->folder, messages, 2);
    assert_true(attr_of(&still->mount, ino, &st));
    assert_int_equal(st.st_mtim.tv_sec, 1700000000);
    catalog_put_messages(still->mount.catalog, still->folder, messages, 3);
    assert_true(attr_of(&still->mount, ino, &st));
    assert_int_equal(st.st_mtim.tv_sec, 1600000000); /* no date is no date */
    MailFolderInfo below = {.name = "INBOX/x", .delimiter = '/'};
    catalog_put_folder(still->mount.catalog, &below);
    plant(still);
    assert_true(attr_of(&still->mount, ino, &st));
    assert_int_equal(st.st_nlink, 3);
}

static void test_of_any_inode(void **state)
{
    Still *still = *state;
    MailMessage message = {.uid = 9, .has = MAIL_HAS_SIZE, .size = 5};
    uint64_t ino = inode_number(INODE_MESSAGE, still->folder, 9);
    struct stat st;
    assert_false(attr_of(&still->mount, ino, &st));
    catalog_put_messages(still->mount.catalog, still->folder, &message, 1);
    assert_true(attr_of(&still->mount, ino, &st));
    assert_int_equal(st.st_ino, ino);
    assert_int_equal(st.st_size, 5);
    assert_true(attr_of(&still->mount, FUSE_ROOT_ID, &st));
    assert_int_equal(st.st_ino, FUSE_ROOT_ID);
    assert_int_equal(st.st_nlink, 3);
    assert_true(attr_of(&still->mount, inode_number(INODE_CONTROL, 0, 0), &st));
    assert_int_equal(st.st_mode, S_IFDIR | 0500);
    assert_int_equal(st.st_mtim.tv_sec, 1600000000);
    assert_true(attr_of(&still->mount, inode_number(INODE_CONTROL, 0, 1), &st));
    assert_int_equal(st.st_ino, inode_number(INODE_CONTROL, 0, 1));
    static const uint64_t none[] = {0, 2, UINT64_MAX};
    for (size_t i = 0; i < G_N_ELEMENTS(none); i++)
        assert_false(attr_of(&still->mount, none[i], &st));
    assert_false(attr_of(&still->mount, inode_number(INODE_CONTROL, 0, 2), &st));
    assert_false(attr_of(&still->mount, inode_number(INODE_FOLDER, 77, 0), &st));
    assert_false(attr_of(&still->mount, inode_number(INODE_MESSAGE, 77, 9), &st));
    catalog_drop_folder(still->mount.catalog, still->folder);
    assert_false(attr_of(&still->mount, ino, &st));
}

#define STILL_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STILL_TEST(test_message), STILL_TEST(test_sizes),        STILL_TEST(test_umask),
        STILL_TEST(test_folder),  STILL_TEST(test_of_any_inode),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
