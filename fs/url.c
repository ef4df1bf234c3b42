#include "url.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#define URL_MAX 4096      /* bytes of a whole URL */
#define HOST_MAX 253      /* RFC 1035 section 2.3.4, as text */
#define HOST_LABEL_MAX 63 /* the same section */
#define AUTH_MAX 64       /* a SASL mechanism's name has at most 20 (RFC 4422 section 3.1) */
#define URL_EXAMPLE "imaps://ann%40example.org@mail.example.org/Archive"

/* What may stand unencoded in a user's name (RFC 5092 section 11: achar); a folder has ":@/" too.
 */
#define URL_ACHAR "!$'()*+,&="

typedef struct {
    const char *name;
    UrlProtocol protocol;
    bool tls;
    uint16_t port;
} Scheme;

static const Scheme schemes[] = {
    {"imap", URL_IMAP, false, 143},
    {"imaps", URL_IMAP, true, 993},
    {"pop3", URL_POP3, false, 110},
    {"pop3s", URL_POP3, true, 995},
};

/* No part of the URL is ever repeated in a message: any of it may turn out to be a password. */
static bool refuse(GError **error, const char *what)
{
    g_set_error(error, MAIL_ERROR, EINVAL, "bad URL: %s; a right one looks like %s", what,
                URL_EXAMPLE);
    return false;
}

static bool check_bytes(const char *text, GError **error)
{
    if (strlen(text) > URL_MAX)
        return refuse(error, "it is longer than 4096 bytes");
    if (!g_utf8_validate(text, -1, NULL))
        return refuse(error, "it is not valid UTF-8");
    for (const char *p = text; *p; p = g_utf8_next_char(p))
        if (g_unichar_iscntrl(g_utf8_get_char(p)))
            return refuse(error, "it holds a control character");
    return true;
}

/* Percent-decodes; the result is valid UTF-8 without control characters. part is for the text of
 * the error. */
static char *decode(const char *text, size_t length, const char *part, GError **error)
{
    g_autoptr(GString) decoded = g_string_sized_new(length);
    g_autofree char *what = NULL;

    for (size_t i = 0; i < length; i++) {
        if (text[i] != '%') {
            g_string_append_c(decoded, text[i]);
        } else if (i + 2 < length && g_ascii_isxdigit(text[i + 1]) &&
                   g_ascii_isxdigit(text[i + 2])) {
            int byte = g_ascii_xdigit_value(text[i + 1]) * 16 + g_ascii_xdigit_value(text[i + 2]);
            g_string_append_c(decoded, (char)byte);
            i += 2;
        } else {
            what = g_strdup_printf("in the %s, two hexadecimal digits must follow a '%%' ('%%' "
                                   "itself is %%25)",
                                   part);
            break;
        }
    }
    if (!what && !g_utf8_validate(decoded->str, (gssize)decoded->len, NULL))
        what = g_strdup_printf("the %s is not valid UTF-8, or holds %%00", part);
    for (const char *p = decoded->str; !what && *p; p = g_utf8_next_char(p))
        if (g_unichar_iscntrl(g_utf8_get_char(p)))
            what = g_strdup_printf("the %s holds a control character", part);
    if (what) {
        refuse(error, what);
        return NULL;
    }
    return g_string_free(g_steal_pointer(&decoded), FALSE);
}

/* After the scheme: where the authority begins, or NULL. */
static const char *parse_scheme(const char *text, Url *url, GError **error)
{
    const char *end = strstr(text, "://");

    for (size_t i = 0; end && i < G_N_ELEMENTS(schemes); i++) {
        size_t length = strlen(schemes[i].name);
        if ((size_t)(end - text) == length &&
            g_ascii_strncasecmp(text, schemes[i].name, length) == 0) {
            url->protocol = schemes[i].protocol;
            url->tls = schemes[i].tls;
            url->port = schemes[i].port;
            return end + 3;
        }
    }
    refuse(error, "it must begin with imaps://, imap://, pop3s:// or pop3://");
    return NULL;
}

/* ";AUTH=MECHANISM" (RFC 5092 section 3.2), or with a '+' in front (RFC 2384). */
static bool parse_auth(const char *text, size_t length, Url *url, GError **error)
{
    static const char prefix[] = ";AUTH=";
    const size_t skip = sizeof prefix - 1;

    if (length < skip || g_ascii_strncasecmp(text, prefix, skip) != 0)
        return refuse(error, "only ';AUTH=…' may follow a ';' there (a ';' in the user name is "
                             "written %3B)");
    text += skip;
    length -= skip;
    if (length == 0 || length > AUTH_MAX)
        return refuse(error, "';AUTH=' needs the name of a SASL mechanism, or '*'");
    if (length == 1 && text[0] == '*')
        return true;
    for (size_t i = 0; i < length; i++)
        if (!g_ascii_isalnum(text[i]) && !strchr("-_", text[i]) && !(i == 0 && text[i] == '+'))
            return refuse(error, "';AUTH=' needs the name of a SASL mechanism, or '*'");
    url->auth = g_ascii_strup(text, (gssize)length);
    return true;
}

