#include "../../fs/options.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define PIN "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define URL "imaps://ann@mail.example.org/A,b"

static char *mountpoint;

static int set_up(void **state)
{
    (void)state;
    g_autofree char *folder = g_dir_make_tmp("pullmail-test-XXXXXX", NULL);
    mountpoint = realpath(folder, NULL);
    return mountpoint ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    rmdir(mountpoint);
    free(mountpoint);
    return 0;
}

/* Parses "mount.pullmail" and the words, up to NULL. */
static bool parse_words(Options *options, GError **error, const char *const *words)
{
    g_autoptr(GPtrArray) argv = g_ptr_array_new();
    bool fine;

    g_ptr_array_add(argv, (gpointer) "mount.pullmail");
    for (; *words; words++)
        g_ptr_array_add(argv, (gpointer)*words);
    g_ptr_array_add(argv, NULL);
    fine = options_parse((int)argv->len - 1, (char **)argv->pdata, options, error);
    assert_true(fine == (!error || !*error));
    return fine;
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void assert_parsed(Options *options, const char *const *words)
{
    g_autoptr(GError) error = NULL;

    if (!parse_words(options, &error, words))
        fail_msg("%s", error->message);
}

/* URL, mount point and -o list. */
static void assert_list(Options *options, const char *list)
{
    assert_parsed(options, WORDS(URL, mountpoint, "-o", list));
}

static void assert_refused(const char *const *words, int code, const char *why)
{
    Options options;
    g_autoptr(GError) error = NULL;

    if (parse_words(&options, &error, words))
        fail_msg("taken, though %s", why);
    assert_true(error->domain == MAIL_ERROR);
    assert_int_equal(error->code, code);
    if (!strstr(error->message, why))
        fail_msg("\"%s\" does not say \"%s\"", error->message, why);
    assert_null(strstr(error->message, "s3cret"));
    assert_null(strchr(error->message, '\n'));
    assert_null(options.mountpoint);
    assert_null(options.url.host);
    assert_null(options.mount_args.argv);
}

static void assert_list_refused(const char *list, const char *why)
{
    assert_refused(WORDS(URL, mountpoint, "-o", list), EINVAL, why);
}

static int collect(void *data, const char *word, int key, struct fuse_args *rest)
{
    (void)rest;
    if (key == FUSE_OPT_KEY_OPT)
        g_ptr_array_add(data, g_strdup(word));
    return 0;
}

/* What libfuse would make of mount_args, one word after the other. */
static GPtrArray *passed_words(const Options *options)
{
    static const struct fuse_opt none[] = {FUSE_OPT_END};
    GPtrArray *words = g_ptr_array_new_with_free_func(g_free);
    struct fuse_args args = FUSE_ARGS_INIT(options->mount_args.argc, options->mount_args.argv);

    assert_string_equal(args.argv[0], "mount.pullmail");
    assert_int_equal(fuse_opt_parse(&args, words, none, collect), 0);
    fuse_opt_free_args(&args);
    return words;
}

static bool is_passed(const Options *options, const char *word)
{
    g_autoptr(GPtrArray) words = passed_words(options);

    return g_ptr_array_find_with_equal_func(words, word, g_str_equal, NULL);
}

static void test_defaults(void **state)
{
    g_auto(Options) options = {0};
    g_autoptr(GPtrArray) words = NULL;

    (void)state;
    assert_parsed(&options, WORDS(URL, mountpoint));
    assert_string_equal(options.url.host, "mail.example.org");
    assert_string_equal(options.url.folder, "A,b");
    assert_string_equal(options.mountpoint, mountpoint);
    assert_false(options.foreground || options.verbose || options.protocol);
    assert_false(options.help || options.version);
    assert_string_equal(options.user, "ann");
    assert_null(options.passfile);
    assert_null(options.passcmd);
    assert_null(options.auth);
    assert_int_equal(options.tls, TLS_REQUIRED);
    assert_null(options.cafile);
    assert_null(options.cert);
    assert_null(options.key);
    assert_false(options.read_only || options.allow_other);
    assert_int_equal(options.uid, geteuid());
    assert_int_equal(options.gid, getegid());
    assert_int_equal(options.umask, 077);
    assert_null(options.cachedir);
    assert_true(options.cachesize == 1024 * 1024 * 1024);
    assert_int_equal(options.connections, 4);
    assert_int_equal(options.compress, COMPRESS_AUTO);
    assert_true(options.prefetch == -1);
    assert_int_equal(options.refresh, 60);
    assert_int_equal(options.timeout, 60);
    assert_int_equal(options.idle, 5);
    assert_int_equal(options.expunge, EXPUNGE_NOW);
    assert_null(options.trash);
    assert_false(options.any);
    words = passed_words(&options);
    assert_int_equal(words->len, 3);
    assert_true(is_passed(&options, "default_permissions"));
    assert_true(is_passed(&options, "fsname=" URL));
    assert_true(is_passed(&options, "subtype=pullmail"));
}

static void test_values(void **state)
{
    g_auto(Options) options = {0};

    (void)state;
    assert_list(
        &options,
        "user=bob@example.org,passfile=/etc/pw,auth=SCRAM-SHA-256,cafile=/ca,cert=/c,key=/k,"
        "uid=1000,gid=0,umask=022,cachedir=/var/"
        "c,cachesize=3M,connections=32,compress=on,prefetch=64k,"
        "refresh=86400,timeout=1,idle=0,expunge=unmount,trash=Deleted Items,any");
    assert_string_equal(options.user, "bob@example.org");
    assert_string_equal(options.passfile, "/etc/pw");
    assert_string_equal(options.auth, "scram-sha-256");
    assert_string_equal(options.cafile, "/ca");
    assert_string_equal(options.cert, "/c");
    assert_string_equal(options.key, "/k");
    assert_int_equal(options.uid, 1000);
    assert_int_equal(options.gid, 0);
    assert_int_equal(options.umask, 022);
    assert_string_equal(options.cachedir, "/var/c");
    assert_true(options.cachesize == 3 * 1024 * 1024);
    assert_int_equal(options.connections, 32);
    assert_int_equal(options.compress, COMPRESS_ON);
    assert_true(options.prefetch == 65536);
    assert_int_equal(options.refresh, 86400);
    assert_int_equal(options.timeout, 1);
    assert_int_equal(options.idle, 0);
    assert_int_equal(options.expunge, EXPUNGE_UNMOUNT);
    assert_string_equal(options.trash, "Deleted Items");
    assert_true(options.any);
}

static void test_last_wins(void **state)
{
    g_auto(Options) options = {0};

    (void)state;
    assert_parsed(&options, WORDS("-o", "ro,compress=on,connections=1,user=x,prefetch=1,auth=plain",
                                  URL, "-oconnections=2,user=y,prefetch=off,auth=auto", mountpoint,
                                  "-o", "connections=3,rw,compress=off"));
    assert_int_equal(options.connections, 3);
    assert_int_equal(options.compress, COMPRESS_OFF);
    assert_string_equal(options.user, "y");
    assert_true(options.prefetch == 0);
    assert_null(options.auth);
    assert_false(options.read_only);
    assert_true(is_passed(&options, "rw"));
}

static void test_sizes(void **state)
{
    static const struct {
        const char *list;
        uint64_t size;
    } sizes[] = {
        {"cachesize=0", 0},
        {"cachesize=1000", 1000},
        {"cachesize=2K", 2048},
        {"cachesize=2g", UINT64_C(2) << 30},
        {"cachesize=4T", UINT64_C(4) << 40},
        {"cachesize=8388607T", UINT64_C(8388607) << 40},
        {"cachesize=9223372036854775807", INT64_MAX},
    };

    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
        g_auto(Options) options = {0};
        assert_list(&options, sizes[i].list);
        assert_true(options.cachesize == sizes[i].size);
    }
    assert_list_refused("cachesize=8388608T", "a size");
    assert_list_refused("cachesize=9223372036854775808", "a size");
    assert_list_refused("cachesize=-1", "a size");
    assert_list_refused("cachesize=", "a size");
    assert_list_refused("cachesize=M", "a size");
    assert_list_refused("cachesize=1MM", "a size");
    assert_list_refused("cachesize=1P", "a size");
    assert_list_refused("cachesize=1.5G", "a size");
    assert_list_refused("prefetch=on", "a size");
}

