#include "blocks.h"

#include <string.h>
#include <zlib.h>

#define PAGE_SIZE 16384
#define SHRINK_PAGES 512
#define BLOCK_BITS "20"

const DatabaseKind blocks_kind = {
    .file = "content.db",
    .what = "the mail cache",
    .version = 1,
    .layout = "PRAGMA page_size = 16384; PRAGMA auto_vacuum = INCREMENTAL",
    .pragmas = "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;"
               "PRAGMA wal_autocheckpoint = 0; PRAGMA journal_size_limit = 4194304;"
               "PRAGMA secure_delete = OFF; PRAGMA cache_size = -512",
    .schema = "CREATE TABLE message(id INTEGER PRIMARY KEY, folder INTEGER NOT NULL,"
              " uid INTEGER NOT NULL, used INTEGER NOT NULL, UNIQUE(folder, uid));"
              "CREATE INDEX message_used ON message(used);"
              "CREATE TABLE block(id INTEGER PRIMARY KEY, crc INTEGER NOT NULL,"
              " bytes BLOB NOT NULL)",
    .busy_ms = 1000,
};

enum {
    ST_READ,
    ST_LENGTH,
    ST_TAKE,
    ST_BEGIN_READING,
    ST_END_READING,
    N_READER_STATEMENTS,
    ST_FIND = N_READER_STATEMENTS,
    ST_MAKE,
    ST_TOUCH,
    ST_PUT,
    ST_DELETE_BLOCK,
    ST_DELETE_BLOCKS,
    ST_DELETE_MESSAGE,
    ST_LEAST_USED,
    ST_FOLDER,
    ST_PAGES,
    ST_FREE_PAGES,
    ST_BLOCKS,
    ST_SET_CHECKSUM,
    ST_MOVE,
    N_STATEMENTS
};

#define JOIN_BLOCK                                                               \
    " FROM message m CROSS JOIN block b ON b.id = (m.id << " BLOCK_BITS ") + ?3" \
    " WHERE m.folder = ?1 AND m.uid = ?2"

static const char *const sql[N_STATEMENTS] = {
    [ST_READ] = "SELECT b.crc, b.bytes, m.used" JOIN_BLOCK,
    [ST_LENGTH] = "SELECT length(b.bytes)" JOIN_BLOCK,
    [ST_TAKE] = "SELECT b.crc, b.bytes, b.id FROM message m CROSS JOIN block b"
                " ON b.id BETWEEN m.id << " BLOCK_BITS " AND ((m.id + 1) << " BLOCK_BITS ") - 1"
                " WHERE m.folder = ?1 AND m.uid = ?2 ORDER BY b.id",
    [ST_BEGIN_READING] = "BEGIN",
    [ST_END_READING] = "COMMIT",
    [ST_FIND] = "SELECT id FROM message WHERE folder = ?1 AND uid = ?2",
    [ST_MAKE] = "INSERT INTO message (folder, uid, used) VALUES (?1, ?2, ?3)",
    [ST_TOUCH] = "UPDATE message SET used = ?3 WHERE folder = ?1 AND uid = ?2 AND used < ?3",
    [ST_PUT] = "INSERT INTO block VALUES (?1, ?2, ?3) ON CONFLICT (id) DO UPDATE"
               " SET crc = excluded.crc, bytes = excluded.bytes"
               " WHERE length(excluded.bytes) >= length(block.bytes)",
    [ST_DELETE_BLOCK] = "DELETE FROM block WHERE id = ?1",
    [ST_DELETE_BLOCKS] = "DELETE FROM block WHERE id BETWEEN ?1 << " BLOCK_BITS
                         " AND ((?1 + 1) << " BLOCK_BITS ") - 1",
    [ST_DELETE_MESSAGE] = "DELETE FROM message WHERE id = ?1",
    [ST_LEAST_USED] = "SELECT id, folder, uid FROM message ORDER BY used, id LIMIT ?1",
    [ST_FOLDER] = "SELECT id, folder, uid FROM message WHERE folder = ?1 LIMIT ?2",
    [ST_PAGES] = "PRAGMA page_count",
    [ST_FREE_PAGES] = "PRAGMA freelist_count",
    [ST_BLOCKS] = "SELECT id FROM block WHERE id BETWEEN ?1 << " BLOCK_BITS
                  " AND ((?1 + 1) << " BLOCK_BITS ") - 1",
    [ST_SET_CHECKSUM] = "UPDATE block SET crc = ?2 WHERE id = ?1",
    [ST_MOVE] = "UPDATE message SET folder = ?2, uid = ?3 WHERE id = ?1",
};

