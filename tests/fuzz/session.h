/*
 * session.h: a store against a server whose every byte the fuzzer chooses, for fuzz_imap_session.c
 * and fuzz_pop3_session.c: the engine as it is, over socket pairs in place of the network.
 *
 * The server's words are sent as they are, but for three bytes, which UTF-8 has not got:
 *   \xFD  the server closes; what follows is said on the next connection
 *   \xFE  it waits until the client has sent something more
 *   \xFF  the tag of the client's last command
 * Behind the last word it closes, and no other connection can be made. Whatever it said: each
 * operation completes at most once, with an errno that says something and one line of text; and
 * nothing is logged that holds the password (unless the server says it: the fuzzer sees all that is
 * compared, and tries it).
 */
#pragma once

#include "../../cache/mailstore.h"
#include "../../imapclient/net/connect.h"
#include "../../imapclient/net/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PASSWORD "seventy-five-Seagulls"

enum { CLOSES = 0xFD, WAITS = 0xFE, TAG = 0xFF };
enum { TIMER_MICROS = 1200 };
enum { MOST_OPERATIONS = 16, MOST_TURNS = 4000, ROUNDS_PER_TURN = 2000, MOST_UIDS = 8 };

/* One operation, and what became of it. */
typedef struct {
    MailOp *op;
    unsigned done;
    bool cancelled;
} Operation;

typedef struct {
    MailStore *store;
    GMainContext *context;
    bool knows_password;        /* the server does */
    const uint8_t *words, *end; /* of the server's, that are not said yet */
    int fd;                     /* the server's; -1: nobody is connected */
    bool waiting;               /* for the client's next word */
    char tag[16];
    bool at_line;      /* the client's next byte begins a line */
    size_t tag_length; /* being read */
    Operation operations[MOST_OPERATIONS];
    unsigned begun;
    unsigned patience;        /* how often the client is let wait for a timer of its own */
    uint32_t uids[MOST_UIDS]; /* that a listing told, ascending */
    size_t n_uids;
    GHashTable *names; /* of unique names -> UID */
} Fuzz;

static Fuzz fuzz;

static inline void check(bool fine, const char *what)
{
    if (!fine)
        g_error("%s", what);
}

static inline void check_secrecy(const char *text)
{
    check(fuzz.knows_password || !strstr(text, PASSWORD), "the password is told");
}

static inline void take_log(const char *domain, GLogLevelFlags level, const char *message,
                            gpointer data)
{
    (void)domain, (void)data;
    if (level & (G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL)) {
        fprintf(stderr, "%s\n", message);
        abort();
    }
    check_secrecy(message);
}

/* --- in place of connect.c: the linker takes what a program has itself ------------------------ */

struct Connect {
    ConnectDone done;
    gpointer data;
    GSource *source;
};

static inline gboolean connected(gpointer data)
{
    Connect *connect = data;
    ConnectDone done = connect->done;
    gpointer done_data = connect->data;
    int ends[2] = {-1, -1};

    g_source_unref(connect->source);
    g_free(connect);
    if (fuzz.fd < 0 && fuzz.words < fuzz.end &&
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0) {
        fuzz.fd = ends[1];
        fuzz.at_line = true;
        fuzz.waiting = false;
        done(done_data, ends[0], NULL);
    } else {
        g_autoptr(GError) refused = g_error_new(MAIL_ERROR, ECONNREFUSED, "refused");
        done(done_data, -1, refused);
    }
    return G_SOURCE_REMOVE;
}

Connect *connect_start(const char *host, uint16_t port, unsigned timeout, ConnectDone done,
                       gpointer data)
{
    Connect *connect = g_new0(Connect, 1);

    (void)host, (void)port, (void)timeout;
    *connect = (Connect){done, data, g_idle_source_new()};
    g_source_set_callback(connect->source, connected, connect, NULL);
    g_source_attach(connect->source, g_main_context_get_thread_default());
    return connect;
}

void connect_cancel(Connect *connect)
{
    g_source_destroy(connect->source);
    g_source_unref(connect->source);
    g_free(connect);
}

/* --- the server ------------------------------------------------------------------------------ */

static inline void take_client_byte(char c)
{
    if (fuzz.at_line)
        fuzz.tag_length = 0;
    fuzz.at_line = c == '\n';
    if (fuzz.tag_length < sizeof fuzz.tag - 1) {
        bool ends = !g_ascii_isalnum(c);
        fuzz.tag[fuzz.tag_length] = ends ? '\0' : c;
        fuzz.tag_length = ends ? sizeof fuzz.tag : fuzz.tag_length + 1;
    }
}

