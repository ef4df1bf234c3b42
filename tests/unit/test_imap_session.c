#include "../../imapclient/session.h"
#include "script.h"

enum { PATIENCE = 60, MOST_WATCHES = 8 };

typedef struct Bench Bench;

/* Somebody who has a mailbox selected. */
typedef struct {
    Bench *bench;
    const char *name;
    bool done;
} Watch;

struct Bench {
    Script server;
    ImapConfig config;
    GMainContext *context;
    ImapSession *session;
    GString *log;
    Watch watches[MOST_WATCHES];
    size_t n_watches;
    bool late;
};

static void on_ready(gpointer data, ImapSession *session)
{
    Bench *bench = data;

    assert_ptr_equal(session, bench->session);
    assert_int_equal(imap_session_state(session), IMAP_SESSION_READY);
    assert_false(imap_session_is_settled(session));
}

static void on_settled(gpointer data, ImapSession *session)
{
    Bench *bench = data;

    assert_ptr_equal(session, bench->session);
    assert_true(imap_session_is_settled(session));
    g_string_append(bench->log, "ready\n");
}

static void on_dead(gpointer data, ImapSession *session, const GError *error)
{
    Bench *bench = data;

    assert_int_equal(imap_session_state(session), IMAP_SESSION_DEAD);
    assert_false(imap_session_is_settled(session));
    g_string_append_printf(bench->log, "dead %s\n", strerrorname_np(error->code));
}

static void on_untagged(gpointer data, ImapSession *session, const ImapResponse *response)
{
    (void)session;
    g_string_append_printf(((Bench *)data)->log, "untagged %s\n", response->name);
}

static const ImapSessionEvents session_events = {on_ready, on_settled, on_dead, on_untagged};

static bool watch_untagged(gpointer data, const ImapResponse *response)
{
    Watch *watch = data;

    g_string_append_printf(watch->bench->log, "%s: %s, UIDVALIDITY %u\n", watch->name,
                           response->name, imap_session_incoming(watch->bench->session));
    return true;
}

static void watch_done(gpointer data, const ImapResponse *response, const GError *error)
{
    Watch *watch = data;
    const ImapMailbox *mailbox = imap_session_mailbox(watch->bench->session);

    watch->done = true;
    g_string_append_printf(watch->bench->log, "%s: %s; %s is open\n", watch->name,
                           error ? strerrorname_np(error->code) : response->name,
                           mailbox->name ? mailbox->name : "nothing");
}

static const ImapRequestEvents watch_events = {.untagged = watch_untagged, .done = watch_done};

static Watch *select_folder(Bench *bench, const char *name, const MailFolderState *known)
{
    Watch *watch = &bench->watches[bench->n_watches++];
    size_t logged = bench->log->len;

    *watch = (Watch){bench, name, false};
    imap_session_select(bench->session, name, known, &watch_events, watch);
    assert_string_equal(imap_session_target(bench->session), name);
    assert_int_equal(bench->log->len, logged);
    return watch;
}

/* --- the run --------------------------------------------------------------------------------- */

static gboolean give_up(gpointer data)
{
    ((Bench *)data)->late = true;
    return G_SOURCE_REMOVE;
}

static void settle(Bench *bench)
{
    while (g_main_context_iteration(bench->context, FALSE))
        continue;
}

static void run_until(Bench *bench, const char *logged)
{
    while (!strstr(bench->log->str, logged) && !bench->late && !bench->server.problem)
        g_main_context_iteration(bench->context, TRUE);
    settle(bench);
}

