/*
 * scene.h: a scene is a transcript for the server of script.h, what the owner of a store does
 * meanwhile, and what he must be told. scene_run plays it
 *   - as it is;
 *   - with each byte of the server's in a packet of its own;
 *   - broken off behind and in the middle of whatever the server says: then every operation must
 *     still complete once, either well, with all that it had to tell, or with an error, having
 *     told nothing but a beginning of that, and of what it is unsure.
 *
 * Included by imap_scene.h and pop3_scene.h, which make the stores.
 */
#pragma once

#include "../../cache/mailstore.h"
#include "../../imapclient/net/secret.h"
#include "../../imapclient/net/tls.h"
#include "certificates.h"
#include "script.h"

enum { PATIENCE = 60, MOST_ACTS = 24, MOST_SCRIPTS = 4, MOST_PIECES = 24 };

typedef struct Bed Bed;

/* Texts are given in pieces, up to a NULL. */
typedef struct {
    /* Transcripts of the connections, in their order. */
    const char *scripts[MOST_SCRIPTS][MOST_PIECES];
    void (*play)(Bed *bed);
    /* What each operation tells, in their order; one that is cancelled tells nothing. */
    const char *told[MOST_ACTS][MOST_PIECES];
    const char *says; /* a part of the error that the last one that failed had, or NULL */
    enum { TLS_OFF, TLS_STARTTLS, TLS_IMPLICIT } tls;
    const char *auth;
    const char *user;      /* NULL: "ann" */
    const char *password;  /* NULL: "hunter2" */
    bool password_said;    /* by the server, by chance */
    bool untrusted;        /* the server's certificate is not of those that the client trusts */
    ScriptAnswer answer;   /* for F: */
    unsigned connections;  /* 0: 1; IMAP */
    unsigned timeout;      /* 0: 5 */
    int compress;          /* ImapCompress */
    uint64_t fast_link;    /* IMAP */
    bool leaves;           /* an idle session ends at once; POP3 */
    bool read_only;        /* POP3 */
    bool writable;         /* IMAP */
    unsigned renew;        /* ImapConfig; IMAP */
    size_t cut_connection; /* which is broken off, instead of the first */
    bool open_end;         /* the client may go before the transcript is through */
    bool whole_only;       /* is not cut off: too large, or it ends by a timeout */
    bool served_once;      /* once cut off, not again: operations would begin in another order */
} Scene;

/* One operation of the store. */
typedef struct {
    Bed *bed;
    GString *log;
    MailOp *op;
    unsigned done;
    bool failed;
    bool cancelled;
    uint32_t reached; /* by a sync */
} Act;

struct Bed {
    const Scene *scene;
    GMainContext *context;
    Script server;
    char *scripts[MOST_SCRIPTS];
    TlsPolicy *tls;
    Secret *password;
    MailStore *store;
    GPtrArray *names; /* of messages, as they were first seen: UID i + 1 */
    GPtrArray *acts;
    char *message; /* of the last error */
    bool late;
};

/* The store of the client that is tested. */
static MailStore *scene_make_store(const Bed *bed);

/* What was logged, lines; shown where a test fails. */
static GString *scene_log;

static inline void scene_take_log(const char *domain, GLogLevelFlags level, const char *message,
                                  gpointer data)
{
    (void)data;
    if (level & (G_LOG_LEVEL_CRITICAL | G_LOG_FLAG_FATAL))
        fail_msg("%s: %s", domain, message);
    if (scene_log && scene_log->len < 100000 && g_strcmp0(domain, "GLib-GIO") != 0)
        g_string_append_printf(scene_log, "%s\n", message);
}

/* --- operations ------------------------------------------------------------------------------ */

static inline Act *act_new(Bed *bed)
{
    Act *act = g_new0(Act, 1);

    act->bed = bed;
    act->log = g_string_new(NULL);
    g_ptr_array_add(bed->acts, act);
    return act;
}

static inline void act_free(gpointer data)
{
    Act *act = data;

    g_string_free(act->log, TRUE);
    g_free(act);
}

G_GNUC_PRINTF(2, 3)
static inline void act_tell(Act *act, const char *format, ...)
{
    va_list args;

    if (act->done || act->cancelled)
        g_string_append(act->log, "(too late) ");
    va_start(args, format);
    g_string_append_vprintf(act->log, format, args);
    va_end(args);
    g_string_append_c(act->log, '\n');
}

