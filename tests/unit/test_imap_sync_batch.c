#include "../../imapclient/mailbox.h"
#include "../../imapclient/sync_batch.h"
#include "imap_response.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

typedef struct {
    SyncBatch *batch;
    GString *told;
    size_t calls, most, messages;
    size_t most_bytes; /* of flags in one call */
} Bench;

static void take_messages(gpointer data, const MailMessage *messages, size_t n)
{
    Bench *bench = data;
    size_t bytes = 0;

    bench->calls++;
    bench->messages += n;
    bench->most = MAX(bench->most, n);
    for (size_t i = 0; i < n; i++) {
        const MailMessage *message = &messages[i];
        assert_true((message->has & MAIL_HAS_FLAGS) == (message->flags ? MAIL_HAS_FLAGS : 0));
        bytes += message->flags ? strlen(message->flags) : 0;
        if (bench->told->len < 10000)
            g_string_append_printf(bench->told, "%u%s%s%s%s;", message->uid,
                                   message->has & MAIL_HAS_SIZE ? " size" : "",
                                   message->has & MAIL_HAS_DATE ? " date" : "",
                                   message->flags ? " " : "", message->flags ? message->flags : "");
    }
    bench->most_bytes = MAX(bench->most_bytes, bytes);
}

static void take_present(gpointer data, const uint32_t *uids, size_t n)
{
    Bench *bench = data;

    g_string_append(bench->told, "present");
    for (size_t i = 0; i < n; i++)
        g_string_append_printf(bench->told, " %u", uids[i]);
    g_string_append_c(bench->told, ';');
}

static void take_reached(gpointer data, uint32_t uid)
{
    Bench *bench = data;

    g_string_append_printf(bench->told, "reached %u;", uid);
}

static const MailSyncSink sink = {
    .messages = take_messages, .reached = take_reached, .present = take_present};

static void begin(Bench *bench, uint32_t first_new)
{
    *bench = (Bench){.told = g_string_new(NULL)};
    bench->batch = imap_sync_batch_new_for(&sink, bench);
    imap_sync_batch_reset(bench->batch, first_new);
}

static void end(Bench *bench)
{
    imap_sync_batch_free(bench->batch);
    g_string_free(bench->told, TRUE);
}

static void take(gpointer data, const ImapResponse *response)
{
    assert_true(imap_sync_batch_take(data, response));
}

static void refuse(gpointer data, const ImapResponse *response)
{
    assert_false(imap_sync_batch_take(data, response));
}

static void feed(Bench *bench, const char *text)
{
    with_responses(text, take, bench->batch);
}

#define DATE "INTERNALDATE \"01-Jan-1970 00:01:40 +0000\""

static void test_answers_are_joined(void **state)
{
    Bench bench;

    (void)state;
    begin(&bench, 1);
    feed(&bench, "* 1 FETCH (UID 5 FLAGS (\\Seen))\n* 1 FETCH (RFC822.SIZE 7 UID 5)\n"
                 "* 1 FETCH (UID 5 " DATE ")\n* 1 FETCH (UID 5 FLAGS (\\Answered))\n"
                 "* 2 FETCH (UID 6 RFC822.SIZE 8 FLAGS (\\Recent))\n");
    assert_string_equal(bench.told->str, "");
    imap_sync_batch_flush(bench.batch);
    assert_string_equal(bench.told->str, "5 size date \\Answered;6 size ;");
    assert_int_equal(bench.calls, 1);
    imap_sync_batch_flush(bench.batch);
    assert_int_equal(bench.calls, 1);
    end(&bench);
}

static void test_what_counts_as_told(void **state)
{
    Bench bench;

    (void)state;
    begin(&bench, 10);
    feed(&bench, "* 1 FETCH (UID 5 FLAGS ())\n* 2 FETCH (UID 6)\n* 3 FETCH (UID 7 X Y)\n"
                 "* 4 FETCH (UID 10 FLAGS ())\n* 5 FETCH (UID 11 RFC822.SIZE 1)\n"
                 "* 6 FETCH (UID 12 " DATE ")\n* 7 FETCH (UID 13 RFC822.SIZE x FLAGS ())\n"
                 "* 8 FETCH (UID 14 INTERNALDATE \"yesterday\" FLAGS ())\n");
    imap_sync_batch_flush(bench.batch);
    assert_string_equal(bench.told->str, "5 ;11 size;12 date;");
    assert_int_equal(imap_sync_batch_new(bench.batch), 2);
    assert_int_equal(imap_sync_batch_uidnext(bench.batch, 20), 10);
    end(&bench);
}

