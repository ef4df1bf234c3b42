/*
 * fake_server.h: a mail server in memory.
 *
 * It is the test's: filled, changed and asked what it saw by the test's thread at any moment, and
 * outlives the mounts. What a mount has of it is in fake_store.h.
 */
#pragma once

#include "../../cache/mailstore.h"
#include "cache_helpers.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>

/* Whose bytes most messages have (see byte_of). */
#define FAKE_BYTES 7

/*
 * Messages with UIDs from here on are made of lines, each of `uid / FAKE_LINES` bytes with its CR
 * LF (so much at least 2), and begin with byte `uid % FAKE_LINES` of a line.
 */
#define FAKE_LINES 1000000u

/* How long an answer takes; while the server is held, how often an operation looks. */
#define FAKE_MILLIS 1

typedef enum {
    FAKE_CONNECT,
    FAKE_LIST,
    FAKE_SYNC,
    FAKE_FETCH,
    FAKE_REMOVE,
    FAKE_MARK,
    FAKE_EXPUNGE,
    FAKE_MOVE,
    FAKE_FLAGS,
    FAKE_APPEND,
    FAKE_COPY,
    FAKE_FIND,
    FAKE_STATES,
    FAKE_WATCH, /* how often it was asked to tell what changes */
    FAKE_CREATE,
    FAKE_DELETE,
    FAKE_RENAME,
    FAKE_KINDS
} FakeKind;

/* How a move is answered. */
typedef enum {
    FAKE_MOVES_TELLING,     /* with the new UIDs */
    FAKE_MOVES_SILENT,      /* without them */
    FAKE_MOVES_MARKING,     /* likewise, and what was copied stays, marked */
    FAKE_MOVES_UNSURE,      /* not at all, and they are not here any more */
    FAKE_MOVES_LOST,        /* the connection breaks afterwards, */
    FAKE_MOVES_LOST_BEFORE, /* or before, */
    FAKE_MOVES_HALF,        /* or when they are copied, and that was told, */
    FAKE_MOVES_IN_BOTH,     /* or was not */
} FakeMoves;

typedef struct {
    uint32_t uid;
    uint64_t claimed; /* RFC822.SIZE */
    int64_t date;
    char *flags;
    uint64_t modseq;
    GBytes *header, *text, *body; /* body: what BODY[] is */
    bool lost;                    /* is listed, but there is nothing to fetch */
    const char *name;             /* of a named server's; NULL: "name/<uid>" */
    unsigned which;
    uint32_t given; /* the UID that a named server's message has here */
    bool kept;      /* is not removed, whoever asks */
} FakeMessage;

typedef struct {
    char *name;
    char delimiter;
    unsigned attributes;
    uint32_t uidvalidity, uidnext;
    uint64_t modseq;
    GPtrArray *messages; /* FakeMessage, ascending */
    GArray *vanished;    /* uint32_t */
    int miscount;        /* is added to the count that is told */
    bool restored;       /* the next sync finds an earlier state, as of a backup */
} FakeFolder;

/* A range that was asked for. */
typedef struct {
    uint32_t uid;
    MailRange range;
} FakeAsk;

typedef struct {
    pthread_mutex_t lock; /* of all below; who is told something may ask at once */
    pthread_cond_t changed;
    GPtrArray *folders;
    bool condstore; /* tells changes only, where it can */
    bool named;     /* has names instead of UIDs: see fake_named.h */
    FakeMoves moves;
    unsigned changes; /* MAIL_STORE_ bits of changing, of one that is not named */
    bool held;
    bool stalled[FAKE_KINDS];      /* held, of these; a list that begins so tells what is then */
    unsigned modified;             /* so many conditional changes of flags are refused */
    unsigned started[FAKE_KINDS];  /* operations, ever */
    unsigned compared;             /* syncs that compared everything */
    GArray *asked;                 /* FakeAsk, ever */
    unsigned ahead;                /* fetches that nobody waited for when they were begun */
    int failure[FAKE_KINDS];       /* errno; 0: none */
    unsigned failures[FAKE_KINDS]; /* so many */
    unsigned good[FAKE_KINDS];     /* so many succeed before */
    bool flags_later;              /* leaves flags out where it may */
    uint32_t listed_to;            /* first listings pause behind this UID; 0: they don't */
    int broken_listing;            /* errno: a first listing that paused goes on to this; 0: none */
    unsigned cut;                  /* so many fetches break off behind their first part */
    bool only_header;              /* TEXT is never answered */
    bool only_text;                /* HEADER is never answered */
    uint64_t endless;              /* BODY[] is so long, whatever the message is */
    bool surplus_cr;               /* ahead of an LF with which a stretch begins inside */
    bool silent;                   /* tells no new UIDs */
    unsigned does_and_breaks;      /* so many appends and copies are done, and break off; */
    unsigned breaks;               /* then so many break off undone */
    int breaks_with;               /* errno of these */
    MailQuota quota;
    bool have_quota;
    bool watches;      /* has what is under "Watching" */
    const char *tells; /* the folder of whose changes it says that it tells; "*": of all */
    char *watched;     /* the folders in use, as it was told last, with a space in between */
    const MailWatchSink *watch_sink;
    gpointer watch_data;
    /* What was to be removed, operation by operation, ever: "3,4;" for good, "m3,4;" marked,
     * "x3,4;" expunged, ">Trash:3,4;" moved. */
    GString *removals;
} FakeServer;

