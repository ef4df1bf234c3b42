/*
 * store.h: a POP3 maildrop as a MailStore (see cache/mailstore.h): one folder, INBOX, whose
 * UIDVALIDITY is 1 for ever.
 *
 * The only header of pop3client/ that fs/ needs. Made on any thread, used on the engine thread.
 *
 * POP3 locks the maildrop and shows a snapshot of it: so there is one session at most, which begins
 * when something is needed, and ends by QUIT a few seconds after the last work, or at once after a
 * removal. A sync that follows such a pause looks at a new snapshot.
 *
 * Messages are known by the unique names that the server gives them (UIDL), and these are looked at
 * anew in each session before any message is fetched or removed. A name that the server lacks, or
 * gives to several messages, is made of the message: of its header, where the server has TOP. What
 * a UID stands for is what the last sync asked its sink: a fetch or removal before the first sync
 * fails with ESTALE, and UIDs that the last sync did not find are of messages that are gone.
 */
#pragma once

#include "../cache/mailstore.h"
#include "../imapclient/net/secret.h"
#include "../imapclient/net/tls.h"

typedef struct {
    const char *host;
    uint16_t port;
    TlsPolicy *tls;    /* NULL only with clear */
    bool implicit_tls; /* pop3s: TLS from the first byte; else STLS */
    bool clear;        /* the user said tls=off for pop3:// */
    bool client_cert;  /* the policy has one */
    const char *user;
    const Secret *password; /* or OAuth token; NULL: none */
    const char *auth;       /* NULL: auto; "user" or "login" (USER and PASS), "apop", or SASL */
    bool read_only;         /* removing anything fails with EROFS */
    unsigned timeout;       /* seconds until a silent server is an error, or one that is in use */
    unsigned idle;          /* seconds without work until the session is left */
    bool trace;             /* log the protocol (g_debug, domain "pop3") */
} Pop3Config;

/* Copies config. Does nothing on the network yet. */
MailStore *pop3_store_new(const Pop3Config *config);
