/* Whether the server is there, for those who need not wait for it. */
#include "fs_away.h"

static uint64_t begin(Scene *scene, void **state)
{
    *scene = scene_new();
    fake_add(scene->server, scene->inbox, 1, 10, 10);
    uint64_t inbox = scene_mount(scene, state);
    assert_int_equal(fs_opendir(scene->fs, inbox), 0);
    return inbox;
}

static unsigned tried(const Scene *scene)
{
    fs_settle(scene->fs);
    return fake_started(scene->server, FAKE_CONNECT);
}

/* Also of a folder that was in step lately; but nobody waits for that. */
static void test_who_looks_has_it_tried(void **state)
{
    Scene scene;
    uint64_t inbox = begin(&scene, state);
    assert_false(offline_is(scene.fs->mount.offline));
    assert_int_equal(fs_opendir(scene.fs, inbox), 0);
    assert_int_equal(tried(&scene), 0);
    away_lose(scene.fs);
    assert_true(offline_is(scene.fs->mount.offline));
    assert_int_equal(tried(&scene), 0);
    assert_int_equal(fs_opendir(scene.fs, inbox), 0);
    assert_int_equal(tried(&scene), 1);
    away_reach(scene.fs);
    assert_false(offline_is(scene.fs->mount.offline));
    scene_end(&scene);
    assert_int_equal(warnings, 1);
}

/* What was in step before is looked at again. */
static void test_there_again(void **state)
{
    Scene scene;
    uint64_t inbox = begin(&scene, state);
    unsigned looks = fake_started(scene.server, FAKE_SYNC);
    away_lose(scene.fs);
    assert_int_equal(fs_opendir(scene.fs, inbox), 0);
    assert_int_equal(fake_started(scene.server, FAKE_SYNC), looks);
    away_reach(scene.fs);
    assert_int_equal(fs_opendir(scene.fs, inbox), 0);
    assert_int_equal(fake_started(scene.server, FAKE_SYNC), looks + 1);
    scene_end(&scene);
    assert_int_equal(warnings, 1);
}

/* A login that is refused refuses nothing that is in the journal. */
static void test_refusals(void **state)
{
    Scene scene;
    g_autoptr(GError) error = g_error_new(MAIL_ERROR, EACCES, "no");
    begin(&scene, state);
    assert_true(offline_is_refusal(scene.fs->mount.offline, error));
    away_lose(scene.fs);
    assert_false(offline_is_refusal(scene.fs->mount.offline, error));
    g_autoptr(GError) why = offline_error(scene.fs->mount.offline);
    assert_int_equal(mail_errno(why), EHOSTUNREACH);
    scene_end(&scene);
    assert_int_equal(warnings, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_DIRECTORY(test_who_looks_has_it_tried),
        TEST_IN_DIRECTORY(test_there_again),
        TEST_IN_DIRECTORY(test_refusals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
