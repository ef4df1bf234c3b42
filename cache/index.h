/*
 * index.h: the catalog on disk: folders, their messages, sets of flags and the size record, in
 * "index.db". What later must survive a crash together with them belongs in here too, so this
 * file is never deleted, but moved aside where it is damaged.
 *
 * Used by the catalog, on the engine thread alone; a thread of its own sees to the write-ahead log.
 * Changes are made between index_begin and
 * index_commit; the first that fails makes the others do nothing, and index_commit tells it.
 *
 * Several processes may write: a folder's id is given by the database, by the folder's name and
 * UIDVALIDITY. Each keeps a count and a checksum of its messages with the folder's state, so that
 * a state which does not belong to the messages is found out at loading.
 */
#pragma once

#include "catalog.h"
#include "database.h"
#include "identity.h"
#include "rows.h"

typedef struct Index Index;

typedef struct {
    uint32_t count;
    uint64_t checksum;
} IndexSum;

/* The file, for who has a connection of its own to it (see journal.h). */
extern const DatabaseKind index_kind;
#define INDEX_RECORD_SYNCS 3 /* a key of the table `record`: the journal's own */

/*
 * Called by index_load: all folders, then all sets of flags, then all names, the server's and the
 * users', then all messages by folder and UID.
 */
typedef struct {
    /* copy is the callee's to keep (its name is its own). */
    void (*folder)(gpointer data, CatalogFolder *copy, IndexSum sum);
    void (*flag_set)(gpointer data, int64_t stored, const char *text);
    void (*identity)(gpointer data, uint32_t folder, const Identity *identity);
    void (*given)(gpointer data, uint32_t folder, uint32_t uid, const char *name);
    void (*message)(gpointer data, uint32_t folder, const Row *row, int64_t flag_set);
} IndexSink;

/* NULL after a warning where directory can't be used. */
Index *index_open(const char *directory);
void index_close(Index *index);

/* False: it gave trouble not long ago, or another process exchanged it and index_follow failed. */
bool index_usable(Index *index);
/*
 * True (once) after the file was begun anew, by this process or another: nothing of what was
 * stored is in it any more.
 */
bool index_was_emptied(Index *index);

/* Everything, or the folder `only`. */
DatabaseState index_load(Index *index, uint32_t only, const IndexSink *sink, gpointer data);
/* See catalog_features. */
unsigned index_load_features(Index *index);
void index_load_sizes(Index *index, uint64_t *right, uint64_t *wrong);

/* What a name's folder is in the index. */
typedef struct {
    uint32_t id;
    bool found; /* it was there, made by another process or in another life */
} IndexClaim;

/*
 * Finds or makes the folder of that name. uidvalidity 0: whatever it has; else a folder that has
 * another one is removed, and its name gets a new id. Outside of begin and commit. False where
 * the index can't be used at the moment.
 */
bool index_claim_folder(Index *index, const MailFolderInfo *info, uint32_t uidvalidity,
                        IndexClaim *claim);

bool index_begin(Index *index);
/* The folder, and all that belongs to it. */
void index_delete_folder(Index *index, uint32_t folder);
/* Takes the place of another one of that name. */
void index_rename_folder(Index *index, uint32_t folder, const char *name);
void index_clear_messages(Index *index, uint32_t folder);
void index_delete_message(Index *index, uint32_t folder, uint32_t uid);
/* A ROW_NEW one is inserted, and takes nothing back that another process has proved; one that is
 * ROW_CHANGED is left alone where it is gone by now. */
void index_put_message(Index *index, uint32_t folder, const Row *row, int64_t flag_set);
/*
 * What another process has proved of the message's bytes since it was loaded: fills in size,
 * header_length and proof. False: nothing. Cheap as long as no other process writes, of which is
 * known after a second. Outside of begin and commit.
 */
bool index_find_proof(Index *index, uint32_t folder, uint32_t uid, Row *row);
/* The number of a set of flags; it is made where there is none. 0: failed. */
int64_t index_put_flag_set(Index *index, const char *text);
/*
 * The folder's state, which must belong to the messages as they are written. False: the index has
 * another folder in its place, or none any more (and insert is false).
 */
bool index_put_folder(Index *index, const CatalogFolder *folder, IndexSum sum, bool insert);
/*
 * Fills in the UID and the first sight of a name (of which name, which and seen are given): as the
 * index has it, or else anew, as the next UID below `below`. False: failed, or none is left.
 */
bool index_identify(Index *index, uint32_t folder, uint32_t below, Identity *identity);
/* Keeps a name that has its UID already; does nothing where the name or the UID is taken. */
void index_put_identity(Index *index, uint32_t folder, const Identity *identity);
void index_delete_identity(Index *index, uint32_t folder, uint32_t uid);
/* A user's name for a message; takes it from another one of the folder. */
void index_put_given(Index *index, uint32_t folder, uint32_t uid, const char *name);
void index_delete_given(Index *index, uint32_t folder, uint32_t uid);
void index_add_sizes(Index *index, uint64_t right, uint64_t wrong);
void index_put_features(Index *index, unsigned features);
/* True: everything since index_begin is written; false: nothing of it. */
bool index_commit(Index *index);
