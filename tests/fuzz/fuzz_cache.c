/*
 * fuzz_cache.c: a cache whose files hold anything: whatever that is, the cache opens, answers from
 * what makes sense, and goes on to keep new things.
 *
 * The first byte chooses: a file as a whole, which is the rest; or, in a cache that is good but for
 * that, what stands in its rows: each instruction is a table, a column, a row, a type and a value.
 */
#include "../../cache/catalog.h"
#include "../../cache/content.h"
#include "../../cache/journal.h"

#include <glib/gstdio.h>
#include <sqlite3.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MESSAGES = 6, MOST_MESSAGES = 1000, MOST_INSTRUCTIONS = 32, BOUND = 16 << 20, FILES = 2 };

static const char *const files[FILES] = {"index.db", "content.db"};
static char *directory;
static char *good[FILES]; /* of the files, as they should be */
static gsize good_size[FILES];

static void check(bool fine, const char *what)
{
    if (!fine)
        g_error("%s", what);
}

static void take_log(const char *domain, GLogLevelFlags level, const char *message, gpointer data)
{
    (void)domain, (void)data;
    if (level & (G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL)) {
        fprintf(stderr, "%s\n", message);
        abort();
    }
}

/* Leaves the directory empty. */
static void empty(void)
{
    g_autoptr(GDir) dir = g_dir_open(directory, 0, NULL);

    for (const char *name; dir && (name = g_dir_read_name(dir));) {
        g_autofree char *path = g_build_filename(directory, name, NULL);
        g_unlink(path);
    }
}

static void clean_up(void)
{
    empty();
    g_rmdir(directory);
}

static void write_file(const char *name, const void *bytes, size_t size)
{
    g_autofree char *path = g_build_filename(directory, name, NULL);
    FILE *file = fopen(path, "we");

    check(file && fwrite(bytes, 1, size, file) == size, "no disk to test on");
    fclose(file);
}

/* --- a cache as it should be ------------------------------------------------------------------ */

static uint32_t fill_catalog(Catalog *catalog)
{
    static const MailFolderState state = {5, MESSAGES + 1, 9, MESSAGES, false};
    uint32_t folder = catalog_put_folder(catalog, &(MailFolderInfo){"INBOX", '/', 0});

    catalog_put_folder(catalog, &(MailFolderInfo){"INBOX/A", '/', MAIL_FOLDER_NOINFERIORS});
    folder = catalog_reset_folder(catalog, folder, 5);
    for (uint32_t uid = 1; uid <= MESSAGES; uid++) {
        const MailMessage message = {uid,
                                     MAIL_HAS_SIZE | MAIL_HAS_DATE | MAIL_HAS_FLAGS,
                                     100,
                                     1000000000,
                                     uid % 2 ? "\\Seen" : "",
                                     NULL};
        catalog_put_messages(catalog, folder, &message, 1);
    }
    catalog_prove(catalog, folder, 1, 20, 100, CATALOG_SIZE_PROVED);
    catalog_give_name(catalog, folder, 2, "own name", NULL);
    catalog_identify(catalog, folder, "unique", 0);
    catalog_identified(catalog);
    catalog_put_state(catalog, folder, &state);
    return folder;
}

static void fill_content(Content *content, uint32_t folder)
{
    for (uint32_t uid = 1; uid <= MESSAGES; uid++) {
        g_autofree char *text = g_strnfill(100, (char)('a' + uid));
        g_autoptr(GBytes) bytes = g_bytes_new(text, 100);
        content_put(content, folder, uid, 0, bytes);
    }
}