static void test_without_uid(void **state)
{
    Bench bench;

    (void)state;
    begin(&bench, 1);
    with_responses("* 1 FETCH (FLAGS ())\n* 1 FETCH ()\n* 1 FETCH (UID)\n* 1 FETCH (UID 0)\n"
                   "* 1 FETCH (UID x)\n* 1 FETCH (UID 4294967296)\n* 1 FETCH (UID \"5\")\n"
                   "* 1 FETCH NIL\n* 1 FETCH\n* 1 FETCH (UID -1 FLAGS ())\n",
                   refuse, bench.batch);
    imap_sync_batch_flush(bench.batch);
    imap_sync_batch_tell_present(bench.batch);
    assert_string_equal(bench.told->str, "present;");
    end(&bench);
}

static void test_uidnext(void **state)
{
    static const struct {
        const char *answers;
        uint32_t told, expected;
    } cases[] = {
        {"", 0, 1},
        {"", 17, 17},
        {"* 1 FETCH (UID 3 FLAGS ())\n", 0, 4},
        {"* 1 FETCH (UID 3 FLAGS ())\n", 2, 4},
        {"* 1 FETCH (UID 3 FLAGS ())\n", 17, 17},
        {"* 1 FETCH (UID 12 RFC822.SIZE 1)\n* 1 FETCH (UID 11 RFC822.SIZE 1)\n", 0, 13},
        /* A new one that was not told whole is asked for again. */
        {"* 1 FETCH (UID 11 RFC822.SIZE 1)\n* 2 FETCH (UID 14 FLAGS ())\n", 0, 14},
        {"* 1 FETCH (UID 11 FLAGS ())\n* 2 FETCH (UID 14 RFC822.SIZE 1)\n", 20, 11},
        {"* 1 FETCH (UID 11 FLAGS ())\n* 2 FETCH (UID 14 RFC822.SIZE 1)\n"
         "* 1 FETCH (UID 11 RFC822.SIZE 1)\n",
         20, 20},
        {"* 1 FETCH (UID 11 RFC822.SIZE 1)\n* 2 FETCH (UID 12 RFC822.SIZE 1)\n"
         "* 1 FETCH (UID 11 FLAGS ())\n",
         0, 13},
        {"* 1 FETCH (UID 4294967295 RFC822.SIZE 1)\n", 5, 4294967295},
    };

    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        Bench bench;
        begin(&bench, 10);
        feed(&bench, cases[i].answers);
        imap_sync_batch_flush(bench.batch);
        assert_int_equal(imap_sync_batch_uidnext(bench.batch, cases[i].told), cases[i].expected);
        end(&bench);
    }
}

static void test_new_ones_are_counted_once(void **state)
{
    Bench bench;

    (void)state;
    begin(&bench, 5);
    feed(&bench, "* 2 FETCH (UID 6 RFC822.SIZE 1)\n* 1 FETCH (UID 5 RFC822.SIZE 1)\n"
                 "* 2 FETCH (UID 6 RFC822.SIZE 1)\n* 3 FETCH (UID 4 RFC822.SIZE 1)\n");
    imap_sync_batch_flush(bench.batch);
    assert_int_equal(imap_sync_batch_new(bench.batch), 2);
    end(&bench);
}

static void present(Bench *bench, const char *set, uint32_t exists, bool expected)
{
    g_autoptr(GArray) ranges = imap_uid_set(set);

    assert_int_equal(imap_sync_batch_present(bench->batch, ranges, exists), expected);
}

