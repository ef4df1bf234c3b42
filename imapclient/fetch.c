#include "op.h"

#include "limits.h"
#include "outcome.h"
#include "section.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    /* So many messages besides those asked for are remembered by their sequence numbers. */
    OTHERS = 1000,
    /* In a command: a line of 8192 octets every server takes (RFC 7162 section 4), and no UID with
     * its comma is longer than 11. */
    UIDS_AT_ONCE = 700,
};

typedef struct {
    MailOp op;
    MailFetchSink sink;
    uint32_t uidvalidity;
    uint32_t *uids;
    size_t n_uids;
    MailRange *ranges;
    size_t n_ranges;
    uint64_t limit;
    GHashTable *uid_of; /* sequence number -> UID, as this command's answers told them */
    bool lost;          /* some are not in uid_of */
    uint64_t guessed;   /* number that must be of the one message, though no UID said so; or 0 */
    unsigned running;   /* commands under way */
    GError *failure;
} FetchOp;

static void fail(FetchOp *fetch, int code, const char *text)
{
    if (!fetch->failure)
        fetch->failure = g_error_new(MAIL_ERROR, code, "fetching from %s: %s", fetch->op.folder,
                                     text);
}

static bool wanted(const FetchOp *fetch, uint64_t uid)
{
    uint32_t key = (uint32_t)uid;

    return uid <= UINT32_MAX &&
           bsearch(&key, fetch->uids, fetch->n_uids, sizeof key, mail_compare_uids) != NULL;
}

static uint64_t longest(const FetchOp *fetch, const MailRange *range)
{
    return range->length ? range->length : fetch->limit;
}

static bool fetch_literal(gpointer data, const char *item, uint64_t *limit)
{
    const FetchOp *fetch = data;

    for (size_t i = 0; i < fetch->n_ranges; i++) {
        if (imap_section_matches(item, &fetch->ranges[i])) {
            *limit = longest(fetch, &fetch->ranges[i]);
            return true;
        }
    }
    return false;
}

static bool read_uid(const ImapValue *items, uint64_t *uid)
{
    bool found = false;

    for (size_t i = 0; i + 1 < imap_value_count(items); i += 2)
        if (imap_value_is(imap_value_item(items, i), "UID"))
            found = imap_value_number(imap_value_item(items, i + 1), uid) || found;
    return found;
}

static void remember_uid(FetchOp *fetch, gpointer number, uint64_t uid)
{
    if (uid <= UINT32_MAX && g_hash_table_size(fetch->uid_of) < fetch->n_uids + OTHERS)
        g_hash_table_replace(fetch->uid_of, number, GUINT_TO_POINTER((guint)uid));
    else
        fetch->lost = true;
}

static void forget_numbers(FetchOp *fetch)
{
    g_hash_table_remove_all(fetch->uid_of);
    fetch->guessed = 0;
}

static gboolean is_uid(gpointer number, gpointer uid, gpointer wanted_uid)
{
    (void)number;
    return uid == wanted_uid;
}

/* Whether an answer without a UID can be of nothing but the one message that was asked for. */
static bool guess(FetchOp *fetch, uint64_t number)
{
    if (fetch->n_uids > 1 || fetch->lost || (fetch->guessed && fetch->guessed != number) ||
        imap_conn_load(imap_session_conn(fetch->op.session)) > 1 ||
        g_hash_table_find(fetch->uid_of, is_uid, GUINT_TO_POINTER(fetch->uids[0])))
        return false;
    fetch->guessed = number;
    return number > 0;
}

/* An answer that names its UID: does it fit what was guessed? */
static bool fits_guess(const FetchOp *fetch, uint64_t number, uint64_t uid)
{
    return !fetch->guessed || (number == fetch->guessed) == (uid == fetch->uids[0]);
}

/* The UID may stand anywhere in an answer, or in an earlier one of the same message. False where
 * nothing tells it. */
static bool find_uid(FetchOp *fetch, const ImapResponse *response, const ImapValue *items,
                     uint64_t *uid)
{
    gpointer number = GUINT_TO_POINTER((guint)response->number);

    if (read_uid(items, uid)) {
        if (!fits_guess(fetch, response->number, *uid))
            fail(fetch, EPROTO, "the server sent another message's content too");
        remember_uid(fetch, number, *uid);
        return true;
    }
    *uid = GPOINTER_TO_UINT(g_hash_table_lookup(fetch->uid_of, number));
    if (!*uid && guess(fetch, response->number))
        *uid = fetch->uids[0];
    return *uid > 0;
}

static void deliver(FetchOp *fetch, uint32_t uid, const MailRange *range, const ImapValue *value)
{
    bool nothing = value->kind == IMAP_NIL;
    uint64_t length = nothing ? 0 : value->length;
    g_autoptr(GBytes) bytes = NULL;

    if (length > longest(fetch, range)) {
        fail(fetch, range->length ? EPROTO : EFBIG, "the server sent more than was asked for");
        return;
    }
    /* A header or a text may be missing; a message without anything is one that can't be had. */
    if (value->kind == IMAP_STRING)
        bytes = imap_value_bytes(value);
    else if (nothing && (range->section != MAIL_SECTION_BODY || range->offset > 0))
        bytes = g_bytes_new(NULL, 0);
    if (!bytes) {
        fail(fetch, EPROTO, "the server sent something else than content");
        return;
    }
    fetch->op.told = true;
    fetch->sink(fetch->op.data, uid, range, bytes);
}

