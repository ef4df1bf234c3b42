/*
 * options.h: the command line: what the user asked for, checked.
 *
 * Used by the main thread before anything is started. libfuse's own option parser does the
 * splitting; its mount options ("allow_other", "ro", …) are passed on.
 */
#pragma once

#define FUSE_USE_VERSION 314
#include "../imapclient/net/tls.h"
#include "url.h"

#include <fuse_lowlevel.h>

typedef enum { TLS_REQUIRED, TLS_OFF } TlsMode;
typedef enum { COMPRESS_AUTO, COMPRESS_ON, COMPRESS_OFF } CompressMode;
typedef enum { OFFLINE_AUTO, OFFLINE_NEVER, OFFLINE_ALWAYS } OfflineMode;
typedef enum { EXPUNGE_NOW, EXPUNGE_UNMOUNT, EXPUNGE_NEVER } ExpungeMode;

typedef struct {
    Url url;
    char *mountpoint;                   /* absolute */
    bool stale;                         /* what a pullmail that died had mounted there is there */
    bool foreground, verbose, protocol; /* -f -v -d */
    bool help, version;                 /* -h, -V: nothing else is filled in then */

    char *user; /* user=, else the URL's; NULL: netrc or $USER decide */
    char *passfile, *passcmd;
    char *auth; /* NULL: auto; else lower case: "login", "user", "scram-sha-256", … */
    TlsMode tls;
    char *cafile, *cert, *key;
    Pin *pin; /* the certificate or key of the server that alone is accepted; NULL: none given */

    bool read_only;
    bool allow_other;
    uid_t uid;
    gid_t gid;
    mode_t umask; /* of what is shown: 077 */

    char *cachedir;     /* absolute, or NULL: the default place */
    uint64_t cachesize; /* bytes */
    unsigned connections;
    CompressMode compress;
    int64_t prefetch;          /* bytes ahead of a scan; 0: off; -1: the default */
    unsigned refresh, timeout; /* seconds */
    OfflineMode offline;
    unsigned idle; /* seconds without work until a POP3 session is left */
    ExpungeMode expunge;
    char *trash;
    bool any; /* what does not look like a message is stored too */

    struct fuse_args mount_args; /* argv for fuse_session_new: what is libfuse's and the kernel's */
} Options;

/*
 * Understands argv: URL MOUNTPOINT [-f] [-v] [-d] [-o …], in any order, as mount(8) calls its
 * helpers too (-n, -s, -t and -N are taken and mean nothing; fstab's own words such as noauto,
 * user, users, nofail, _netdev, x-*, comment=, defaults are taken and passed over; a bare "user" is
 * fstab's, user=LOGIN is a login). Paths become absolute as of now; "~/" is the home directory.
 * Fails with EINVAL (what was wrong, and what would be right), or with the errno of a mount point
 * that is missing (ENOENT), no directory (ENOTDIR), mounted by pullmail already (EBUSY) or by
 * another file system that died (ENOTCONN). No message repeats what may be a password.
 */
bool options_parse(int argc, char **argv, Options *options, GError **error);
void options_clear(Options *options);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Options, options_clear)

/* The text of -h; of -V. */
const char *options_help(void);
const char *options_version(void);