static void test_ranges(void **state)
{
    static const char *const bad[][2] = {
        {"connections=0", "from 1 to 32"},
        {"connections=33", "from 1 to 32"},
        {"connections=", "from 1 to 32"},
        {"connections=4x", "from 1 to 32"},
        {"connections=-1", "from 1 to 32"},
        {"connections= 4", "from 1 to 32"},
        {"connections=0x4", "from 1 to 32"},
        {"refresh=0", "from 1 to 86400"},
        {"refresh=86401", "from 1 to 86400"},
        {"timeout=0", "from 1 to 3600"},
        {"timeout=3601", "from 1 to 3600"},
        {"timeout=99999999999999999999", "from 1 to 3600"},
        {"idle=3601", "from 0 to 3600"},
        {"umask=8", "octal"},
        {"umask=1000", "octal"},
        {"umask=", "octal"},
        {"uid=4294967295", "no such user"},
        {"uid=no-such-user-", "no such user"},
        {"gid=-1", "no such group"},
        {"tls=maybe", "required, off"},
        {"expunge=later", "now, unmount, never"},
        {"compress=yes", "auto, on, off"},
        {"auth=kerberos", "scram-sha-256"},
        {"user=", "a value is needed"},
        {"trash=", "a value is needed"},
        {"any=yes", "takes no value"},
        {"trash=a\nb", "control character"},
        {"user=\xff", "not valid UTF-8"},
        {"passfile=", "a path is needed"},
        {"max_read=x", "a number"},
    };

    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
        assert_list_refused(bad[i][0], bad[i][1]);
}

