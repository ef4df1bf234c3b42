/*
 * fuzz_url.c: any text as a URL: what is taken comes out of url_text the same, and no error repeats
 * a password.
 */
#include "../../fs/url.h"

#include <stddef.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool fine, const char *what)
{
    if (!fine)
        g_error("%s", what);
}

static void check_good(const Url *url)
{
    g_autofree char *text = url_text(url);
    g_autofree char *again_text = NULL;
    g_auto(Url) again = {0};

    check(url->port != 0 && url->host && url->host[0], "a URL without host or port");
    check(!url->user || g_utf8_validate(url->user, -1, NULL), "a user name in no UTF-8");
    check(!url->folder || g_utf8_validate(url->folder, -1, NULL), "a folder in no UTF-8");
    check(g_str_is_ascii(text), "url_text in no ASCII");
    if (!url_parse(text, &again, NULL)) { /* an encoded text may be too long */
        check(strlen(text) > 4096, "url_text is refused");
        return;
    }
    again_text = url_text(&again);
    check(strcmp(text, again_text) == 0, "url_text changes");
    check(url->protocol == again.protocol && url->tls == again.tls, "the scheme changes");
    check(url->port == again.port && url->ipv6 == again.ipv6, "the port changes");
    check(strcmp(url->host, again.host) == 0, "the host changes");
    check(g_strcmp0(url->user, again.user) == 0, "the user changes");
    check(g_strcmp0(url->folder, again.folder) == 0, "the folder changes");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *text = g_strndup(size > 0 ? (const char *)data : "", size);
    g_autofree char *secret = g_strconcat("imaps://ann:s3cret", text, "@h/", NULL);
    const char *const texts[] = {text, secret};

    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_auto(Url) url = {0};
        g_autoptr(GError) error = NULL;

        if (url_parse(texts[i], &url, &error)) {
            check_good(&url);
        } else {
            check(error->domain == MAIL_ERROR && error->code > 0, "an error without an errno");
            check(!strstr(error->message, "s3cret"), "an error repeats a password");
        }
    }
    return 0;
}
