#include "index_private.h"

#include <string.h>

#define EMPTIED_MOST 3 /* times that a process begins the index anew */
#define LOG_PAGES 1000 /* of the write-ahead log, from which on it is carried over */

#define PROVED_BIT 1
#define PROOF_BITS 3

/* What another process has proved of a message stands against one that only listed it. */
#define UNLESS_PROVED(old, new)                                                  \
    "iif(message.proof & " G_STRINGIFY(PROVED_BIT) " AND NOT ?7 & " G_STRINGIFY( \
        PROOF_BITS) ", message." old ", " new ")"

static const char *const sql[N_STATEMENTS] = {
    [ST_FIND] = "SELECT id, uidvalidity FROM folder WHERE name = ?1",
    [ST_MAKE] = "INSERT INTO folder (name, delimiter, attributes, uidvalidity)"
                " VALUES (?1, ?2, ?3, ?4)",
    [ST_SET_VALIDITY] = "UPDATE folder SET uidvalidity = ?2 WHERE id = ?1",
    [ST_DELETE_FOLDER] = "DELETE FROM folder WHERE id = ?1",
    [ST_RENAME_FOLDER] = "UPDATE OR REPLACE folder SET name = ?2 WHERE id = ?1",
    [ST_CLEAR] = "DELETE FROM message WHERE folder = ?1",
    [ST_DELETE] = "DELETE FROM message WHERE folder = ?1 AND uid = ?2",
    [ST_INSERT] = "INSERT INTO message"
                  " (folder, uid, size, date, header_length, flag_set, proof)"
                  " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (folder, uid) DO UPDATE SET"
                  " date = ?4, flag_set = ?6, size = " UNLESS_PROVED(
                      "size", "?3") ","
                                    " header_length = " UNLESS_PROVED(
                                        "header_length", "?5") ","
                                                               " proof = " UNLESS_PROVED("proof",
                                                                                         "?7"),
    [ST_UPDATE] = "UPDATE message SET size = ?3, date = ?4, header_length = ?5, flag_set = ?6,"
                  " proof = ?7 WHERE folder = ?1 AND uid = ?2",
    [ST_FIND_FLAGS] = "SELECT id FROM flag_set WHERE text = ?1",
    [ST_ADD_FLAGS] = "INSERT INTO flag_set (text) VALUES (?1)",
    [ST_PUT_FOLDER] = "UPDATE folder SET delimiter = ?2, attributes = ?3, uidvalidity = ?4,"
                      " uidnext = ?5, modseq = ?6, listed = ?7, count = ?8, checksum = ?9"
                      " WHERE id = ?1 AND uidvalidity IN (0, ?4) AND name = ?10",
    [ST_ADD_FOLDER] = "INSERT OR IGNORE INTO folder (id, name) VALUES (?1, ?2)",
    [ST_ADD_SIZES] = "INSERT INTO record VALUES (?1, ?2)"
                     " ON CONFLICT (key) DO UPDATE SET value = value + ?2",
    [ST_PUT_RECORD] = "INSERT OR REPLACE INTO record VALUES (?1, ?2)",
    [ST_FIND_NAME] = "SELECT uid, seen FROM identity WHERE folder = ?1 AND which = ?2 AND"
                     " name = ?3",
    [ST_NEXT_UID] = "SELECT max(uid) + 1 FROM identity WHERE folder = ?1 AND uid < ?2",
    [ST_ADD_NAME] = "INSERT OR IGNORE INTO identity (folder, which, uid, seen, name)"
                    " VALUES (?1, ?2, ?3, ?4, ?5)",
    [ST_DELETE_NAME] = "DELETE FROM identity WHERE folder = ?1 AND uid = ?2",
    [ST_DELETE_NAMES] = "DELETE FROM identity WHERE folder = ?1",
    [ST_DELETE_REMOVALS] = "DELETE FROM removal WHERE folder = ?1",
    [ST_DELETE_MARKS] = "DELETE FROM mark WHERE folder = ?1",
    [ST_DELETE_MOVES] = "DELETE FROM move WHERE folder = ?1 OR target = ?1",
    [ST_DELETE_FLAGS] = "DELETE FROM flags WHERE folder = ?1",
    [ST_GIVE] = "INSERT OR REPLACE INTO given (folder, uid, name) VALUES (?1, ?2, ?3)",
    [ST_DELETE_GIVEN] = "DELETE FROM given WHERE folder = ?1 AND uid = ?2",
    [ST_DELETE_ALL_GIVEN] = "DELETE FROM given WHERE folder = ?1",
    [ST_FIND_PROOF] = "SELECT size, header_length, proof FROM message"
                      " WHERE folder = ?1 AND uid = ?2 AND proof & " G_STRINGIFY(PROVED_BIT),
    [ST_DATA_VERSION] = "PRAGMA data_version",
};