/* state is what the transaction met first. */
struct Blocks {
    Database *database;
    sqlite3_stmt *statements[N_STATEMENTS];
    DatabaseState state;
    int log_pages;
};

/* --- opening -------------------------------------------------------------------------------- */

static void finalize(Blocks *blocks)
{
    for (int i = 0; i < N_STATEMENTS; i++)
        g_clear_pointer(&blocks->statements[i], sqlite3_finalize);
}

static bool prepare(Blocks *blocks, int n)
{
    for (int i = 0; i < n; i++) {
        blocks->statements[i] = database_prepare(blocks->database, sql[i]);
        if (!blocks->statements[i])
            return false;
    }
    return true;
}

static int note_log(void *data, sqlite3 *db, const char *name, int pages)
{
    (void)db, (void)name;
    ((Blocks *)data)->log_pages = pages;
    return SQLITE_OK;
}

static Blocks *try_open(const char *directory, DatabaseState *state, char **why)
{
    Database *database = database_open(&blocks_kind, directory, state, why);
    if (!database)
        return NULL;
    Blocks *blocks = g_new0(Blocks, 1);
    blocks->database = database;
    if (prepare(blocks, N_STATEMENTS)) {
        sqlite3_wal_hook(database_handle(database), note_log, blocks);
        return blocks;
    }
    *state = database_state(sqlite3_extended_errcode(database_handle(database)));
    *why = g_strdup(database_message(database));
    if (*state == DATABASE_DAMAGED)
        blocks_set_aside(blocks, *why);
    else
        blocks_close(blocks);
    return NULL;
}

Blocks *blocks_open(const char *directory, DatabaseState *state, char **why)
{
    Blocks *blocks = try_open(directory, state, why);
    if (blocks || *state != DATABASE_DAMAGED)
        return blocks;
    g_clear_pointer(why, g_free);
    return try_open(directory, state, why);
}

Blocks *blocks_connect(const char *directory, DatabaseFile file)
{
    Blocks *blocks = g_new0(Blocks, 1);
    blocks->database = database_connect(&blocks_kind, directory, file);
    /* There may be several, and a block that was read is not read again soon. */
    if (blocks->database && prepare(blocks, N_READER_STATEMENTS) &&
        database_run(blocks->database, "PRAGMA cache_size = -256") == DATABASE_OK)
        return blocks;
    blocks_close(blocks);
    return NULL;
}

void blocks_close(Blocks *blocks)
{
    if (!blocks)
        return;
    finalize(blocks);
    database_close(blocks->database);
    g_free(blocks);
}

void blocks_set_aside(Blocks *blocks, const char *why)
{
    finalize(blocks);
    database_set_aside(blocks->database, why);
    g_free(blocks);
}

bool blocks_is_current(const Blocks *blocks)
{
    return database_is_current(blocks->database);
}

DatabaseFile blocks_file(const Blocks *blocks)
{
    return database_file(blocks->database);
}

/* --- reading -------------------------------------------------------------------------------- */

/* A block under another key than its own is as wrong as one with other bytes. */
static uint32_t checksum(BlockKey key, const void *bytes, size_t length)
{
    const uint32_t words[] = {GUINT32_TO_LE(key.folder), GUINT32_TO_LE(key.uid),
                              GUINT32_TO_LE(key.block)};
    uLong crc = crc32_z(0, (const unsigned char *)words, sizeof words);
    return (uint32_t)crc32_z(crc, bytes, length);
}

static void bind_key(sqlite3_stmt *statement, BlockKey key)
{
    statement_bind(statement, 3, (int64_t[]){key.folder, key.uid, key.block});
}

