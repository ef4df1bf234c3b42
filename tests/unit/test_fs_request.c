#include "fs_harness.h"

/* --- queues, without a session -------------------------------------------------------------- */

/* What resuming did: the requests' sizes serve as their names. */
typedef struct {
    Fs fs; /* its mount has nothing but requests */
    GQueue queue;
    GString *log;
} Bench;

static Bench *bench_of(Request *request)
{
    return (Bench *)request->mount;
}

static bool resume_and_end(Request *request, const GError *error)
{
    g_string_append_printf(bench_of(request)->log, "%zu%s ", request->size, error ? "!" : "");
    return false;
}

/* A request that waits again, `offset` times. */
static bool resume_and_wait(Request *request, const GError *error)
{
    resume_and_end(request, error);
    if (request->offset-- == 0)
        return false;
    request_wait(request, &bench_of(request)->queue);
    return true;
}

static Request *wait_new(Bench *bench, size_t name, RequestResume resume, off_t again)
{
    Request *request = request_new(&bench->fs.mount, NULL, resume);
    request->size = name;
    request->offset = again;
    request_wait(request, &bench->queue);
    return request;
}

static int setup_bench(void **state)
{
    Bench *bench = g_new0(Bench, 1);
    g_queue_init(&bench->queue);
    bench->log = g_string_new(NULL);
    bench->fs.mount.requests = requests_new(&bench->fs.mount);
    *state = bench;
    return 0;
}

static int teardown_bench(void **state)
{
    Bench *bench = *state;
    requests_free(bench->fs.mount.requests);
    g_string_free(bench->log, TRUE);
    g_free(bench);
    return 0;
}

static void test_resume_all_in_order(void **state)
{
    Bench *bench = *state;
    g_autoptr(GError) error = g_error_new(MAIL_ERROR, EACCES, "no");
    for (size_t i = 1; i <= 3; i++)
        wait_new(bench, i, resume_and_end, 0);
    request_resume_all(&bench->queue, NULL);
    wait_new(bench, 4, resume_and_end, 0);
    request_resume_all(&bench->queue, error);
    request_resume_all(&bench->queue, error);
    assert_string_equal(bench->log->str, "1 2 3 4! ");
    assert_int_equal(bench->queue.length, 0);
}

/* Who waits again is not resumed twice in one round, and keeps its place. */
static void test_waiting_again(void **state)
{
    Bench *bench = *state;
    wait_new(bench, 1, resume_and_wait, 2);
    wait_new(bench, 2, resume_and_end, 0);
    wait_new(bench, 3, resume_and_wait, 1);
    request_resume_all(&bench->queue, NULL);
    assert_string_equal(bench->log->str, "1 2 3 ");
    request_resume_all(&bench->queue, NULL);
    assert_string_equal(bench->log->str, "1 2 3 1 3 ");
    request_resume_all(&bench->queue, NULL);
    assert_string_equal(bench->log->str, "1 2 3 1 3 1 ");
    assert_int_equal(bench->queue.length, 0);
}

static void test_resume_one(void **state)
{
    Bench *bench = *state;
    wait_new(bench, 1, resume_and_end, 0);
    Request *middle = wait_new(bench, 2, resume_and_end, 0);
    wait_new(bench, 3, resume_and_end, 0);
    request_resume(middle, NULL);
    request_resume_all(&bench->queue, NULL);
    assert_string_equal(bench->log->str, "2 1 3 ");
    /* One that waits nowhere. */
    Request *loose = request_new(&bench->fs.mount, NULL, resume_and_end);
    loose->size = 4;
    request_resume(loose, NULL);
    assert_string_equal(bench->log->str, "2 1 3 4 ");
}

static void test_ids_differ(void **state)
{
    Bench *bench = *state;
    Request *one = wait_new(bench, 1, resume_and_end, 0);
    Request *two = wait_new(bench, 2, resume_and_end, 0);
    assert_int_not_equal(one->id, two->id);
    assert_int_not_equal(one->id, 0); /* as a pointer it would be none */
    request_resume_all(&bench->queue, NULL);
}