/* --- the server: filled by the test ------------------------------------------------------------
 */

static inline void fake_lock(FakeServer *server)
{
    pthread_mutex_lock(&server->lock);
}

static inline void fake_unlock(FakeServer *server)
{
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->lock);
}

/* The byte at an offset of a message. */
static inline unsigned char fake_byte(uint32_t uid, uint64_t offset)
{
    uint64_t line = uid / FAKE_LINES, at;
    if (!line)
        return byte_of(FAKE_BYTES, uid, offset);
    at = (offset + uid % FAKE_LINES) % line;
    return at == line - 1 ? '\n' : at == line - 2 ? '\r' : 'x';
}

static G_GNUC_UNUSED bool fake_are_bytes(const unsigned char *bytes, uint32_t uid, uint64_t offset,
                                         size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (bytes[i] != fake_byte(uid, offset + i))
            return false;
    return true;
}

static inline GBytes *fake_bytes(uint32_t uid, size_t length)
{
    unsigned char *bytes = g_malloc(length);
    for (size_t i = 0; i < length; i++)
        bytes[i] = fake_byte(uid, i);
    return g_bytes_new_take(bytes, length);
}

static void fake_message_free(gpointer data)
{
    FakeMessage *message = data;
    g_bytes_unref(message->header);
    g_bytes_unref(message->text);
    g_bytes_unref(message->body);
    g_free(message->flags);
    g_free(message);
}

static void fake_folder_free(gpointer data)
{
    FakeFolder *folder = data;
    g_free(folder->name);
    g_ptr_array_unref(folder->messages);
    g_array_unref(folder->vanished);
    g_free(folder);
}

static FakeServer *fake_server_new(void)
{
    FakeServer *server = g_new0(FakeServer, 1);
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&server->lock, &attributes);
    pthread_mutexattr_destroy(&attributes);
    pthread_cond_init(&server->changed, NULL);
    server->folders = g_ptr_array_new_with_free_func(fake_folder_free);
    server->asked = g_array_new(FALSE, FALSE, sizeof(FakeAsk));
    server->removals = g_string_new(NULL);
    return server;
}

static void fake_server_free(FakeServer *server)
{
    g_ptr_array_unref(server->folders);
    g_array_unref(server->asked);
    g_string_free(server->removals, TRUE);
    g_free(server->watched);
    pthread_mutex_destroy(&server->lock);
    pthread_cond_destroy(&server->changed);
    g_free(server);
}

static G_GNUC_UNUSED FakeFolder *fake_folder(FakeServer *server, const char *name)
{
    FakeFolder *folder = g_new0(FakeFolder, 1);
    folder->name = g_strdup(name);
    folder->delimiter = '/';
    folder->uidvalidity = 100;
    folder->uidnext = 1;
    folder->modseq = 1;
    folder->messages = g_ptr_array_new_with_free_func(fake_message_free);
    folder->vanished = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    fake_lock(server);
    g_ptr_array_add(server->folders, folder);
    fake_unlock(server);
    return folder;
}

static G_GNUC_UNUSED void fake_drop_folder(FakeServer *server, FakeFolder *folder)
{
    fake_lock(server);
    g_ptr_array_remove(server->folders, folder);
    fake_unlock(server);
}

/* A date that names the message, whatever its UID: a minute after the one before. */
static inline int64_t fake_date(uint32_t uid)
{
    return 1700000000 + 60 * (int64_t)(uid % 1000000);
}

/* Adds a message with header and text of these lengths, whose claimed size is right. */
static G_GNUC_UNUSED FakeMessage *fake_add(FakeServer *server, FakeFolder *folder, uint32_t uid,
                                           size_t header, size_t text)
{
    FakeMessage *message = g_new0(FakeMessage, 1);
    message->uid = uid;
    message->claimed = header + text;
    message->date = fake_date(uid);
    message->flags = g_strdup("\\Seen");
    message->body = fake_bytes(uid, header + text);
    message->header = g_bytes_new_from_bytes(message->body, 0, header);
    message->text = g_bytes_new_from_bytes(message->body, header, text);
    fake_lock(server);
    message->modseq = ++folder->modseq;
    folder->uidnext = MAX(folder->uidnext, uid + 1);
    guint i = folder->messages->len;
    while (i > 0 && ((FakeMessage *)folder->messages->pdata[i - 1])->uid > uid)
        i--;
    g_ptr_array_insert(folder->messages, (gint)i, message);
    fake_unlock(server);
    return message;
}

/* HEADER and TEXT are so many zeros, whatever BODY[] is. */
static G_GNUC_UNUSED void fake_set_parts(FakeServer *server, FakeMessage *message, size_t header,
                                         size_t text)
{
    fake_lock(server);
    g_bytes_unref(message->header);
    g_bytes_unref(message->text);
    message->header = g_bytes_new_take(g_malloc0(header), header);
    message->text = g_bytes_new_take(g_malloc0(text), text);
    fake_unlock(server);
}

