/*
 * catalog.h: what is known of folders and messages, in memory, and kept in the index on disk.
 *
 * The engine thread writes; any thread reads, at any moment, without waiting for the disk or the
 * network: readers take a lock that is held only for memory operations and get copies. Changes
 * reach the disk in batches (catalog_flush), in one transaction each. Identity is (folder id,
 * UID). A folder whose UIDVALIDITY changed gets a new folder id; an id is never given twice, also
 * not by another process that has the same cache directory open.
 *
 * Invariants: a folder's messages are sorted by UID, without duplicates; a folder that is
 * `listed` has been in step with the server at least once (maybe in an earlier mount).
 */
#pragma once

#include "mail.h"

typedef struct Catalog Catalog;

/*
 * Folder ids from here to 2^27 - 1 are given while the index can't be used: they hold for this
 * mount only, and nothing of these folders (also no content) may get to the disk.
 */
#define CATALOG_TEMPORARY (1u << 26)

typedef struct {
    uint32_t id; /* 1 to 2^27 - 1 */
    char *name;  /* as in MailFolderInfo */
    char delimiter;
    unsigned attributes;
    bool listed;
    MailFolderState state; /* count: how many messages the catalog has */
} CatalogFolder;

void catalog_folder_clear(CatalogFolder *folder);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(CatalogFolder, catalog_folder_clear)

/* What is known of a message's bytes. */
enum {
    CATALOG_SIZE_PROVED = 1 << 0, /* size is the true number of bytes, not only the claimed */
    CATALOG_WHOLE_BODY = 1 << 1,  /* HEADER and TEXT do not add up: BODY[] is the truth */
};

typedef struct {
    uint32_t uid;
    uint32_t header_length; /* bytes of BODY[HEADER]; 0: not known */
    uint64_t size;          /* true where CATALOG_SIZE_PROVED, else as claimed */
    int64_t date;           /* seconds since the epoch */
    uint16_t flag_set;      /* see catalog_flags */
    uint16_t proof;         /* CATALOG_ bits */
    bool deleted;           /* it has the flag \Deleted */
    bool named;             /* its folder has, or had, names that users gave */
} CatalogMessage;

/*
 * Opens (or makes) the index in directory, which exists. directory NULL, or one that can't be
 * used: the catalog is kept in memory alone, after one warning. A damaged index is moved aside
 * ("index.db.damaged-<time>"), said in a warning, and begun anew. Never fails. Does not survive
 * fork(2): a process that goes into the background opens it afterwards.
 */
Catalog *catalog_open(const char *directory);
void catalog_close(Catalog *catalog); /* flushes */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Catalog, catalog_close)

/* --- any thread ----------------------------------------------------------------------------- */

bool catalog_folder(Catalog *catalog, uint32_t folder, CatalogFolder *copy);
/* All folders, by id; CatalogFolder elements, cleared with the array. */
GArray *catalog_folders(Catalog *catalog);
bool catalog_message(Catalog *catalog, uint32_t folder, uint32_t uid, CatalogMessage *copy);
/* The first messages with a UID above `after`, at most n of them; returns how many. */
size_t catalog_messages_after(Catalog *catalog, uint32_t folder, uint32_t after,
                              CatalogMessage *copies, size_t n);
/* The message with the highest UID; false where there is none. */
bool catalog_last_message(Catalog *catalog, uint32_t folder, CatalogMessage *copy);
/* "\\Seen $Forwarded" for a message's flag_set; the caller frees. */
char *catalog_flags(Catalog *catalog, uint16_t flag_set);
/*
 * The unique name that the server gives a message, and which of several with that name it is; the
 * caller frees. NULL: it has none.
 */
char *catalog_name(Catalog *catalog, uint32_t folder, uint32_t uid, unsigned *which);
/* The UID of the message of that name, whether it is there now or not; 0: nobody knows it. */
uint32_t catalog_named(Catalog *catalog, uint32_t folder, const char *name, unsigned which);
/*
 * The name that a user gave the message, or NULL; the caller frees. Of a message that is gone, the
 * one that it had. The folder's messages may have had none since they were asked for (see
 * CatalogMessage.named).
 */
char *catalog_given_name(Catalog *catalog, uint32_t folder, uint32_t uid);
/* The UID to which that name was given, and which may be yet to be listed; 0: there is none. */
uint32_t catalog_given(Catalog *catalog, uint32_t folder, const char *name);
/* Sums over all folders, for the status. */
void catalog_totals(Catalog *catalog, uint64_t *folders, uint64_t *messages, uint64_t *bytes);
/*
 * How many messages' claimed sizes were found true and wrong, in this account, ever: whether the
 * server earned it that its sizes are believed.
 */
