/*
 * watcher.h: one session on which the server tells by itself what changes: of all folders by
 * NOTIFY (RFC 5465), with none selected; or of the one that is selected by IDLE (RFC 2177).
 *
 * Engine thread; owned by the pool (pool_watch.c), which decides on what. Any request that is sent
 * on the session ends an IDLE at once (see conn.h); the pool begins it anew when there is quiet.
 */
#pragma once

#include "session.h"

typedef struct ImapWatcher ImapWatcher;

typedef struct {
    /* From now on changes are told: of what came before, nothing may have been. Not where a folder
     * goes on being selected, since then nothing is lost. */
    void (*began)(gpointer data);
    void (*changed)(gpointer data, const char *folder);
    void (*folders)(gpointer data);
    /* An IDLE is over, since it was time, or since somebody used the session. server: the server
     * ended it by itself. */
    void (*paused)(gpointer data, bool server);
    /* The server has no NOTIFY after all, or will not have it any longer; or no IDLE. */
    void (*refused)(gpointer data, bool notify);
    /* The folder can't be opened. */
    void (*unopened)(gpointer data);
} ImapWatcherEvents;

/* renew: seconds after which the server is spoken to, so that neither it nor what is in between
 * takes the connection for dead. */
ImapWatcher *imap_watcher_new(ImapSession *session, unsigned renew, const ImapWatcherEvents *events,
                              gpointer data);
/* The session may be used for other things afterwards. */
void imap_watcher_free(ImapWatcher *watcher);

/* NOTIFY, once. */
void imap_watcher_notify(ImapWatcher *watcher);
/* IDLE in the folder, which is selected where it is not yet; what went on before is ended. */
void imap_watcher_idle(ImapWatcher *watcher, const char *folder);
/* What the session told and nobody else took. */
void imap_watcher_take(ImapWatcher *watcher, const ImapResponse *response);

/* Neither watches, nor is about to: it wants imap_watcher_idle or _notify. */
bool imap_watcher_rests(const ImapWatcher *watcher);
/* The folder of the IDLE; NULL: NOTIFY, or nothing. */
const char *imap_watcher_folder(const ImapWatcher *watcher);
/* Whether changes of the folder (NULL: of the list of folders) are being told. */
bool imap_watcher_watches(const ImapWatcher *watcher, const char *folder);
