#include "mailbox.h"

#include "limits.h"

#include <string.h>

void imap_mailbox_clear(ImapMailbox *mailbox)
{
    g_free(mailbox->name);
    g_free(mailbox->permanent);
    *mailbox = (ImapMailbox){0};
}

/* Codes of a selection that tell nothing that matters here. */
static bool is_dull(const ImapValue *name)
{
    static const char *const dull[] = {"UNSEEN", "NOMODSEQ", "READ-WRITE", "MAILBOXID",
                                       "UIDNOTSTICKY"};

    for (size_t i = 0; i < G_N_ELEMENTS(dull); i++)
        if (imap_value_is(name, dull[i]))
            return true;
    return false;
}

/* What is told ahead of CLOSED is of the mailbox that was selected before (RFC 7162 3.2.11). */
static void forget_previous(ImapMailbox *mailbox)
{
    g_free(mailbox->permanent);
    *mailbox = (ImapMailbox){.name = mailbox->name};
}

static bool take_code(ImapMailbox *mailbox, const ImapValue *code)
{
    const ImapValue *name = imap_value_item(code, 0);
    uint64_t number = 0;

    if (imap_value_is(name, "CLOSED")) {
        forget_previous(mailbox);
        return true;
    }
    if (imap_value_is(name, "READ-ONLY")) {
        mailbox->read_only = true;
        return true;
    }
    if (imap_value_is(name, "PERMANENTFLAGS")) {
        g_free(mailbox->permanent);
        mailbox->permanent = imap_value_flags(imap_value_item(code, 1));
        return true;
    }
    if (!imap_value_number(imap_value_item(code, 1), &number))
        return is_dull(name);
    if (imap_value_is(name, "HIGHESTMODSEQ"))
        mailbox->modseq = number;
    else if (number > UINT32_MAX)
        return false;
    else if (imap_value_is(name, "UIDVALIDITY"))
        mailbox->uidvalidity = (uint32_t)number;
    else if (imap_value_is(name, "UIDNEXT"))
        mailbox->uidnext = (uint32_t)number;
    else
        return is_dull(name);
    return true;
}

bool imap_mailbox_take(ImapMailbox *mailbox, const ImapResponse *response)
{
    if (strcmp(response->name, "OK") == 0)
        return take_code(mailbox, response->code);
    if (strcmp(response->name, "EXISTS") == 0) {
        mailbox->changed = mailbox->changed || mailbox->exists != response->number;
        mailbox->exists = (uint32_t)MIN(response->number, UINT32_MAX);
    } else if (strcmp(response->name, "EXPUNGE") == 0) {
        mailbox->changed = true;
        if (mailbox->exists > 0)
            mailbox->exists--;
    } else if (strcmp(response->name, "VANISHED") == 0 || strcmp(response->name, "FETCH") == 0) {
        mailbox->changed = true;
    } else {
        return strcmp(response->name, "RECENT") == 0 || strcmp(response->name, "FLAGS") == 0;
    }
    return true;
}

bool imap_mailbox_keeps(const ImapMailbox *mailbox, const char *flag)
{
    g_auto(GStrv) flags = mailbox->permanent ? g_strsplit(mailbox->permanent, " ", -1) : NULL;

    for (size_t i = 0; flags && flags[i]; i++)
        if (g_ascii_strcasecmp(flags[i], flag) == 0 ||
            (*flag != '\\' && strcmp(flags[i], "\\*") == 0))
            return true;
    return !flags;
}

static int by_first(gconstpointer a, gconstpointer b)
{
    const MailUidRange *left = a, *right = b;

    return (left->first > right->first) - (left->first < right->first);
}

/* One end of a range: a number, or "*" for the highest there is. */
static bool read_uid(const char **text, uint32_t *uid)
{
    guint64 number = 0;

    if (**text == '*') {
        *uid = UINT32_MAX;
        (*text)++;
        return true;
    }
    if (!g_ascii_isdigit(**text))
        return false;
    for (; g_ascii_isdigit(**text); (*text)++) {
        number = number * 10 + (guint64)(**text - '0');
        if (number > UINT32_MAX)
            return false;
    }
    *uid = (uint32_t)number;
    return number > 0;
}

void imap_uid_merge(GArray *ranges)
{
    guint kept = 0;

    g_array_sort(ranges, by_first);
    for (guint i = 1; i < ranges->len; i++) {
        MailUidRange *last = &g_array_index(ranges, MailUidRange, kept);
        MailUidRange next = g_array_index(ranges, MailUidRange, i);
        if (next.first <= last->last || next.first - last->last == 1)
            last->last = MAX(last->last, next.last);
        else
            g_array_index(ranges, MailUidRange, ++kept) = next;
    }
    if (ranges->len)
        g_array_set_size(ranges, kept + 1);
}

GArray *imap_uid_set(const char *text)
{
    g_autoptr(GArray) ranges = g_array_new(FALSE, FALSE, sizeof(MailUidRange));

    while (*text) {
        MailUidRange range;
        if (ranges->len && *text++ != ',')
            return NULL;
        if (!read_uid(&text, &range.first))
            return NULL;
        range.last = range.first;
        if (*text == ':') {
            text++;
            if (!read_uid(&text, &range.last))
                return NULL;
        }
        if (range.last < range.first) {
            uint32_t swap = range.first;
            range.first = range.last;
            range.last = swap;
        }
        if (ranges->len >= IMAP_MAX_ITEMS)
            return NULL;
        g_array_append_val(ranges, range);
    }
    if (!ranges->len)
        return NULL;
    imap_uid_merge(ranges);
    return g_steal_pointer(&ranges);
}
