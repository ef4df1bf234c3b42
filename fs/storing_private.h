/*
 * storing_private.h: the storing of drafts from inside: shared by storing.c, which has the server
 * do it, storing_look.c, which finds out what became of it where the answer was lost, and
 * storing_end.c, which has the catalog know.
 *
 * Engine thread.
 */
#pragma once

#include "draft.h"
#include "storing.h"

/* A message that may be it. */
typedef struct {
    uint32_t uid;
    uint64_t size;
} Found;

/*
 * A draft that is being stored. A request that is interrupted meanwhile is gone; this is not.
 * `told` and `unsure` are the sink's words on the operation under way or just ended.
 */
typedef struct {
    Mount *mount;
    uint64_t ino;
    uint64_t waiting; /* the request's id */
    GQueue others;    /* Request: who wants the same draft stored meanwhile */
    Draft draft;      /* as it is sent */
    char *rename_to;
    uint32_t replaced; /* UID of the message that has that name */
    uint64_t source;   /* the message that is copied; 0: outgoing is sent */
    Outgoing outgoing;
    uint64_t size;
    int64_t date;
    char *flags;
    uint32_t uidvalidity; /* the folder's, as it is known */
    uint32_t first;       /* the least UID that it can get */
    bool told, unsure;
    uint32_t told_uidvalidity, uid;
    bool closing;    /* who waits needs not wait for the server */
    bool replacing;  /* the server removes the message whose place it takes by the same step; */
    bool plainly;    /* but has refused that */
    bool again;      /* it is sent for the second time */
    bool patient;    /* before that it is looked for twice */
    GError *failure; /* why it is looked for */
    GArray *found;   /* Found */
    GSource *timer;
} Storing;

/*
 * `ours` are messages that were stored while others were on their way: none of these others can be
 * one of them.
 */
struct Storer {
    GHashTable *all;  /* ino -> Storing, of those under way */
    GHashTable *ours; /* inode numbers of messages */
    MailDone done;    /* of storer_finish, while it waits */
    gpointer done_data;
};

/* --- storing.c ------------------------------------------------------------------------------- */

/* Has the server store it, from the beginning. */
void storing_begin(Storing *storing);
/* It could not be stored; these free it. */
void storing_fail(Storing *storing, const GError *error);
void storing_fail_with(Storing *storing, int code, const char *text);
/* Nobody can say whether it is there: storing->failure. */
void storing_fail_unsure(Storing *storing);
/* It is none of those under way any more, and who waits is told. Frees it. */
void storing_end(Storing *storing, const GError *error);

/* --- storing_look.c -------------------------------------------------------------------------- */

/* It is closed, or renamed to a name that lasts, and replaces nothing; now: the draft as it is. */
bool storing_may_be_kept(const Storing *storing, const Draft *now);
/* Who closes a file does not wait until a server that was lost, by that error, is there again: it
 * is kept, and this is freed. False: it can't be. */
bool storing_keep(Storing *storing, const GError *error);

/* Looks for it: then it has succeeded, failed, or is sent once more. */
void storing_look(Storing *storing);
/* The same in a moment. */
void storing_look_soon(Storing *storing);

/* --- storing_end.c --------------------------------------------------------------------------- */

/* The UID of the message whose place it takes; 0: there is none. */
uint32_t storing_former(const Storing *storing);
/* The name of a message in its folder; NULL: there is none such. The caller frees. Any thread. */
char *storing_name(const Storing *storing, uint32_t uid);
/* The inode number of a message in its folder. */
uint64_t storing_message_ino(const Storing *storing, uint32_t uid);
/* It is at the server, under storing->uid, or 0: that is not known. Frees it. */
void storing_succeed(Storing *storing);