static void make_good(void)
{
    const char *shm = g_file_test("/dev/shm", G_FILE_TEST_IS_DIR) ? "/dev/shm" : g_get_tmp_dir();

    directory = g_build_filename(shm, "pullmail-fuzz.XXXXXX", NULL);
    check(g_mkdtemp_full(directory, 0700) != NULL, "no directory to test in");
    atexit(clean_up);
    {
        g_autoptr(Catalog) catalog = catalog_open(directory);
        g_autoptr(Content) content = content_open(directory, BOUND);
        g_autoptr(Journal) journal = journal_open(directory);
        uint32_t folder = fill_catalog(catalog);
        fill_content(content, folder);
        journal_add_removal(journal, (JournalRemoval){folder, 3}, NULL, NULL);
        journal_add_mark(journal, (JournalRemoval){folder, 4});
        catalog_flush(catalog);
        content_flush(content);
    }
    for (size_t i = 0; i < FILES; i++) {
        g_autofree char *path = g_build_filename(directory, files[i], NULL);
        if (!g_file_get_contents(path, &good[i], &good_size[i], NULL))
            good[i] = NULL;
    }
}

/* --- what is wrong with it -------------------------------------------------------------------- */

/* The n-th, by turns, of what the query tells; NULL: there is none. */
static char *nth(sqlite3 *database, const char *query, unsigned n, int column)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    sqlite3_stmt *statement = NULL;

    if (sqlite3_prepare_v2(database, query, -1, &statement, NULL) == SQLITE_OK)
        while (sqlite3_step(statement) == SQLITE_ROW)
            g_ptr_array_add(names, g_strdup((const char *)sqlite3_column_text(statement, column)));
    sqlite3_finalize(statement);
    return names->len ? g_strdup(g_ptr_array_index(names, n % names->len)) : NULL;
}

static void bind_value(sqlite3_stmt *statement, uint8_t type, const uint8_t *bytes, size_t length)
{
    int64_t number = 0;
    double real;

    memcpy(&number, bytes, MIN(length, sizeof number));
    memcpy(&real, &number, sizeof real);
    switch (type % 5) {
    case 0:
        sqlite3_bind_int64(statement, 1, number);
        break;
    case 1:
        sqlite3_bind_int64(statement, 1, (int8_t)number);
        break;
    case 2:
        sqlite3_bind_double(statement, 1, real);
        break;
    case 3:
        sqlite3_bind_text(statement, 1, (const char *)bytes, (int)length, SQLITE_TRANSIENT);
        break;
    default:
        sqlite3_bind_blob(statement, 1, bytes, (int)length, SQLITE_TRANSIENT);
    }
}

static void change_cell(sqlite3 *database, const uint8_t *instruction, const uint8_t *value,
                        size_t length)
{
    g_autofree char *table = nth(database, "SELECT name FROM sqlite_schema WHERE type = 'table'",
                                 instruction[0], 0);
    g_autofree char *columns = g_strdup_printf("PRAGMA table_info(%s)", table ? table : "x");
    g_autofree char *column = nth(database, columns, instruction[1], 1);
    /* a row of the table; all of them */
    g_autofree char *where = instruction[2] % 8 < MESSAGES
                                 ? g_strdup_printf(
                                       "WHERE %s IN (SELECT %s FROM %s LIMIT 1 OFFSET %u)", column,
                                       column, table, instruction[2] % 8)
                                 : g_strdup("");
    g_autofree char *update = g_strdup_printf("UPDATE OR IGNORE %s SET %s = ?1 %s", table, column,
                                              where);
    sqlite3_stmt *statement = NULL;

    if (sqlite3_prepare_v2(database, update, -1, &statement, NULL) == SQLITE_OK) {
        bind_value(statement, instruction[3], value, length);
        sqlite3_step(statement);
    }
    sqlite3_finalize(statement);
}