static void test_names_of_owners(void **state)
{
    g_auto(Options) options = {0};
    const struct passwd *user = getpwuid(1);
    g_autofree char *list = NULL;

    (void)state;
    assert_non_null(user);
    list = g_strdup_printf("uid=%s,gid=%s", user->pw_name, getgrgid(1)->gr_name);
    assert_list(&options, list);
    assert_int_equal(options.uid, 1);
    assert_int_equal(options.gid, 1);
}

static void test_paths_become_absolute(void **state)
{
    g_auto(Options) options = {0};
    g_autofree char *here = g_get_current_dir();
    g_autofree char *passfile = g_build_filename(here, "a/pw", NULL);
    g_autofree char *cachedir = g_build_filename(g_get_home_dir(), "c", NULL);

    (void)state;
    assert_list(&options, "passfile=a/pw,cachedir=~/c,cafile=/x");
    assert_string_equal(options.passfile, passfile);
    assert_string_equal(options.cachedir, cachedir);
    assert_string_equal(options.cafile, "/x");
}

static void test_escapes(void **state)
{
    g_auto(Options) options = {0};

    (void)state;
    assert_list(&options, "passcmd=pass show a\\,b\\\\c,trash=x\\054y,fsname=a\\,b");
    assert_string_equal(options.passcmd, "pass show a,b\\c");
    assert_string_equal(options.trash, "x,y");
    assert_true(is_passed(&options, "fsname=a,b"));
}

static void test_url_and_options(void **state)
{
    (void)state;
    g_auto(Options) from_url = {0}, apop = {0};
    assert_parsed(&from_url, WORDS("imap://ann;AUTH=CRAM-MD5@h", mountpoint, "-o", "tls=off"));
    assert_string_equal(from_url.auth, "cram-md5");
    assert_parsed(&apop, WORDS("pop3://ann;AUTH=+APOP@h", mountpoint));
    assert_string_equal(apop.auth, "apop");
    assert_string_equal(from_url.user, "ann");
    assert_int_equal(from_url.tls, TLS_OFF);
    g_auto(Options) over = {0};
    assert_parsed(&over,
                  WORDS("imap://ann;AUTH=CRAM-MD5@h", mountpoint, "-o", "auth=auto,user=bob"));
    assert_null(over.auth);
    assert_string_equal(over.user, "bob");
    assert_refused(WORDS("imap://ann;AUTH=FOO@h", mountpoint), EINVAL, "one of these");
    assert_refused(WORDS("imaps://h", mountpoint, "-o", "tls=off"), EINVAL, "contradicts");
    assert_refused(WORDS("pop3s://h", mountpoint, "-otls=off"), EINVAL, "contradicts");
    assert_refused(WORDS("imap://ann:s3cret@h", mountpoint), EINVAL, "holds a password");
    g_auto(Options) no_user = {0};
    assert_parsed(&no_user, WORDS("pop3://h", mountpoint, "-o", "tls=off"));
    assert_null(no_user.user);
}