static void begin(Bench *bench, const char *const *script, ScriptPlay play)
{
    GSource *patience = g_timeout_source_new_seconds(PATIENCE);

    *bench = (Bench){.log = g_string_new(NULL), .context = g_main_context_new()};
    g_main_context_push_thread_default(bench->context);
    g_source_set_callback(patience, give_up, bench, NULL);
    g_source_attach(patience, bench->context);
    g_source_unref(patience);
    bench->server.scripts = script;
    bench->server.n_scripts = 1;
    bench->server.play = play;
    script_begin(&bench->server);
    bench->config = (ImapConfig){.host = "127.0.0.1",
                                 .port = bench->server.port,
                                 .clear = true,
                                 .user = "ann",
                                 .timeout = 5};
    bench->session = imap_session_new(&bench->config, 3, &session_events, bench);
    assert_int_equal(imap_session_state(bench->session), IMAP_SESSION_CONNECTING);
}

static void end(Bench *bench)
{
    g_autofree char *problem = g_strdup(bench->server.problem);

    imap_session_free(bench->session);
    script_end(&bench->server);
    settle(bench);
    g_main_context_pop_thread_default(bench->context);
    g_main_context_unref(bench->context);
    if (problem || bench->late)
        fail_msg("%s; told:\n%s", problem ? problem : "it hung", bench->log->str);
    g_string_free(bench->log, TRUE);
}

static void play(const char *script, void (*act)(Bench *bench))
{
    Bench bench;

    for (ScriptPlay how = PLAY_WHOLE; how <= PLAY_BYTES; how++) {
        begin(&bench, &script, how);
        run_until(&bench, "ready\n");
        g_string_truncate(bench.log, 0);
        act(&bench);
        end(&bench);
    }
}

static void assert_log(const Bench *bench, const char *expected)
{
    if (!bench->server.problem && !bench->late)
        assert_string_equal(bench->log->str, expected);
}

static void assert_selected(const Bench *bench, const char *name, uint32_t uidvalidity, int code)
{
    g_autoptr(GError) error = imap_session_selected(bench->session, name, uidvalidity);

    assert_int_equal(error ? error->code : 0, code);
}

#define READY "S: * PREAUTH [CAPABILITY IMAP4rev1] ready\n"

/* --- selecting ------------------------------------------------------------------------------- */

static void act_one(Bench *bench)
{
    assert_null(imap_session_target(bench->session));
    assert_selected(bench, "INBOX", 7, EAGAIN);
    select_folder(bench, "INBOX", NULL);
    run_until(bench, "is open\n");
    assert_log(bench, "INBOX: FETCH, UIDVALIDITY 0\nINBOX: VANISHED, UIDVALIDITY 7\n"
                      "untagged OK\nINBOX: OK; INBOX is open\nuntagged LIST\n");
    assert_selected(bench, "INBOX", 7, 0);
    assert_selected(bench, "INBOX", 8, ESTALE);
    assert_selected(bench, "Work", 7, EAGAIN);
    assert_int_equal(imap_session_mailbox(bench->session)->exists, 4);
    assert_true(imap_session_mailbox(bench->session)->changed);
    assert_int_equal(imap_session_incoming(bench->session), 0);
}

static void test_selected(void **state)
{
    (void)state;
    play(READY "C: A1 EXAMINE INBOX\nS: * 3 EXISTS\nS: * 1 FETCH ()\nS: * OK [UIDVALIDITY 7] x\n"
               "S: * VANISHED 1\nS: * OK still here\nS: A1 OK done\nS: * LIST () NIL a\n"
               "S: * 4 EXISTS\n",
         act_one);
}

static void act_pipelined(Bench *bench)
{
    select_folder(bench, "a", NULL);
    select_folder(bench, "b", NULL);
    select_folder(bench, "c", NULL);
    run_until(bench, "c: ");
    assert_log(bench, "a: FETCH, UIDVALIDITY 1\na: OK; a is open\nb: FETCH, UIDVALIDITY 2\n"
                      "b: NO; nothing is open\nc: FETCH, UIDVALIDITY 3\nc: OK; c is open\n");
    assert_selected(bench, "c", 3, 0);
    assert_string_equal(imap_session_target(bench->session), "c");
}

