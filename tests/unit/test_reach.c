/* test_reach.c: when a server is tried, and what who waits for it is told; by a clock of its own.
 */
#include "../../imapclient/net/reach.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define SECOND ((gint64)G_USEC_PER_SEC)

enum { TIMEOUT = 30 };

static gint64 now, slept;

static gint64 clock_now(void)
{
    return now;
}

static gint64 clock_asleep(void)
{
    return slept;
}

static const ReachClock test_clock = {clock_now, clock_asleep};

/* What the source says; how often it was read. */
typedef struct {
    SecretSource source;
    gint changed, reads; /* atomic */
    const char *text;    /* NULL: it can't be read */
} Source;

static bool source_changed(SecretSource *source)
{
    return g_atomic_int_get(&((Source *)source)->changed);
}

static Secret *source_read(SecretSource *source, GError **error)
{
    Source *self = (Source *)source;

    g_atomic_int_inc(&self->reads);
    g_atomic_int_set(&self->changed, 0);
    if (!self->text)
        g_set_error(error, MAIL_ERROR, ENOENT, "it is gone");
    return self->text ? secret_new(self->text, -1) : NULL;
}

static void source_free(SecretSource *source)
{
    g_free(source);
}

typedef struct {
    Reach *reach;
    Source *source;
    unsigned looks;
    GString *told;
} Bed;

static void look(gpointer data)
{
    ((Bed *)data)->looks++;
}

static void told(gpointer data, const GError *error)
{
    Bed *bed = data;

    g_string_append_printf(bed->told, "%s ", error ? strerrorname_np(error->code) : "ok");
}

static void begin_bed(Bed *bed, bool never)
{
    now = 1000 * SECOND;
    slept = 0;
    *bed = (Bed){.source = g_new0(Source, 1), .told = g_string_new(NULL)};
    bed->source->source = (SecretSource){source_changed, source_read, source_free, 1};
    bed->source->text = "old";
    g_autoptr(Secret) password = secret_new("old", -1);
    bed->reach = reach_new(&(ReachConfig){.never = never,
                                          .timeout = TIMEOUT,
                                          .password = password,
                                          .source = &bed->source->source,
                                          .look = look,
                                          .data = bed,
                                          .clock = &test_clock});
    reach_watch(bed->reach, told, bed);
}

static void end_bed(Bed *bed)
{
    reach_free(bed->reach);
    secret_source_unref(&bed->source->source);
    g_string_free(bed->told, TRUE);
}

static bool fail_with(Bed *bed, int code)
{
    g_autoptr(GError) error = g_error_new(MAIL_ERROR, code, "because");

    return reach_failed(bed->reach, error);
}

static int verdict(Bed *bed)
{
    const GError *error = reach_verdict(bed->reach, now);

    return error ? error->code : 0;
}

/* Until the source was read, which says so by a look. */
static void await_look(Bed *bed)
{
    unsigned before = bed->looks;

    while (bed->looks == before)
        g_main_context_iteration(NULL, TRUE);
}

static void log_in(Bed *bed, gint64 takes)
{
    assert_true(reach_may_try(bed->reach));
    reach_trying(bed->reach);
    now += takes;
    reach_worked(bed->reach);
}

/* --- what is lost ----------------------------------------------------------------------------- */

static void test_fails_at_once(void **state)
{
    Bed bed;

    (void)state;
    begin_bed(&bed, false);
    assert_int_equal(reach_state(bed.reach), REACH_UNKNOWN);
    assert_int_equal(verdict(&bed), 0);
    log_in(&bed, SECOND / 10);
    assert_true(reach_may_try(bed.reach));
    reach_trying(bed.reach);
    assert_true(fail_with(&bed, EHOSTUNREACH));
    assert_int_equal(reach_state(bed.reach), REACH_LOST);
    /* Within the second nobody tries, and everybody is told. */
    now += SECOND / 2;
    assert_false(reach_may_try(bed.reach));
    assert_int_equal(verdict(&bed), EHOSTUNREACH);
    /* Then who comes does, and waits for twice as long as a login takes, but at least half a
     * second. */
    now += SECOND / 2;
    assert_true(reach_may_try(bed.reach));
    reach_trying(bed.reach);
    assert_int_equal(verdict(&bed), 0);
    now += SECOND / 2 - 1;
    assert_int_equal(verdict(&bed), 0);
    now += 1;
    assert_int_equal(verdict(&bed), EHOSTUNREACH);
    /* The errno is that of the last attempt; that the state is the same is no news. */
    assert_true(fail_with(&bed, ETIMEDOUT));
    assert_int_equal(verdict(&bed), ETIMEDOUT);
    now += SECOND;
    log_in(&bed, SECOND);
    assert_int_equal(verdict(&bed), 0);
    assert_string_equal(bed.told->str, "ok EHOSTUNREACH ok ");
    end_bed(&bed);
}

