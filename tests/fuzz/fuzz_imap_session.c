/*
 * fuzz_imap_session.c: all of the IMAP client, from the login to the changes, against a server that
 * says anything (see session.h). The first byte chooses how to log in, and what is asked for.
 */
#include "../../imapclient/store.h"

#include "session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { WATCHES = 7 }; /* of the ways to log in */
enum { AT_ONCE = 1 << 3, READ_ONLY = 1 << 4, CHANGES = 1 << 5, COMPRESSES = 1 << 6, TWO = 1 << 7 };

static uint8_t plan;
static Secret *password;

static void take_change(gpointer data, const char *folder)
{
    (void)data;
    check(*folder, "a folder without a name changes");
}

static void take_note(gpointer data)
{
    (void)data;
}

static void take_folder_state(gpointer data, const char *folder, const MailFolderState *state)
{
    check(!is_done(data) && *folder, "a state is told too late");
    check(!state || state->uidvalidity, "a state of nothing");
}

static MailStore *make_store(void)
{
    static const char *const folders[] = {"INBOX", "Other", NULL};
    static const MailWatchSink watch = {take_change, take_note, take_note};
    static const char *const ways[] = {NULL,      "login",    "plain",       "scram-sha-256",
                                       "xoauth2", "cram-md5", "oauthbearer", NULL};
    const ImapConfig config = {
        .host = "localhost",
        .port = 143,
        .clear = true,
        .user = "ann",
        .password = password,
        .auth = ways[plan % 8],
        .read_only = plan & READ_ONLY,
        .connections = plan & TWO ? 2 : 1,
        .timeout = 60,
        .quiet = 1,
        .compress = plan & COMPRESSES ? IMAP_COMPRESS_ON : IMAP_COMPRESS_AUTO,
        .trace = true,
        .stand_in = 7,
    };

    MailStore *store = imap_store_new(&config);

    if (plan % 8 == WATCHES) {
        mail_store_watch(store, folders, &watch, NULL);
        fuzz.patience = 20;
    }
    return store;
}

static void take_copied(gpointer data, uint32_t uid, uint32_t uidvalidity, uint32_t copy)
{
    (void)uidvalidity, (void)copy;
    take_uid(data, uid);
}

static const MailCopySink take_copy = {take_copied, take_uid, take_uid, take_uid};

static void take_appended(gpointer data, uint32_t uidvalidity, uint32_t uid)
{
    (void)uid, (void)uidvalidity;
    check(!is_done(data), "appended too late");
}

static void take_unsure(gpointer data)
{
    check(!is_done(data), "unsure too late");
}

static const MailAppendSink take_append = {take_appended, take_unsure};

static void take_found(gpointer data, uint32_t uidvalidity, uint32_t uid, uint64_t length)
{
    (void)uidvalidity, (void)length;
    check(!is_done(data) && uid, "found nothing, or too late");
}

static void take_permanent(gpointer data, const char *flags)
{
    check(!is_done(data), "flags are told too late");
    check(!flags || g_utf8_validate(flags, -1, NULL), "flags in no UTF-8");
}

static const MailFlagsSink take_flags = {take_permanent, take_uid, take_uid};

static MailOp *append(gpointer data)
{
    static const char text[] = "Subject: x\r\n\r\ny\r\n";
    g_autoptr(GBytes) bytes = g_bytes_new_static(text, strlen(text));
    const MailAppend append = {.folder = "INBOX",
                               .flags = "\\Seen",
                               .has_date = true,
                               .date = 1000000000,
                               .size = strlen(text),
                               .bytes = bytes,
                               .fd = -1};

    return mail_store_append(fuzz.store, &append, &take_append, operation_done, data);
}

static MailOp *change(unsigned number, gpointer data)
{
    MailRemove messages = these();
    const MailCopy copy = {"INBOX", 1, fuzz.uids, fuzz.n_uids, "Other"};
    const MailFind find = {"INBOX", 1, 1, "<a@b>"};
    const MailFlags flags = {"INBOX", 1, fuzz.uids, fuzz.n_uids, MAIL_FLAGS_SET, "\\Seen new", 5};

    switch (number) {
    case 0:
        return append(data);
    case 1:
        return mail_store_flags(fuzz.store, &flags, &take_flags, operation_done, data);
    case 2:
        return mail_store_copy(fuzz.store, &copy, &take_copy, operation_done, data);
    case 3:
        return mail_store_move(fuzz.store, &copy, &take_copy, operation_done, data);
    case 4:
        return mail_store_find(fuzz.store, &find, take_found, operation_done, data);
    case 5:
        return mail_store_create(fuzz.store, "", "New", take_folder, operation_done, data);
    case 6:
        return mail_store_rename(fuzz.store, "Other", "", "New", take_folder, operation_done, data);
    case 7:
        return mail_store_delete(fuzz.store, "Other", operation_done, data);
    case 8:
        return mail_store_remove(fuzz.store, &messages, take_uid, operation_done, data);
    default:
        return NULL;
    }
}

static MailOp *look(unsigned number, gpointer data)
{
    static const MailFolderState unknown = {0};
    static const MailFolderState known = {1, 5, 7, 2, false};
    static const char *const folders[] = {"INBOX", "Other", NULL};

    switch (number) {
    case 0:
        return mail_store_connect(fuzz.store, operation_done, data);
    case 1:
        return mail_store_list(fuzz.store, take_folder, operation_done, data);
    case 2:
        return mail_store_sync(fuzz.store, "INBOX", &unknown, &take_sync, operation_done, data);
    case 3:
        return fetch_of(MAIL_SECTION_TEXT, 0, data);
    case 4:
        return fetch_of(MAIL_SECTION_BODY, 100, data);
    case 5:
        return mail_store_sync(fuzz.store, "INBOX", &known, &take_sync, operation_done, data);
    case 6:
        return mail_store_states(fuzz.store, folders, take_folder_state, operation_done, data);
    default:
        return NULL;
    }
}

/* With CHANGES: connects, lists, and then changes. */
static void begin_next(void)
{
    unsigned number = fuzz.begun;

    if (number >= MOST_OPERATIONS)
        return;
    Operation *operation = operation_new();
    operation->op = plan & CHANGES && number > 0 ? change(number - 1, operation)
                                                 : look(number, operation);
    if (!operation->op)
        fuzz.begun = MOST_OPERATIONS;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    plan = data[0];
    password = secret_new(PASSWORD, -1);
    fuzz_session(data + 1, size - 1, make_store, plan & AT_ONCE);
    secret_free(password);
    return 0;
}