#define GIVEN_TABLE                                                                         \
    "CREATE TABLE given(folder INTEGER NOT NULL, uid INTEGER NOT NULL, name BLOB NOT NULL," \
    " PRIMARY KEY (folder, uid), UNIQUE (folder, name)) WITHOUT ROWID;"

#define MARK_TABLE                                                     \
    "CREATE TABLE mark(folder INTEGER NOT NULL, uid INTEGER NOT NULL," \
    " PRIMARY KEY (folder, uid)) WITHOUT ROWID;"

#define MOVE_TABLE                                                             \
    "CREATE TABLE move(folder INTEGER NOT NULL, uid INTEGER NOT NULL,"         \
    " target INTEGER NOT NULL, first INTEGER NOT NULL, size INTEGER NOT NULL," \
    " date INTEGER NOT NULL, name BLOB NOT NULL, PRIMARY KEY (folder, uid)) WITHOUT ROWID;"

#define FLAGS_TABLE                                                     \
    "CREATE TABLE flags(folder INTEGER NOT NULL, uid INTEGER NOT NULL," \
    " added BLOB NOT NULL, taken BLOB NOT NULL, PRIMARY KEY (folder, uid)) WITHOUT ROWID;"

/* From version 2 on. */
static const char *const upgrades[] = {GIVEN_TABLE, MARK_TABLE, MOVE_TABLE, FLAGS_TABLE};

const DatabaseKind index_kind = {
    .file = "index.db",
    .what = "the index of the mail cache",
    .version = 6,
    .upgrades = upgrades,
    .n_upgrades = G_N_ELEMENTS(upgrades),
    .pragmas = "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
               "PRAGMA wal_autocheckpoint = 0;"
               "PRAGMA secure_delete = OFF; PRAGMA cache_size = -1024",
    /* Ids begin anywhere, so that those of a lost index are not given again in practice. */
    .schema =
        "CREATE TABLE folder(id INTEGER PRIMARY KEY AUTOINCREMENT, name BLOB NOT NULL UNIQUE,"
        " delimiter INTEGER NOT NULL DEFAULT 0, attributes INTEGER NOT NULL DEFAULT 0,"
        " uidvalidity INTEGER NOT NULL DEFAULT 0, uidnext INTEGER NOT NULL DEFAULT 0,"
        " modseq INTEGER NOT NULL DEFAULT 0, listed INTEGER NOT NULL DEFAULT 0,"
        " count INTEGER NOT NULL DEFAULT 0, checksum INTEGER NOT NULL DEFAULT 0);"
        "CREATE TABLE message(folder INTEGER NOT NULL, uid INTEGER NOT NULL,"
        " size INTEGER NOT NULL, date INTEGER NOT NULL, header_length INTEGER NOT NULL,"
        " flag_set INTEGER NOT NULL, proof INTEGER NOT NULL,"
        " PRIMARY KEY (folder, uid)) WITHOUT ROWID;"
        "CREATE TABLE flag_set(id INTEGER PRIMARY KEY, text BLOB NOT NULL UNIQUE);"
        "CREATE TABLE identity(folder INTEGER NOT NULL, uid INTEGER NOT NULL,"
        " name BLOB NOT NULL, which INTEGER NOT NULL, seen INTEGER NOT NULL,"
        " PRIMARY KEY (folder, uid), UNIQUE (folder, name, which)) WITHOUT ROWID;"
        "CREATE TABLE removal(folder INTEGER NOT NULL, uid INTEGER NOT NULL,"
        " PRIMARY KEY (folder, uid)) WITHOUT ROWID;" GIVEN_TABLE MARK_TABLE MOVE_TABLE FLAGS_TABLE
        "CREATE TABLE record(key INTEGER PRIMARY KEY, value INTEGER NOT NULL);"
        "INSERT INTO sqlite_sequence VALUES ('folder', abs(random() % 33554432))",
    .busy_ms = 2000,
    .precious = true,
};