/* The statement stands on a row of ST_READ. */
static BlockResult copy_block(sqlite3_stmt *row, BlockKey key, size_t offset, size_t length,
                              void *buffer)
{
    const unsigned char *bytes = sqlite3_column_blob(row, 1);
    size_t held = (size_t)sqlite3_column_bytes(row, 1);
    if (!bytes || checksum(key, bytes, held) != (uint32_t)sqlite3_column_int64(row, 0))
        return BLOCK_WRONG;
    if (offset > held || length > held - offset)
        return BLOCK_NOT_HELD;
    memcpy(buffer, bytes + offset, length);
    return BLOCK_HELD;
}

BlockResult blocks_read(Blocks *blocks, BlockKey key, size_t offset, size_t length, void *buffer,
                        int64_t *used)
{
    sqlite3_stmt *read = blocks->statements[ST_READ];
    bind_key(read, key);
    int result = sqlite3_step(read);
    BlockResult block = BLOCK_NOT_HELD;
    if (result == SQLITE_ROW) {
        *used = sqlite3_column_int64(read, 2);
        block = copy_block(read, key, offset, length, buffer);
    } else if (database_state(result) != DATABASE_OK) {
        block = database_state(result) == DATABASE_DAMAGED ? BLOCK_DAMAGED : BLOCK_UNREADABLE;
    }
    sqlite3_reset(read);
    return block;
}

/* The statement stands on a row of ST_TAKE. False: no more. */
static bool take_block(sqlite3_stmt *row, BlockKey *key, BlocksTake take, gpointer data,
                       BlockResult *result)
{
    const unsigned char *bytes = sqlite3_column_blob(row, 1);
    size_t held = (size_t)sqlite3_column_bytes(row, 1);
    key->block = (uint32_t)(sqlite3_column_int64(row, 2) % BLOCKS_MOST);
    bool right = bytes && checksum(*key, bytes, held) == (uint32_t)sqlite3_column_int64(row, 0);
    *result = right ? BLOCK_HELD : BLOCK_WRONG;
    return right && take(data, key->block, bytes, held);
}

BlockResult blocks_take(Blocks *blocks, uint32_t folder, uint32_t uid, BlocksTake take,
                        gpointer data, uint32_t *block)
{
    sqlite3_stmt *rows = blocks->statements[ST_TAKE];
    BlockKey key = {folder, uid, 0};
    BlockResult held = BLOCK_NOT_HELD;
    int result;
    statement_bind(rows, 2, (int64_t[]){folder, uid});
    while ((result = sqlite3_step(rows)) == SQLITE_ROW && take_block(rows, &key, take, data, &held))
        ;
    if (database_state(result) == DATABASE_DAMAGED)
        held = BLOCK_DAMAGED;
    sqlite3_reset(rows);
    *block = key.block;
    return held;
}

void blocks_begin_reading(Blocks *blocks)
{
    statement_run(blocks->statements[ST_BEGIN_READING], 0, NULL);
}

void blocks_end_reading(Blocks *blocks)
{
    statement_run(blocks->statements[ST_END_READING], 0, NULL);
}

size_t blocks_length(Blocks *blocks, BlockKey key, bool *damaged)
{
    int result;
    int64_t length = statement_value(blocks->statements[ST_LENGTH], 3,
                                     (int64_t[]){key.folder, key.uid, key.block}, 0, &result);
    *damaged = database_state(result) == DATABASE_DAMAGED;
    return (size_t)length;
}

/* --- writing -------------------------------------------------------------------------------- */

static bool check(Blocks *blocks, int result)
{
    if (blocks->state == DATABASE_OK)
        blocks->state = database_state(result);
    return blocks->state == DATABASE_OK;
}

static void run(Blocks *blocks, int statement, size_t n, const int64_t *values)
{
    if (blocks->state == DATABASE_OK)
        check(blocks, statement_run(blocks->statements[statement], n, values));
}

static int64_t value(Blocks *blocks, int statement, size_t n, const int64_t *values,
                     int64_t otherwise)
{
    int result;
    if (blocks->state != DATABASE_OK)
        return otherwise;
    int64_t found = statement_value(blocks->statements[statement], n, values, otherwise, &result);
    check(blocks, result);
    return found;
}

bool blocks_begin(Blocks *blocks)
{
    blocks->state = database_run(blocks->database, "BEGIN IMMEDIATE");
    return blocks->state == DATABASE_OK;
}

