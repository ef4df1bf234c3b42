#include "fs_harness.h"

static void test_names(void **state)
{
    (void)state;
    uint64_t directory = inode_number(INODE_CONTROL, 0, CONTROL_UID_DIRECTORY);
    uint64_t status = inode_number(INODE_CONTROL, 0, CONTROL_UID_STATUS);
    assert_int_equal(control_lookup(FUSE_ROOT_ID, ".pullmail"), directory);
    assert_int_equal(control_lookup(directory, "status"), status);
    assert_int_equal(control_lookup(FUSE_ROOT_ID, "status"), 0);
    assert_int_equal(control_lookup(FUSE_ROOT_ID, ".PULLMAIL"), 0);
    assert_int_equal(control_lookup(directory, ".pullmail"), 0);
    assert_int_equal(control_lookup(directory, ""), 0);
    assert_int_equal(control_lookup(status, "status"), 0);
    assert_int_equal(control_lookup(inode_number(INODE_FOLDER, 1, 0), ".pullmail"), 0);
    assert_int_not_equal(directory, status);
}

/* They are their owner's alone: the status tells of an account. */
static void test_modes(void **state)
{
    (void)state;
    assert_int_equal(control_mode(CONTROL_UID_DIRECTORY), S_IFDIR | 0500);
    assert_int_equal(control_mode(CONTROL_UID_STATUS), S_IFREG | 0400);
    assert_int_equal(control_mode(2), 0);
    assert_int_equal(control_mode(UINT32_MAX), 0);
}

static GString *status_text;

static void take_status(Fs *fs)
{
    status_text = control_status(&fs->mount);
    fs_call_done(fs, NULL);
}

/* Each line is "key: value", each key is there once. */
static GHashTable *status_of(Fs *fs)
{
    GHashTable *values = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    fs_call_async(fs, take_status);
    g_auto(GStrv) lines = g_strsplit(status_text->str, "\n", -1);
    for (char **line = lines; *line && **line; line++) {
        const char *colon = strstr(*line, ": ");
        assert_non_null(colon);
        assert_true(g_hash_table_insert(values, g_strndup(*line, (gsize)(colon - *line)),
                                        g_strdup(colon + 2)));
    }
    g_string_free(status_text, TRUE);
    return values;
}

static void assert_value(GHashTable *status, const char *key, const char *value)
{
    const char *found = g_hash_table_lookup(status, key);
    assert_non_null(found);
    assert_string_equal(found, value);
}

static void test_status(void **state)
{
    Scene scene = scene_new();
    fake_add(scene.server, scene.inbox, 1, 300, 700);
    fake_claim(scene.server, fake_add(scene.server, scene.inbox, 2, 300, 700), 500);
    scene_mount(&scene, state);
    uint64_t ino = fs_message(scene.fs, "INBOX", 1);
    assert_int_equal(fs_open(scene.fs, ino), 0);
    assert_int_equal(fs_open(scene.fs, fs_message(scene.fs, "INBOX", 2)), 0);
    assert_true(fs_reads(scene.fs, ino, 0, 4096, 1000));
    fs_flush(scene.fs);
    g_autoptr(GHashTable) status = status_of(scene.fs);
    assert_value(status, "version", PULLMAIL_VERSION);
    assert_value(status, "account", "imaps://ann@mail.example.org/");
    assert_value(status, "mounted", "2020-09-13T12:26:40Z");
    assert_value(status, "server", "fake"); /* the store's own */
    assert_value(status, "folders", "1");
    assert_value(status, "folders-synced", "1");
    assert_value(status, "fetching-messages", "0");
    assert_value(status, "fetch-waiting", "0");
    assert_value(status, "last-error", "none");
    assert_value(status, "flag-changes-pending", "0");
    assert_value(status, "changes-not-done", "0");
    assert_value(status, "last-not-done", "none");
    assert_true(g_regex_match_simple("^20\\d\\d-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{6}Z$",
                                     g_hash_table_lookup(status, "time"), 0, 0));
    assert_value(status, "messages", "2");
    assert_value(status, "message-bytes", "2000");
    assert_value(status, "sizes-right", "1");
    assert_value(status, "sizes-wrong", "1");
    assert_value(status, "cache", "on disk");
    assert_value(status, "cache-bound", "1073741824");
    assert_value(status, "cache-hits", "1");
    assert_value(status, "cache-evicted-bytes", "0");
    assert_value(status, "cache-damaged-blocks", "0");
    assert_true(g_hash_table_contains(status, "cache-misses"));
    assert_true(g_ascii_strtoull(g_hash_table_lookup(status, "cached-bytes"), NULL, 10) >= 2000);
    scene_end(&scene);
}

