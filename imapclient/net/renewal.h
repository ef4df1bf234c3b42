/*
 * renewal.h: another token, where the server does not take the one that there is any more: OAuth's
 * last an hour or so (RFC 6749 section 5.1), and mounts longer. passcmd is run again for it.
 *
 * Made on any thread; used on the engine thread, for which nothing here waits.
 */
#pragma once

#include "../../cache/mail.h"
#include "secret.h"

typedef struct Renewal Renewal;

/* command: what /bin/sh shall run; the first line of what it prints is the token. */
Renewal *renewal_new(const char *command);
Renewal *renewal_ref(Renewal *renewal);
void renewal_unref(Renewal *renewal); /* NULL is allowed; asks nothing more */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Renewal, renewal_unref)

/*
 * secret is the callee's to copy, or NULL with an error: EACCES, which tells how the command ended,
 * or ETIMEDOUT (RENEWAL_SECONDS; then it is killed).
 */
typedef void (*RenewalDone)(gpointer data, const Secret *secret, const GError *error);
enum { RENEWAL_SECONDS = 60 };

/* Runs the command, unless it is running; done is called once, from the main loop. */
void renewal_ask(Renewal *renewal, RenewalDone done, gpointer data);
/* Those of data are not told any more; the command runs to its end. */
void renewal_forget(Renewal *renewal, gconstpointer data);
/* Puts into secret what came when nobody was there to be told, as where the server had hung up; if
 * there is anything. Ahead of each login. */
void renewal_take(Renewal *renewal, Secret *secret);