static G_GNUC_UNUSED void fake_claim(FakeServer *server, FakeMessage *message, uint64_t size)
{
    fake_lock(server);
    message->claimed = size;
    fake_unlock(server);
}

static G_GNUC_UNUSED void fake_remove(FakeServer *server, FakeFolder *folder, uint32_t uid)
{
    fake_lock(server);
    for (guint i = 0; i < folder->messages->len; i++)
        if (((FakeMessage *)folder->messages->pdata[i])->uid == uid)
            g_ptr_array_remove_index(folder->messages, i);
    g_array_append_val(folder->vanished, uid);
    folder->modseq++;
    fake_unlock(server);
}

/* The folder is made anew: another UIDVALIDITY, no messages. */
static G_GNUC_UNUSED void fake_remake(FakeServer *server, FakeFolder *folder, uint32_t uidvalidity)
{
    fake_lock(server);
    folder->uidvalidity = uidvalidity;
    folder->uidnext = 1;
    g_ptr_array_set_size(folder->messages, 0);
    g_array_set_size(folder->vanished, 0);
    fake_unlock(server);
}

/* The same, but with the UIDVALIDITY that it had. */
static G_GNUC_UNUSED void fake_restore(FakeServer *server, FakeFolder *folder)
{
    fake_remake(server, folder, folder->uidvalidity);
    fake_lock(server);
    folder->restored = true;
    fake_unlock(server);
}

/* The next n operations of the kind fail. */
static G_GNUC_UNUSED void fake_fail(FakeServer *server, FakeKind kind, int code, unsigned n)
{
    fake_lock(server);
    server->failure[kind] = code;
    server->failures[kind] = n;
    server->good[kind] = 0;
    fake_unlock(server);
}

/* The next `good` operations of the kind succeed; those behind fail. */
static G_GNUC_UNUSED void fake_fail_after(FakeServer *server, FakeKind kind, int code,
                                          unsigned good)
{
    fake_fail(server, kind, code, UINT_MAX);
    fake_lock(server);
    server->good[kind] = good;
    fake_unlock(server);
}

/* Answers nothing any more; answers again. */
static G_GNUC_UNUSED void fake_hold(FakeServer *server, bool held)
{
    fake_lock(server);
    server->held = held;
    fake_unlock(server);
}

/* The same of one kind. */
static G_GNUC_UNUSED void fake_stall(FakeServer *server, FakeKind kind, bool stalled)
{
    fake_lock(server);
    server->stalled[kind] = stalled;
    fake_unlock(server);
}

/* --- the server: what it saw -------------------------------------------------------------------
 */

static G_GNUC_UNUSED void fake_forget(FakeServer *server)
{
    fake_lock(server);
    memset(server->started, 0, sizeof server->started);
    server->compared = 0;
    server->ahead = 0;
    g_array_set_size(server->asked, 0);
    fake_unlock(server);
}

static G_GNUC_UNUSED unsigned fake_started(FakeServer *server, FakeKind kind)
{
    fake_lock(server);
    unsigned n = server->started[kind];
    fake_unlock(server);
    return n;
}

static G_GNUC_UNUSED void fake_assert_idle(FakeServer *server)
{
    assert_int_equal(fake_started(server, FAKE_LIST), 0);
    assert_int_equal(fake_started(server, FAKE_SYNC), 0);
    assert_int_equal(fake_started(server, FAKE_FETCH), 0);
}

/* Waits until n operations of the kind were begun. */
static G_GNUC_UNUSED void fake_await(FakeServer *server, FakeKind kind, unsigned n)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 120;
    int error = 0;
    pthread_mutex_lock(&server->lock);
    while (server->started[kind] < n && !error)
        error = pthread_cond_timedwait(&server->changed, &server->lock, &until);
    pthread_mutex_unlock(&server->lock);
    assert_int_equal(error, 0);
}

/* The ranges that were asked for since fake_forget, as "1:H 1:T0+65536 1:B": UID, section,
 * stretch. The caller frees. */
static G_GNUC_UNUSED char *fake_asked(FakeServer *server)
{
    GString *text = g_string_new(NULL);
    fake_lock(server);
    for (guint i = 0; i < server->asked->len; i++) {
        const FakeAsk *ask = &g_array_index(server->asked, FakeAsk, i);
        g_string_append_printf(text, "%s%u:%c", i ? " " : "", ask->uid, "HTB"[ask->range.section]);
        if (ask->range.length)
            g_string_append_printf(text, "%" G_GUINT64_FORMAT "+%u", (guint64)ask->range.offset,
                                   ask->range.length);
    }
    fake_unlock(server);
    return g_string_free(text, FALSE);
}

static G_GNUC_UNUSED void fake_assert_asked(FakeServer *server, const char *expected)
{
    g_autofree char *asked = fake_asked(server);
    assert_string_equal(asked, expected);
}