DatabaseState blocks_failure(const Blocks *blocks)
{
    return blocks->state;
}

DatabaseState blocks_commit(Blocks *blocks, char **why)
{
    if (blocks->state == DATABASE_OK)
        blocks->state = database_run(blocks->database, "COMMIT");
    if (blocks->state != DATABASE_OK) {
        *why = g_strdup(database_message(blocks->database));
        if (!sqlite3_get_autocommit(database_handle(blocks->database)))
            database_run(blocks->database, "ROLLBACK");
    }
    return blocks->state;
}

/* Of a number that no message can have, since its blocks could have none, the file is damaged. */
static int64_t possible_message(Blocks *blocks, int64_t message)
{
    if (message >= 0 && message < INT64_MAX / BLOCKS_MOST)
        return message;
    check(blocks, SQLITE_CORRUPT);
    return 0;
}

/* The message's row; 0: there is none. */
static int64_t find_message(Blocks *blocks, BlockKey key)
{
    int64_t found = value(blocks, ST_FIND, 2, (int64_t[]){key.folder, key.uid}, 0);
    return possible_message(blocks, found);
}

static int64_t block_id(int64_t message, uint32_t block)
{
    return message * BLOCKS_MOST + block;
}

void blocks_put(Blocks *blocks, BlockKey key, GBytes *bytes, int64_t used)
{
    int64_t message = find_message(blocks, key);
    if (blocks->state == DATABASE_OK && message == 0) {
        run(blocks, ST_MAKE, 3, (int64_t[]){key.folder, key.uid, used});
        message = possible_message(blocks,
                                   sqlite3_last_insert_rowid(database_handle(blocks->database)));
    }
    if (blocks->state != DATABASE_OK)
        return;
    gsize length;
    const void *data = g_bytes_get_data(bytes, &length);
    sqlite3_stmt *put = blocks->statements[ST_PUT];
    statement_bind(put, 2, (int64_t[]){block_id(message, key.block), checksum(key, data, length)});
    sqlite3_bind_blob64(put, 3, data, length, SQLITE_STATIC);
    check(blocks, sqlite3_step(put));
    sqlite3_reset(put);
}

void blocks_touch(Blocks *blocks, uint32_t folder, uint32_t uid, int64_t used)
{
    run(blocks, ST_TOUCH, 3, (int64_t[]){folder, uid, used});
}

void blocks_delete_message(Blocks *blocks, int64_t id)
{
    run(blocks, ST_DELETE_BLOCKS, 1, &id);
    run(blocks, ST_DELETE_MESSAGE, 1, &id);
}

static GArray *list_messages(Blocks *blocks, int statement, size_t n, const int64_t *values)
{
    GArray *messages = g_array_new(FALSE, FALSE, sizeof(BlocksMessage));
    sqlite3_stmt *list = blocks->statements[statement];
    if (blocks->state != DATABASE_OK)
        return messages;
    int result;
    statement_bind(list, n, values);
    while ((result = sqlite3_step(list)) == SQLITE_ROW) {
        BlocksMessage message = {sqlite3_column_int64(list, 0),
                                 (uint32_t)sqlite3_column_int64(list, 1),
                                 (uint32_t)sqlite3_column_int64(list, 2)};
        g_array_append_val(messages, message);
    }
    sqlite3_reset(list);
    check(blocks, result);
    return messages;
}

GArray *blocks_least_used(Blocks *blocks, unsigned n)
{
    return list_messages(blocks, ST_LEAST_USED, 1, (int64_t[]){n});
}

static bool delete_folder(Blocks *blocks, uint32_t folder, unsigned *budget)
{
    g_autoptr(GArray)
        messages = list_messages(blocks, ST_FOLDER, 2, (int64_t[]){folder, (int64_t)*budget + 1});
    guint n = MIN(messages->len, *budget);
    for (guint i = 0; i < n; i++)
        blocks_delete_message(blocks, g_array_index(messages, BlocksMessage, i).id);
    *budget -= n;
    return messages->len == n;
}

