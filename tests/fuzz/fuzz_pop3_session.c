/*
 * fuzz_pop3_session.c: all of the POP3 client, from the login to the deletions, against a server
 * that says anything (see session.h). The first byte chooses how to log in.
 */
#include "../../pop3client/store.h"

#include "session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { AT_ONCE = 1 << 3, READ_ONLY = 1 << 4, LEAVES = 1 << 5 };

static uint8_t plan;
static Secret *password;

static MailStore *make_store(void)
{
    static const char *const ways[] = {NULL,      "user",     "plain",       "scram-sha-256",
                                       "xoauth2", "cram-md5", "oauthbearer", "apop"};
    const Pop3Config config = {
        .host = "localhost",
        .port = 110,
        .clear = true,
        .user = "ann",
        .password = password,
        .auth = ways[plan % 8],
        .read_only = plan & READ_ONLY,
        .timeout = 60,
        .idle = plan & LEAVES ? 0 : 5,
        .trace = true,
    };

    return pop3_store_new(&config);
}

static MailOp *operation_of(unsigned number, gpointer data)
{
    static const MailFolderState unknown = {0};
    MailRemove messages;

    switch (number) {
    case 0:
        return mail_store_connect(fuzz.store, operation_done, data);
    case 1:
        return mail_store_list(fuzz.store, take_folder, operation_done, data);
    case 2:
    case 6:
        return mail_store_sync(fuzz.store, "INBOX", &unknown, &take_sync, operation_done, data);
    case 3:
        return fetch_of(MAIL_SECTION_TEXT, 0, data);
    case 4:
        return fetch_of(MAIL_SECTION_BODY, 100, data);
    case 5:
        messages = these();
        return mail_store_remove(fuzz.store, &messages, take_uid, operation_done, data);
    default:
        return NULL;
    }
}

static void begin_next(void)
{
    unsigned number = fuzz.begun;

    if (number >= MOST_OPERATIONS)
        return;
    Operation *operation = operation_new();
    operation->op = operation_of(number, operation);
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
