/*
 * op.h: an operation of the store: what the pool knows of it, whatever it does.
 *
 * Engine thread. An operation waits in the pool, runs on one session, and is finished exactly
 * once: by itself, by the death of its session, or by being cancelled. Where the session dies
 * under it, before anything was told, it is run again on another one: always where the session is
 * older than the operation, since all such may have been dropped unnoticed; else once.
 */
#pragma once

#include "../cache/mailstore.h"
#include "session.h"

typedef struct ImapPool ImapPool;

typedef struct {
    /* Begins on op->session, which is ready. May finish the operation. */
    void (*start)(MailOp *op);
    /* Frees the operation's own members and itself. */
    void (*free)(MailOp *op);
    /* It ends with an error: the last moment to tell the sink anything. May be NULL. */
    void (*failing)(MailOp *op);
} ImapOpClass;

/* What each operation begins with. */
struct MailOp {
    const ImapOpClass *klass;
    ImapPool *pool;
    ImapSession *session; /* NULL: it waits */
    char *folder;         /* NULL: any session will do */
    bool names;           /* names folders all the same: the session must be settled */
    GError *refusal;      /* set by who made it: it ends with this, and needs no session */
    bool holds;           /* its session opens no other folder while it runs */
    bool bulk;            /* keeps its session busy for long */
    bool ahead;           /* nobody waits for it yet; bulk too */
    bool told;            /* the sink was told something: it can't begin again */
    bool retried;         /* was run again though its session was no older one */
    bool on_older;        /* its session is older than itself */
    unsigned newest;      /* number of the newest session when it was submitted */
    gint64 since;         /* monotonic; when it was submitted */
    MailDone done;
    gpointer data;
};

/* Makes one of `size` bytes (its members beyond MailOp zeroed). */
MailOp *imap_op_new(size_t size, const ImapOpClass *klass, const char *folder, MailDone done,
                    gpointer data);
/* Frees what imap_op_new made; the end of every klass->free. */
void imap_op_free(MailOp *op);

/*
 * Ends it: error (taken over; NULL: success). Its requests are forgotten, its owner is told, it is
 * freed; or it goes back to wait, see above.
 */
void imap_op_finish(MailOp *op, GError *error);

MailOp *imap_list_new(MailFolderSink sink, MailDone done, gpointer data);
MailOp *imap_sync_new(const char *folder, const MailFolderState *known, const MailSyncSink *sink,
                      MailDone done, gpointer data);
MailOp *imap_remove_new(const MailRemove *request, MailRemovedSink removed, MailDone done,
                        gpointer data);
MailOp *imap_mark_new(const MailRemove *request, MailRemovedSink marked, MailDone done,
                      gpointer data);
MailOp *imap_expunge_new(const MailRemove *request, MailRemovedSink removed, MailDone done,
                         gpointer data);
MailOp *imap_append_new(const MailAppend *request, const MailAppendSink *sink, MailDone done,
                        gpointer data);
MailOp *imap_find_new(const MailFind *request, MailFoundSink found, MailDone done, gpointer data);
MailOp *imap_copy_new(const MailCopy *request, bool moves, const MailCopySink *sink, MailDone done,
                      gpointer data);
MailOp *imap_flags_new(const MailFlags *request, const MailFlagsSink *sink, MailDone done,
                       gpointer data);
MailOp *imap_create_new(const char *parent, const char *level, MailFolderSink made, MailDone done,
                        gpointer data);
MailOp *imap_delete_new(const char *folder, MailDone done, gpointer data);
MailOp *imap_rename_new(const char *folder, const char *parent, const char *level,
                        MailFolderSink made, MailDone done, gpointer data);
MailOp *imap_fetch_new(const MailFetch *request, MailFetchSink sink, MailDone done, gpointer data);
MailOp *imap_states_new(const char *const *folders, MailStateSink sink, MailDone done,
                        gpointer data);