/* Reads all that the client has said; whether there was anything. */
static inline bool hear(void)
{
    char bytes[4096];
    bool any = false;
    ssize_t n;

    while ((n = recv(fuzz.fd, bytes, sizeof bytes, 0)) > 0) {
        any = true;
        for (ssize_t i = 0; i < n; i++)
            take_client_byte(bytes[i]);
    }
    return any;
}

static inline void hang_up(void)
{
    close(fuzz.fd);
    fuzz.fd = -1;
}

/* Says what there is up to the next wait; whether there was anything to say or do. */
static inline void speak(void)
{
    while (fuzz.words < fuzz.end) {
        uint8_t word = *fuzz.words++;
        if (word == CLOSES) {
            hang_up();
            return;
        }
        if (word == WAITS) {
            fuzz.waiting = true;
            return;
        }
        const void *bytes = word == TAG ? (const void *)fuzz.tag : &word;
        size_t length = word == TAG ? strlen(fuzz.tag) : 1;
        if (word != TAG) {
            while (fuzz.words < fuzz.end && *fuzz.words < CLOSES)
                fuzz.words++, length++;
            bytes = fuzz.words - length;
        }
        if (length && send(fuzz.fd, bytes, length, MSG_NOSIGNAL) < (ssize_t)length) {
            hang_up(); /* the client has gone, or does not read that much */
            return;
        }
    }
    hang_up();
}

/* The client does what it can with what it has got; false where that was nothing. */
static inline bool let_client_run(void)
{
    unsigned rounds = 0;

    while (g_main_context_iteration(fuzz.context, FALSE) && rounds < ROUNDS_PER_TURN)
        rounds++;
    return rounds > 0;
}

static inline void play(void)
{
    for (unsigned turn = 0; turn < MOST_TURNS; turn++) {
        bool ran = let_client_run();
        if (!ran && fuzz.patience) {
            fuzz.patience--;
            g_usleep(TIMER_MICROS);
            ran = let_client_run();
        }
        if (fuzz.fd < 0) {
            if (!ran)
                return;
            continue;
        }
        if (hear())
            fuzz.waiting = false;
        else if (fuzz.waiting && ran)
            continue;
        fuzz.waiting = false; /* who waits for one who waits, too, goes on */
        speak();
    }
}

/* --- operations ------------------------------------------------------------------------------ */

static void begin_next(void);

static inline void operation_done(gpointer data, const GError *error)
{
    Operation *operation = data;

    check(!operation->done++, "an operation completes twice");
    check(!operation->cancelled, "a cancelled operation completes");
    operation->op = NULL;
    if (error) {
        check(error->domain == MAIL_ERROR && error->code > 0, "an error without an errno");
        check(*error->message && !strpbrk(error->message, "\r\n"), "an error of no line");
        check_secrecy(error->message);
    }
    begin_next();
}

/* The next one's; there are MOST_OPERATIONS at most. */
static inline Operation *operation_new(void)
{
    return &fuzz.operations[fuzz.begun++];
}

static inline bool is_done(gpointer data)
{
    const Operation *operation = data;

    return operation->done || operation->cancelled;
}

static inline void take_folder(gpointer data, const MailFolderInfo *folder)
{
    check(!is_done(data), "a folder is told too late");
    check(*folder->name, "a folder without a name");
}

static inline void take_reset(gpointer data, uint32_t uidvalidity)
{
    check(!is_done(data) && uidvalidity, "a reset to nothing, or too late");
}

static inline void take_restored(gpointer data)
{
    check(!is_done(data), "restored too late");
}

static inline void take_messages(gpointer data, const MailMessage *messages, size_t n)
{
    check(!is_done(data) && n > 0, "messages are told too late");
    for (size_t i = 0; i < n; i++) {
        const MailMessage *message = &messages[i];
        check(message->uid > 0, "a message without a UID");
        check(!(message->has & MAIL_HAS_SIZE) || message->size <= INT64_MAX, "an endless message");
        check(!(message->has & MAIL_HAS_FLAGS) || g_utf8_validate(message->flags, -1, NULL),
              "flags in no UTF-8");
        check(!message->name || strlen(message->name) <= 70, "a long unique name");
        if (fuzz.n_uids < MOST_UIDS && (!fuzz.n_uids || message->uid > fuzz.uids[fuzz.n_uids - 1]))
            fuzz.uids[fuzz.n_uids++] = message->uid;
    }
}

static inline void take_reached(gpointer data, uint32_t uid)
{
    check(!is_done(data) && uid, "reached nothing, or too late");
}

static inline void take_vanished(gpointer data, const MailUidRange *ranges, size_t n)
{
    check(!is_done(data), "something vanishes too late");
    for (size_t i = 0; i < n; i++)
        check(ranges[i].first && ranges[i].first <= ranges[i].last, "a range the wrong way");
}

