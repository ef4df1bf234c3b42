#include "folderop.h"

#include "limits.h"
#include "names.h"
#include "net/quote.h"
#include "outcome.h"

#include <errno.h>
#include <string.h>

enum { SUBSCRIPTIONS = 10000 }; /* that go along when a folder is renamed */

/* --- answers -----------------------------------------------------------------------------------
 */

static void forget(ImapFolderOp *folder, ImapFolderAsk ask)
{
    imap_listing_clear(&folder->found[ask]);
    folder->found[ask] = (ImapListing){0};
}

static bool is_below(const char *name, const char *folder, char delimiter)
{
    return delimiter && g_str_has_prefix(name, folder) && name[strlen(folder)] == delimiter;
}

/* A name with '%' or '*' in it is a pattern, and may find others too. */
static bool is_wanted(const ImapFolderOp *folder, ImapFolderAsk ask, const ImapListing *listing)
{
    const char *const wanted[] = {folder->old, folder->parent, folder->name};

    if (ask == IMAP_FOLDER_PARENT && !folder->parent)
        return listing->is_root;
    return wanted[ask] && g_strcmp0(listing->name, wanted[ask]) == 0;
}

/* The answers to several commands may come before the first is completed: what one hears is taken
 * for whatever it is. */
static void take_listing(ImapFolderPart *part, const ImapResponse *response)
{
    ImapFolderOp *folder = part->folder;
    g_auto(ImapListing) listing = {0};
    bool told = imap_listing_read(&listing, folder->op.session, response);
    bool is_old = told && is_wanted(folder, IMAP_FOLDER_OLD, &listing);
    bool below = told && folder->old && is_below(listing.name, folder->old, listing.delimiter);

    if (below || (!told && part->ask == IMAP_FOLDER_CHILDREN))
        folder->has_children = true;
    if (listing.subscribed && (is_old || below) && folder->subscribed->len < SUBSCRIPTIONS &&
        !g_ptr_array_find_with_equal_func(folder->subscribed, listing.name, g_str_equal, NULL))
        g_ptr_array_add(folder->subscribed, g_strdup(listing.name));
    /* A subscription is to a name, which need not be one of a folder. */
    if (strcmp(response->name, "LSUB") == 0 ||
        (listing.subscribed && (listing.attributes & MAIL_FOLDER_NONEXISTENT)))
        return;
    for (ImapFolderAsk ask = 0; ask <= IMAP_FOLDER_NEW; ask++) {
        if (!is_wanted(folder, ask, &listing))
            continue;
        forget(folder, ask);
        folder->found[ask] = listing;
        folder->found[ask].name = g_strdup(listing.name);
    }
}

static bool part_untagged(gpointer data, const ImapResponse *response)
{
    ImapFolderPart *part = data;
    ImapFolderOp *folder = part->folder;

    if (strcmp(response->name, "LIST") == 0 || strcmp(response->name, "LSUB") == 0)
        take_listing(part, response);
    else if (imap_status_read(folder->op.session, response, folder->old ? folder->old : "",
                              "MESSAGES", &folder->messages))
        folder->has_messages = true;
    return false; /* others may have asked for the same */
}

/* --- steps -------------------------------------------------------------------------------------
 */

static char *describe(const ImapFolderOp *folder)
{
    const char *verb = !folder->old ? "making" : folder->level ? "renaming" : "deleting";

    return g_strdup_printf("%s folder %s", verb, folder->old ? folder->old : folder->level);
}

static void answered(ImapFolderOp *folder)
{
    if (--folder->running > 0)
        return;
    if (folder->failure)
        imap_folder_finish(folder, g_steal_pointer(&folder->failure));
    else
        folder->next(folder);
}

static void part_done(gpointer data, const ImapResponse *response, const GError *error)
{
    ImapFolderPart *part = data;
    ImapFolderOp *folder = part->folder;
    g_autofree char *what = describe(folder);
    g_autoptr(GError) refusal = NULL;

    if (error) {
        imap_folder_finish(folder, g_error_copy(error));
        return;
    }
    refusal = imap_refusal(response, what);
    if (refusal && part->ask >= IMAP_FOLDER_MESSAGES && part->ask != IMAP_FOLDER_CHANGE)
        g_info("%s", refusal->message);
    else if (refusal && !folder->failure)
        folder->failure = g_steal_pointer(&refusal);
    answered(folder);
}

static const ImapRequestEvents part_events = {.untagged = part_untagged, .done = part_done};

void imap_folder_step(ImapFolderOp *folder, void (*next)(ImapFolderOp *folder))
{
    folder->next = next;
    folder->running = 1;
}

void imap_folder_sent(ImapFolderOp *folder)
{
    answered(folder);
}

static void send(ImapFolderOp *folder, ImapFolderAsk ask, ImapCommand *command)
{
    folder->running++;
    imap_conn_send_for(imap_session_conn(folder->op.session), command, &part_events,
                       &folder->parts[ask], folder);
}

static bool add_name(ImapFolderOp *folder, ImapCommand *command, const char *name)
{
    GError *error = NULL;

    if (imap_session_add_mailbox(folder->op.session, command, name, &error))
        return true;
    if (!folder->failure)
        folder->failure = g_steal_pointer(&error);
    g_clear_error(&error);
    return false;
}

void imap_folder_send(ImapFolderOp *folder, ImapFolderAsk ask, const char *verb, const char *name,
                      const char *other)
{
    g_autoptr(ImapCommand) command = imap_command_new(verb);

    if (!add_name(folder, command, name) || (other && !add_name(folder, command, other)))
        return;
    folder->sent = folder->sent || ask == IMAP_FOLDER_CHANGE;
    send(folder, ask, g_steal_pointer(&command));
}

