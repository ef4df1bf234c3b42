/*
 * look.h: a look at a folder under way: what refresh.c, which begins and ends it, shares with
 * look_found.c, which takes what the server tells, and with folderlist.c, which is about the list
 * of folders.
 *
 * refresh.h's own; engine thread, but for what is said to be shared.
 */
#pragma once

#include "refresh.h"

/* A look at a folder. It lives as long as the mount; `op` is set while it is under way. */
typedef struct Look {
    Refresher *refresher;
    uint32_t folder;
    MailOp *op;
    bool again;     /* what was told did not fit: everything is listed once more */
    bool outdated;  /* the folder has changed since this began, maybe: another one follows */
    bool lacking;   /* messages were told of that are new, without what a listing shows of them */
    bool flags;     /* somebody wants them */
    bool changed;   /* other messages are there: the kernel has to look at the directory again */
    uint32_t count; /* messages, as the server told */
    GArray *placed; /* uint32_t: UIDs of which it has yet to tell, if it does (refresh_placed) */
    GQueue waiting; /* Request: until the look is done */
    bool first;     /* the folder has not been listed before */
    bool opened;    /* the server opened it, and it is a first look */
    bool prune;     /* there are messages of a first look that failed */
    uint32_t last;  /* the highest UID told, where prune */
    uint32_t horizon;
    GQueue opening;   /* Request: until it is opened */
    GQueue listing;   /* Request: until the horizon moves */
    GHashTable *gone; /* UIDs of messages that are gone, whatever is told of them; NULL: none */
} Look;

/*
 * `checked` is when folders were in step, monotonic seconds, by id (0: the list of folders), and
 * `lost` (where `is_lost`) is when a look found that the server can't be reached; `horizons` are
 * those of first looks under way, by the folder's id, and change only after the messages did;
 * `behind` are the folders whose last look left out flags. These are shared, under `lock`. All else
 * is the engine thread's. While somebody waits for the list, either `list_op` is under way, or
 * there are `changes`, at whose end it is begun.
 */
struct Refresher {
    Mount *mount;
    pthread_mutex_t lock;
    GHashTable *checked;
    bool is_lost;
    guint lost;
    GHashTable *horizons;
    GHashTable *behind;
    GHashTable *looks; /* folder id -> Look */
    /* The list of folders: */
    MailOp *list_op;
    GArray *listed;     /* CatalogFolder, whose ids are not known yet */
    unsigned changes;   /* of folders, that the server is making */
    bool list_outdated; /* a change has come about since the list was begun */
    GQueue list_waiting;
    MailDone list_done;
    gpointer list_data;
};

/* --- refresh.c ------------------------------------------------------------------------------- */

/* The folder (0: the list of folders) is in step now. */
void refresh_set_fresh(Refresher *refresher, uint32_t folder);
/* A look has failed. */
void refresh_note_failure(Refresher *refresher, const GError *error);
/* The server answers. */
void refresh_note_reached(Refresher *refresher);
/* Whether flags that changed were left out. */
void refresh_set_behind(Refresher *refresher, uint32_t folder, bool behind);

/* --- look_found.c ------------------------------------------------------------------------------
 */

/* Its data is the Look. */
extern const MailSyncSink look_sink;

/* The folder is listed from its beginning. known: how many messages are known of it. */
void look_begin_first(Look *look, uint32_t known);
void look_end_first(Look *look);
/* A message that was placed is one that the look tells of as well, or is gone. */
void look_not_placed(Look *look, uint32_t uid);
