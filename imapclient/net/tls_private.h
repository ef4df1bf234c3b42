/*
 * tls_private.h: what the files of the TLS side tell each other, and nobody else. Engine thread.
 */
#pragma once

#include "tls.h"

/* The verification result where a certificate is not the one that the user named. */
#define TLS_NOT_THE_PINNED_ONE X509_V_ERR_APPLICATION_VERIFICATION

/* After a failed handshake: the session that it may have tried to resume is not tried again. */
void tls_forget_session(SSL *ssl);

/*
 * Channel binding data of an established connection, for SASL -PLUS: type "tls-exporter"
 * (RFC 9266), "tls-unique" or "tls-server-end-point" (RFC 5929). NULL where ssl has none of that
 * type. The caller unrefs.
 */
GBytes *tls_channel_binding(SSL *ssl, const char *type);