void catalog_size_record(Catalog *catalog, uint64_t *right, uint64_t *wrong);

/* --- the engine thread ---------------------------------------------------------------------- */

/* Makes the folder known, or updates delimiter and attributes; returns its id. */
uint32_t catalog_put_folder(Catalog *catalog, const MailFolderInfo *info);
/*
 * The folder has another name at the server from now on, and all below it likewise (those whose
 * name begins with its name and delimiter). Ids, messages and contents stay. What is known of
 * others under the new names is forgotten.
 */
void catalog_rename_folder(Catalog *catalog, uint32_t folder, const char *name);
/* Forgets the folder and its messages. */
void catalog_drop_folder(Catalog *catalog, uint32_t folder);
/*
 * The folder turned out to have this UIDVALIDITY. Where another was known, it is dropped and its
 * name gets a new id; returns the id that holds from now on.
 */
uint32_t catalog_reset_folder(Catalog *catalog, uint32_t folder, uint32_t uidvalidity);
/*
 * As MailSyncSink.restored: the folder is dropped, and its name gets a new id with the same
 * UIDVALIDITY; returns that.
 */
uint32_t catalog_renew_folder(Catalog *catalog, uint32_t folder);
/* As MailSyncSink.messages. A new message needs not have all members (0 and no flags then). */
void catalog_put_messages(Catalog *catalog, uint32_t folder, const MailMessage *messages, size_t n);
/*
 * As MailSyncSink.vanished and .present. Return the messages that were known and are gone now
 * (an array of CatalogMessage), so that the caller can tell the kernel.
 */
GArray *catalog_remove_ranges(Catalog *catalog, uint32_t folder, const MailUidRange *ranges,
                              size_t n);
GArray *catalog_keep_only(Catalog *catalog, uint32_t folder, const uint32_t *uids, size_t n);
/*
 * As MailSyncSink.identify. A message that is told without a date is as old as its name is known
 * here. Between the first of these and catalog_identified, nothing else of the catalog is called by
 * the engine thread but catalog_put_messages.
 */
uint32_t catalog_identify(Catalog *catalog, uint32_t folder, const char *name, unsigned which);
/*
 * What was identified is kept; of names that many a message had which is gone by now, the most
 * recent ones are. False: it could not be, and the UIDs that were new do not hold: the
 * folder has to be listed again.
 */
bool catalog_identified(Catalog *catalog);
/*
 * A user gives the message a name, whatever it had; NULL: takes it away. Whoever had that name in
 * the folder has it no more. The message may be one that is yet to be listed; when it is gone, so
 * is its name. True: it is in the index, which outlives a crash of this process (of the whole
 * machine: after journal_sync). Fails with ENOSPC where that can't be written: the name then holds
 * as long as the catalog is open, and gets to the disk as soon as it can; and with ESTALE where
 * there is no such folder. (A name that could not be taken away on the disk is there again in the
 * next mount.) Not between catalog_identify and catalog_identified.
 */
bool catalog_give_name(Catalog *catalog, uint32_t folder, uint32_t uid, const char *name,
                       GError **error);
/* As MailSyncSink.state: the folder is in step now. */
void catalog_put_state(Catalog *catalog, uint32_t folder, const MailFolderState *state);
/* The header's length was seen; 0 leaves what is known. size is true: counts in the size record
 * (once a message). proof: further CATALOG_ bits to set. */
void catalog_prove(Catalog *catalog, uint32_t folder, uint32_t uid, uint32_t header_length,
                   uint64_t size, unsigned proof);
/*
 * Another process that has the same cache directory may have proved the message meanwhile: true if
 * so, and it is known as if proved here (but does not count in the size record). False also where
 * it was proved already.
 */
bool catalog_learn(Catalog *catalog, uint32_t folder, uint32_t uid);
/* Only the header's length was seen. */
void catalog_put_header_length(Catalog *catalog, uint32_t folder, uint32_t uid, uint32_t length);

/*
 * What the account's server can do (MAIL_STORE_ bits), as was noted last, by whichever mount; 0:
 * nobody has. For who begins without the server.
 */
void catalog_note_features(Catalog *catalog, unsigned features);
unsigned catalog_features(const Catalog *catalog);

/*
 * Writes what changed since the last flush: in one transaction, and about 5,000 messages at most.
 * False: something is left, call again soon. True: nothing is left that can be written now. A
 * folder's state gets to the disk with the last of the messages that it covers, never ahead of
 * them. Trouble with the disk is warned of once; the catalog goes on in memory and tries again
 * after a minute.
 */
bool catalog_flush(Catalog *catalog);