/* What comes belongs to the oldest that is not answered. */
static void test_pipelined(void **state)
{
    (void)state;
    play(READY "C: A1 EXAMINE a\nC: A2 EXAMINE b\nC: A3 EXAMINE c\n"
               "S: * OK [UIDVALIDITY 1] x\nS: * 1 FETCH ()\nS: A1 OK done\n"
               "S: * OK [UIDVALIDITY 2] x\nS: * 1 FETCH ()\nS: A2 NO no\n"
               "S: * OK [UIDVALIDITY 3] x\nS: * 1 FETCH ()\nS: A3 OK done\n",
         act_pipelined);
}

static void act_refused(Bench *bench)
{
    select_folder(bench, "a", NULL);
    run_until(bench, "a: OK");
    select_folder(bench, "b", NULL);
    run_until(bench, "b: NO");
    /* Nothing is selected then (RFC 9051 section 6.3.2). */
    assert_null(imap_session_target(bench->session));
    assert_selected(bench, "a", 1, EACCES);
    select_folder(bench, "a", NULL);
    run_until(bench, "a: BAD");
    assert_selected(bench, "a", 1, EPROTO);
    select_folder(bench, "a", NULL);
    run_until(bench, "a: NO");
    assert_selected(bench, "a", 1, ENOENT);
    select_folder(bench, "c", NULL);
    run_until(bench, "c: OK");
    assert_selected(bench, "c", 0, 0);
}

static void test_refused(void **state)
{
    (void)state;
    play(READY "C: A1 EXAMINE a\nS: * OK [UIDVALIDITY 1] x\nS: A1 OK done\n"
               "C: A2 EXAMINE b\nS: A2 NO [NOPERM] no\nC: A3 EXAMINE a\nS: A3 BAD what?\n"
               "C: A4 EXAMINE a\nS: A4 NO it has gone\nC: A5 EXAMINE c\nS: A5 OK done\n",
         act_refused);
}

static void act_forgotten(Bench *bench)
{
    Watch *watch = select_folder(bench, "a", NULL);

    imap_session_forget(bench->session, watch);
    select_folder(bench, "b", NULL);
    run_until(bench, "b: ");
    assert_log(bench, "b: OK; b is open\n");
    assert_false(watch->done);
}

/* The selection goes on, whoever asked for it. */
static void test_forgotten(void **state)
{
    (void)state;
    play(READY "C: A1 EXAMINE a\nC: A2 EXAMINE b\nS: * 1 FETCH ()\nS: A1 OK done\nS: A2 OK done\n",
         act_forgotten);
}

/* --- names, and what the server can do ------------------------------------------------------- */

static void act_names(Bench *bench)
{
    static const MailFolderState known = {.uidvalidity = 7, .uidnext = 8, .modseq = 9};
    static const MailFolderState unmarked = {.uidvalidity = 7, .uidnext = 8};

    select_folder(bench, "Entw\303\274rfe & mehr", NULL);
    select_folder(bench, "\377&AOQ\376", &known);
    select_folder(bench, "INBOX", &unmarked);
    run_until(bench, "INBOX: OK");
}

static void test_names(void **state)
{
    (void)state;
    play(READY "C: A1 EXAMINE \"Entw&APw-rfe &- mehr\"\nC: A2 EXAMINE &AOQ\nC: A3 EXAMINE INBOX\n"
               "S: A1 OK done\nS: A2 OK done\nS: A3 OK done\n",
         act_names);
    play("S: * PREAUTH [CAPABILITY IMAP4rev1 CONDSTORE] ready\n"
         "C: A1 EXAMINE \"Entw&APw-rfe &- mehr\" (CONDSTORE)\nC: A2 EXAMINE &AOQ (CONDSTORE)\n"
         "C: A3 EXAMINE INBOX (CONDSTORE)\nS: A1 OK done\nS: A2 OK done\nS: A3 OK done\n",
         act_names);
    play("S: * PREAUTH [CAPABILITY IMAP4rev1 QRESYNC] ready\n"
         "C: A1 ENABLE QRESYNC\nS: * ENABLED QRESYNC\nS: A1 OK done\n"
         "C: A2 EXAMINE \"Entw&APw-rfe &- mehr\" (CONDSTORE)\n"
         "C: A3 EXAMINE &AOQ (QRESYNC (7 9))\nC: A4 EXAMINE INBOX (CONDSTORE)\n"
         "S: A2 OK done\nS: A3 OK done\nS: A4 OK done\n",
         act_names);
}

