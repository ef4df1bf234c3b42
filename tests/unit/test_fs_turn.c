#include "../../fs/turn.h"

#include "../../cache/mail.h"
#include "cache_helpers.h"

#include <errno.h>

/* Only the engine thread touches it until that has ended. */
typedef struct {
    Engine *engine;
    Turn turn;
    unsigned came;
    GMutex lock;
    GCond changed;
} Scene;

static void note(gpointer data)
{
    Scene *scene = data;

    g_mutex_lock(&scene->lock);
    scene->came++;
    g_cond_signal(&scene->changed);
    g_mutex_unlock(&scene->lock);
}

static void begin(Scene *scene)
{
    *scene = (Scene){.turn = {.begin = note, .data = scene}};
    g_mutex_init(&scene->lock);
    g_cond_init(&scene->changed);
    scene->engine = engine_start();
}

static void await(Scene *scene, unsigned n)
{
    g_mutex_lock(&scene->lock);
    while (scene->came < n)
        g_cond_wait(&scene->changed, &scene->lock);
    g_mutex_unlock(&scene->lock);
}

static void end(Scene *scene, unsigned n)
{
    engine_stop(scene->engine);
    assert_int_equal(scene->came, n);
    assert_null(scene->turn.timer);
    g_mutex_clear(&scene->lock);
    g_cond_clear(&scene->changed);
}

static void plan_twice(gpointer data)
{
    Scene *scene = data;

    turn_plan(&scene->turn, 3600000);
    turn_plan(&scene->turn, 0);
}

static void plan_and_cancel(gpointer data)
{
    Scene *scene = data;

    turn_plan(&scene->turn, 0);
    turn_plan_soon(&scene->turn, true);
    turn_cancel(&scene->turn);
    assert_null(scene->turn.timer);
    assert_int_equal(scene->turn.since, 0);
}

static void test_planned(void **state)
{
    Scene scene;

    (void)state;
    begin(&scene);
    engine_post(scene.engine, plan_twice, &scene);
    await(&scene, 1);
    engine_post(scene.engine, plan_and_cancel, &scene);
    end(&scene, 1);
}

/* The first one's patience is not made longer by those that follow. */
static void plan_soon(gpointer data)
{
    Scene *scene = data;
    gint64 since;

    turn_plan_soon(&scene->turn, false);
    since = scene->turn.since;
    assert_true(since > 0);
    turn_plan_soon(&scene->turn, false);
    assert_int_equal(scene->turn.since, since);
    assert_true(g_source_get_ready_time(scene->turn.timer) > since + 100000);
    scene->turn.since -= 8 * G_USEC_PER_SEC;
    turn_plan_soon(&scene->turn, false);
}

static void test_soon(void **state)
{
    Scene scene;

    (void)state;
    begin(&scene);
    engine_post(scene.engine, plan_soon, &scene);
    await(&scene, 1);
    end(&scene, 1);
}

/* Later and later, and one warning. */
static void plan_again(gpointer data)
{
    Scene *scene = data;
    g_autoptr(GError) lost = g_error_new(MAIL_ERROR, ENOTCONN, "lost");
    g_autoptr(GError) stale = g_error_new(MAIL_ERROR, ESTALE, "stale");
    gint64 now = g_get_monotonic_time(), ready = now;

    turn_plan_again(&scene->turn, stale, "moved");
    assert_int_equal(g_atomic_int_get(&warnings), 0);
    scene->turn.failures = 0;
    for (unsigned i = 1; i <= 40; i++) {
        gint64 before = ready;
        turn_plan_again(&scene->turn, lost, "moved");
        ready = g_source_get_ready_time(scene->turn.timer);
        assert_true(ready >= before);
        assert_true(ready <= g_get_monotonic_time() + 300 * G_USEC_PER_SEC);
        assert_int_equal(scene->turn.failures, i);
    }
    assert_true(ready >= now + 300 * G_USEC_PER_SEC);
    assert_int_equal(g_atomic_int_get(&warnings), 1);
    turn_cancel(&scene->turn);
}

static void test_again(void **state)
{
    Scene scene;

    (void)state;
    begin(&scene);
    engine_post(scene.engine, plan_again, &scene);
    end(&scene, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_DIRECTORY(test_planned),
        TEST_IN_DIRECTORY(test_soon),
        TEST_IN_DIRECTORY(test_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
