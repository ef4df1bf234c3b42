/*
 * maildrop.h: an account's maildrop: which operation waits for it, and when a session with it
 * begins and ends.
 *
 * Engine thread. A session locks the maildrop against others, and shows a snapshot: so there is one
 * at most, it begins when something is needed, and ends some seconds after the last work; at once
 * behind a removal, which only QUIT commits; and for a sync, where what it shows may be old. Who is
 * turned away since the maildrop is in use comes again, for as long as `timeout`.
 */
#pragma once

#include "op.h"

Pop3Maildrop *pop3_maildrop_new(const Pop3Config *config);
void pop3_maildrop_free(Pop3Maildrop *maildrop);

/* Queues an operation; it starts from the main loop. */
void pop3_maildrop_submit(Pop3Maildrop *maildrop, Pop3Op *op);
void pop3_maildrop_cancel(Pop3Maildrop *maildrop, Pop3Op *op);
/* Used by pop3_op_finish: the operation leaves its session; again: and waits for another. */
void pop3_maildrop_leave(Pop3Maildrop *maildrop, Pop3Op *op, bool again);

/* See mail_store_watch_link. */
void pop3_maildrop_watch_link(Pop3Maildrop *maildrop, MailDone told, gpointer data);
void pop3_maildrop_close(Pop3Maildrop *maildrop, MailDone done, gpointer data);
void pop3_maildrop_describe(Pop3Maildrop *maildrop, GString *text);

/* What a UID stands for. */
typedef struct {
    char *name;
    unsigned which;
    unsigned copies; /* how many messages had that name */
    uint64_t size;
} Pop3Known;

/* UID -> Pop3Known of all messages that the last sync found; NULL before the first one. */
GHashTable *pop3_maildrop_known(const Pop3Maildrop *maildrop);
/* An empty table of that kind; and what a sync found, taken over. */
GHashTable *pop3_known_new(void);
void pop3_known_add(GHashTable *known, uint32_t uid, const Pop3Listing *listing,
                    const Pop3Entry *entry);
void pop3_maildrop_learn(Pop3Maildrop *maildrop, GHashTable *known);

/*
 * The message of a UID in the operation's session. NULL: it is gone, or (error) nothing is known of
 * any UID yet: ESTALE.
 */
const Pop3Entry *pop3_op_find(const Pop3Op *op, uint32_t uid, GError **error);
/*
 * The same for who removes it. Of several that have one name since they are the same, it counts as
 * gone where there are fewer by now: what was removed may be this very one, by a session whose end
 * nobody saw, and another must not go in its place.
 */
const Pop3Entry *pop3_op_find_last(const Pop3Op *op, uint32_t uid, GError **error);