/* What stands ahead of the '@': [user][;AUTH=mechanism]. */
static bool parse_userinfo(const char *text, size_t length, Url *url, GError **error)
{
    const char *semicolon = memchr(text, ';', length);
    size_t user_length = semicolon ? (size_t)(semicolon - text) : length;

    if (memchr(text, ':', length))
        return refuse(error,
                      "it holds a password, which everyone can see in the process list; leave it "
                      "out and use passfile=, passcmd=, ~/.netrc or the prompt (a ':' in the user "
                      "name is written %3A)");
    if (memchr(text, '@', length))
        return refuse(error, "an '@' in the user name must be written %40");
    if (user_length == 0 && !semicolon)
        return refuse(error, "the user name ahead of the '@' is empty");
    if (user_length > 0 && !(url->user = decode(text, user_length, "user name", error)))
        return false;
    return !semicolon || parse_auth(semicolon, length - user_length, url, error);
}

/* "[…]": an IPv6 address, with "%25" and a zone where it is link-local (RFC 6874). */
static bool parse_ipv6(const char *text, size_t length, Url *url, GError **error)
{
    g_autofree char *host = g_ascii_strdown(text, (gssize)length);
    char *zone = strchr(host, '%');
    struct in6_addr address;

    if (zone)
        *zone = 0;
    if (inet_pton(AF_INET6, host, &address) != 1)
        return refuse(error, "in brackets, an IPv6 address must stand");
    if (zone) {
        const char *name = text + (zone - host);
        size_t name_length = length - (size_t)(zone - host);
        if (name_length <= 3 || strncmp(name, "%25", 3) != 0)
            return refuse(error, "a zone follows an IPv6 address as in [fe80::1%25eth0]");
        name += 3;
        name_length -= 3;
        for (size_t i = 0; i < name_length; i++)
            if (!g_ascii_isalnum(name[i]) && !strchr("-._~", name[i]))
                return refuse(error, "a zone follows an IPv6 address as in [fe80::1%25eth0]");
        url->host = g_strdup_printf("%s%%%.*s", host, (int)name_length, name);
    } else {
        url->host = g_steal_pointer(&host);
    }
    url->ipv6 = true;
    return true;
}

static bool is_host_name(const char *host)
{
    size_t label = 0;

    if (strlen(host) > HOST_MAX)
        return false;
    for (; *host; host++) {
        if (*host == '.') {
            if (label == 0)
                return false;
            label = 0;
        } else if (!g_ascii_isalnum(*host) && *host != '-' && *host != '_') {
            return false;
        } else if (++label > HOST_LABEL_MAX) {
            return false;
        }
    }
    return label > 0;
}

/* A name, which comes out in lower case, as A-labels (RFC 5891) and without the root's dot; or an
 * IPv4 address. */
static bool parse_host(const char *text, size_t length, Url *url, GError **error)
{
    g_autofree char *raw = g_strndup(text, length);
    g_autofree char *ascii = NULL;
    g_autofree char *host = NULL;
    struct in_addr address;

    if (length == 0)
        return refuse(error, "the host name is missing");
    if (length <= 4 * HOST_MAX) /* what is longer can't become a name of 253 bytes */
        ascii = g_str_is_ascii(raw) ? g_strdup(raw) : g_hostname_to_ascii(raw);
    host = ascii ? g_ascii_strdown(ascii, -1) : g_strdup("");
    if (g_str_has_suffix(host, "."))
        host[strlen(host) - 1] = 0;
    if (!is_host_name(host))
        return refuse(error, "what stands as the host is no host name");
    if (!host[strspn(host, "0123456789.")] && inet_pton(AF_INET, host, &address) != 1)
        return refuse(error, "what stands as the host is no IPv4 address");
    url->host = g_steal_pointer(&host);
    return true;
}

static bool parse_port(const char *text, size_t length, Url *url, GError **error)
{
    unsigned port = 0;

    if (length == 0) /* "host:" (RFC 3986 section 3.2.3) */
        return true;
    for (size_t i = 0; i < length; i++) {
        if (!g_ascii_isdigit(text[i]) || port > UINT16_MAX)
            return refuse(error, "the port must be a number from 1 to 65535 (and no password may "
                                 "stand in a URL)");
        port = port * 10 + (unsigned)(text[i] - '0');
    }
    if (port == 0 || port > UINT16_MAX)
        return refuse(error, "the port must be a number from 1 to 65535");
    url->port = (uint16_t)port;
    return true;
}