static void test_present(void **state)
{
    Bench bench;

    (void)state;
    begin(&bench, 10);
    feed(&bench, "* 3 FETCH (UID 7)\n* 1 FETCH (UID 3 FLAGS ())\n* 3 FETCH (UID 7)\n");
    present(&bench, "5:6,3", 4, true);
    imap_sync_batch_flush(bench.batch);
    imap_sync_batch_tell_present(bench.batch);
    assert_string_equal(bench.told->str, "3 ;present 3 5 6 7;");
    end(&bench);
}

static void test_present_beyond_belief(void **state)
{
    Bench bench;

    (void)state;
    begin(&bench, 10);
    present(&bench, "1:*", 4, false);
    present(&bench, "1:5000", 4, false);
    present(&bench, "1:4294967295", UINT32_MAX, false);
    present(&bench, "4294967294:4294967295", 2, true);
    imap_sync_batch_tell_present(bench.batch);
    assert_string_equal(bench.told->str, "present 4294967294 4294967295;");
    end(&bench);
}

/* What was gathered from one mailbox is not told of another. */
static void test_reset_forgets(void **state)
{
    Bench bench;

    (void)state;
    begin(&bench, 1);
    feed(&bench,
         "* 1 FETCH (UID 5 RFC822.SIZE 1)\n* 2 FETCH (UID 6 FLAGS (\\Seen) RFC822.SIZE 1)\n");
    imap_sync_batch_reset(bench.batch, 1);
    imap_sync_batch_flush(bench.batch);
    imap_sync_batch_tell_present(bench.batch);
    assert_string_equal(bench.told->str, "present;");
    assert_int_equal(imap_sync_batch_new(bench.batch), 0);
    assert_int_equal(imap_sync_batch_uidnext(bench.batch, 0), 1);
    end(&bench);
}

/* What was reached is told as long as nothing can come that is below. */
static void test_reached(void **state)
{
    static const struct {
        const char *answers, *told;
    } cases[] = {
        {"* 1 FETCH (UID 3 RFC822.SIZE 1)\n* 2 FETCH (UID 7 RFC822.SIZE 1)\n",
         "3 size;7 size;reached 7;"},
        /* Parts of a message, and what somebody did to one that was told. */
        {"* 1 FETCH (UID 3 FLAGS ())\n* 1 FETCH (UID 3 RFC822.SIZE 1)\n"
         "* 2 FETCH (UID 7 RFC822.SIZE 1)\n* 1 FETCH (UID 3 RFC822.SIZE 1)\n",
         "3 size ;7 size;3 size;reached 7;"},
        /* A gap in the sequence numbers: the rest may come yet. */
        {"* 1 FETCH (UID 3 RFC822.SIZE 1)\n* 3 FETCH (UID 7 RFC822.SIZE 1)\n"
         "* 4 FETCH (UID 9 RFC822.SIZE 1)\n",
         "3 size;7 size;9 size;reached 3;"},
        {"* 2 FETCH (UID 7 RFC822.SIZE 1)\n* 1 FETCH (UID 3 RFC822.SIZE 1)\n",
         "7 size;3 size;reached 3;"},
        {"* 3 FETCH (UID 9 RFC822.SIZE 1)\n* 2 FETCH (UID 7 RFC822.SIZE 1)\n", "9 size;7 size;"},
        /* One that is not told: it is asked for again. */
        {"* 1 FETCH (UID 3 FLAGS ())\n* 2 FETCH (UID 7 RFC822.SIZE 1)\n", "7 size;"},
        /* Against the RFC: nothing is sure any more. */
        {"* 1 FETCH (UID 7 RFC822.SIZE 1)\n* 2 FETCH (UID 3 RFC822.SIZE 1)\n"
         "* 3 FETCH (UID 9 RFC822.SIZE 1)\n",
         "7 size;3 size;9 size;"},
    };

    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        Bench bench;
        begin(&bench, 1);
        imap_sync_batch_follow(bench.batch);
        feed(&bench, cases[i].answers);
        imap_sync_batch_flush(bench.batch);
        assert_string_equal(bench.told->str, cases[i].told);
        end(&bench);
    }
}