static void change_rows(const char *name, const uint8_t *data, size_t size)
{
    g_autofree char *path = g_build_filename(directory, name, NULL);
    sqlite3 *database = NULL;

    if (sqlite3_open_v2(path, &database, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK) {
        sqlite3_exec(database, "PRAGMA synchronous = OFF", NULL, NULL, NULL);
        for (unsigned i = 0; i < MOST_INSTRUCTIONS && size > 5; i++) {
            size_t length = MIN(data[4] % 32u, size - 5);
            change_cell(database, data, data + 5, length);
            data += 5 + length;
            size -= 5 + length;
        }
    }
    sqlite3_close(database);
}

/* --- what the cache makes of it --------------------------------------------------------------- */

static void look_at_message(Catalog *catalog, Content *content, uint32_t folder,
                            const CatalogMessage *message)
{
    g_autofree char *flags = catalog_flags(catalog, message->flag_set);
    g_autofree char *given = catalog_given_name(catalog, folder, message->uid);
    char bytes[200];
    unsigned which;
    g_autofree char *name = catalog_name(catalog, folder, message->uid, &which);

    check(message->uid > 0 && message->size <= INT64_MAX, "an impossible message");
    check(!given || (*given && !strchr(given, '/')), "an impossible name");
    size_t held = content_held(content, folder, message->uid, 0);
    check(held <= CONTENT_BLOCK, "a block is too long");
    content_read(content, folder, message->uid, 0, MIN(held, sizeof bytes), bytes);
}

static void look_at_folder(Catalog *catalog, Content *content, const CatalogFolder *folder)
{
    CatalogMessage messages[16];
    size_t n, all = 0;

    check(*folder->name && folder->id, "a folder without a name");
    for (uint32_t after = 0;
         all < MOST_MESSAGES && (n = catalog_messages_after(catalog, folder->id, after, messages,
                                                            G_N_ELEMENTS(messages))) > 0;
         after = messages[n - 1].uid, all += n)
        for (size_t i = 0; i < n; i++) {
            check(messages[i].uid > after, "messages do not ascend");
            look_at_message(catalog, content, folder->id, &messages[i]);
        }
}

/* Whatever it was: new things are kept. */
static void go_on(Catalog *catalog, Content *content)
{
    uint32_t folder = catalog_put_folder(catalog, &(MailFolderInfo){"After", '/', 0});
    const MailMessage message = {7, MAIL_HAS_SIZE, 3, 0, NULL, NULL};
    g_autoptr(GBytes) bytes = g_bytes_new_static("new", 3);
    CatalogMessage copy;
    char read[3];

    folder = catalog_reset_folder(catalog, folder, 1);
    catalog_put_messages(catalog, folder, &message, 1);
    content_drop(content, folder, 7);
    content_put(content, folder, 7, 0, bytes);
    check(catalog_message(catalog, folder, 7, &copy) && copy.size == 3, "a message is not kept");
    check(content_read(content, folder, 7, 0, 3, read) && memcmp(read, "new", 3) == 0,
          "bytes are not kept");
    content_flush(content);
    catalog_flush(catalog);
    if (content_read(content, folder, 7, 0, 3, read))
        check(memcmp(read, "new", 3) == 0, "other bytes were kept");
}

static void use(void)
{
    g_autoptr(Catalog) catalog = catalog_open(directory);
    g_autoptr(Content) content = content_open(directory, BOUND);
    g_autoptr(Journal) journal = journal_open(directory);
    g_autoptr(GArray) folders = catalog_folders(catalog);
    g_autoptr(GArray) removals = journal_removals(journal);
    g_autoptr(GArray) marks = journal_marks(journal);
    uint64_t right, wrong;

    catalog_size_record(catalog, &right, &wrong);
    for (guint i = 0; i < folders->len; i++)
        look_at_folder(catalog, content, &g_array_index(folders, CatalogFolder, i));
    for (guint i = 0; i < removals->len && i < MOST_MESSAGES; i++)
        journal_end_removal(journal, g_array_index(removals, JournalRemoval, i));
    go_on(catalog, content);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    if (!directory) {
        g_log_set_default_handler(take_log, NULL);
        make_good();
    }
    empty();
    for (size_t i = 0; i < FILES; i++)
        if (good[i])
            write_file(files[i], good[i], good_size[i]);
    const char *name = files[data[0] % FILES];
    if (data[0] & 0x80)
        write_file(name, data + 1, size - 1);
    else
        change_rows(name, data + 1, size - 1);
    use();
    return 0;
}
