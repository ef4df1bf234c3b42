#include "../../fs/netrc.h"

#include "../../cache/mail.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void assert_text(const char *found, const char *expected)
{
    if (!expected)
        assert_null(found);
    else if (!found)
        fail_msg("\"%s\" was not found", expected);
    else
        assert_string_equal(found, expected);
}

static void assert_entry(const char *netrc, const char *user, const char *login,
                         const char *password)
{
    g_auto(NetrcEntry) entry = {0};
    g_auto(SecretText) text = {.data = g_strdup(netrc), .length = strlen(netrc)};

    assert_true(netrc_parse(&text, "mail.example.org", user, &entry, NULL));
    assert_text(entry.login, login);
    assert_text(entry.password ? secret_text(entry.password) : NULL, password);
}

#define MACHINE "machine mail.example.org "

static void test_words(void **state)
{
    (void)state;
    assert_entry("", NULL, NULL, NULL);
    assert_entry(MACHINE "login ann password pw", NULL, "ann", "pw");
    assert_entry("machine\n\tmail.example.org\r\nlogin\tann\n  password   pw\n", NULL, "ann", "pw");
    assert_entry("machine MAIL.Example.ORG password pw login ann", NULL, "ann", "pw");
    assert_entry(MACHINE "login ann account x password pw port 993 foo", NULL, "ann", "pw");
    assert_entry(MACHINE "account password login ann", NULL, "ann", NULL);
    assert_entry(MACHINE "login machine password default", NULL, "machine", "default");
    assert_entry(MACHINE "login ann password", NULL, "ann", NULL);
    assert_entry(MACHINE "login ann password \"\"", NULL, "ann", NULL);
    assert_entry("login x password y " MACHINE "login ann", NULL, "ann", NULL);
    assert_entry("machine", NULL, NULL, NULL);
    assert_entry("machine mail.example.org.evil login x password y", NULL, NULL, NULL);
    assert_entry("machine example.org login x password y", NULL, NULL, NULL);
}

static void test_quotes(void **state)
{
    g_auto(NetrcEntry) entry = {0};
    g_autoptr(GError) error = NULL;
    static const char unclosed[] = MACHINE "login ann password \"s3cret\\\"\n";
    g_auto(SecretText) text = {.data = g_strdup(unclosed), .length = sizeof unclosed - 1};

    (void)state;
    assert_entry(MACHINE "login \"ann b\" password \"a \\\" \\\\ \\n # é\"", NULL, "ann b",
                 "a \" \\ n # é");
    assert_entry(MACHINE "login \"ann\"password \"pw\"", NULL, "ann", "pw");
    assert_entry(MACHINE "login ann password a\"b\\c\"", NULL, "ann", "a\"b\\c\"");
    assert_false(netrc_parse(&text, "mail.example.org", NULL, &entry, &error));
    assert_int_equal(error->code, EINVAL);
    assert_non_null(strstr(error->message, "never closed"));
    assert_null(strstr(error->message, "s3cret"));
    assert_null(entry.password);
}

static void test_comments_and_macros(void **state)
{
    (void)state;
    assert_entry("# machine mail.example.org login x password y\n" MACHINE
                 "# login z\nlogin ann #password no\npassword #pw # the end\n",
                 NULL, "ann", "#pw");
    assert_entry("#\n" MACHINE "login ann password pw", NULL, "ann", "pw");
    assert_entry("machine other.org login o password p\nmacdef init\n" MACHINE
                 "login x password y\ncd /\n\n" MACHINE "login ann password pw\n",
                 NULL, "ann", "pw");
    assert_entry(MACHINE "login ann password pw macdef m\nlogin x\npassword y\n", NULL, "ann",
                 "pw");
}