/* How long after a failure it is tried though nobody asks, in seconds. */
static gint64 interval(Bed *bed, gint64 step)
{
    gint64 begin = now;

    while (!reach_is_due(bed->reach))
        now += step;
    return (now - begin) / SECOND;
}

static void test_intervals(void **state)
{
    static const gint64 least[] = {0, 1, 3, 6, 12, 24, 45, 45};
    static const gint64 most[] = {2, 3, 5, 10, 20, 40, 75, 75};
    Bed bed;

    (void)state;
    begin_bed(&bed, false);
    assert_false(reach_is_due(bed.reach));
    for (int turn = 0; turn < 2; turn++) {
        for (size_t i = 0; i < G_N_ELEMENTS(least); i++) {
            reach_trying(bed.reach);
            assert_false(reach_is_due(bed.reach));
            assert_true(fail_with(&bed, ECONNREFUSED));
            assert_in_range(interval(&bed, SECOND / 10), least[i], most[i]);
        }
        log_in(&bed, SECOND / 10); /* then it begins anew */
        assert_false(reach_is_due(bed.reach));
    }
    end_bed(&bed);
}

static void test_stalled(void **state)
{
    Bed bed;

    (void)state;
    begin_bed(&bed, false);
    reach_trying(bed.reach);
    now += TIMEOUT * SECOND;
    assert_false(reach_is_stalled(bed.reach)); /* who waits does so since then */
    assert_true(fail_with(&bed, ETIMEDOUT));
    now += SECOND;
    assert_true(reach_may_try(bed.reach));
    reach_trying(bed.reach);
    now += 9 * SECOND;
    assert_false(reach_is_stalled(bed.reach));
    assert_int_equal(verdict(&bed), ETIMEDOUT);
    now += SECOND;
    assert_true(reach_is_stalled(bed.reach));
    reach_dropped(bed.reach);
    assert_true(reach_may_try(bed.reach));
    reach_trying(bed.reach);
    assert_int_equal(verdict(&bed), 0);
    end_bed(&bed);
}

/* Whatever happens to connections, nobody waits for one for ever. */
static void test_late(void **state)
{
    Bed bed;

    (void)state;
    begin_bed(&bed, false);
    log_in(&bed, SECOND);
    gint64 since = now;
    now += TIMEOUT * SECOND;
    assert_null(reach_verdict(bed.reach, since));
    now += 3 * SECOND;
    assert_int_equal(reach_verdict(bed.reach, since)->code, ETIMEDOUT);
    assert_int_equal(verdict(&bed), 0);
    end_bed(&bed);
}

static void test_never(void **state)
{
    Bed bed;

    (void)state;
    begin_bed(&bed, true);
    now += 7200 * SECOND;
    assert_false(reach_may_try(bed.reach));
    assert_false(reach_is_due(bed.reach));
    assert_int_equal(verdict(&bed), ENETUNREACH);
    end_bed(&bed);
}

static void test_asleep(void **state)
{
    Bed bed;

    (void)state;
    begin_bed(&bed, false);
    assert_false(reach_was_asleep(bed.reach));
    slept += 5 * SECOND;
    assert_false(reach_was_asleep(bed.reach));
    slept += 3600 * SECOND;
    assert_true(reach_was_asleep(bed.reach));
    assert_false(reach_was_asleep(bed.reach));
    /* There may be another network: it is tried at once. */
    reach_trying(bed.reach);
    assert_true(fail_with(&bed, ENETUNREACH));
    assert_false(reach_may_try(bed.reach));
    slept += 3600 * SECOND;
    assert_true(reach_was_asleep(bed.reach));
    assert_true(reach_may_try(bed.reach));
    end_bed(&bed);
}

/* --- what is refused -------------------------------------------------------------------------- */

/* A login that never worked: the password is not asked for again at once. */
static void test_refused_at_first(void **state)
{
    Bed bed;

    (void)state;
    begin_bed(&bed, false);
    reach_trying(bed.reach);
    assert_true(fail_with(&bed, EACCES));
    assert_int_equal(reach_state(bed.reach), REACH_REFUSED);
    assert_int_equal(verdict(&bed), EACCES);
    assert_int_equal(g_atomic_int_get(&bed.source->reads), 0);
    assert_string_equal(bed.told->str, "EACCES ");
    end_bed(&bed);
}

static void test_refused_with_the_same_password(void **state)
{
    Bed bed;

    (void)state;
    begin_bed(&bed, false);
    log_in(&bed, SECOND);
    reach_trying(bed.reach);
    assert_false(fail_with(&bed, EACCES));
    assert_int_equal(verdict(&bed), 0);
    assert_false(reach_may_try(bed.reach));
    await_look(&bed);
    assert_int_equal(reach_state(bed.reach), REACH_REFUSED);
    assert_int_equal(verdict(&bed), EACCES);
    /* Who comes changes nothing, for a long while. */
    for (int i = 0; i < 44; i++) {
        assert_false(reach_may_try(bed.reach));
        assert_int_equal(verdict(&bed), EACCES);
        now += SECOND;
    }
    assert_int_equal(g_atomic_int_get(&bed.source->reads), 1);
    assert_string_equal(bed.told->str, "ok EACCES ");
    end_bed(&bed);
}

