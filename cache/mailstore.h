/*
 * mailstore.h: the interface behind which every mail protocol looks alike to fs/.
 *
 * A store lives on the engine thread: every function is called there, and every callback comes
 * from there. No function waits. Every operation completes exactly once, by its `done`, whatever
 * happens to the connection; `done` never runs before the function that started it returned.
 * After `done` (or after mail_store_cancel) its sink is not called any more.
 */
#pragma once

#include "mail.h"

typedef struct MailStore MailStore;
typedef struct MailOp MailOp; /* an operation under way; invalid once its done ran */

/* error is NULL for success, and the callee's only until it returns. */
typedef void (*MailDone)(gpointer data, const GError *error);

/* What the protocol can do at all: the same at any time. */
enum {
    MAIL_STORE_FOLDERS = 1 << 0, /* has more than one folder */
    MAIL_STORE_RANGES = 1 << 1,  /* can fetch a stretch of a section */
    MAIL_STORE_FLAGS = 1 << 2,   /* messages have flags */
    /* A fetch of any stretch costs the whole message: ask for all of it at once (see MailFetch). */
    MAIL_STORE_WHOLE = 1 << 3,
    MAIL_STORE_REMOVE = 1 << 4, /* can remove messages */
    MAIL_STORE_NAMES = 1 << 5,  /* messages have unique names, and get UIDs by identify */
};

/* Told of each folder that list finds. */
typedef void (*MailFolderSink)(gpointer data, const MailFolderInfo *folder);

/*
 * Told what a sync finds, in this order: reset at most once and first; then messages, reached,
 * vanished and present, any number of times; state once, last, and only where all before it was
 * complete.
 */
typedef struct {
    /* The folder is not the one that was known: nothing known of it holds any more. */
    void (*reset)(gpointer data, uint32_t uidvalidity);
    /* Messages that are new or have changed; a member that is not in `has` has not changed. */
    void (*messages)(gpointer data, const MailMessage *messages, size_t n);
    /*
     * Of a folder that is listed from its beginning: all messages with a UID up to this one have
     * been told, and none of them can come any more. Grows. A store that can't be sure says
     * nothing.
     */
    void (*reached)(gpointer data, uint32_t uid);
    /* Messages that are gone. The ranges may also cover UIDs that never were. */
    void (*vanished)(gpointer data, const MailUidRange *ranges, size_t n);
    /* All messages that there are, ascending: what was known and is not among them is gone. */
    void (*present)(gpointer data, const uint32_t *uids, size_t n);
    void (*state)(gpointer data, const MailFolderState *state);
    /*
     * The UID of the message of that unique name, the same for ever; a new one is given to a name
     * that was never seen. which: 0, or, where the server gives several messages one name, which of
     * them. Called before the message is told by messages(). 0: no UID can be given. Only a store
     * whose server has no UIDs asks.
     */
    uint32_t (*identify)(gpointer data, const char *name, unsigned which);
} MailSyncSink;

/*
 * Told each stretch that arrived whole. offset is where it begins in its section. A stretch
 * shorter than asked for ends with the section; where the whole section was asked for, it is the
 * whole section, unless it comes in pieces (see MailFetch.limit).
 */
typedef void (*MailFetchSink)(gpointer data, uint32_t uid, const MailRange *asked, GBytes *bytes);

/* What to fetch: the same ranges of each of the messages. Copied by fetch. */
typedef struct {
    const char *folder;
    uint32_t uidvalidity; /* the fetch fails with ESTALE where the folder has another by now */
    const uint32_t *uids; /* ascending */
    size_t n_uids;
    const MailRange *ranges;
    size_t n_ranges;
    /*
     * A whole section longer than this fails the fetch with EFBIG. 0: the store's own limit; a
     * store with MAIL_STORE_WHOLE has none, and tells whole sections in pieces then: each of 64 KiB
     * but the last, in their order, asked being {section, where the piece begins, its length};
     * then, once the section is complete, its end, as no bytes with asked {section, its length, 0}.
     * A section whose end was not told is not complete. The pieces of one message are told before
     * those of another, HEADER before TEXT.
     */
    uint64_t limit;
    /* Nobody waits for it yet: it may keep a connection busy for long, and gives way to what is
     * waited for. Those of one store run in the order they came. */
    bool ahead;
} MailFetch;

