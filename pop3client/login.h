/*
 * login.h: from a fresh connection to an authenticated one: greeting, CAPA, STLS, UTF8, then SASL,
 * APOP, or USER and PASS (RFC 1939, 2449, 2595, 5034, 6856).
 *
 * Engine thread; one per connection. Nothing that tells of the user leaves before TLS is verified,
 * unless the user said tls=off.
 */
#pragma once

#include "capability.h"
#include "conn.h"

/* Longer-lived than the login: what it found out. */
typedef struct {
    Pop3Capabilities caps;
    /* The login was refused this time: somebody else has the maildrop, or it is too soon. */
    bool in_use, too_soon;
    unsigned login_delay; /* seconds, as far as it was told at any time; 0: none */
} Pop3LoginResult;

void pop3_login_result_clear(Pop3LoginResult *result);

typedef struct Pop3Login Pop3Login;

/* error NULL: authenticated, and *result is filled in. Once; from the main loop. */
typedef void (*Pop3LoginDone)(gpointer data, const GError *error);

Pop3Login *pop3_login_new(const Pop3Config *config, Pop3Conn *conn, Pop3LoginResult *result,
                          Pop3LoginDone done, gpointer data);
void pop3_login_free(Pop3Login *login);

/* The owner of the connection passes on what it is told, until done was called. */
void pop3_login_ready(Pop3Login *login);
void pop3_login_greeting(Pop3Login *login, const Pop3Reply *reply);