G_STATIC_ASSERT(PROVED_BIT == CATALOG_SIZE_PROVED);
G_STATIC_ASSERT(PROOF_BITS == (CATALOG_SIZE_PROVED | CATALOG_WHOLE_BODY));

/* 3: see index.h */
enum { RECORD_RIGHT = 1, RECORD_WRONG = 2, RECORD_FEATURES = 4, RECORDS };

/* --- opening, and what goes wrong ----------------------------------------------------------- */

static void disconnect(Index *index)
{
    for (int i = 0; i < N_STATEMENTS; i++)
        g_clear_pointer(&index->statements[i], sqlite3_finalize);
    g_clear_pointer(&index->database, database_close);
}

static void handle_trouble(Index *index, DatabaseState state, const char *why)
{
    g_autofree char *reason = g_strdup(why);
    if (state == DATABASE_DAMAGED && index->times_emptied < EMPTIED_MOST) {
        for (int i = 0; i < N_STATEMENTS; i++)
            g_clear_pointer(&index->statements[i], sqlite3_finalize);
        database_set_aside(g_steal_pointer(&index->database), reason);
        index->emptied = true;
        index->times_emptied++;
        return;
    }
    if (state == DATABASE_DAMAGED)
        disconnect(index);
    trouble_begin(&index->trouble, &index_kind, state, reason,
                  "what is known of folders and messages is kept in memory alone, and listed again "
                  "after the next mount");
}

static int note_log(void *data, sqlite3 *db, const char *name, int pages)
{
    (void)db, (void)name;
    ((Index *)data)->log_pages = pages;
    return SQLITE_OK;
}

/* On the writer's thread. */
static bool carry_log_over(gpointer data)
{
    Index *index = data;
    pthread_mutex_lock(&index->lock);
    DatabaseFile file = index->file;
    pthread_mutex_unlock(&index->lock);
    g_autoptr(Database) database = database_connect(&index_kind, index->directory, file);
    if (database)
        sqlite3_wal_checkpoint_v2(database_handle(database), NULL, SQLITE_CHECKPOINT_PASSIVE, NULL,
                                  NULL);
    return true;
}

/* A transaction is in the log. */
static void check_log(Index *index)
{
    if (index->log_pages < LOG_PAGES)
        return;
    pthread_mutex_lock(&index->lock);
    index->file = database_file(index->database);
    pthread_mutex_unlock(&index->lock);
    if (!index->writer)
        index->writer = writer_start(carry_log_over, index);
    writer_wake(index->writer, 0);
}

static bool connect_index(Index *index)
{
    DatabaseState state;
    g_autofree char *why = NULL;
    index->database = database_open(&index_kind, index->directory, &state, &why);
    if (!index->database) {
        handle_trouble(index, state, why);
        return false;
    }
    sqlite3_wal_hook(database_handle(index->database), note_log, index);
    for (int i = 0; i < N_STATEMENTS; i++) {
        index->statements[i] = database_prepare(index->database, sql[i]);
        if (!index->statements[i]) {
            state = database_state(sqlite3_extended_errcode(database_handle(index->database)));
            handle_trouble(index, state, database_message(index->database));
            disconnect(index);
            return false;
        }
    }
    index_begin_looking(index);
    return true;
}

Index *index_open(const char *directory)
{
    Index *index = g_new0(Index, 1);
    index->directory = g_strdup(directory);
    pthread_mutex_init(&index->lock, NULL);
    if (connect_index(index) || (index->emptied && connect_index(index))) {
        index->emptied = false;
        return index;
    }
    index_close(index);
    return NULL;
}

void index_close(Index *index)
{
    if (!index)
        return;
    writer_stop(index->writer);
    disconnect(index);
    pthread_mutex_destroy(&index->lock);
    g_free(index->directory);
    g_free(index);
}

bool index_usable(Index *index)
{
    if (!trouble_is_over(&index->trouble))
        return false;
    if (index->database && !database_is_current(index->database)) {
        index->emptied = true;
        disconnect(index);
    }
    return index->database || connect_index(index);
}

bool index_was_emptied(Index *index)
{
    bool emptied = index->emptied;
    index->emptied = false;
    return emptied;
}

/* Remembers the first failure of a transaction. */
bool index_check(Index *index, int result)
{
    if (index->state == DATABASE_OK)
        index->state = database_state(result);
    return index->state == DATABASE_OK;
}

