/*
 * pool.h: the sessions of an account, and which operation runs on which.
 *
 * Engine thread. A session that has the folder open is preferred, then an idle one, then a new
 * one up to the limit; a server that lets no more in lowers the limit for a while. Whether a
 * connection is made at all, and what becomes of who waits for one, see net/reach.h.
 *
 * What is fetched ahead all goes over one session, in order, since two would only share the same
 * bottleneck, and lose by it; another one is opened meanwhile, so that there is one without bulk
 * for what is waited for. Until there is, that shares the bulk session: it goes out at once, and
 * waits for what is on the wire, which the pool keeps short by holding back the rest of the bulk.
 *
 * Of several sessions, one or two may watch what changes and run no operations; they count like the
 * others. Where only one is to be had, it watches whenever it has nothing to do.
 *
 * An operation that changes a folder looks again, between its commands, whether the folder is still
 * open (see change.h). Were others opened on its session meanwhile, the two could keep each other
 * from getting on for ever; so what is in another folder waits for its end, and behind what waits
 * no other one of that kind begins.
 */
#pragma once

#include "op.h"

ImapPool *imap_pool_new(const ImapConfig *config);
void imap_pool_free(ImapPool *pool);

/* Queues an operation; it starts from the main loop. */
void imap_pool_submit(ImapPool *pool, MailOp *op);
void imap_pool_cancel(ImapPool *pool, MailOp *op);
/* Used by imap_op_finish: the operation leaves its session; again: and waits for another. */
void imap_pool_leave(ImapPool *pool, MailOp *op, bool again);

/*
 * The folder is about to be renamed or deleted: no session keeps it selected, nor one whose name
 * begins with its name. What is asked for behind that selects it anew.
 */
void imap_pool_release(ImapPool *pool, const char *folder);
/* As mail_store_watch and mail_store_watches. */
void imap_pool_watch(ImapPool *pool, const char *const *folders, const MailWatchSink *sink,
                     gpointer data);
bool imap_pool_watches(const ImapPool *pool, const char *folder);
/* ImapCap bits of the server; 0 before the first login. */
unsigned imap_pool_capabilities(const ImapPool *pool);

/* See mail_store_watch_link. */
void imap_pool_watch_link(ImapPool *pool, MailDone told, gpointer data);
void imap_pool_close(ImapPool *pool, MailDone done, gpointer data);
void imap_pool_describe(ImapPool *pool, GString *text);
bool imap_pool_quota(ImapPool *pool, MailQuota *quota);
