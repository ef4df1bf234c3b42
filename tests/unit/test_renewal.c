/*
 * test_renewal.c: the command is run for another token: once for all who ask meanwhile, who are
 * told from the main loop; what went wrong with it is told in words.
 */
#include "../../imapclient/net/renewal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <glib/gstdio.h>
#include <string.h>

/* Who asks, and what was told. */
typedef struct {
    unsigned told;
    char *token, *problem;
} Client;

static void take(gpointer data, const Secret *secret, const GError *error)
{
    Client *client = data;

    client->told++;
    client->token = secret ? g_strdup(secret_text(secret)) : NULL;
    client->problem = error ? g_strdup(error->message) : NULL;
    assert_true((secret != NULL) != (error != NULL));
    assert_true(!error || error->domain == MAIL_ERROR);
}

static void client_clear(Client *client)
{
    g_free(client->token);
    g_free(client->problem);
    *client = (Client){0};
}

static void wait_for(const Client *client)
{
    while (!client->told)
        g_main_context_iteration(NULL, TRUE);
}

static void assert_tells(const char *command, const char *token, const char *problem)
{
    g_autoptr(Renewal) renewal = renewal_new(command);
    Client client = {0};

    renewal_ask(renewal, take, &client);
    assert_int_equal(client.told, 0);
    wait_for(&client);
    if (g_strcmp0(client.token, token) != 0 ||
        (problem && (!client.problem || !strstr(client.problem, problem))))
        fail_msg("%s: token %s, problem %s", command, client.token, client.problem);
    client_clear(&client);
}

static void test_what_it_prints(void **state)
{
    (void)state;
    assert_tells("echo new; echo more", "new", NULL);
    assert_tells("printf 'new\\r\\n'", "new", NULL);
    assert_tells("printf new", "new", NULL);
    assert_tells("true", NULL, "prints no token");
    assert_tells("echo; echo x", NULL, "prints no token");
    assert_tells("printf 'a\\0b\\n'", NULL, "prints no token");
    assert_tells("echo x; exit 3", NULL, "exited with status 3");
    assert_tells("kill -9 $$", NULL, "ended by signal 9");
    assert_tells("yes", NULL, "ended by signal 9");
}

static void test_one_run_for_all(void **state)
{
    g_autofree char *folder = g_dir_make_tmp("pullmail-test-XXXXXX", NULL);
    g_autofree char *count = g_build_filename(folder, "count", NULL);
    g_autofree char *command = g_strdup_printf("echo x >>%s; wc -l <%s", count, count);
    g_autoptr(Renewal) renewal = renewal_new(command);
    Client clients[3] = {{0}};

    (void)state;
    for (size_t i = 0; i < 3; i++)
        renewal_ask(renewal, take, &clients[i]);
    renewal_forget(renewal, &clients[1]);
    wait_for(&clients[2]);
    assert_string_equal(clients[0].token, "1");
    assert_int_equal(clients[1].told, 0);
    assert_string_equal(clients[2].token, "1");
    client_clear(&clients[0]);
    renewal_ask(renewal, take, &clients[0]);
    wait_for(&clients[0]);
    assert_string_equal(clients[0].token, "2");
    client_clear(&clients[0]);
    client_clear(&clients[2]);
    g_remove(count);
    g_remove(folder);
}

static bool is_kept(Renewal *renewal, Secret *secret)
{
    renewal_take(renewal, secret);
    return strcmp(secret_text(secret), "new") == 0;
}

/* Who asked has gone: the next login finds it. */
static void test_nobody_left(void **state)
{
    g_autoptr(Renewal) renewal = renewal_new("echo new");
    g_autoptr(Secret) secret = secret_new("a token that has expired", -1);
    Client client = {0};

    (void)state;
    renewal_ask(renewal, take, &client);
    renewal_forget(renewal, &client);
    while (!is_kept(renewal, secret))
        g_main_context_iteration(NULL, TRUE);
    assert_int_equal(secret_length(secret), 3);
    assert_int_equal(client.told, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_it_prints),
        cmocka_unit_test(test_one_run_for_all),
        cmocka_unit_test(test_nobody_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