static inline void act_done(gpointer data, const GError *error)
{
    Act *act = data;

    if (error) {
        if (error->domain != MAIL_ERROR || strchr(error->message, '\n'))
            act_tell(act, "a bad error");
        act_tell(act, "error %s", strerrorname_np(error->code));
        g_free(act->bed->message);
        act->bed->message = g_strdup(error->message);
    } else {
        act_tell(act, "ok");
    }
    act->failed = error != NULL;
    act->done++;
    act->op = NULL;
}

static inline void act_cancel(Act *act)
{
    mail_store_cancel(act->bed->store, act->op);
    act->op = NULL;
    act->cancelled = true;
}

static inline Act *act_connect(Bed *bed)
{
    Act *act = act_new(bed);

    act->op = mail_store_connect(bed->store, act_done, act);
    return act;
}

/* "folder NAME DELIMITER attributes" */
static inline void act_folder(gpointer data, const MailFolderInfo *folder)
{
    g_autofree char *name = g_strescape(folder->name, NULL);
    char delimiter[] = {folder->delimiter ? folder->delimiter : '0', '\0'};
    g_autoptr(GString) attributes = g_string_new(NULL);

    if (folder->attributes & MAIL_FOLDER_NOSELECT)
        g_string_append(attributes, " noselect");
    if (folder->attributes & MAIL_FOLDER_NONEXISTENT)
        g_string_append(attributes, " nonexistent");
    if (folder->attributes & MAIL_FOLDER_NOINFERIORS)
        g_string_append(attributes, " noinferiors");
    if (folder->attributes & MAIL_FOLDER_TRASH)
        g_string_append(attributes, " trash");
    act_tell(data, "folder %s %s%s", name, delimiter, attributes->str);
}

static inline Act *act_list(Bed *bed)
{
    Act *act = act_new(bed);

    act->op = mail_store_list(bed->store, act_folder, act_done, act);
    return act;
}

static inline void act_reset(gpointer data, uint32_t uidvalidity)
{
    act_tell(data, "reset %u", uidvalidity);
}

static inline void act_restored(gpointer data)
{
    act_tell(data, "restored");
}

static inline void act_messages(gpointer data, const MailMessage *messages, size_t n)
{
    assert_true(n > 0);
    for (size_t i = 0; i < n; i++) {
        const MailMessage *message = &messages[i];
        g_autoptr(GString) text = g_string_new(NULL);
        if (message->has & MAIL_HAS_SIZE)
            g_string_append_printf(text, " size %" G_GUINT64_FORMAT, (guint64)message->size);
        if (message->has & MAIL_HAS_DATE)
            g_string_append_printf(text, " date %" G_GINT64_FORMAT, (gint64)message->date);
        if (message->has & MAIL_HAS_FLAGS)
            g_string_append_printf(text, " flags %s.", message->flags);
        if (message->name)
            g_string_append_printf(text, " name %s", message->name);
        act_tell(data, "message %u%s", message->uid, text->str);
    }
}

/* Only what has been told of can have been reached; how far is not told, but left to `play`. */
static inline void act_reached(gpointer data, uint32_t uid)
{
    Act *act = data;
    g_autofree char *told = g_strdup_printf("message %u ", uid);

    assert_true(uid >= act->reached);
    assert_non_null(strstr(act->log->str, told));
    act->reached = uid;
}

static inline void act_vanished(gpointer data, const MailUidRange *ranges, size_t n)
{
    g_autoptr(GString) text = g_string_new(NULL);

    assert_true(n > 0);
    for (size_t i = 0; i < n; i++)
        g_string_append_printf(text, " %u:%u", ranges[i].first, ranges[i].last);
    act_tell(data, "vanished%s", text->str);
}

static inline void act_present(gpointer data, const uint32_t *uids, size_t n)
{
    g_autoptr(GString) text = g_string_new(NULL);

    for (size_t i = 0; i < n; i++)
        g_string_append_printf(text, " %u", uids[i]);
    act_tell(data, "present%s", text->str);
}