/* --- interruptions -------------------------------------------------------------------------- */

static void test_interrupted_ahead_of_submission(void **state)
{
    Scene scene = scene_new();
    scene.fs = fs_mount(scene.server, *state);
    uint64_t inbox = fs_folder(scene.fs, FUSE_ROOT_ID, "INBOX");
    fs_shut_gate(scene.fs);
    uint64_t unique = fs_send_open(scene.fs, FUSE_OPENDIR, inbox, O_RDONLY);
    fs_interrupt(scene.fs, unique);
    assert_false(fs_is_replied(scene.fs, unique));
    fs_open_gate(scene.fs);
    assert_int_equal(fs_error(scene.fs, unique), EINTR);
    fs_settle(scene.fs);
    assert_int_equal(fake_started(scene.server, FAKE_SYNC), 0);
    assert_int_equal(fs_opendir(scene.fs, inbox), 0);
    scene_end(&scene);
}

/* The kernel's two messages may overtake each other on the way to two workers. */
static void test_interrupted_ahead_of_the_request(void **state)
{
    Scene scene = scene_new();
    scene.fs = fs_mount(scene.server, *state);
    uint64_t inbox = fs_folder(scene.fs, FUSE_ROOT_ID, "INBOX");
    fs_interrupt(scene.fs, scene.fs->last_unique + 4);
    uint64_t unique = fs_send_open(scene.fs, FUSE_OPENDIR, inbox, O_RDONLY);
    assert_int_equal(fs_error(scene.fs, unique), EINTR);
    fs_settle(scene.fs);
    assert_int_equal(fake_started(scene.server, FAKE_SYNC), 0);
    scene_end(&scene);
}

/* One of several that wait leaves; the others are served. */
static void test_interrupted_while_waiting(void **state)
{
    Scene scene = scene_new();
    scene.fs = fs_mount(scene.server, *state);
    uint64_t inbox = fs_folder(scene.fs, FUSE_ROOT_ID, "INBOX");
    uint64_t unique[3];
    fake_hold(scene.server, true);
    for (int i = 0; i < 3; i++)
        unique[i] = fs_send_open(scene.fs, FUSE_OPENDIR, inbox, O_RDONLY);
    fake_await(scene.server, FAKE_SYNC, 1);
    fs_interrupt(scene.fs, unique[1]);
    assert_int_equal(fs_error(scene.fs, unique[1]), EINTR);
    assert_false(fs_is_replied(scene.fs, unique[0]));
    assert_false(fs_is_replied(scene.fs, unique[2]));
    fake_hold(scene.server, false);
    assert_int_equal(fs_error(scene.fs, unique[0]), 0);
    assert_int_equal(fs_error(scene.fs, unique[2]), 0);
    scene_end(&scene);
}

/* Nobody waits any more, and what was asked for still arrives. */
static void test_all_are_interrupted(void **state)
{
    Scene scene = scene_new();
    fake_add(scene.server, scene.inbox, 1, 100, 200);
    scene_mount(&scene, state);
    uint64_t ino = fs_message(scene.fs, "INBOX", 1);
    fake_hold(scene.server, true);
    uint64_t unique = fs_send_open(scene.fs, FUSE_OPEN, ino, O_RDONLY);
    fake_await(scene.server, FAKE_FETCH, 1);
    fs_interrupt(scene.fs, unique);
    assert_int_equal(fs_error(scene.fs, unique), EINTR);
    fs_interrupt(scene.fs, unique); /* it has its reply */
    fs_settle(scene.fs);
    fake_hold(scene.server, false);
    assert_int_equal(fs_open(scene.fs, ino), 0);
    assert_true(fs_reads(scene.fs, ino, 0, 4096, 300));
    assert_int_equal(fake_started(scene.server, FAKE_FETCH), 1);
    scene_end(&scene);
}

