/*
 * catalog_private.h: the catalog's inside, shared by catalog.c (what is in memory),
 * catalog_disk.c (what gets to the index and back), catalog_names.c (the server's own names) and
 * catalog_given.c (the users').
 *
 * Only the engine thread changes anything below. It does so with the lock held wherever other
 * threads read: they see no member marked "engine", and a Row's `change` neither. So the engine
 * thread itself reads without the lock, and writes to the disk without it.
 */
#pragma once

#include "catalog.h"
#include "flagsets.h"
#include "given.h"
#include "index.h"
#include "rows.h"
#include "scopedlock.h"

/* In Row.proof beside the CATALOG_ bits: a size was claimed. */
#define ROW_CLAIMED (1 << 7)

/*
 * Invariants: about.state.count is rows.count; bytes is the sum of the rows' sizes; every row
 * that is not ROW_CLEAN has a UID of dirty_first to dirty_last.
 */
typedef struct {
    CatalogFolder about;
    Rows rows;
    uint64_t bytes;
    Identities *identities;           /* NULL: its messages have no names */
    GivenNames *given;                /* NULL: users gave none */
    GArray *gone;                     /* engine: UIDs that the index may still have */
    uint32_t dirty_first, dirty_last; /* engine */
    bool dirty;                       /* engine: rows, gone, clear or about differ from the index */
    bool clear;                       /* engine: the index may have rows of another life */
    bool stored;                      /* engine: the index has a row for the folder */
    bool unsaved;                     /* engine: nothing of it gets to the index */
    bool nameless;                    /* engine: the index lacks some of the identities */
    bool ungiven;                     /* engine: the index lacks some of the given names */
    bool strays;                      /* engine: maybe a name was given to a message without row */
} Folder;

struct Catalog {
    pthread_mutex_t lock;
    GHashTable *folders; /* id to Folder, which it owns */
    FlagSets *flag_sets;
    uint64_t right, wrong;         /* the size record */
    GHashTable *names;             /* engine: name to Folder */
    Index *index;                  /* engine; NULL: memory alone */
    GArray *dropped;               /* engine: folder ids to be deleted from the index */
    uint64_t new_right, new_wrong; /* engine: of the size record, not yet in the index */
    unsigned features;             /* engine: as catalog_note_features */
    bool new_features;             /* engine: these are not in the index */
    uint32_t next_temporary;       /* engine */
    uint32_t naming;               /* engine: the folder whose names a transaction is open for */
    GArray *named;                 /* engine: UIDs that it gives */
};

Folder *catalog_folder_new(const MailFolderInfo *info, uint32_t id);
void catalog_folder_free(Folder *folder);
/* With the lock. */
void catalog_insert_folder(Catalog *catalog, Folder *folder);
void catalog_remove_folder(Catalog *catalog, Folder *folder);
/* The row differs from the index. */
void catalog_mark_row(Folder *folder, Row *row);

/* --- catalog_disk.c ------------------------------------------------------------------------- */

/* Whether there is an index that can be used now; one that was emptied is to be filled again. */
bool catalog_index_usable(Catalog *catalog);
/* Fills an empty catalog. */
void catalog_load(Catalog *catalog);
/*
 * A Folder for that name, loaded where the index has it; not yet inserted. uidvalidity: see
 * index_claim_folder. Never fails: where the index can't be used, its id is a temporary one.
 */
Folder *catalog_claim(Catalog *catalog, const MailFolderInfo *info, uint32_t uidvalidity);
/* The folder has another name than in the index. Where that can't be written, the folder is listed
 * anew after the next mount. */
void catalog_store_name(Catalog *catalog, Folder *folder);

/* --- catalog_names.c ------------------------------------------------------------------------ */

/* A name that the index has; before the folder is inserted. */
void catalog_load_identity(Folder *folder, const Identity *identity);
/* Writes the folder's names that the index lacks, within a transaction. */
void catalog_write_identities(Catalog *catalog, Folder *folder);
/* That transaction is committed (stored), or the index has been emptied. */
void catalog_mark_identities(Folder *folder, bool stored);

/* --- catalog_given.c ------------------------------------------------------------------------ */

/* A name that the index has; before the folder is inserted. */
void catalog_load_given(Folder *folder, uint32_t uid, const char *name);
/* As the two for identities above. */
void catalog_write_given(Catalog *catalog, Folder *folder);
void catalog_mark_given(Folder *folder, bool stored);
/* The message is gone: with the lock; and within a transaction, where it still is. */
void catalog_take_given(Folder *folder, uint32_t uid);
void catalog_delete_given(Catalog *catalog, const Folder *folder, uint32_t uid);
/* The folder is in step: names of messages that could be known, and are not, go. With the lock. */
void catalog_drop_strays(Folder *folder);