static void act_literal_modes(Bench *bench)
{
    static const ImapLiteralMode modes[] = {IMAP_LITERAL_SYNC, IMAP_LITERAL_MINUS,
                                            IMAP_LITERAL_PLUS};
    const char *text = imap_session_login(bench->session)->caps.text;
    size_t i = strstr(text, "LITERAL+") ? 2 : strstr(text, "LITERAL-") ? 1 : 0;

    assert_int_equal(imap_session_literal_mode(bench->session), modes[i]);
}

static void test_literal_modes(void **state)
{
    (void)state;
    play(READY, act_literal_modes);
    play("S: * PREAUTH [CAPABILITY IMAP4rev1 LITERAL-] x\n", act_literal_modes);
    play("S: * PREAUTH [CAPABILITY IMAP4rev1 LITERAL- LITERAL+] x\n", act_literal_modes);
}

/* --- life ------------------------------------------------------------------------------------ */

static void act_described(Bench *bench)
{
    g_autoptr(GString) text = g_string_new(NULL);

    select_folder(bench, "a\nb", NULL);
    run_until(bench, "is open\n");
    imap_session_describe(bench->session, text);
    assert_true(g_str_has_prefix(text->str, "connection-3: ready, folder \"a?b\", 0 commands"));
    assert_true(g_str_has_suffix(text->str, "tls none\n"));
    assert_ptr_equal(strchr(text->str, '\n'), text->str + text->len - 1);
}

static void test_described(void **state)
{
    (void)state;
    play(READY "C: A1 EXAMINE a&AAo-b\nS: A1 OK done\n", act_described);
}

static void check_death(const char *script, const char *folder, const char *expected)
{
    Bench bench;

    for (ScriptPlay how = PLAY_WHOLE; how <= PLAY_BYTES; how++) {
        begin(&bench, &script, how);
        if (folder) {
            run_until(&bench, "ready\n");
            select_folder(&bench, folder, NULL);
        }
        run_until(&bench, "dead");
        assert_log(&bench, expected);
        end(&bench);
    }
}

static void test_death(void **state)
{
    (void)state;
    check_death("S: * BYE no\n", NULL, "dead ECONNREFUSED\n");
    check_death("S: * OK [CAPABILITY IMAP4rev1] ready\n", NULL, "dead EACCES\n");
    check_death(READY "C: A1 EXAMINE a\nS: * 3 EXISTS\nX:\n", "a",
                "ready\na: ENOTCONN; nothing is open\ndead ENOTCONN\n");
    check_death(READY "C: A1 EXAMINE a\nS: A1\n", "a",
                "ready\na: EPROTO; nothing is open\ndead EPROTO\n");
}

/* A name that no command can carry. */
static void test_endless_name(void **state)
{
    static const char *const script = READY;
    g_autofree char *name = g_strnfill(100000, 'x');
    Bench bench;

    (void)state;
    begin(&bench, &script, PLAY_WHOLE);
    run_until(&bench, "ready\n");
    imap_session_select(bench.session, name, NULL, NULL, NULL);
    run_until(&bench, "dead");
    assert_log(&bench, "ready\ndead EINVAL\n");
    end(&bench);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_selected),     cmocka_unit_test(test_pipelined),
        cmocka_unit_test(test_refused),      cmocka_unit_test(test_forgotten),
        cmocka_unit_test(test_names),        cmocka_unit_test(test_literal_modes),
        cmocka_unit_test(test_described),    cmocka_unit_test(test_death),
        cmocka_unit_test(test_endless_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