static inline void act_state(gpointer data, const MailFolderState *state)
{
    act_tell(data, "state %u uidnext %u modseq %" G_GUINT64_FORMAT " count %u%s",
             state->uidvalidity, state->uidnext, (guint64)state->modseq, state->count,
             state->flags_later ? " flags later" : "");
}

static inline uint32_t act_identify(gpointer data, const char *name, unsigned which)
{
    Act *act = data;
    GPtrArray *names = act->bed->names;
    g_autofree char *key = g_strdup_printf("%s %u", name, which);
    guint i = 0;

    assert_true(!act->done && !act->cancelled && *name && strlen(name) <= 70);
    if (strcmp(name, "unwanted") == 0)
        return 0;
    if (!g_ptr_array_find_with_equal_func(names, key, g_str_equal, &i)) {
        i = names->len;
        g_ptr_array_add(names, g_steal_pointer(&key));
    }
    return i + 1;
}

static const MailSyncSink act_sync_sink = {.reset = act_reset,
                                           .restored = act_restored,
                                           .messages = act_messages,
                                           .reached = act_reached,
                                           .vanished = act_vanished,
                                           .present = act_present,
                                           .state = act_state,
                                           .identify = act_identify};

static inline Act *act_sync(Bed *bed, const char *folder, MailFolderState known)
{
    Act *act = act_new(bed);

    act->op = mail_store_sync(bed->store, folder, &known, &act_sync_sink, act_done, act);
    return act;
}

/* "fetch UID SECTION<offset.length> bytes"; of many bytes only their number and checksum */
static inline void act_fetched(gpointer data, uint32_t uid, const MailRange *asked, GBytes *bytes)
{
    enum { SHOWN = 200 };
    static const char *const names[] = {"HEADER", "TEXT", "BODY"};
    gsize length = 0;
    const char *content = g_bytes_get_data(bytes, &length);
    g_autofree char *text = g_strndup(length ? content : "", length);
    g_autofree char *shown = NULL;
    g_autofree char *range = asked->length ? g_strdup_printf("<%" G_GUINT64_FORMAT ".%u>",
                                                             (guint64)asked->offset, asked->length)
                                           : g_strdup("");

    if (g_bytes_get_size(bytes) <= SHOWN) {
        shown = g_strescape(text, NULL);
    } else {
        g_autofree char *sum = g_compute_checksum_for_bytes(G_CHECKSUM_MD5, bytes);
        shown = g_strdup_printf("%zu bytes %s", g_bytes_get_size(bytes), sum);
    }
    act_tell(data, "fetch %u %s%s %s", uid, names[asked->section], range, shown);
}

static inline Act *act_fetch(Bed *bed, const MailFetch *fetch)
{
    Act *act = act_new(bed);

    act->op = mail_store_fetch(bed->store, fetch, act_fetched, act_done, act);
    return act;
}

static inline void act_removed(gpointer data, uint32_t uid)
{
    act_tell(data, "removed %u", uid);
}

static inline Act *act_remove(Bed *bed, const uint32_t *uids, size_t n)
{
    Act *act = act_new(bed);
    MailRemove remove = {"INBOX", 1, uids, n};

    act->op = mail_store_remove(bed->store, &remove, act_removed, act_done, act);
    return act;
}

static inline void act_closed(gpointer data, const GError *error)
{
    Act *act = data;

    act->op = NULL;
    act_done(data, error);
}

static inline Act *act_close(Bed *bed)
{
    Act *act = act_new(bed);

    mail_store_close(bed->store, act_closed, act);
    return act;
}

/* --- the loop -------------------------------------------------------------------------------- */

static inline gboolean bed_give_up(gpointer data)
{
    ((Bed *)data)->late = true;
    return G_SOURCE_REMOVE;
}

static inline bool bed_has_ended(const Bed *bed)
{
    if (bed->late || bed->server.problem)
        return true;
    for (guint i = 0; i < bed->acts->len; i++) {
        const Act *act = g_ptr_array_index(bed->acts, i);
        if (!act->done && !act->cancelled)
            return false;
    }
    return true;
}

/* Until all operations are complete; false where something went wrong, so that a scene ends. */
static inline bool bed_run(Bed *bed)
{
    while (!bed_has_ended(bed))
        g_main_context_iteration(bed->context, TRUE);
    for (guint i = 0; i < bed->acts->len; i++)
        if (((Act *)g_ptr_array_index(bed->acts, i))->failed)
            return false;
    return !bed->late && !bed->server.problem;
}

