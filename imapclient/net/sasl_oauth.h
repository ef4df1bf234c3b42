/*
 * sasl_oauth.h: the two mechanisms that carry an OAuth 2 token: XOAUTH2 (Google, Microsoft) and
 * OAUTHBEARER (RFC 7628). Belongs to sasl.c.
 */
#pragma once

#include "sasl.h"

/* The only message of a login that works. The caller has seen to it that neither user nor token
 * has control characters. */
Secret *oauth_xoauth2_message(const SaslContext *context);
Secret *oauth_bearer_message(const SaslContext *context);

/*
 * The server's error message (JSON, not base64) in words, for a terminal: "status invalid_token",
 * "status 400, error invalid_request". Never NULL, whatever the server sent.
 */
char *oauth_failure_text(const char *json, size_t length);
