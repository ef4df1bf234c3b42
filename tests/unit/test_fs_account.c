#include "../../fs/account.h"
#include "../../fs/engine.h"
#include "cache_helpers.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

static char host[] = "127.0.0.1", user[] = "ann", plain[] = "plain", login[] = "login";

static Options options_of(UrlProtocol protocol, bool tls, uint16_t port)
{
    return (Options){.url = {.protocol = protocol, .tls = tls, .host = host, .port = port},
                     .connections = 1,
                     .timeout = 60,
                     .refresh = 60};
}

static void test_keys(void **state)
{
    static const struct {
        UrlProtocol protocol;
        bool tls;
        const char *key;
    } keys[] = {
        {URL_IMAP, false, "imap://ann@127.0.0.1:143"},
        {URL_IMAP, true, "imaps://ann@127.0.0.1:143"},
        {URL_POP3, false, "pop3://ann@127.0.0.1:143"},
        {URL_POP3, true, "pop3s://ann@127.0.0.1:143"},
    };
    const Credentials credentials = {.user = user};
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
        Options options = options_of(keys[i].protocol, keys[i].tls, 143);
        g_autofree char *key = account_key(&options, &credentials);
        assert_string_equal(key, keys[i].key);
        /* The folder is not in it: mounts of one account share a cache. */
        options.url.folder = plain;
        g_autofree char *below = account_key(&options, &credentials);
        assert_string_equal(below, key);
    }
}

/* Each protocol has its own kind of store, and only POP3's can remove yet. */
static void test_protocols(void **state)
{
    const Credentials credentials = {.user = user};
    static const struct {
        UrlProtocol protocol;
        unsigned has, lacks;
    } kinds[] = {
        {URL_IMAP, MAIL_STORE_FOLDERS | MAIL_STORE_RANGES | MAIL_STORE_FLAGS | MAIL_STORE_WATCH,
         MAIL_STORE_WHOLE | MAIL_STORE_NAMES},
        {URL_POP3, MAIL_STORE_WHOLE | MAIL_STORE_REMOVE | MAIL_STORE_NAMES,
         MAIL_STORE_FOLDERS | MAIL_STORE_RANGES | MAIL_STORE_FLAGS | MAIL_STORE_WATCH},
    };
    (void)state;
    for (size_t i = 0; i < 2 * G_N_ELEMENTS(kinds); i++) {
        Options options = options_of(kinds[i / 2].protocol, i % 2, 110);
        g_autoptr(GError) error = NULL;
        MailStore *store = account_store(&options, &credentials, &error);
        assert_non_null(store);
        assert_int_equal(mail_store_features(store) & (kinds[i / 2].has | kinds[i / 2].lacks),
                         kinds[i / 2].has);
        mail_store_free(store);
    }
}

static void test_certificate_files(void **state)
{
    const Credentials credentials = {.user = user};
    g_autofree char *missing = g_build_filename(*state, "missing.pem", NULL);
    g_autofree char *bad = g_build_filename(*state, "bad.pem", NULL);
    write_file(*state, "bad.pem", "no certificate\n", 15);
    for (int i = 0; i < 2; i++) {
        Options options = options_of(URL_IMAP, true, 993);
        g_autoptr(GError) error = NULL;
        *(i ? &options.cert : &options.cafile) = missing;
        assert_null(account_store(&options, &credentials, &error));
        assert_int_equal(mail_errno(error), ENOENT);
        assert_non_null(strstr(error->message, missing));
        g_clear_error(&error);
        *(i ? &options.cert : &options.cafile) = bad;
        assert_null(account_store(&options, &credentials, &error));
        assert_int_equal(mail_errno(error), EINVAL);
        assert_non_null(strstr(error->message, bad));
    }
}

/* --- what a store says to its server first --------------------------------------------------- */

typedef struct {
    Engine *engine;
    MailStore *store;
} Client;

static void ignore(gpointer data, const GError *error)
{
    (void)data, (void)error;
}

static void connect_now(gpointer data)
{
    mail_store_connect(((Client *)data)->store, ignore, NULL);
}

static void free_now(gpointer data)
{
    mail_store_free(((Client *)data)->store);
}

static int listen_here(uint16_t *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, length), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

/* Up to the end of a line, or 5 bytes of what is no text. */
static void read_some(int fd, char *line, size_t size)
{
    size_t length = 0;
    while (length + 1 < size && (length == 0 || line[length - 1] != '\n')) {
        struct pollfd ready = {fd, POLLIN, 0};
        assert_int_equal(poll(&ready, 1, 60000), 1);
        ssize_t n = read(fd, line + length, 1);
        if (n <= 0)
            break;
        length++;
        if (length == 5 && line[0] == 0x16)
            break;
    }
    line[length] = 0;
}

/* What the client of these options says first, and behind the greeting. */
static void first_words(Options *options, bool greet, char *line, size_t size)
{
    static const char greeting[] = "* OK [CAPABILITY IMAP4rev1 STARTTLS AUTH=PLAIN] ready\r\n";
    g_autoptr(Secret) password = secret_new("hunter2", -1);
    const Credentials credentials = {.user = user, .password = password};
    g_autoptr(GError) error = NULL;
    int listener = listen_here(&options->url.port);
    Client client = {engine_start(), account_store(options, &credentials, &error)};
    assert_non_null(client.store);
    engine_post(client.engine, connect_now, &client);
    struct pollfd ready = {listener, POLLIN, 0};
    assert_int_equal(poll(&ready, 1, 60000), 1);
    int peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(peer >= 0);
    if (greet)
        assert_int_equal(send(peer, greeting, strlen(greeting), MSG_NOSIGNAL), strlen(greeting));
    read_some(peer, line, size);
    close(peer);
    close(listener);
    engine_post(client.engine, free_now, &client);
    engine_stop(client.engine);
}

static void test_implicit_tls(void **state)
{
    Options options = options_of(URL_IMAP, true, 0);
    char line[512];
    (void)state;
    options.tls = TLS_OFF; /* that is for imap:// alone */
    first_words(&options, false, line, sizeof line);
    assert_int_equal(line[0], 0x16); /* a handshake */
    assert_int_equal(line[1], 3);
}

static void test_starttls(void **state)
{
    Options options = options_of(URL_IMAP, false, 0);
    char line[512];
    (void)state;
    first_words(&options, true, line, sizeof line);
    assert_non_null(strstr(line, " STARTTLS\r\n"));
}

/* auth= is stronger than the URL's; and in clear only where the user said so. */
static void test_in_clear(void **state)
{
    Options options = options_of(URL_IMAP, false, 0);
    char line[512];
    (void)state;
    options.tls = TLS_OFF;
    options.url.auth = plain;
    first_words(&options, true, line, sizeof line);
    assert_non_null(strstr(line, " AUTHENTICATE PLAIN"));
    options.auth = login;
    first_words(&options, true, line, sizeof line);
    assert_non_null(strstr(line, " LOGIN ann hunter2\r\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys),      TEST_IN_DIRECTORY(test_certificate_files),
        cmocka_unit_test(test_protocols), cmocka_unit_test(test_implicit_tls),
        cmocka_unit_test(test_starttls),  cmocka_unit_test(test_in_clear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