static void test_pin(void **state)
{
    g_auto(Options) options = {0};

    (void)state;
    assert_list(&options, "pin=" PIN);
    assert_non_null(options.pin);
    assert_int_equal(options.pin->hash[0], 0xe3);
    assert_int_equal(options.pin->hash[31], 0x55);
    assert_list_refused("pin=0123", "pin=0123");
    assert_list_refused("pin=sha256:0123", "openssl x509");
}

static void test_what_excludes_each_other(void **state)
{
    g_autofree char *pin = g_strconcat("pin=", PIN, NULL);

    (void)state;
    assert_list_refused("passfile=/x,passcmd=y", "exclude each other");
    assert_list_refused("cafile=/x,pin=" PIN, "exclude each other");
    assert_refused(WORDS("imap://h", mountpoint, "-o", "tls=off", "-o", pin), EINVAL,
                   "there is none");
    assert_list_refused("auth=user", "for IMAP, auth=login");
    assert_list_refused("auth=apop", "for IMAP, auth=auto");
    assert_list_refused("key=/x", "key= needs cert=");
}

static void test_kernel_options(void **state)
{
    static const char *const words[] = {
        "nosuid", "nodev",        "noexec",       "suid",          "dev",         "exec",
        "sync",   "async",        "dirsync",      "noatime",       "allow_other", "ro",
        "rw",     "auto_unmount", "max_read=512", "context=a:b:c",
    };
    struct fuse_lowlevel_ops operations = {0};
    g_autofree char *list = g_strjoinv(
        ",", (char **)(const char *[]){"nosuid", "nodev", "noexec", "suid", "dev", "exec", "sync",
                                       "async", "dirsync", "atime", "noatime", "allow_other", "ro",
                                       "rw", "auto_unmount", "max_read=512", "context=a:b:c",
                                       "allow_root", NULL});
    g_auto(Options) options = {0};
    struct fuse_session *session;

    (void)state;
    assert_list(&options, list);
    for (size_t i = 0; i < G_N_ELEMENTS(words); i++)
        if (!is_passed(&options, words[i]))
            fail_msg("%s is not passed on", words[i]);
    assert_true(options.allow_other);
    assert_int_equal(options.umask, 077);
    /* libfuse itself knows all of them. */
    session = fuse_session_new(&options.mount_args, &operations, sizeof operations, NULL);
    assert_non_null(session);
    fuse_session_destroy(session);
}

static void test_ro(void **state)
{
    g_auto(Options) options = {0};
    g_auto(Options) by_letter = {0};

    (void)state;
    assert_list(&options, "rw,ro");
    assert_true(options.read_only);
    assert_true(is_passed(&options, "ro"));
    assert_parsed(&by_letter, WORDS("-r", URL, mountpoint));
    assert_true(by_letter.read_only);
}

static void test_what_mount_passes_on(void **state)
{
    g_auto(Options) options = {0};
    g_autoptr(GPtrArray) words = NULL;
    static const char list[] =
        "rw,noexec,nosuid,nodev,user,_netdev,noauto,x-systemd.automount,x-gvfs-show,"
        "X-mount.mkdir=0700,comment=a b,nofail,defaults,users,owner,group,relatime,lazytime,,auto,"
        "nouser";

    (void)state;
    assert_parsed(&options, WORDS(URL, mountpoint, "-s", "-n", "-v", "-o", list, "-t",
                                  "pullmail.imap", "-N", "/proc/1/ns/mnt"));
    assert_string_equal(options.user, "ann"); /* the bare word is not a login */
    assert_true(options.verbose);
    assert_false(options.foreground);
    words = passed_words(&options);
    assert_int_equal(words->len, 3 + 4);
    assert_true(is_passed(&options, "nosuid") && is_passed(&options, "nodev"));
    assert_true(is_passed(&options, "noexec") && is_passed(&options, "rw"));
    g_auto(Options) login = {0};
    assert_list(&login, "rw,users,user=bob,exec");
    assert_string_equal(login.user, "bob");
}