static void test_which_entry(void **state)
{
    static const char netrc[] = "machine other.org login ann password 1\n" MACHINE
                                "login bob password 2\n" MACHINE "login ann password 3\n" MACHINE
                                "login ann password 4\ndefault login ann password 5\n";
    static const char no_login[] = MACHINE "password 1\n" MACHINE
                                           "login bob password 2\ndefault login ann password 3";

    (void)state;
    assert_entry(netrc, NULL, "bob", "2");
    assert_entry(netrc, "ann", "ann", "3");
    assert_entry(netrc, "bob", "bob", "2");
    assert_entry(netrc, "Ann", NULL, NULL);
    assert_entry(no_login, NULL, NULL, "1");
    assert_entry(no_login, "ann", NULL, "1");
    assert_entry(no_login, "bob", "bob", "2");
    assert_entry("default login ann password 1\n" MACHINE "login bob password 2", NULL, "bob", "2");
    assert_entry("default login ann password 1\n" MACHINE "login bob password 2", "ann", "ann",
                 "1");
    assert_entry("machine other.org login x default password 1", "ann", NULL, "1");
}

static void test_any_bytes(void **state)
{
    g_autoptr(GRand) random = g_rand_new_with_seed(1);
    static const char *const pieces[] = {
        "machine ", "mail.example.org", " ",       "\n",       "\"",   "\\", "login ",
        "#",        "macdef",           "default", "password", "\xff", "\t", "account"};

    (void)state;
    for (int i = 0; i < 20000; i++) {
        g_auto(SecretText) text = {0};
        g_auto(NetrcEntry) entry = {0};
        g_autoptr(GString) netrc = g_string_new(NULL);

        for (int j = g_rand_int_range(random, 0, 20); j > 0; j--) {
            g_string_append(netrc,
                            pieces[g_rand_int_range(random, 0, (gint32)G_N_ELEMENTS(pieces))]);
            if (g_rand_int_range(random, 0, 8) == 0)
                g_string_append_c(netrc, 0);
        }
        /* Exactly as long as the text, for the sanitizer to see. */
        text.length = netrc->len;
        text.data = g_malloc(netrc->len + 1);
        memcpy(text.data, netrc->str, netrc->len + 1);
        netrc_parse(&text, "mail.example.org", "ann", &entry, NULL);
    }
}

static void test_file(void **state)
{
    g_autofree char *folder = g_dir_make_tmp("pullmail-test-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(folder, "netrc", NULL);
    static const char host[] = "mail.example.org";
    static const char netrc[] = MACHINE "login ann password pw\nmachine b.org login bob\n";

    (void)state;
    g_setenv("NETRC", path, TRUE);
    g_auto(NetrcEntry) missing = {0};
    assert_true(netrc_find(host, NULL, true, &missing, NULL));
    assert_null(missing.login);
    assert_true(g_file_set_contents_full(path, netrc, -1, G_FILE_SET_CONTENTS_NONE, 0600, NULL));
    g_auto(NetrcEntry) found = {0};
    assert_true(netrc_find(host, "ann", true, &found, NULL));
    assert_string_equal(secret_text(found.password), "pw");
    g_auto(NetrcEntry) login_only = {0};
    assert_true(netrc_find(host, NULL, false, &login_only, NULL));
    assert_string_equal(login_only.login, "ann");
    assert_null(login_only.password);

    assert_int_equal(chmod(path, 0640), 0);
    g_auto(NetrcEntry) shared = {0};
    g_autoptr(GError) error = NULL;
    assert_false(netrc_find(host, NULL, true, &shared, &error));
    assert_int_equal(error->code, EACCES);
    assert_non_null(strstr(error->message, "chmod 600"));
    assert_null(shared.password);
    /* It holds nothing secret of ours then. */
    g_auto(NetrcEntry) harmless = {0};
    assert_true(netrc_find("b.org", NULL, true, &harmless, NULL));
    assert_string_equal(harmless.login, "bob");
    g_auto(NetrcEntry) unwanted = {0};
    assert_true(netrc_find(host, NULL, false, &unwanted, NULL));
    unlink(path);

    g_setenv("NETRC", folder, TRUE);
    g_auto(NetrcEntry) directory = {0};
    g_autoptr(GError) no_file = NULL;
    assert_false(netrc_find(host, NULL, true, &directory, &no_file));
    assert_int_equal(no_file->code, EINVAL);
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_quotes),
        cmocka_unit_test(test_comments_and_macros),
        cmocka_unit_test(test_which_entry),
        cmocka_unit_test(test_any_bytes),
        cmocka_unit_test(test_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