/* Nobody follows, or not any more. */
static void test_not_reached(void **state)
{
    static const char answers[] = "* 1 FETCH (UID 3 RFC822.SIZE 1)\n";
    Bench bench;

    (void)state;
    begin(&bench, 1);
    feed(&bench, answers);
    imap_sync_batch_flush(bench.batch);
    imap_sync_batch_follow(bench.batch);
    imap_sync_batch_unfollow(bench.batch);
    feed(&bench, answers);
    imap_sync_batch_flush(bench.batch);
    imap_sync_batch_follow(bench.batch);
    imap_sync_batch_reset(bench.batch, 1);
    feed(&bench, answers);
    imap_sync_batch_flush(bench.batch);
    assert_string_equal(bench.told->str, "3 size;3 size;3 size;");
    end(&bench);
}

static void test_told_in_batches(void **state)
{
    enum { MESSAGES = 10000 };
    g_autoptr(GString) text = g_string_new(NULL);
    Bench bench;

    (void)state;
    begin(&bench, 1);
    for (int i = 1; i <= MESSAGES; i++)
        g_string_append_printf(text, "* %d FETCH (UID %d RFC822.SIZE 1 FLAGS ())\n", i, i);
    feed(&bench, text->str);
    assert_in_range(bench.messages, MESSAGES - 1000, MESSAGES - 1);
    imap_sync_batch_flush(bench.batch);
    assert_int_equal(bench.messages, MESSAGES);
    assert_in_range(bench.calls, 10, MESSAGES / 10);
    assert_in_range(bench.most, 1, 1000);
    end(&bench);
}

/* Flags are of any length: a batch of them is not, whatever their number. */
static void test_enormous_flags(void **state)
{
    enum { LONG = 500000 };
    g_autofree char *flag = g_strnfill(LONG, 'x');
    Bench bench;

    (void)state;
    begin(&bench, 1);
    for (int i = 1; i <= 100; i++) {
        g_autofree char *text = g_strdup_printf("* %d FETCH (UID %d RFC822.SIZE 1 FLAGS (%s))\n", i,
                                                i, flag);
        feed(&bench, text);
    }
    imap_sync_batch_flush(bench.batch);
    assert_int_equal(bench.messages, 100);
    assert_in_range(bench.most_bytes, LONG, 4 * LONG);
    end(&bench);
}

/* UIDs that come over and over take no more room; those without end are cut off. */
static void test_floods(void **state)
{
    enum { TURNS = 3000, CHUNK = 500000, MOST = 20000000 };
    Bench bench;

    (void)state;
    begin(&bench, UINT32_MAX);
    for (int turn = 0; turn < TURNS; turn++)
        present(&bench, "1:1000", 1000, true);
    feed(&bench, "* 1 FETCH (UID 1 FLAGS ())\n");
    assert_false(imap_sync_batch_is_flooded(bench.batch));
    imap_sync_batch_reset(bench.batch, UINT32_MAX);
    for (int uid = 1; uid <= MOST && !imap_sync_batch_is_flooded(bench.batch); uid += CHUNK) {
        g_autofree char *set = g_strdup_printf("%d:%d", uid, uid + CHUNK - 1);
        present(&bench, set, CHUNK, true);
    }
    feed(&bench, "* 1 FETCH (UID 4294967290 FLAGS ())\n");
    assert_true(imap_sync_batch_is_flooded(bench.batch));
    imap_sync_batch_reset(bench.batch, 1);
    assert_false(imap_sync_batch_is_flooded(bench.batch));
    end(&bench);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers_are_joined),
        cmocka_unit_test(test_what_counts_as_told),
        cmocka_unit_test(test_without_uid),
        cmocka_unit_test(test_uidnext),
        cmocka_unit_test(test_new_ones_are_counted_once),
        cmocka_unit_test(test_present),
        cmocka_unit_test(test_present_beyond_belief),
        cmocka_unit_test(test_reset_forgets),
        cmocka_unit_test(test_reached),
        cmocka_unit_test(test_not_reached),
        cmocka_unit_test(test_told_in_batches),
        cmocka_unit_test(test_enormous_flags),
        cmocka_unit_test(test_floods),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