bool index_begin(Index *index)
{
    index->state = DATABASE_OK;
    DatabaseState state = database_run(index->database, "BEGIN IMMEDIATE");
    if (state != DATABASE_OK)
        handle_trouble(index, state, database_message(index->database));
    return state == DATABASE_OK;
}

bool index_commit(Index *index)
{
    if (index->state == DATABASE_OK)
        index->state = database_run(index->database, "COMMIT");
    if (index->state == DATABASE_OK) {
        trouble_end(&index->trouble, &index_kind);
        check_log(index);
        return true;
    }
    g_autofree char *why = g_strdup(database_message(index->database));
    if (!sqlite3_get_autocommit(database_handle(index->database)))
        database_run(index->database, "ROLLBACK");
    handle_trouble(index, index->state, why);
    return false;
}

int index_run(Index *index, int statement, size_t n, const int64_t *values)
{
    if (index->state != DATABASE_OK)
        return 0;
    index_check(index, statement_run(index->statements[statement], n, values));
    return sqlite3_changes(database_handle(index->database));
}

/* --- loading -------------------------------------------------------------------------------- */

static void load_one_folder(sqlite3_stmt *row, const IndexSink *sink, gpointer data)
{
    CatalogFolder folder = {
        .id = (uint32_t)sqlite3_column_int64(row, 0),
        .name = statement_text(row, 1),
        .delimiter = (char)sqlite3_column_int(row, 2),
        .attributes = (unsigned)sqlite3_column_int(row, 3),
        .state = {.uidvalidity = (uint32_t)sqlite3_column_int64(row, 4),
                  .uidnext = (uint32_t)sqlite3_column_int64(row, 5),
                  .modseq = (uint64_t)sqlite3_column_int64(row, 6)},
        .listed = sqlite3_column_int(row, 7) != 0,
    };
    IndexSum sum = {(uint32_t)sqlite3_column_int64(row, 8), (uint64_t)sqlite3_column_int64(row, 9)};
    sink->folder(data, &folder, sum);
}

static void load_one_flag_set(sqlite3_stmt *row, const IndexSink *sink, gpointer data)
{
    g_autofree char *text = statement_text(row, 1);
    sink->flag_set(data, sqlite3_column_int64(row, 0), text);
}

static void load_one_identity(sqlite3_stmt *row, const IndexSink *sink, gpointer data)
{
    g_autofree char *name = statement_text(row, 4);
    const Identity identity = {
        .uid = (uint32_t)sqlite3_column_int64(row, 1),
        .which = (unsigned)sqlite3_column_int64(row, 2),
        .seen = sqlite3_column_int64(row, 3),
        .stored = true,
        .name = name,
    };
    sink->identity(data, (uint32_t)sqlite3_column_int64(row, 0), &identity);
}

static void load_one_given(sqlite3_stmt *row, const IndexSink *sink, gpointer data)
{
    g_autofree char *name = statement_text(row, 2);
    sink->given(data, (uint32_t)sqlite3_column_int64(row, 0),
                (uint32_t)sqlite3_column_int64(row, 1), name);
}

static void load_one_message(sqlite3_stmt *statement, const IndexSink *sink, gpointer data)
{
    Row row = {
        .uid = (uint32_t)sqlite3_column_int64(statement, 1),
        .size = (uint64_t)sqlite3_column_int64(statement, 2),
        .date = sqlite3_column_int64(statement, 3),
        .header_length = (uint32_t)sqlite3_column_int64(statement, 4),
        .proof = (uint8_t)sqlite3_column_int(statement, 6),
    };
    sink->message(data, (uint32_t)sqlite3_column_int64(statement, 0), &row,
                  sqlite3_column_int64(statement, 5));
}

typedef void (*LoadOne)(sqlite3_stmt *row, const IndexSink *sink, gpointer data);

static void load_table(Index *index, const char *select, const int64_t *range, LoadOne load_one,
                       const IndexSink *sink, gpointer data)
{
    sqlite3_stmt *statement = NULL;
    if (index->state != DATABASE_OK)
        return;
    int result = sqlite3_prepare_v2(database_handle(index->database), select, -1, &statement, NULL);
    if (result == SQLITE_OK) {
        statement_bind(statement, range ? 2 : 0, range);
        while ((result = sqlite3_step(statement)) == SQLITE_ROW)
            load_one(statement, sink, data);
    }
    sqlite3_finalize(statement);
    index_check(index, result);
}