static const MailRange *find_range(const FetchOp *fetch, const ImapValue *name)
{
    const char *item = imap_value_text(name);

    for (size_t r = 0; item && r < fetch->n_ranges; r++)
        if (imap_section_matches(item, &fetch->ranges[r]))
            return &fetch->ranges[r];
    return NULL;
}

/* Whether the answer holds anything that was asked for; it is delivered if uid is not 0. */
static bool take_items(FetchOp *fetch, const ImapValue *items, uint32_t uid)
{
    bool any = false;

    for (size_t i = 0; i + 1 < imap_value_count(items); i += 2) {
        const MailRange *range = find_range(fetch, imap_value_item(items, i));
        any = any || range;
        if (range && uid)
            deliver(fetch, uid, range, imap_value_item(items, i + 1));
    }
    return any;
}

static bool take_answer(FetchOp *fetch, const ImapResponse *response)
{
    const ImapValue *items = imap_value_item(response->values, 0);
    uint64_t uid = 0;

    if (!find_uid(fetch, response, items, &uid)) {
        /* Of whom it is nobody knows; who has it must not be taken for gone. */
        if (take_items(fetch, items, 0))
            fail(fetch, EPROTO, "the server sent content without the UID that tells whose it is");
        return false;
    }
    if (!wanted(fetch, uid))
        return false;
    g_autoptr(GError)
        elsewhere = imap_session_selected(fetch->op.session, fetch->op.folder, fetch->uidvalidity);
    return take_items(fetch, items, elsewhere ? 0 : (uint32_t)uid);
}

/* Claims the answer where it holds anything that was asked for. */
static bool fetch_untagged(gpointer data, const ImapResponse *response)
{
    FetchOp *fetch = data;

    if (strcmp(response->name, "FETCH") == 0)
        return take_answer(fetch, response);
    if (strcmp(response->name, "EXPUNGE") == 0 || strcmp(response->name, "VANISHED") == 0)
        forget_numbers(fetch); /* others have them now */
    return false;
}

static void fetch_done(gpointer data, const ImapResponse *response, const GError *error)
{
    FetchOp *fetch = data;
    GError *failure = error ? g_error_copy(error)
                            : imap_session_selected(fetch->op.session, fetch->op.folder,
                                                    fetch->uidvalidity);

    if (failure) {
        g_clear_error(&fetch->failure);
        fetch->failure = failure;
    } else if (!fetch->failure && !imap_has_code(response, "EXPUNGEISSUED")) {
        /* A NO of that kind is about messages that are gone (RFC 5530): the others were answered.
         */
        g_autofree char *what = g_strdup_printf("fetching from %s", fetch->op.folder);
        fetch->failure = imap_outcome(response, what);
    }
    if (--fetch->running == 0)
        imap_op_finish(&fetch->op, g_steal_pointer(&fetch->failure));
}

static const ImapRequestEvents fetch_events = {
    .untagged = fetch_untagged,
    .literal = fetch_literal,
    .done = fetch_done,
};

static void send_fetch(FetchOp *fetch, const uint32_t *uids, size_t n, const char *items)
{
    ImapCommand *command = imap_command_new("UID FETCH");

    imap_command_uids(command, uids, n);
    imap_command_rawf(command, "(%s)", items);
    fetch->running++;
    imap_conn_send(imap_session_conn(fetch->op.session), command, 0, &fetch_events, fetch);
}

static void fetch_start(MailOp *op)
{
    FetchOp *fetch = (FetchOp *)op;
    g_autoptr(GString) items = g_string_new(NULL);
    size_t at = 0;

    g_clear_error(&fetch->failure);
    forget_numbers(fetch);
    fetch->lost = false;
    if (g_strcmp0(imap_session_target(op->session), op->folder) != 0 ||
        (fetch->n_uids > 0 && imap_session_is_behind(op->session, fetch->uids[fetch->n_uids - 1])))
        imap_session_select(op->session, op->folder, NULL, NULL, NULL);
    for (size_t i = 0; i < fetch->n_ranges; i++)
        imap_section_append(items, &fetch->ranges[i]);
    fetch->running = 0;
    do {
        size_t n = MIN(fetch->n_uids - at, UIDS_AT_ONCE);
        send_fetch(fetch, fetch->uids + at, n, items->str);
        at += n;
    } while (at < fetch->n_uids);
}

static void fetch_free(MailOp *op)
{
    FetchOp *fetch = (FetchOp *)op;

    g_free(fetch->uids);
    g_free(fetch->ranges);
    g_hash_table_unref(fetch->uid_of);
    g_clear_error(&fetch->failure);
    imap_op_free(op);
}

static const ImapOpClass fetch_class = {.start = fetch_start, .free = fetch_free};

MailOp *imap_fetch_new(const MailFetch *request, MailFetchSink sink, MailDone done, gpointer data)
{
    MailOp *op = imap_op_new(sizeof(FetchOp), &fetch_class, request->folder, done, data);
    FetchOp *fetch = (FetchOp *)op;

    op->bulk = op->ahead = request->ahead;
    fetch->sink = sink;
    fetch->uidvalidity = request->uidvalidity;
    fetch->uids = g_memdup2(request->uids, request->n_uids * sizeof *request->uids);
    fetch->n_uids = request->n_uids;
    fetch->ranges = g_memdup2(request->ranges, request->n_ranges * sizeof *request->ranges);
    fetch->n_ranges = request->n_ranges;
    fetch->limit = MIN(request->limit ? request->limit : IMAP_MAX_FETCH, IMAP_MAX_FETCH);
    fetch->uid_of = g_hash_table_new(NULL, NULL);
    return op;
}
