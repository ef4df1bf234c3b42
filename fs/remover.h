/*
 * remover.h: how the server is told of messages that the user removed: that they are to go for
 * good, to be marked \Deleted alone, or to be moved to the trash, as the options and the server
 * have it.
 *
 * removal.h's own; engine thread.
 */
#pragma once

#include "mount.h"

typedef struct Remover Remover;

/* What has become of a message. */
typedef enum {
    REMOVER_GONE,   /* it is not in the folder any more */
    REMOVER_MARKED, /* it is there, and marked \Deleted */
} RemoverOutcome;

typedef struct {
    void (*told)(gpointer data, uint32_t uid, RemoverOutcome outcome);
    /* As MailDone. Success: what was not told is refused. */
    MailDone done;
} RemoverEvents;

Remover *remover_new(Mount *mount);
void remover_free(Remover *remover);

/* Removes messages of a folder that is in the catalog; one operation at a time. */
void remover_begin(Remover *remover, const CatalogFolder *folder, const uint32_t *uids, size_t n,
                   const RemoverEvents *events, gpointer data);

/* A message was marked otherwise, and is to be expunged with those that this marks. */
void remover_note_marked(Remover *remover, const CatalogFolder *folder, uint32_t uid);

/*
 * At the end of a mount: expunges what this one has marked, where it should be; what the server
 * can't expunge without taking others along stays marked, and the log says so.
 */
bool remover_wants_expunge(const Remover *remover); /* whether there is anything of the kind */
void remover_expunge(Remover *remover, MailDone done, gpointer data);