DatabaseState index_load(Index *index, uint32_t only, const IndexSink *sink, gpointer data)
{
    const int64_t range[] = {only, only ? only : UINT32_MAX};
    index->state = database_run(index->database, "BEGIN");
    load_table(
        index,
        "SELECT id, name, delimiter, attributes, uidvalidity, uidnext, modseq, listed, count,"
        " checksum FROM folder WHERE id BETWEEN ?1 AND ?2 ORDER BY id",
        range, load_one_folder, sink, data);
    load_table(index, "SELECT id, text FROM flag_set", NULL, load_one_flag_set, sink, data);
    load_table(index,
               "SELECT folder, uid, which, seen, name FROM identity WHERE folder BETWEEN ?1 AND ?2",
               range, load_one_identity, sink, data);
    load_table(index, "SELECT folder, uid, name FROM given WHERE folder BETWEEN ?1 AND ?2", range,
               load_one_given, sink, data);
    load_table(index,
               "SELECT folder, uid, size, date, header_length, flag_set, proof FROM message"
               " WHERE folder BETWEEN ?1 AND ?2 ORDER BY folder, uid",
               range, load_one_message, sink, data);
    DatabaseState state = index->state;
    g_autofree char *why = g_strdup(database_message(index->database));
    database_run(index->database, "COMMIT");
    if (state != DATABASE_OK)
        handle_trouble(index, state, why);
    return state;
}

static void load_one_record(sqlite3_stmt *row, const IndexSink *sink, gpointer data)
{
    (void)sink;
    uint64_t *values = data;
    int key = sqlite3_column_int(row, 0);
    if (key > 0 && key < RECORDS)
        values[key] = (uint64_t)sqlite3_column_int64(row, 1);
}

static void load_records(Index *index, uint64_t *values)
{
    index->state = DATABASE_OK;
    load_table(index, "SELECT key, value FROM record", NULL, load_one_record, NULL, values);
}

void index_load_sizes(Index *index, uint64_t *right, uint64_t *wrong)
{
    uint64_t values[RECORDS] = {0};
    load_records(index, values);
    *right = values[RECORD_RIGHT];
    *wrong = values[RECORD_WRONG];
}

unsigned index_load_features(Index *index)
{
    uint64_t values[RECORDS] = {0};
    load_records(index, values);
    return (unsigned)values[RECORD_FEATURES];
}

/* --- folders -------------------------------------------------------------------------------- */

/* 0: there is none. */
static uint32_t find_folder(Index *index, const char *name, uint32_t *uidvalidity)
{
    sqlite3_stmt *find = index->statements[ST_FIND];
    uint32_t id = 0;
    sqlite3_reset(find);
    statement_bind_text(find, 1, name);
    int result = sqlite3_step(find);
    if (result == SQLITE_ROW) {
        id = (uint32_t)sqlite3_column_int64(find, 0);
        *uidvalidity = (uint32_t)sqlite3_column_int64(find, 1);
    }
    sqlite3_reset(find);
    index_check(index, result);
    return id;
}

static uint32_t make_folder(Index *index, const MailFolderInfo *info, uint32_t uidvalidity)
{
    if (index->state != DATABASE_OK)
        return 0;
    sqlite3_stmt *make = index->statements[ST_MAKE];
    statement_bind(make, 4, (int64_t[]){0, info->delimiter, info->attributes, uidvalidity});
    statement_bind_text(make, 1, info->name);
    index_check(index, sqlite3_step(make));
    sqlite3_reset(make);
    int64_t id = sqlite3_last_insert_rowid(database_handle(index->database));
    return id < CATALOG_TEMPORARY ? (uint32_t)id : 0;
}

bool index_claim_folder(Index *index, const MailFolderInfo *info, uint32_t uidvalidity,
                        IndexClaim *claim)
{
    uint32_t has = 0;
    if (!index_begin(index))
        return false;
    claim->id = find_folder(index, info->name, &has);
    claim->found = claim->id != 0;
    if (claim->found && uidvalidity && has && has != uidvalidity) {
        index_delete_folder(index, claim->id);
        claim->found = false;
    }
    if (!claim->found)
        claim->id = make_folder(index, info, uidvalidity);
    else if (uidvalidity && !has)
        index_run(index, ST_SET_VALIDITY, 2, (int64_t[]){claim->id, uidvalidity});
    return index_commit(index) && claim->id > 0 && claim->id < CATALOG_TEMPORARY;
}

