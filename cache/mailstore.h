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

/* What the protocol and the server can do at all, known after connect. */
enum {
    MAIL_STORE_FOLDERS = 1 << 0, /* has more than one folder */
    MAIL_STORE_RANGES = 1 << 1,  /* can fetch a stretch of a section */
    MAIL_STORE_FLAGS = 1 << 2,   /* messages have flags */
    /* A fetch of any stretch costs the whole message: ask for all of it at once (see MailFetch). */
    MAIL_STORE_WHOLE = 1 << 3,
    MAIL_STORE_REMOVE = 1 << 4, /* can remove messages */
    MAIL_STORE_NAMES = 1 << 5,  /* messages have unique names, and get UIDs by identify */
    MAIL_STORE_WATCH = 1 << 6,  /* has what is under "Watching" */
};

/* Told of each folder that list finds. */
typedef void (*MailFolderSink)(gpointer data, const MailFolderInfo *folder);

/*
 * Told what a sync finds, in this order: reset at most once and first; then messages, reached,
 * vanished and present, any number of times; state once, last, and only where all before it was
 * complete. restored may come at most once, before state; what was told ahead of it does not count.
 */
typedef struct {
    /* The folder is not the one that was known: nothing known of it holds any more. */
    void (*reset)(gpointer data, uint32_t uidvalidity);
    /*
     * The folder has the UIDVALIDITY that is known, and yet is an earlier state of itself, as after
     * a backup was restored: UIDs that are known may have been given to other messages since.
     * Nothing known of it holds any more.
     */
    void (*restored)(gpointer data);
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

typedef struct MailChangeClass MailChangeClass; /* see "Changing" below */
typedef struct MailWatchClass MailWatchClass;   /* see "Watching" below */

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
    void (*watch_link)(MailStore *store, MailDone told, gpointer data);
    void (*close)(MailStore *store, MailDone done, gpointer data);
    void (*free)(MailStore *store);
    const MailChangeClass *change; /* NULL: the store has nothing of what is under "Changing" */
    const MailWatchClass *watch;   /* NULL without MAIL_STORE_WATCH */
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

/* MAIL_STORE_ bits. */
unsigned mail_store_features(MailStore *store);

/* False where the server told no quota. Never waits. */
bool mail_store_quota(MailStore *store, MailQuota *quota);

/* Appends "key: value" lines on the server and each connection for .pullmail/status. */
void mail_store_describe(MailStore *store, GString *text);

/*
 * told is called from now on whenever it turns out that the server can be reached (error NULL), or
 * can't be any more: then operations fail at once with the same cause, and the store tries by
 * itself, and when operations come, to reach it again. EACCES: it refuses the login.
 */
void mail_store_watch_link(MailStore *store, MailDone told, gpointer data);

/*
 * Leaves politely (LOGOUT), within a second or two whatever the server does. Operations under way
 * complete with ECANCELED first.
 */
void mail_store_close(MailStore *store, MailDone done, gpointer data);

/* After close completed, or in its stead to drop everything at once. */
void mail_store_free(MailStore *store);

/*
 * --- Changing ----------------------------------------------------------------------------------
 *
 * Of a read-only store all of these, and remove, fail with EROFS at once, and nothing is sent. A
 * folder that the server opens for reading only fails with EROFS, what it does not allow with
 * EACCES, a folder that is not there with ENOENT, one of another UIDVALIDITY with ESTALE; then
 * nothing was changed. UIDs may come in any order. What a sink was told is done at the server, also
 * where done says later that the rest failed.
 *
 * After ENOTCONN, ETIMEDOUT or ECANCELED nobody knows of what was not told. mark, expunge, flags
 * (and remove) can be asked for again, since they do nothing twice. Of the others the sink's
 * `unsure` tells what may have been done all the same: nobody may do that again before he has
 * looked (mail_store_find). What was neither told nor unsure was not done.
 */

/* More MAIL_STORE_ bits; known after connect. */
enum {
    MAIL_STORE_CHANGES = 1 << 8,   /* mark, expunge, copy, move, append, find and flags */
    MAIL_STORE_MOVES = 1 << 9,     /* move is one step, and leaves nothing marked */
    MAIL_STORE_NEW_UIDS = 1 << 10, /* copy, move and append tell the new UIDs */
    MAIL_STORE_REPLACES = 1 << 11, /* append can replace a message in one step */
    MAIL_STORE_MAKES = 1 << 12,    /* create, delete and rename of folders */
};

/* What to copy or move. Copied by both. */
typedef struct {
    const char *folder;
    uint32_t uidvalidity;
    const uint32_t *uids;
    size_t n_uids;
    const char *target; /* another folder (copy: or the same); ENOENT where there is none */
} MailCopy;

/* Every member is needed; copy calls neither removed nor marked. */
typedef struct {
    /* It is in the target; there its UID is `copy`, or, where that is 0, not known. One of which
     * nothing is told was not there any more. */
    void (*copied)(gpointer data, uint32_t uid, uint32_t uidvalidity, uint32_t copy);
    /* Then it is gone here; or it is marked \Deleted (see mail_store_mark), since this server
     * can't remove it alone. */
    void (*removed)(gpointer data, uint32_t uid);
    void (*marked)(gpointer data, uint32_t uid);
    /* It may be in the target. Of a move it is there if it is not here, unless somebody else
     * removed it; and it may be in both, where the server did not come to the end. Told ahead of an
     * error, and where the server's answers do not say. */
    void (*unsure)(gpointer data, uint32_t uid);
} MailCopySink;

/* What to append. Copied by append, the descriptor too (by dup: its offset is not used). */
typedef struct {
    const char *folder;
    const char *flags; /* as in MailMessage; those that the folder can't keep are lost */
    bool has_date;
    int64_t date; /* INTERNALDATE: seconds since the epoch */
    /* The message as it shall be stored: with CRLF. size is its length in octets; where the file
     * turns out shorter, append fails with EIO, and nothing is stored. */
    uint64_t size;
    GBytes *bytes; /* NULL: those of fd, from its beginning */
    int fd;
    /* A message of the same folder that the new one takes the place of, or 0 (RFC 8508). Only with
     * MAIL_STORE_REPLACES, else ENOTSUP. Where it is not there any more, the server refuses. */
    uint32_t replaces;
    uint32_t uidvalidity; /* of the folder, where it replaces */
} MailAppend;

typedef struct {
    /* It is there, with this UID; both 0: not known. */
    void (*appended)(gpointer data, uint32_t uidvalidity, uint32_t uid);
    /* It may be there: the connection was lost after the message had begun. */
    void (*unsure)(gpointer data);
} MailAppendSink;

/* What to look for: a message that may have been appended or copied. Copied by find. */
typedef struct {
    const char *folder;
    uint32_t uidvalidity;   /* ESTALE where it has another; 0: whichever */
    uint32_t first;         /* the least UID that it can have: UIDNEXT from before */
    const char *message_id; /* the field's content, with its <>; NULL: none */
} MailFind;

/* Told of each that is there: it is the one if its size (RFC822.SIZE) is right. */
typedef void (*MailFoundSink)(gpointer data, uint32_t uidvalidity, uint32_t uid, uint64_t size);

typedef enum {
    MAIL_FLAGS_SET, /* these and no others */
    MAIL_FLAGS_ADD,
    MAIL_FLAGS_TAKE, /* take away */
} MailFlagsHow;

/* Which flags to change. Copied by flags. */
typedef struct {
    const char *folder;
    uint32_t uidvalidity;
    const uint32_t *uids;
    size_t n_uids;
    MailFlagsHow how;
    const char *flags; /* as in MailMessage */
    /* Only messages that have not been changed since this MODSEQ (RFC 7162), where the folder has
     * MODSEQs; 0: in any case. If it is asked for again after a connection was lost, what the lost
     * command changed counts as changed. */
    uint64_t unchanged_since;
} MailFlags;

/* Every member is needed. */
typedef struct {
    /* Before anything is changed, and again where it is begun again: the flags that the folder can
     * keep, "\*" among them where it takes any keyword; NULL where the server does not say. */
    void (*permanent)(gpointer data, const char *flags);
    void (*stored)(gpointer data, uint32_t uid); /* also one that is not there any more */
    /* Changed meanwhile, and therefore not stored. */
    void (*modified)(gpointer data, uint32_t uid);
} MailFlagsSink;

/* NULL: the store has not got the one. */
struct MailChangeClass {
    MailOp *(*mark)(MailStore *store, const MailRemove *remove, MailRemovedSink marked,
                    MailDone done, gpointer data);
    MailOp *(*expunge)(MailStore *store, const MailRemove *remove, MailRemovedSink removed,
                       MailDone done, gpointer data);
    MailOp *(*copy)(MailStore *store, const MailCopy *copy, const MailCopySink *sink, MailDone done,
                    gpointer data);
    MailOp *(*move)(MailStore *store, const MailCopy *copy, const MailCopySink *sink, MailDone done,
                    gpointer data);
    MailOp *(*append)(MailStore *store, const MailAppend *append, const MailAppendSink *sink,
                      MailDone done, gpointer data);
    MailOp *(*find)(MailStore *store, const MailFind *find, MailFoundSink found, MailDone done,
                    gpointer data);
    MailOp *(*flags)(MailStore *store, const MailFlags *flags, const MailFlagsSink *sink,
                     MailDone done, gpointer data);
    MailOp *(*create)(MailStore *store, const char *parent, const char *level, MailFolderSink made,
                      MailDone done, gpointer data);
    MailOp *(*delete)(MailStore *store, const char *folder, MailDone done, gpointer data);
    MailOp *(*rename)(MailStore *store, const char *folder, const char *parent, const char *level,
                      MailFolderSink made, MailDone done, gpointer data);
};

/*
 * Marks messages \Deleted, and removes none: that is left to expunge. Where a store that changes
 * has not MAIL_STORE_REMOVE, its server can't remove messages by their UIDs, and this is all that
 * can be done at once. marked tells of each, also of one that is not there any more.
 */
MailOp *mail_store_mark(MailStore *store, const MailRemove *remove, MailRemovedSink marked,
                        MailDone done, gpointer data);

/*
 * Removes those of the messages that are marked. Where the server can only remove all that are
 * marked, nothing is removed if there is another one among them: EBUSY. (Somebody who marks one
 * just then loses it all the same: that is how such servers are.) removed tells of each that is not
 * there afterwards; success without that for one means that it was not marked any more.
 */
MailOp *mail_store_expunge(MailStore *store, const MailRemove *remove, MailRemovedSink removed,
                           MailDone done, gpointer data);

/* Copies to another folder, at the server. ENOENT where there is no target. */
MailOp *mail_store_copy(MailStore *store, const MailCopy *copy, const MailCopySink *sink,
                        MailDone done, gpointer data);

/* Moves: in one step with MAIL_STORE_MOVES; else a copy, and a removal of what was copied. */
MailOp *mail_store_move(MailStore *store, const MailCopy *copy, const MailCopySink *sink,
                        MailDone done, gpointer data);

/*
 * Stores a new message; it is read in pieces while it is sent. EFBIG (before anything is sent,
 * where the server says its limit), EDQUOT, ENOENT, EACCES. One that is cancelled may be stored.
 */
MailOp *mail_store_append(MailStore *store, const MailAppend *append, const MailAppendSink *sink,
                          MailDone done, gpointer data);

/* Looks for a message of which append or copy was unsure. Success alone: it is not there. */
MailOp *mail_store_find(MailStore *store, const MailFind *find, MailFoundSink found, MailDone done,
                        gpointer data);

/*
 * Changes flags. EINVAL where a name is none, and where the folder can't keep one of them (see
 * permanent): nothing is sent then.
 */
MailOp *mail_store_flags(MailStore *store, const MailFlags *flags, const MailFlagsSink *sink,
                         MailDone done, gpointer data);

/*
 * Makes a folder, and subscribes to it. parent: its whole name; NULL: none. level: the last level
 * of the name, UTF-8. made tells what came of it. EINVAL where the level is empty, no UTF-8 or
 * contains the server's delimiter, or the server can't have the name; EEXIST; ENOENT (no parent);
 * EPERM where the parent can't have children; EDQUOT. Can be asked for again after ENOTCONN: where
 * it was made meanwhile, that is EEXIST.
 */
MailOp *mail_store_create(MailStore *store, const char *parent, const char *level,
                          MailFolderSink made, MailDone done, gpointer data);

/*
 * Deletes a folder, only where it has neither messages nor children: ENOTEMPTY. (A message that
 * arrives just then is deleted with it: IMAP has no other way.) EPERM for INBOX; ENOENT; EBUSY. Can
 * be asked for again; ENOENT then means that it is done.
 */
MailOp *mail_store_delete(MailStore *store, const char *folder, MailDone done, gpointer data);

/*
 * Renames a folder with all below it. parent and level say the new name, as in create; errors as
 * there, and ENOENT where the folder is not there, EPERM for INBOX, EINVAL where the new name is
 * below the old. Subscriptions go along.
 */
MailOp *mail_store_rename(MailStore *store, const char *folder, const char *parent,
                          const char *level, MailFolderSink made, MailDone done, gpointer data);

/*
 * --- Watching ----------------------------------------------------------------------------------
 *
 * What others change, and what this mount changes, told without anybody asking, where the server
 * does so; and what costs little to ask where it does not. Only with MAIL_STORE_WATCH.
 */

/* Every member is needed. */
typedef struct {
    /* The folder is not as it was, or may not be. Told as often as the server says so. */
    void (*changed)(gpointer data, const char *folder);
    /* Folders were made, renamed or deleted. */
    void (*folders)(gpointer data);
    /* mail_store_watches says more than it did: of what changed before that, nothing may have been
     * told. */
    void (*began)(gpointer data);
} MailWatchSink;

/* Told where a folder stands; uidnext and modseq 0: the server does not say. state NULL: it can't
 * be said, or has changed. */
typedef void (*MailStateSink)(gpointer data, const char *folder, const MailFolderState *state);

struct MailWatchClass {
    void (*watch)(MailStore *store, const char *const *folders, const MailWatchSink *sink,
                  gpointer data);
    bool (*watches)(MailStore *store, const char *folder);
    MailOp *(*states)(MailStore *store, const char *const *folders, MailStateSink sink,
                      MailDone done, gpointer data);
};

/*
 * From now on, and until close: what the server tells by itself is told. folders (up to a NULL;
 * copied) are those in use, the most important first, since there are servers that tell of one
 * folder for each connection; these are at most two, and within the bound of connections. Calling
 * it again replaces the folders. It never fails: where a server tells nothing, it has no effect.
 */
void mail_store_watch(MailStore *store, const char *const *folders, const MailWatchSink *sink,
                      gpointer data);

/* Whether changes of the folder (NULL: of the list of folders) are being told, just now. */
bool mail_store_watches(MailStore *store, const char *folder);

/*
 * Asks where folders (up to a NULL; copied) stand, in one round trip, without opening any. Each is
 * told, unless it fails.
 */
MailOp *mail_store_states(MailStore *store, const char *const *folders, MailStateSink sink,
                          MailDone done, gpointer data);
