/*
 * store.h: an IMAP account as a MailStore (see cache/mailstore.h).
 *
 * The only header of imapclient/ that fs/ needs. Made on any thread, used on the engine thread.
 */
#pragma once

#include "../cache/mailstore.h"
#include "net/secret.h"
#include "net/tls.h"

/* When connections are compressed (RFC 4978), where the server can. */
typedef enum {
    IMAP_COMPRESS_AUTO, /* where the link turns out to be what bounds them */
    IMAP_COMPRESS_ON,
    IMAP_COMPRESS_OFF,
} ImapCompress;

typedef struct {
    const char *host;
    uint16_t port;
    TlsPolicy *tls;    /* NULL only with clear */
    bool implicit_tls; /* imaps: TLS from the first byte; else STARTTLS */
    bool clear;        /* the user said tls=off for imap:// */
    bool client_cert;  /* the policy has one */
    const char *user;
    const Secret *password; /* or OAuth token; NULL: none */
    const char *auth;       /* NULL: auto; "login", or a SASL mechanism */
    bool read_only;         /* EXAMINE, always; what changes anything fails with EROFS */
    unsigned connections;   /* the most at once */
    unsigned timeout;       /* seconds until a silent server is an error */
    ImapCompress compress;
    uint64_t fast_link; /* bytes a second from which on a link is fast; 0: the default; UINT64_MAX:
                           none is */
    bool trace;         /* log the protocol (g_debug, domain "imap") */
    /* UIDVALIDITY of mailboxes for which the server tells none, whose UIDs then mean nothing to
     * the next mount: a random number. */
    uint32_t stand_in;
} ImapConfig;

/* Copies config. Does nothing on the network yet. */
MailStore *imap_store_new(const ImapConfig *config);