enum { INTERRUPTERS = 4, INTERRUPTIONS = 200 };

typedef struct {
    Fs *fs;
    uint64_t ino;
    unsigned odd; /* neither served nor interrupted */
} Interrupter;

static gpointer interrupt_on(gpointer data)
{
    Interrupter *interrupter = data;
    for (int i = 0; i < INTERRUPTIONS; i++) {
        uint64_t unique = fs_send_open(interrupter->fs, FUSE_OPENDIR, interrupter->ino, O_RDONLY);
        if (i % 3)
            g_usleep((gulong)(i * 13 % 1500));
        fs_interrupt(interrupter->fs, unique);
        int error = fs_error(interrupter->fs, unique);
        interrupter->odd += error != 0 && error != EINTR;
    }
    return NULL;
}

/* Whatever the interruption meets, there is one reply (the harness sees to that). */
static void test_interrupted_at_any_moment(void **state)
{
    Scene scene = scene_new();
    GThread *threads[INTERRUPTERS];
    Interrupter interrupters[INTERRUPTERS];
    scene.fs = fs_prepare(scene.server);
    scene.fs->options.refresh = 0; /* each opendir has to wait */
    fs_begin(scene.fs, *state);
    uint64_t inbox = fs_folder(scene.fs, FUSE_ROOT_ID, "INBOX");
    for (int i = 0; i < INTERRUPTERS; i++) {
        interrupters[i] = (Interrupter){scene.fs, inbox, 0};
        threads[i] = g_thread_new("interrupter", interrupt_on, &interrupters[i]);
    }
    for (int i = 0; i < INTERRUPTERS; i++) {
        g_thread_join(threads[i]);
        assert_int_equal(interrupters[i].odd, 0);
    }
    scene_end(&scene);
}

/* --- the end -------------------------------------------------------------------------------- */

static void test_all_fail_at_the_end(void **state)
{
    Scene scene = scene_new();
    uint64_t unique[4];
    FakeFolder *other = fake_folder(scene.server, "other");
    fake_add(scene.server, scene.inbox, 1, 100, 200);
    fake_add(scene.server, other, 1, 100, 200);
    scene_mount(&scene, state);
    uint64_t ino = fs_message(scene.fs, "INBOX", 1);
    uint64_t folder = fs_folder(scene.fs, FUSE_ROOT_ID, "other");
    fake_hold(scene.server, true);
    unique[0] = fs_send_open(scene.fs, FUSE_OPENDIR, folder, O_RDONLY);
    unique[1] = fs_send_lookup(scene.fs, folder, "20261122-190507-17.eml");
    unique[2] = fs_send_open(scene.fs, FUSE_OPEN, ino, O_RDONLY);
    unique[3] = fs_send_read(scene.fs, FUSE_READ, ino, 0, 0, 100);
    fs_settle(scene.fs);
    for (int i = 0; i < 4; i++)
        assert_false(fs_is_replied(scene.fs, unique[i]));
    fs_close(scene.fs);
    for (int i = 0; i < 4; i++)
        assert_int_equal(fs_error(scene.fs, unique[i]), ENOTCONN);
    scene_end(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_resume_all_in_order, setup_bench, teardown_bench),
        cmocka_unit_test_setup_teardown(test_waiting_again, setup_bench, teardown_bench),
        cmocka_unit_test_setup_teardown(test_resume_one, setup_bench, teardown_bench),
        cmocka_unit_test_setup_teardown(test_ids_differ, setup_bench, teardown_bench),
        TEST_IN_DIRECTORY(test_interrupted_ahead_of_submission),
        TEST_IN_DIRECTORY(test_interrupted_ahead_of_the_request),
        TEST_IN_DIRECTORY(test_interrupted_while_waiting),
        TEST_IN_DIRECTORY(test_all_are_interrupted),
        TEST_IN_DIRECTORY(test_interrupted_at_any_moment),
        TEST_IN_DIRECTORY(test_all_fail_at_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