/* When its time comes the source is read, and it is tried, whatever that gives. */
static void test_refused_for_long(void **state)
{
    static const gint64 least[] = {45, 90, 180, 360, 720, 1440, 2700, 2700};
    static const gint64 most[] = {75, 150, 300, 600, 1200, 2400, 4500, 4500};
    Bed bed;

    (void)state;
    begin_bed(&bed, false);
    reach_trying(bed.reach);
    assert_true(fail_with(&bed, EACCES));
    for (size_t i = 0; i < G_N_ELEMENTS(least); i++) {
        gint64 begin = now;
        while (g_atomic_int_get(&bed.source->reads) <= (gint)i) {
            now += SECOND;
            assert_false(reach_is_due(bed.reach)); /* it begins to read, or not even that */
            if (now - begin > most[i] * SECOND)
                await_look(&bed);
        }
        assert_in_range((now - begin) / SECOND, least[i], most[i] + 1);
        while (!reach_is_due(bed.reach))
            await_look(&bed);
        reach_trying(bed.reach);
        assert_true(fail_with(&bed, EACCES));
    }
    end_bed(&bed);
}

static void test_another_password_in_time(void **state)
{
    Bed bed;

    (void)state;
    begin_bed(&bed, false);
    log_in(&bed, SECOND);
    bed.source->text = "new";
    reach_trying(bed.reach);
    assert_false(fail_with(&bed, EACCES));
    await_look(&bed);
    assert_string_equal(secret_text(reach_password(bed.reach)), "new");
    assert_true(reach_is_due(bed.reach));
    assert_int_equal(verdict(&bed), 0);
    reach_trying(bed.reach);
    /* That is not asked for twice. */
    assert_true(fail_with(&bed, EACCES));
    assert_string_equal(bed.told->str, "ok EACCES ");
    end_bed(&bed);
}

static void test_another_password_later(void **state)
{
    Bed bed;

    (void)state;
    begin_bed(&bed, false);
    reach_trying(bed.reach);
    assert_true(fail_with(&bed, EACCES));
    bed.source->text = "new";
    g_atomic_int_set(&bed.source->changed, 1);
    now += SECOND;
    assert_false(reach_may_try(bed.reach)); /* it is being read, */
    assert_int_equal(verdict(&bed), 0);     /* and waited for */
    await_look(&bed);
    assert_true(reach_may_try(bed.reach));
    assert_string_equal(secret_text(reach_password(bed.reach)), "new");
    log_in(&bed, SECOND);
    assert_int_equal(verdict(&bed), 0);
    assert_string_equal(bed.told->str, "EACCES ok ");
    end_bed(&bed);
}

static void test_no_password_any_more(void **state)
{
    Bed bed;

    (void)state;
    begin_bed(&bed, false);
    log_in(&bed, SECOND);
    bed.source->text = NULL;
    assert_false(fail_with(&bed, EACCES));
    await_look(&bed);
    assert_int_equal(verdict(&bed), EACCES);
    assert_string_equal(reach_verdict(bed.reach, now)->message, "because");
    end_bed(&bed);
}

/* Who goes while the source is read is not told. */
static void test_freed_meanwhile(void **state)
{
    Bed bed;

    (void)state;
    begin_bed(&bed, false);
    log_in(&bed, SECOND);
    assert_false(fail_with(&bed, EACCES));
    reach_free(g_steal_pointer(&bed.reach));
    while (!g_atomic_int_get(&bed.source->reads) || g_main_context_iteration(NULL, FALSE))
        g_thread_yield();
    assert_int_equal(bed.looks, 0);
    end_bed(&bed);
}

static void drop_log(const char *domain, GLogLevelFlags level, const char *message, gpointer data)
{
    (void)domain, (void)message, (void)data;
    assert_false(level & (G_LOG_LEVEL_CRITICAL | G_LOG_FLAG_FATAL));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fails_at_once),
        cmocka_unit_test(test_intervals),
        cmocka_unit_test(test_stalled),
        cmocka_unit_test(test_late),
        cmocka_unit_test(test_never),
        cmocka_unit_test(test_asleep),
        cmocka_unit_test(test_refused_at_first),
        cmocka_unit_test(test_refused_with_the_same_password),
        cmocka_unit_test(test_refused_for_long),
        cmocka_unit_test(test_another_password_in_time),
        cmocka_unit_test(test_another_password_later),
        cmocka_unit_test(test_no_password_any_more),
        cmocka_unit_test(test_freed_meanwhile),
    };

    g_log_set_default_handler(drop_log, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