static inline void take_present(gpointer data, const uint32_t *uids, size_t n)
{
    check(!is_done(data), "something is present too late");
    for (size_t i = 1; i < n; i++)
        check(uids[i] > uids[i - 1], "what is present does not ascend");
}

static inline void take_state(gpointer data, const MailFolderState *state)
{
    check(!is_done(data) && state->uidvalidity, "a state of nothing, or too late");
}

static inline uint32_t take_name(gpointer data, const char *name, unsigned which)
{
    g_autofree char *key = g_strdup_printf("%s %u", name, which);
    uint32_t uid = GPOINTER_TO_UINT(g_hash_table_lookup(fuzz.names, key));

    check(!is_done(data) && *name && strlen(name) <= 70, "an impossible unique name");
    if (!uid) {
        uid = g_hash_table_size(fuzz.names) + 1;
        g_hash_table_insert(fuzz.names, g_steal_pointer(&key), GUINT_TO_POINTER(uid));
    }
    return uid;
}

static const MailSyncSink take_sync = {take_reset,    take_restored, take_messages, take_reached,
                                       take_vanished, take_present,  take_state,    take_name};

static inline bool is_uid(uint32_t uid)
{
    for (size_t i = 0; i < fuzz.n_uids; i++)
        if (fuzz.uids[i] == uid)
            return true;
    return false;
}

static inline void take_bytes(gpointer data, uint32_t uid, const MailRange *asked, GBytes *bytes)
{
    gsize length = g_bytes_get_size(bytes);

    check(!is_done(data) && is_uid(uid), "content of what was not asked for, or too late");
    check(!asked->length || length <= asked->length, "more content than was asked for");
}

static inline void take_uid(gpointer data, uint32_t uid)
{
    check(!is_done(data) && is_uid(uid), "something is done to what was not asked for");
}

/* The messages that a listing told: of uid 1, where it told none. */
static inline void need_uids(void)
{
    if (!fuzz.n_uids)
        fuzz.uids[fuzz.n_uids++] = 1;
}

static inline MailOp *fetch_of(MailSection section, uint32_t length, gpointer data)
{
    const MailRange ranges[] = {{section, 0, length}, {MAIL_SECTION_HEADER, 0, 0}};
    need_uids();
    const MailFetch fetch = {"INBOX", 1, fuzz.uids, fuzz.n_uids, ranges, 2, 0, length > 0};

    return mail_store_fetch(fuzz.store, &fetch, take_bytes, operation_done, data);
}

static inline MailRemove these(void)
{
    need_uids();
    return (MailRemove){"INBOX", 1, fuzz.uids, fuzz.n_uids};
}

/* --- all of it ------------------------------------------------------------------------------- */

static inline void closed(gpointer data, const GError *error)
{
    (void)error;
    *(bool *)data = true;
}

/* Whether the server says it, perhaps with other bytes in between, which may be left out of a log.
 */
static inline bool may_know_password(const uint8_t *data, size_t size)
{
    const char *next = PASSWORD;

    for (size_t i = 0; i < size && *next; i++)
        next += data[i] == (uint8_t)*next;
    return !*next;
}

/* data: the server's words. make: gives the store. all_at_once: operations don't wait for each
 * other; as many as begin_next begins. */
static inline void fuzz_session(const uint8_t *data, size_t size, MailStore *(*make)(void),
                                bool all_at_once)
{
    bool is_closed = false;

    g_log_set_default_handler(take_log, NULL);
    fuzz = (Fuzz){.words = data, .end = data + size, .fd = -1};
    fuzz.knows_password = may_know_password(data, size);
    fuzz.names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    fuzz.context = g_main_context_new();
    g_main_context_push_thread_default(fuzz.context);
    fuzz.store = make();
    for (unsigned begun = 0; all_at_once && begun < MOST_OPERATIONS; begun++)
        begin_next();
    begin_next();
    play();
    for (unsigned i = 0; i < fuzz.begun; i += 2) {
        Operation *operation = &fuzz.operations[i];
        if (operation->op) {
            operation->cancelled = true;
            mail_store_cancel(fuzz.store, g_steal_pointer(&operation->op));
        }
    }
    g_autoptr(GString) status = g_string_new(NULL);
    mail_store_describe(fuzz.store, status);
    mail_store_close(fuzz.store, closed, &is_closed);
    fuzz.words = fuzz.end;
    play();
    mail_store_free(fuzz.store);
    if (fuzz.fd >= 0)
        hang_up();
    let_client_run();
    g_main_context_pop_thread_default(fuzz.context);
    g_main_context_unref(fuzz.context);
    g_hash_table_unref(fuzz.names);
}
