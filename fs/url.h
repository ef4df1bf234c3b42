/*
 * url.h: the URL that names an account (RFC 5092, RFC 2384).
 *
 * Pure; used by the main thread before anything is started.
 */
#pragma once

#include "../cache/mail.h"

typedef enum { URL_IMAP, URL_POP3 } UrlProtocol;

typedef struct {
    UrlProtocol protocol;
    bool tls;      /* imaps, pop3s: TLS from the first byte */
    char *user;    /* percent-decoded, or NULL */
    char *auth;    /* of ";AUTH=", upper case, or NULL ("*" is NULL too) */
    char *host;    /* without brackets, lower case; a name as A-labels (RFC 5891) */
    bool ipv6;     /* host is an IPv6 address and stands in brackets in a URL */
    uint16_t port; /* the scheme's own where the URL has none: 143, 993, 110, 995 */
    char *folder;  /* percent-decoded UTF-8, or NULL: the whole account */
} Url;

/*
 * Fails with EINVAL, naming what is wrong and what a right URL looks like. A password in the URL
 * ("imap://ann:secret@…") is refused, and not repeated in the message.
 */
bool url_parse(const char *text, Url *url, GError **error);

/* As a user may see it: no auth; "imaps://ann@mail.example.org/Archive". The caller frees. */
char *url_text(const Url *url);

void url_clear(Url *url);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Url, url_clear)