/* Until the server is at a W:, or all has ended; false for the latter. */
static inline bool bed_run_to_wait(Bed *bed)
{
    while (!bed->server.waiting && !bed_has_ended(bed))
        g_main_context_iteration(bed->context, TRUE);
    return bed->server.waiting;
}

/* Whatever can still happen without anybody's doing. */
static inline void bed_settle(Bed *bed)
{
    enum { TURNS = 20000 };

    for (int i = 0; i < TURNS && g_main_context_iteration(bed->context, FALSE); i++)
        continue;
}

/* --- a run ----------------------------------------------------------------------------------- */

static inline bool bed_may_replay(gpointer data)
{
    Bed *bed = data;

    for (guint i = 0; i < bed->acts->len; i++)
        if (((Act *)g_ptr_array_index(bed->acts, i))->log->len > 0)
            return false;
    return true;
}

/* The certificate of all scenes under TLS; and somebody else's. */
static Identity scene_identity, scene_stranger;

static inline const Identity *scene_get_identity(Identity *identity)
{
    if (!identity->certificate)
        *identity = issued_by(NULL, "x", "DNS:localhost,IP:127.0.0.1");
    return identity;
}

static inline TlsPolicy *scene_tls(const Scene *scene)
{
    Identity *trusted = scene->untrusted ? &scene_stranger : &scene_identity;
    g_autofree char *path = write_pem("trusted.pem", scene_get_identity(trusted), TRUE, FALSE,
                                      NULL);
    TlsPolicy *policy = tls_policy_new(path, NULL, NULL, NULL);

    assert_non_null(policy);
    return policy;
}

/* The pieces of a text, joined; the caller frees. */
static inline char *scene_text(const char *const *pieces)
{
    GString *text = g_string_new(NULL);

    for (size_t i = 0; i < MOST_PIECES && pieces[i]; i++)
        g_string_append(text, pieces[i]);
    return g_string_free(text, FALSE);
}

static inline void bed_begin(Bed *bed, const Scene *scene, ScriptPlay play, size_t cut, bool replay)
{
    GSource *patience = g_timeout_source_new_seconds(PATIENCE);

    *bed = (Bed){.scene = scene, .context = g_main_context_new()};
    g_main_context_push_thread_default(bed->context);
    g_source_set_callback(patience, bed_give_up, bed, NULL);
    g_source_attach(patience, bed->context);
    g_source_unref(patience);
    bed->acts = g_ptr_array_new_with_free_func(act_free);
    for (size_t i = 0; i < MOST_SCRIPTS && scene->scripts[i][0]; i++)
        bed->scripts[bed->server.n_scripts++] = scene_text(scene->scripts[i]);
    bed->server.scripts = (const char *const *)bed->scripts;
    bed->server.play = play;
    bed->server.cut = cut;
    bed->server.cut_connection = scene->cut_connection;
    bed->server.may_replay = replay ? bed_may_replay : NULL;
    bed->server.answer = scene->answer;
    bed->server.data = bed;
    if (scene->tls != TLS_OFF) {
        bed->server.tls = server_context(scene_get_identity(&scene_identity));
        bed->tls = scene_tls(scene);
    }
    script_begin(&bed->server);
    bed->password = secret_new(scene->password ? scene->password : "hunter2", -1);
    bed->names = g_ptr_array_new_with_free_func(g_free);
    bed->store = scene_make_store(bed);
}

static inline void bed_end(Bed *bed)
{
    bed_settle(bed);
    SSL_CTX_free(bed->server.tls);
    if (bed->tls)
        tls_policy_unref(bed->tls);
    secret_free(bed->password);
    g_ptr_array_unref(bed->names);
    g_ptr_array_unref(bed->acts);
    for (size_t i = 0; i < MOST_SCRIPTS; i++)
        g_free(bed->scripts[i]);
    g_free(bed->message);
    g_main_context_pop_thread_default(bed->context);
    g_main_context_unref(bed->context);
}

/* The lines without those that say "unsure"; the caller frees. */
static inline char *told_for_sure(const char *told)
{
    g_auto(GStrv) lines = g_strsplit(told, "\n", -1);
    GString *sure = g_string_new(NULL);

    for (size_t i = 0; lines[i]; i++)
        if (*lines[i] && !g_str_has_prefix(lines[i], "unsure"))
            g_string_append_printf(sure, "%s\n", lines[i]);
    return g_string_free(sure, FALSE);
}