static void test_unknown_options(void **state)
{
    static const char *const bad[][2] = {
        {"foo", "unknown option 'foo'; see mount.pullmail(8)"},
        {"foo=s3cret", "unknown option 'foo'; see"},
        {"cachdir=/x", "unknown option 'cachdir'; did you mean 'cachedir='?"},
        {"conections=3", "did you mean 'connections='?"},
        {"timeot", "did you mean 'timeout='?"},
        {"allow-other", "did you mean 'allow_other'?"},
        {"usr=ann", "did you mean 'user='?"},
        {"xyz", "unknown option 'xyz'; see"},
        {"a-word-that-is-longer-than-all-others-in-the-table=1", "unknown option 'a-word"},
        {"=x", "unknown option ''"},
        {"password=s3cret", "everyone can see a command line"},
        {"pass=s3cret", "everyone can see a command line"},
        {"paswrd=s3cret", "did you mean 'password='?"},
        {"cachedir", "needs a value: cachedir=…"},
        {"ro=1", "'ro' takes no value"},
        {"remount", "unmount it"},
        {"passcmd=\"a,b\"", "written \\,"},
    };

    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
        assert_list_refused(bad[i][0], bad[i][1]);
}

static void test_letters(void **state)
{
    g_auto(Options) options = {0};
    g_auto(Options) together = {0};

    (void)state;
    assert_parsed(&options, WORDS("-f", URL, "-v", mountpoint, "-d"));
    assert_true(options.foreground && options.verbose && options.protocol);
    assert_parsed(&together, WORDS("-fvd", "--", URL, mountpoint));
    assert_true(together.foreground && together.verbose && together.protocol);
    assert_refused(WORDS(URL, mountpoint, "-x"), EINVAL, "unknown argument '-x'");
    assert_refused(WORDS(URL, mountpoint, "-fx"), EINVAL, "unknown argument '-fx'");
    assert_refused(WORDS(URL, mountpoint, "--foo"), EINVAL, "unknown argument '--foo'");
    assert_refused(WORDS(URL, mountpoint, "-"), EINVAL, "unknown argument '-'");
    assert_refused(WORDS(URL, mountpoint, "-o"), EINVAL, "must follow '-o'");
    assert_refused(WORDS(URL, mountpoint, "-t"), EINVAL, "must follow '-t'");
}

static void test_help_and_version(void **state)
{
    Options options = {0};

    (void)state;
    assert_parsed(&options, WORDS("-h"));
    assert_true(options.help && !options.version);
    assert_null(options.mount_args.argv);
    assert_parsed(&options, WORDS("--help", URL, "/missing"));
    assert_true(options.help);
    assert_null(options.url.host);
    assert_parsed(&options, WORDS("-V"));
    assert_true(options.version && !options.help);
    assert_parsed(&options, WORDS("--version", "-o", "user=x"));
    assert_true(options.version);
    assert_null(options.user);
    assert_non_null(strstr(options_help(), "usage: mount.pullmail URL MOUNTPOINT"));
    assert_true(g_str_has_prefix(options_version(), "pullmail "));
}

static void test_operands(void **state)
{
    g_autofree char *missing = g_build_filename(mountpoint, "missing", NULL);
    g_autofree char *here = g_get_current_dir();
    g_autofree char *base = g_path_get_basename(mountpoint);
    g_autofree char *above = g_path_get_dirname(mountpoint);
    g_auto(Options) options = {0};

    (void)state;
    assert_refused((const char *const[]){NULL}, EINVAL, "a URL and a mount point are needed");
    assert_refused(WORDS(URL), EINVAL, "the mount point is missing");
    assert_refused(WORDS(URL, mountpoint, "s3cret"), EINVAL, "too many arguments");
    assert_refused(WORDS(mountpoint, URL), EINVAL, "must begin with imaps://");
    assert_refused(WORDS(URL, missing), ENOENT, "make it with mkdir");
    assert_refused(WORDS(URL, "/dev/null"), ENOTDIR, "not a directory");
    /* The daemon leaves the working directory. */
    assert_int_equal(chdir(above), 0);
    assert_parsed(&options, WORDS(URL, base));
    assert_int_equal(chdir(here), 0);
    assert_string_equal(options.mountpoint, mountpoint);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_last_wins),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_names_of_owners),
        cmocka_unit_test(test_paths_become_absolute),
        cmocka_unit_test(test_escapes),
        cmocka_unit_test(test_url_and_options),
        cmocka_unit_test(test_pin),
        cmocka_unit_test(test_what_excludes_each_other),
        cmocka_unit_test(test_kernel_options),
        cmocka_unit_test(test_ro),
        cmocka_unit_test(test_what_mount_passes_on),
        cmocka_unit_test(test_unknown_options),
        cmocka_unit_test(test_letters),
        cmocka_unit_test(test_help_and_version),
        cmocka_unit_test(test_operands),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
