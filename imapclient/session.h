/*
 * session.h: one connection that is (or will be) logged in, and the mailbox selected on it.
 *
 * Engine thread; owned by the pool. Requests may be pipelined behind a selection that is still
 * under way: what comes back is only believed where the mailbox turned out to be the right one
 * (see imap_session_selected).
 */
#pragma once

#include "conn.h"
#include "login.h"
#include "mailbox.h"

typedef struct ImapSession ImapSession;

typedef enum { IMAP_SESSION_CONNECTING, IMAP_SESSION_READY, IMAP_SESSION_DEAD } ImapSessionState;

typedef struct {
    /* Logged in: what names no mailbox may be sent. */
    void (*ready)(gpointer data, ImapSession *session);
    /* What was asked for behind the login is answered: mailboxes may be named, too. */
    void (*settled)(gpointer data, ImapSession *session);
    /* Dead; the requests were completed with the error before. Once, also instead of ready. */
    void (*dead)(gpointer data, ImapSession *session, const GError *error);
    /* An untagged response that nothing else took. */
    void (*untagged)(gpointer data, ImapSession *session, const ImapResponse *response);
} ImapSessionEvents;

ImapSession *imap_session_new(const ImapConfig *config, unsigned number,
                              const ImapSessionEvents *events, gpointer data);
void imap_session_free(ImapSession *session);

ImapSessionState imap_session_state(const ImapSession *session);
/* Whether `settled` was told, and not `dead`. */
bool imap_session_is_settled(const ImapSession *session);
ImapConn *imap_session_conn(ImapSession *session);
const ImapLoginResult *imap_session_login(const ImapSession *session);
ImapLiteralMode imap_session_literal_mode(const ImapSession *session);
/* Adds an astring with a mailbox's name, as this session's wire has names. */
bool imap_session_add_mailbox(const ImapSession *session, ImapCommand *command, const char *name,
                              GError **error);

/* The mailbox that requests sent from now on will find selected; NULL: none. */
const char *imap_session_target(const ImapSession *session);
/*
 * Queues an EXAMINE; where the mailbox is open to be changed, it stays so. known (or NULL): with
 * QRESYNC, the server tells at once what changed since. events and data may be NULL;
 * events->untagged sees FETCH and VANISHED while the selection is under way, events->done its
 * outcome.
 */
void imap_session_select(ImapSession *session, const char *name, const MailFolderState *known,
                         const ImapRequestEvents *events, gpointer data);
/* Queues a SELECT, behind which the mailbox can be changed. Never where config is read_only. */
void imap_session_select_to_change(ImapSession *session, const char *name,
                                   const ImapRequestEvents *events, gpointer data);
/*
 * The selection queued last is of one who waits for its outcome before he sends anything. Two such
 * that each select anew, since the other has selected meanwhile, would go on for ever: so a second
 * one waits (imap_session_wait) while there is such a selection under way.
 */
void imap_session_hold(ImapSession *session);
bool imap_session_is_held(const ImapSession *session);
/* Calls released once, when no such selection is under way and the session is alive, in the order
 * in which they came. */
void imap_session_wait(ImapSession *session, void (*released)(gpointer data), gpointer data);
/* Leaves the mailbox, without expunging anything. */
void imap_session_unselect(ImapSession *session);
/*
 * Whether the selection may know nothing of a message of which another session told: a server may
 * show new ones only between commands that are not pipelined, so that a FETCH would find nothing.
 * Selecting anew helps. False where the server does not tell UIDNEXT.
 */
bool imap_session_is_behind(const ImapSession *session, uint32_t uid);
/* Forgets all requests, selections and waiting of `data` (see imap_conn_cancel). */
void imap_session_forget(ImapSession *session, gpointer data);
/* The UIDVALIDITY that the selection under way told up to now; 0: none yet. */
uint32_t imap_session_incoming(const ImapSession *session);
/* What is selected now, as far as responses have come. */
const ImapMailbox *imap_session_mailbox(const ImapSession *session);
/*
 * Whether `name` with this UIDVALIDITY is selected now: NULL, or why not (ENOENT, EACCES, …,
 * ESTALE for another UIDVALIDITY). The caller frees.
 */
GError *imap_session_selected(const ImapSession *session, const char *name, uint32_t uidvalidity);

/*
 * Whether a command sent now will find `name` with this UIDVALIDITY selected, for reading or (to
 * change) for changing. NULL: it will. EAGAIN: it has to be selected first, or such a selection is
 * still under way. Else what that came to: ENOENT, ESTALE, EROFS… The caller frees.
 */
GError *imap_session_holds(const ImapSession *session, const char *name, uint32_t uidvalidity,
                           bool to_change);

/* Asks for compression where the server has it and was not asked before. */
void imap_session_compress(ImapSession *session);

/* "key: value" for the status. */
void imap_session_describe(ImapSession *session, GString *text);