void imap_folder_look(ImapFolderOp *folder, ImapFolderAsk ask, const char *name,
                      const char *pattern)
{
    const ImapCapabilities *caps = &imap_session_login(folder->op.session)->caps;
    bool rev2 = imap_capabilities_have(caps, IMAP_CAP_REV2);
    const char *subscribed = rev2 ? "LIST (SUBSCRIBED)" : "LSUB";
    g_autoptr(ImapCommand)
        command = imap_command_new(ask == IMAP_FOLDER_SUBSCRIBED ? subscribed : "LIST");
    g_autofree char *text = g_strconcat(name, pattern, NULL);

    imap_command_raw(command, "\"\"");
    if (ask <= IMAP_FOLDER_NEW)
        forget(folder, ask);
    if (add_name(folder, command, text))
        send(folder, ask, g_steal_pointer(&command));
}

void imap_folder_count(ImapFolderOp *folder, const char *name)
{
    g_autoptr(ImapCommand) command = imap_command_new("STATUS");

    if (!add_name(folder, command, name))
        return;
    imap_command_raw(command, "(MESSAGES)");
    send(folder, IMAP_FOLDER_MESSAGES, g_steal_pointer(&command));
}

/* --- new names ---------------------------------------------------------------------------------
 */

/* What no server should be asked for. */
static GError *check_level(const char *level)
{
    if (!*level || !g_utf8_validate(level, -1, NULL))
        return g_error_new(MAIL_ERROR, EINVAL, "a folder's name has to be text");
    for (const char *p = level; *p; p++)
        if (g_ascii_iscntrl(*p))
            return g_error_new(MAIL_ERROR, EINVAL, "a folder's name can't have control characters");
    return NULL;
}

GError *imap_folder_name(ImapFolderOp *folder)
{
    const ImapListing *parent = &folder->found[IMAP_FOLDER_PARENT];
    const char separator[] = {parent->delimiter, '\0'};

    if (folder->parent && !parent->name)
        return g_error_new(MAIL_ERROR, ENOENT, "there is no folder %s", folder->parent);
    if (folder->parent && (!parent->delimiter || (parent->attributes & MAIL_FOLDER_NOINFERIORS)))
        return g_error_new(MAIL_ERROR, EPERM, "folder %s can't have others below it",
                           folder->parent);
    if (parent->delimiter && strchr(folder->level, parent->delimiter)) {
        g_autofree char *shown = quote_text(separator);
        return g_error_new(MAIL_ERROR, EINVAL,
                           "a folder's name can't have the server's delimiter %s in it", shown);
    }
    g_free(folder->name);
    folder->name = folder->parent ? g_strconcat(folder->parent, separator, folder->level, NULL)
                                  : g_strdup(folder->level);
    if (strlen(folder->name) > IMAP_MAX_NAME)
        return g_error_new(MAIL_ERROR, ENAMETOOLONG, "the name of a folder is too long");
    return NULL;
}

void imap_folder_made(ImapFolderOp *folder)
{
    const ImapListing *found = &folder->found[IMAP_FOLDER_NEW];
    MailFolderInfo info = {.name = folder->name, .attributes = found->attributes};

    info.delimiter = folder->found[IMAP_FOLDER_PARENT].delimiter;
    if (found->name)
        info.delimiter = found->delimiter;
    folder->op.told = true;
    folder->made(folder->op.data, &info);
    imap_folder_finish(folder, NULL);
}

/* --- the operation -----------------------------------------------------------------------------
 */

void imap_folder_finish(ImapFolderOp *folder, GError *error)
{
    imap_op_finish(&folder->op, error);
}

void imap_folder_begin(ImapFolderOp *folder)
{
    for (ImapFolderAsk ask = 0; ask <= IMAP_FOLDER_NEW; ask++)
        forget(folder, ask);
    folder->has_children = folder->has_messages = false;
    g_ptr_array_set_size(folder->subscribed, 0);
    g_clear_error(&folder->failure);
}

ImapFolderOp *imap_folder_new(const ImapOpClass *klass, const char *old, const char *parent,
                              const char *level, MailFolderSink made, MailDone done, gpointer data)
{
    MailOp *op = imap_op_new(sizeof(ImapFolderOp), klass, NULL, done, data);
    ImapFolderOp *folder = (ImapFolderOp *)op;

    op->names = true;
    folder->old = g_strdup(old);
    folder->parent = g_strdup(parent);
    folder->level = g_strdup(level);
    folder->made = made;
    folder->subscribed = g_ptr_array_new_with_free_func(g_free);
    for (ImapFolderAsk ask = 0; ask < IMAP_FOLDER_ASKS; ask++)
        folder->parts[ask] = (ImapFolderPart){folder, ask};
    if (old && strcmp(old, "INBOX") == 0)
        op->refusal = g_error_new(MAIL_ERROR, EPERM, "INBOX stays where it is");
    else if (level)
        op->refusal = check_level(level);
    return folder;
}

void imap_folder_free(MailOp *op)
{
    ImapFolderOp *folder = (ImapFolderOp *)op;

    for (ImapFolderAsk ask = 0; ask <= IMAP_FOLDER_NEW; ask++)
        forget(folder, ask);
    g_ptr_array_unref(folder->subscribed);
    g_clear_error(&folder->failure);
    g_free(folder->old);
    g_free(folder->parent);
    g_free(folder->level);
    g_free(folder->name);
    imap_op_free(op);
}