void index_delete_folder(Index *index, uint32_t folder)
{
    index_run(index, ST_DELETE_FOLDER, 1, (int64_t[]){folder});
    index_run(index, ST_CLEAR, 1, (int64_t[]){folder});
    index_run(index, ST_DELETE_NAMES, 1, (int64_t[]){folder});
    index_run(index, ST_DELETE_REMOVALS, 1, (int64_t[]){folder});
    index_run(index, ST_DELETE_MARKS, 1, (int64_t[]){folder});
    index_run(index, ST_DELETE_MOVES, 1, (int64_t[]){folder});
    index_run(index, ST_DELETE_FLAGS, 1, (int64_t[]){folder});
    index_run(index, ST_DELETE_ALL_GIVEN, 1, (int64_t[]){folder});
}

void index_rename_folder(Index *index, uint32_t folder, const char *name)
{
    if (index->state != DATABASE_OK)
        return;
    sqlite3_stmt *rename = index->statements[ST_RENAME_FOLDER];
    statement_bind(rename, 1, (int64_t[]){folder});
    statement_bind_text(rename, 2, name);
    index_check(index, sqlite3_step(rename));
    sqlite3_reset(rename);
}

bool index_put_folder(Index *index, const CatalogFolder *folder, IndexSum sum, bool insert)
{
    const int64_t values[] = {folder->id,
                              folder->delimiter,
                              folder->attributes,
                              folder->state.uidvalidity,
                              folder->state.uidnext,
                              (int64_t)folder->state.modseq,
                              folder->listed,
                              sum.count,
                              (int64_t)sum.checksum};
    if (insert && index->state == DATABASE_OK) {
        sqlite3_stmt *add = index->statements[ST_ADD_FOLDER];
        statement_bind(add, 1, values);
        statement_bind_text(add, 2, folder->name);
        index_check(index, sqlite3_step(add));
        sqlite3_reset(add);
    }
    statement_bind_text(index->statements[ST_PUT_FOLDER], G_N_ELEMENTS(values) + 1, folder->name);
    int changes = index_run(index, ST_PUT_FOLDER, G_N_ELEMENTS(values), values);
    return index->state != DATABASE_OK || changes > 0;
}

/* --- messages ------------------------------------------------------------------------------- */

void index_clear_messages(Index *index, uint32_t folder)
{
    index_run(index, ST_CLEAR, 1, (int64_t[]){folder});
}

void index_delete_message(Index *index, uint32_t folder, uint32_t uid)
{
    index_run(index, ST_DELETE, 2, (int64_t[]){folder, uid});
}

void index_put_message(Index *index, uint32_t folder, const Row *row, int64_t flag_set)
{
    const int64_t values[] = {
        folder, row->uid, (int64_t)row->size, row->date, row->header_length, flag_set, row->proof};
    index_run(index, row->change == ROW_NEW ? ST_INSERT : ST_UPDATE, G_N_ELEMENTS(values), values);
}

int64_t index_put_flag_set(Index *index, const char *text)
{
    if (index->state != DATABASE_OK)
        return 0;
    sqlite3_stmt *find = index->statements[ST_FIND_FLAGS];
    int64_t id = 0;
    sqlite3_reset(find);
    statement_bind_text(find, 1, text);
    int result = sqlite3_step(find);
    if (result == SQLITE_ROW)
        id = sqlite3_column_int64(find, 0);
    sqlite3_reset(find);
    if (!index_check(index, result) || id > 0)
        return id;
    sqlite3_stmt *add = index->statements[ST_ADD_FLAGS];
    sqlite3_reset(add);
    statement_bind_text(add, 1, text);
    result = sqlite3_step(add);
    sqlite3_reset(add);
    return index_check(index, result) ? sqlite3_last_insert_rowid(database_handle(index->database))
                                      : 0;
}

void index_put_features(Index *index, unsigned features)
{
    index_run(index, ST_PUT_RECORD, 2, (int64_t[]){RECORD_FEATURES, (int64_t)features});
}

void index_add_sizes(Index *index, uint64_t right, uint64_t wrong)
{
    index_run(index, ST_ADD_SIZES, 2, (int64_t[]){RECORD_RIGHT, (int64_t)right});
    index_run(index, ST_ADD_SIZES, 2, (int64_t[]){RECORD_WRONG, (int64_t)wrong});
}