bool blocks_delete(Blocks *blocks, BlockKey key, unsigned *budget)
{
    if (key.uid == 0)
        return delete_folder(blocks, key.folder, budget);
    if (*budget == 0)
        return false;
    int64_t message = find_message(blocks, key);
    if (message && key.block == BLOCK_ALL)
        blocks_delete_message(blocks, message);
    else if (message)
        run(blocks, ST_DELETE_BLOCK, 1, (int64_t[]){block_id(message, key.block)});
    --*budget;
    return true;
}

/* --- moving ---------------------------------------------------------------------------------- */

/* Numbers (uint32_t) of the blocks that a message has. */
static GArray *list_blocks(Blocks *blocks, int64_t message)
{
    GArray *numbers = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    sqlite3_stmt *list = blocks->statements[ST_BLOCKS];
    int result;
    if (blocks->state != DATABASE_OK)
        return numbers;
    statement_bind(list, 1, &message);
    while ((result = sqlite3_step(list)) == SQLITE_ROW) {
        uint32_t number = (uint32_t)(sqlite3_column_int64(list, 0) % BLOCKS_MOST);
        g_array_append_val(numbers, number);
    }
    sqlite3_reset(list);
    check(blocks, result);
    return numbers;
}

/* The checksum that the block has as another one's; false: it is wrong, or unreadable. */
static bool checksum_as(Blocks *blocks, BlockKey key, BlockKey other, uint32_t *as_other)
{
    sqlite3_stmt *read = blocks->statements[ST_READ];
    bind_key(read, key);
    int result = sqlite3_step(read);
    const void *bytes = result == SQLITE_ROW ? sqlite3_column_blob(read, 1) : NULL;
    size_t length = bytes ? (size_t)sqlite3_column_bytes(read, 1) : 0;
    bool right = bytes && checksum(key, bytes, length) == (uint32_t)sqlite3_column_int64(read, 0);
    if (right)
        *as_other = checksum(other, bytes, length);
    sqlite3_reset(read);
    check(blocks, result);
    return right;
}

void blocks_move(Blocks *blocks, BlockKey from, BlockKey to)
{
    int64_t message = find_message(blocks, from);
    if (!message)
        return;
    if (find_message(blocks, to)) {
        blocks_delete_message(blocks, message);
        return;
    }
    g_autoptr(GArray) numbers = list_blocks(blocks, message);
    for (guint i = 0; i < numbers->len; i++) {
        uint32_t number = g_array_index(numbers, uint32_t, i), as_other;
        int64_t id = block_id(message, number);
        if (checksum_as(blocks, (BlockKey){from.folder, from.uid, number},
                        (BlockKey){to.folder, to.uid, number}, &as_other))
            run(blocks, ST_SET_CHECKSUM, 2, (int64_t[]){id, as_other});
        else
            run(blocks, ST_DELETE_BLOCK, 1, &id);
    }
    run(blocks, ST_MOVE, 3, (int64_t[]){message, to.folder, to.uid});
}

/* --- space ---------------------------------------------------------------------------------- */

uint64_t blocks_bytes_total(Blocks *blocks)
{
    return (uint64_t)value(blocks, ST_PAGES, 0, NULL, 0) * PAGE_SIZE;
}

uint64_t blocks_bytes_used(Blocks *blocks)
{
    uint64_t total = blocks_bytes_total(blocks);
    uint64_t unused = (uint64_t)value(blocks, ST_FREE_PAGES, 0, NULL, 0) * PAGE_SIZE;
    return total - MIN(total, unused);
}

void blocks_shrink(Blocks *blocks)
{
    if (blocks->state == DATABASE_OK)
        blocks->state = database_run(blocks->database,
                                     "PRAGMA incremental_vacuum(" G_STRINGIFY(SHRINK_PAGES) ")");
}

uint64_t blocks_log_bytes(const Blocks *blocks)
{
    return (uint64_t)blocks->log_pages * PAGE_SIZE;
}

void blocks_checkpoint(Blocks *blocks)
{
    int pages = 0, done = 0;
    /* RESTART waits for readers, or what is written next would go behind what they read, and the
     * log's file grow beyond its bound. */
    int result = sqlite3_wal_checkpoint_v2(database_handle(blocks->database), NULL,
                                           SQLITE_CHECKPOINT_RESTART, &pages, &done);
    if (result == SQLITE_OK || result == SQLITE_BUSY)
        blocks->log_pages = MAX(pages - done, 0);
}
