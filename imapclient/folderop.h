/*
 * folderop.h: what operations that make, delete or rename a folder have in common: they look first
 * (LIST), so that each refusal has its reason, whatever the server would say, and then change.
 *
 * Engine thread. Each runs in steps: commands that go out together, and `next` when all of them
 * are answered. Where the connection is lost under a change, the operation may begin again (see
 * op.h): `sent` says then that what it finds done may be its own work.
 */
#pragma once

#include "listing.h"
#include "op.h"

typedef struct ImapFolderOp ImapFolderOp;

/* What a command of a step asks. */
typedef enum {
    IMAP_FOLDER_OLD,        /* LIST: the folder that there is */
    IMAP_FOLDER_PARENT,     /* LIST: the parent of the new name; for none, the delimiter */
    IMAP_FOLDER_NEW,        /* LIST: the new name */
    IMAP_FOLDER_CHILDREN,   /* LIST: what is below the folder */
    IMAP_FOLDER_MESSAGES,   /* STATUS: how many the folder has */
    IMAP_FOLDER_SUBSCRIBED, /* LSUB: subscriptions of the folder, and below it */
    IMAP_FOLDER_CHANGE,     /* the change itself; its refusal ends the operation */
    IMAP_FOLDER_FOLLOW,     /* what follows it: a refusal is only logged */
    IMAP_FOLDER_ASKS,
} ImapFolderAsk;

typedef struct {
    ImapFolderOp *folder;
    ImapFolderAsk ask;
} ImapFolderPart;

struct ImapFolderOp {
    MailOp op;
    char *old;            /* the folder that is deleted or renamed */
    char *parent, *level; /* of the new name; parent NULL: none */
    char *name;           /* the new name, once the delimiter is known */
    MailFolderSink made;
    ImapListing found[IMAP_FOLDER_NEW + 1]; /* by what was asked; name NULL: not there */
    bool has_children;
    bool has_messages; /* of which `messages` tells how many */
    uint64_t messages;
    GPtrArray *subscribed; /* names, as here */
    bool sent;
    unsigned running;
    GError *failure;
    void (*next)(ImapFolderOp *folder);
    ImapFolderPart parts[IMAP_FOLDER_ASKS];
};

ImapFolderOp *imap_folder_new(const ImapOpClass *klass, const char *old, const char *parent,
                              const char *level, MailFolderSink made, MailDone done, gpointer data);
void imap_folder_free(MailOp *op);

/* The operation begins, or begins again: forgets what was found. */
void imap_folder_begin(ImapFolderOp *folder);
/*
 * A step: the commands sent from here on, up to imap_folder_sent, belong to it. Where all are
 * answered, and one of them failed, the operation ends with that; else next is called.
 */
void imap_folder_step(ImapFolderOp *folder, void (*next)(ImapFolderOp *folder));
void imap_folder_sent(ImapFolderOp *folder);

/* Sends "verb name", and another name where other is not NULL. */
void imap_folder_send(ImapFolderOp *folder, ImapFolderAsk ask, const char *verb, const char *name,
                      const char *other);
/* LIST "" name, or LSUB; pattern (trusted) is put behind the name. name "": the delimiter. */
void imap_folder_look(ImapFolderOp *folder, ImapFolderAsk ask, const char *name,
                      const char *pattern);
/* STATUS name (MESSAGES) */
void imap_folder_count(ImapFolderOp *folder, const char *name);

/* Ends it. error is taken over; NULL: success. */
void imap_folder_finish(ImapFolderOp *folder, GError *error);
/*
 * Makes `name` of the level and of what was found of the parent; NULL, or why it can't be: ENOENT,
 * EPERM, EINVAL.
 */
GError *imap_folder_name(ImapFolderOp *folder);
/* Tells of the new folder, as it was listed last, and ends. */
void imap_folder_made(ImapFolderOp *folder);