/* What to remove. Copied by remove. */
typedef struct {
    const char *folder;
    uint32_t uidvalidity; /* ESTALE where the folder has another by now */
    const uint32_t *uids;
    size_t n_uids;
} MailRemove;

/* Told of each message whose removal is committed at the server. */
typedef void (*MailRemovedSink)(gpointer data, uint32_t uid);

typedef struct {
    uint64_t used_bytes, limit_bytes; /* limit 0: unknown */
    uint64_t used_messages, limit_messages;
} MailQuota;

/* What a protocol implements. Every function has the meaning of the mail_store_ function below. */
typedef struct {
    MailOp *(*connect)(MailStore *store, MailDone done, gpointer data);
    MailOp *(*list)(MailStore *store, MailFolderSink sink, MailDone done, gpointer data);
    MailOp *(*sync)(MailStore *store, const char *folder, const MailFolderState *known,
                    const MailSyncSink *sink, MailDone done, gpointer data);
    MailOp *(*fetch)(MailStore *store, const MailFetch *fetch, MailFetchSink sink, MailDone done,
                     gpointer data);
    MailOp *(*remove)(MailStore *store, const MailRemove *remove, MailRemovedSink sink,
                      MailDone done, gpointer data); /* NULL without MAIL_STORE_REMOVE */
    void (*cancel)(MailStore *store, MailOp *op);
    unsigned (*features)(MailStore *store);
    bool (*quota)(MailStore *store, MailQuota *quota);
    void (*describe)(MailStore *store, GString *text);
    void (*close)(MailStore *store, MailDone done, gpointer data);
    void (*free)(MailStore *store);
} MailStoreClass;

struct MailStore {
    const MailStoreClass *klass;
};

/* Connects and logs in, so that a wrong password shows at once. */
MailOp *mail_store_connect(MailStore *store, MailDone done, gpointer data);

/* Lists all folders, \NonExistent parents among them where the server tells them. */
MailOp *mail_store_list(MailStore *store, MailFolderSink sink, MailDone done, gpointer data);

/*
 * Brings what is known of a folder up to date. known (copied) says how far that is. Fails with
 * ENOENT where there is no such folder.
 */
MailOp *mail_store_sync(MailStore *store, const char *folder, const MailFolderState *known,
                        const MailSyncSink *sink, MailDone done, gpointer data);

/*
 * Fetches. Success with a message of which nothing came means that the message is gone. Fails
 * with EFBIG (see MailFetch), ESTALE, ENOENT (no such folder), ETIMEDOUT, ENOTCONN, EHOSTUNREACH,
 * ECONNREFUSED, EACCES, EPROTO.
 */
MailOp *mail_store_fetch(MailStore *store, const MailFetch *fetch, MailFetchSink sink,
                         MailDone done, gpointer data);

/*
 * Removes messages for good. removed tells of each whose removal is committed at the server (also
 * of one that was not there any more); success without that for one means that the server refused
 * it. After a failure (ENOTCONN, ETIMEDOUT…) what was told is done, and the others may or may not
 * be: they are to be removed again. Only where the store has MAIL_STORE_REMOVE.
 */
MailOp *mail_store_remove(MailStore *store, const MailRemove *remove, MailRemovedSink removed,
                          MailDone done, gpointer data);

/* The operation's done and sink are not called any more; what is on the wire is thrown away. */
void mail_store_cancel(MailStore *store, MailOp *op);

/* MAIL_STORE_ bits. Any thread. */
unsigned mail_store_features(MailStore *store);

/* False where the server told no quota. Never waits. */
bool mail_store_quota(MailStore *store, MailQuota *quota);

/* Appends "key: value" lines on the server and each connection for .pullmail/status. */
void mail_store_describe(MailStore *store, GString *text);

/*
 * Leaves politely (LOGOUT), within a second or two whatever the server does. Operations under way
 * complete with ECANCELED first.
 */
void mail_store_close(MailStore *store, MailDone done, gpointer data);

/* After close completed, or in its stead to drop everything at once. */
void mail_store_free(MailStore *store);
