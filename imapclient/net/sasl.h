/*
 * sasl.h: SASL for IMAP and POP3: which mechanism, and what to say next (RFC 4422).
 *
 * Uses libgsasl for all mechanisms but CRAM-MD5 (for which it leaves copies of the password
 * behind), XOAUTH2 and OAUTHBEARER (RFC 7628), which are a line each.
 * Sans-I/O: the caller carries the messages, base64-encoded as both protocols do. Engine thread.
 */
#pragma once

#include "../../cache/mail.h"
#include "secret.h"

typedef struct Sasl Sasl;

/* What an exchange may use. Borrowed until sasl_free. */
typedef struct {
    const char *user;       /* EXTERNAL sends it too, as the identity to act as; NULL there: none */
    const Secret *password; /* the password, or the OAuth token; NULL: none */
    const char *host;
    uint16_t port;
    const char *service; /* "imap" or "pop" */
    bool secure;         /* the connection is under TLS, and verified */
    bool client_cert;    /* a client certificate was given: EXTERNAL may work */
    bool allow_clear;    /* the user said tls=off: PLAIN in clear text is what he wants */
    /* For -PLUS: as stream_channel_binding; NULL: none. */
    GBytes *(*channel_binding)(gpointer data, const char *type);
    gpointer data;
} SaslContext;

/*
 * The mechanism to use: the strongest of those offered (upper-case names, NULL-terminated) that
 * context permits. wanted: a mechanism's name, any case, or NULL for the strongest. Order:
 * EXTERNAL (only with client_cert and no password), SCRAM-SHA-256-PLUS, SCRAM-SHA-256,
 * SCRAM-SHA-1-PLUS, SCRAM-SHA-1, CRAM-MD5, PLAIN; XOAUTH2 and OAUTHBEARER only where wanted.
 * PLAIN, XOAUTH2 and OAUTHBEARER need `secure` or `allow_clear`. -PLUS binds by tls-unique where
 * the connection has it, else by tls-exporter. Returns a static string; NULL
 * with EACCES, saying what was offered and what to do, where none fits. PLAIN's absence is no
 * failure of `auto` where the protocol has a LOGIN of its own: the caller tries that then.
 */
const char *sasl_choose(const SaslContext *context, const char *const *offered, const char *wanted,
                        GError **error);

/*
 * mechanism: as sasl_choose gave it. Fails with EACCES, as for a name or token that the mechanism
 * can't carry. SCRAM without -PLUS says that the client has no channel binding ("n"), for libgsasl
 * can't say that it missed -PLUS in the server's list ("y").
 */
Sasl *sasl_new(const char *mechanism, const SaslContext *context, GError **error);

/*
 * The password or token is about to be sent as it is (sasl_new says so itself). Without TLS, and
 * where the host is not this machine, as a tunnel's end is: warns of it, once in the process's
 * life.
 */
void sasl_warn_of_clear(const SaslContext *context);

/* Whether the client speaks first, so that an initial response can be sent (RFC 4959, 5034). */
bool sasl_client_first(Sasl *sasl);

/*
 * Takes the server's challenge (base64, without "+ "; NULL for the very first step of a mechanism
 * in which the client speaks first) and gives the answer in base64 ("" for an empty one; "=" is
 * the caller's business). NULL: EACCES or EPROTO (as for so many rounds of SCRAM's hash that the
 * engine thread would stand still), and the caller cancels with "*".
 */
Secret *sasl_step(Sasl *sasl, const char *challenge, GError **error);

/*
 * The server said that the exchange succeeded: fails with EPROTO where the mechanism is not
 * through, as when a SCRAM server never proved that it knows the password (RFC 5802).
 */
bool sasl_finish(Sasl *sasl, GError **error);

/*
 * What the server told about the failure inside the exchange (the JSON of RFC 7628), in words, or
 * NULL. Valid until sasl_free.
 */
const char *sasl_failure(Sasl *sasl);

void sasl_free(Sasl *sasl); /* wipes */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Sasl, sasl_free)
