/*
 * op.h: an operation of the store: what the maildrop knows of it, whatever it does.
 *
 * Engine thread. An operation waits, runs in a session, and is finished exactly once: by itself, by
 * the death of its session, or by being cancelled. Where the session dies under it, before anything
 * was told, it is run a second time in another one.
 */
#pragma once

#include "../cache/mailstore.h"
#include "session.h"

typedef struct Pop3Maildrop Pop3Maildrop;
typedef struct Pop3Op Pop3Op; /* a MailOp */

typedef struct {
    /* Begins in op->session, which is ready and shows what op->needs. May finish the operation. */
    void (*start)(Pop3Op *op);
    /* The session has ended by QUIT, as pop3_session's `left`; NULL: it does not outlive that. */
    void (*left)(Pop3Op *op, const GError *error);
    /* Frees the operation's own members and itself. */
    void (*free)(Pop3Op *op);
} Pop3OpClass;

/* What each operation begins with. */
struct Pop3Op {
    const Pop3OpClass *klass;
    Pop3Maildrop *maildrop;
    Pop3Session *session; /* NULL: it waits */
    Pop3Listed needs;
    bool offline; /* needs no session at all; op->session stays NULL */
    bool sync;
    bool removes; /* the session has to end for it */
    bool ahead;   /* nobody waits for it yet */
    bool told;    /* the sink was told something: it can't begin again */
    bool retried;
    gint64 since; /* monotonic; when it was submitted */
    MailDone done;
    gpointer data;
};

/* Makes one of `size` bytes (its members beyond Pop3Op zeroed). */
Pop3Op *pop3_op_new(size_t size, const Pop3OpClass *klass, Pop3Listed needs, MailDone done,
                    gpointer data);
/* Frees what pop3_op_new made; the end of every klass->free. */
void pop3_op_free(Pop3Op *op);

/*
 * Ends it: error (taken over; NULL: success). Its requests are forgotten, its owner is told, it is
 * freed; or it goes back to wait, see above.
 */
void pop3_op_finish(Pop3Op *op, GError *error);

/* The one folder's name, and its UIDVALIDITY. */
#define POP3_FOLDER "INBOX"
#define POP3_UIDVALIDITY 1

/* NULL where they are the folder's; else ENOENT or ESTALE. */
GError *pop3_op_check_folder(const char *folder, uint32_t uidvalidity);

Pop3Op *pop3_connect_new(MailDone done, gpointer data);
Pop3Op *pop3_list_new(MailFolderSink sink, MailDone done, gpointer data);
Pop3Op *pop3_sync_new(const char *folder, const MailFolderState *known, const MailSyncSink *sink,
                      MailDone done, gpointer data);
Pop3Op *pop3_fetch_new(const MailFetch *request, MailFetchSink sink, MailDone done, gpointer data);
/* read_only: fails with EROFS. */
Pop3Op *pop3_remove_new(const MailRemove *request, bool read_only, MailRemovedSink sink,
                        MailDone done, gpointer data);