/* NULL, or what was wrong with what the operation told. */
static inline char *act_complaint(const Act *act, const char *expected, bool cut)
{
    g_autofree char *sure = cut ? told_for_sure(act->log->str) : NULL;
    const char *told = cut ? sure : act->log->str;
    const char *end = NULL;

    if (act->cancelled)
        return *told ? g_strdup_printf("cancelled, and told:\n%s", told) : NULL;
    if (act->done != 1)
        return g_strdup_printf("completed %u times; told:\n%s", act->done, told);
    if (strcmp(told, expected) == 0)
        return NULL;
    if (!cut)
        return g_strdup_printf("told:\n%sinstead of:\n%s", told, expected);
    end = strstr(told, "error ");
    if (!end || strncmp(told, expected, (size_t)(end - told)) != 0)
        return g_strdup_printf("cut off, told:\n%swhere the truth is:\n%s", told, expected);
    if (strcmp(end, "error ENOTCONN\n") != 0 && strcmp(end, "error ECONNREFUSED\n") != 0)
        return g_strdup_printf("cut off, ended with %s", end);
    return NULL;
}

static inline char *bed_complaint(Bed *bed)
{
    const Scene *scene = bed->scene;
    bool cut = bed->server.was_cut;

    if (bed->server.problem)
        return g_strdup_printf("the client sent, in %s", bed->server.problem);
    if (bed->late)
        return g_strdup("it hung");
    if (!scene->password_said && strstr(scene_log->str, secret_text(bed->password)))
        return g_strdup("the password was logged");
    for (guint i = 0; i < bed->acts->len; i++) {
        g_autofree char *expected = scene_text(scene->told[i]);
        char *complaint = act_complaint(g_ptr_array_index(bed->acts, i), expected, cut);
        if (complaint)
            return complaint;
    }
    if (cut)
        return NULL;
    if (bed->acts->len < MOST_ACTS && scene->told[bed->acts->len][0])
        return g_strdup("an operation was never begun");
    if (!scene->open_end && !script_is_through(&bed->server))
        return g_strdup("the client did not play to the end");
    if (scene->says && (!bed->message || !strstr(bed->message, scene->says)))
        return g_strdup_printf("the error says \"%s\", not \"%s\"", bed->message, scene->says);
    return NULL;
}

static inline void scene_run_once(const Scene *scene, ScriptPlay play, size_t cut, bool replay)
{
    static const char *const plays[] = {"whole", "byte by byte", "cut off"};
    g_autofree char *complaint = NULL;
    Bed bed;

    g_string_truncate(scene_log, 0);
    bed_begin(&bed, scene, play, cut, replay);
    scene->play(&bed);
    bed_run(&bed);
    bed_settle(&bed);
    mail_store_free(bed.store);
    complaint = bed_complaint(&bed);
    script_end(&bed.server);
    bed_end(&bed);
    if (complaint)
        fail_msg("played %s (%zu, %s): %s\nlogged:\n%s", plays[play], cut,
                 replay ? "served again" : "refused", complaint, scene_log->str);
}

static inline void scene_run(const Scene *scene)
{
    if (!scene_log)
        scene_log = g_string_new(NULL);
    g_log_set_default_handler(scene_take_log, NULL);
    scene_run_once(scene, PLAY_WHOLE, 0, false);
    if (!scene->whole_only) {
        g_autofree char *first = scene_text(scene->scripts[scene->cut_connection]);
        scene_run_once(scene, PLAY_BYTES, 0, false);
        for (size_t cut = 0; cut < script_halves(first); cut++) {
            if (!scene->served_once)
                scene_run_once(scene, PLAY_CUT, cut, true);
            scene_run_once(scene, PLAY_CUT, cut, false);
        }
    }
    g_log_set_default_handler(g_log_default_handler, NULL);
    g_string_free(scene_log, TRUE);
    scene_log = NULL;
}

static inline int scene_clean(void **state)
{
    (void)state;
    identity_clear(&scene_identity);
    identity_clear(&scene_stranger);
    certificates_clean();
    return 0;
}