/* How far a scan has got, as it goes on. */
static void test_status_of_a_scan(void **state)
{
    Scene scene = scene_new();
    unsigned read = 0, all = 0, ahead = 0;
    for (uint32_t uid = 1; uid <= 60; uid++)
        fake_add(scene.server, scene.inbox, uid, 300, 70000);
    scene.fs = fs_prepare(scene.server);
    scene.fs->prefetch = 1 << 20;
    fs_begin(scene.fs, *state);
    assert_int_equal(fs_list_first(scene.fs, fs_folder(scene.fs, FUSE_ROOT_ID, "INBOX")), 0);
    for (uint32_t uid = 1; uid <= 40; uid++) {
        uint64_t ino = fs_message(scene.fs, "INBOX", uid);
        assert_int_equal(fs_open(scene.fs, ino), 0);
        assert_true(fs_reads_all(scene.fs, ino, 131072, 70300));
        if (uid != 10 && uid != 40)
            continue;
        g_autoptr(GHashTable) status = status_of(scene.fs);
        const char *scan = g_hash_table_lookup(status, "scan-1");
        assert_non_null(scan);
        assert_non_null(strstr(scan, " messages, "));
        assert_true(g_str_has_suffix(scan, " ahead, folder \"INBOX\""));
        g_auto(GStrv) words = g_strsplit(scan, " ", -1); /* "9 of 60 messages, 5 ahead, …" */
        assert_true(g_strv_length(words) > 5);
        read = (unsigned)g_ascii_strtoull(words[0], NULL, 10);
        all = (unsigned)g_ascii_strtoull(words[2], NULL, 10);
        ahead = (unsigned)g_ascii_strtoull(words[4], NULL, 10);
        assert_int_equal(all, 60);
        assert_in_range(read, uid - 1, uid + 1);
        assert_in_range(ahead, 1, all - read);
    }
    scene_end(&scene);
}

/* A warning is one, and so is what a system call failed with for want of the server. */
static void test_last_error(void **state)
{
    Scene scene = scene_new();
    fake_add(scene.server, scene.inbox, 1, 300, 700);
    scene_mount(&scene, state);
    fake_fail(scene.server, FAKE_FETCH, ETIMEDOUT, 1);
    assert_int_equal(fs_open(scene.fs, fs_message(scene.fs, "INBOX", 1)), ETIMEDOUT);
    g_autoptr(GHashTable) status = status_of(scene.fs);
    const char *error = g_hash_table_lookup(status, "last-error");
    assert_true(g_regex_match_simple("^20[-T:.0-9]*Z ..*$", error, 0, 0));
    scene_end(&scene);
}

static void test_status_without_a_disk(void **state)
{
    Scene scene = scene_new();
    (void)state;
    scene.fs = fs_mount(scene.server, NULL);
    g_autoptr(GHashTable) status = status_of(scene.fs);
    assert_value(status, "cache", "in memory only");
    scene_end(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),       cmocka_unit_test(test_modes),
        TEST_IN_DIRECTORY(test_status),     TEST_IN_DIRECTORY(test_status_of_a_scan),
        TEST_IN_DIRECTORY(test_last_error), TEST_IN_DIRECTORY(test_status_without_a_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