static bool parse_host_and_port(const char *text, size_t length, Url *url, GError **error)
{
    const char *end = text + length;
    const char *host_end;
    const char *colon;

    if (length > 0 && text[0] == '[') {
        host_end = memchr(text, ']', length);
        if (!host_end)
            return refuse(error, "the ']' after the IPv6 address is missing");
        if (!parse_ipv6(text + 1, (size_t)(host_end - text - 1), url, error))
            return false;
        colon = host_end + 1;
        if (colon < end && *colon != ':')
            return refuse(error, "only ':' and a port may follow the ']'");
    } else {
        colon = memchr(text, ':', length);
        host_end = colon ? colon : end;
        if (colon && memchr(colon + 1, ':', (size_t)(end - colon - 1)))
            return refuse(error, "only one ':' may follow the host (an IPv6 address goes in "
                                 "brackets, and a password not into a URL)");
        if (!parse_host(text, (size_t)(host_end - text), url, error))
            return false;
    }
    if (!colon || colon >= end)
        return true;
    return parse_port(colon + 1, (size_t)(end - colon - 1), url, error);
}

/* From behind the '/' that ends the authority. */
static bool parse_path(const char *text, Url *url, GError **error)
{
    g_autofree char *folder = NULL;
    size_t length;

    if (strchr(text, '?'))
        return refuse(error, "a search can't be mounted; leave out what begins with '?' (a '?' in "
                             "a folder's name is written %3F)");
    if (strchr(text, '#'))
        return refuse(error, "a '#' in a folder's name must be written %23");
    if (strchr(text, ';'))
        return refuse(error, "only a folder can be mounted, no message or part; leave out "
                             "';UIDVALIDITY=', ';UID=' and the like (a ';' in a folder's name is "
                             "written %3B)");
    folder = decode(text, strlen(text), "folder's name", error);
    if (!folder)
        return false;
    for (length = strlen(folder); length > 0 && folder[length - 1] == '/'; length--)
        folder[length - 1] = 0;
    if (folder[0] && url->protocol == URL_POP3)
        return refuse(error, "POP3 has no folders; leave out what follows the host");
    if (folder[0])
        url->folder = g_steal_pointer(&folder);
    return true;
}

static bool parse(const char *text, Url *url, GError **error)
{
    const char *authority;
    const char *at;
    const char *host;
    size_t length;

    if (!check_bytes(text, error) || !(authority = parse_scheme(text, url, error)))
        return false;
    length = strcspn(authority, "/?#");
    at = memrchr(authority, '@', length);
    host = at ? at + 1 : authority;
    if (at && !parse_userinfo(authority, (size_t)(at - authority), url, error))
        return false;
    if (!parse_host_and_port(host, length - (size_t)(host - authority), url, error))
        return false;
    authority += length;
    return parse_path(*authority == '/' ? authority + 1 : authority, url, error);
}

bool url_parse(const char *text, Url *url, GError **error)
{
    *url = (Url){0};
    if (parse(text, url, error))
        return true;
    url_clear(url);
    return false;
}

char *url_text(const Url *url)
{
    const Scheme *scheme = schemes;
    g_autoptr(GString) text = g_string_new(NULL);

    while (scheme->protocol != url->protocol || scheme->tls != url->tls)
        scheme++;
    g_string_printf(text, "%s://", scheme->name);
    if (url->user) {
        g_string_append_uri_escaped(text, url->user, URL_ACHAR, FALSE);
        g_string_append_c(text, '@');
    }
    if (url->ipv6) {
        g_auto(GStrv) parts = g_strsplit(url->host, "%", 2);
        g_string_append_printf(text, "[%s%s%s]", parts[0], parts[1] ? "%25" : "",
                               parts[1] ? parts[1] : "");
    } else {
        g_string_append(text, url->host);
    }
    if (url->port != scheme->port)
        g_string_append_printf(text, ":%u", url->port);
    if (url->folder) {
        g_string_append_c(text, '/');
        g_string_append_uri_escaped(text, url->folder, URL_ACHAR ":@/", FALSE);
    }
    return g_string_free(g_steal_pointer(&text), FALSE);
}

void url_clear(Url *url)
{
    g_free(url->user);
    g_free(url->auth);
    g_free(url->host);
    g_free(url->folder);
    *url = (Url){0};
}
