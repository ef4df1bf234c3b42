/*
 * login.h: from a fresh connection to an authenticated one: greeting, STARTTLS, capabilities,
 * SASL or LOGIN, ENABLE (RFC 9051 sections 6.1 and 6.2, RFC 5161).
 *
 * Engine thread; one per connection. Nothing that tells of the user leaves before TLS is verified,
 * unless the user said tls=off.
 */
#pragma once

#include "capability.h"
#include "conn.h"

/* Longer-lived than the login: what it found out. */
typedef struct {
    ImapCapabilities caps;
    bool utf8;    /* names on the wire are UTF-8: UTF8=ACCEPT is enabled, or IMAP4rev2 alone */
    bool qresync; /* is enabled */
    char *server; /* what the server calls itself (RFC 2971), printable, or NULL */
} ImapLoginResult;

void imap_login_result_clear(ImapLoginResult *result);

typedef struct ImapLogin ImapLogin;

typedef struct {
    /* error NULL: authenticated, result->caps is filled in, and what else there is to ask for is
     * on its way: whatever does not depend on that may follow at once. Once. */
    void (*done)(gpointer data, const GError *error);
    /* All of it is answered, and *result complete. Once, unless the connection fails. */
    void (*settled)(gpointer data);
} ImapLoginEvents;

/* events (a static table) are called from the main loop. */
ImapLogin *imap_login_new(const ImapConfig *config, ImapConn *conn, ImapLoginResult *result,
                          const ImapLoginEvents *events, gpointer data);
void imap_login_free(ImapLogin *login);

/* The owner of the connection passes on what it is told, until done was called. */
void imap_login_ready(ImapLogin *login);
void imap_login_untagged(ImapLogin *login, const ImapResponse *response);

/* The connection stands, and the server has not said a word. */
bool imap_login_awaits_greeting(const ImapLogin *login);
