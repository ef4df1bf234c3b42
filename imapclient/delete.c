#include "folderop.h"
#include "pool.h"

#include <errno.h>

static void delete_over(ImapFolderOp *folder)
{
    imap_folder_finish(folder, NULL);
}

static void delete_done(ImapFolderOp *folder)
{
    imap_folder_step(folder, delete_over);
    imap_folder_send(folder, IMAP_FOLDER_FOLLOW, "UNSUBSCRIBE", folder->old, NULL);
    imap_folder_sent(folder);
}

static GError *not_empty(const ImapFolderOp *folder, const char *what)
{
    return g_error_new(MAIL_ERROR, ENOTEMPTY, "folder %s has %s", folder->old, what);
}

static void delete_now(ImapFolderOp *folder)
{
    if (folder->has_children) {
        imap_folder_finish(folder, not_empty(folder, "others below it"));
        return;
    }
    imap_pool_release(folder->op.pool, folder->old);
    imap_folder_step(folder, delete_done);
    imap_folder_send(folder, IMAP_FOLDER_CHANGE, "DELETE", folder->old, NULL);
    imap_folder_sent(folder);
}

/* One that holds no messages can't be asked how many. */
static GError *refusal(const ImapFolderOp *folder)
{
    const ImapListing *found = &folder->found[IMAP_FOLDER_OLD];

    if (!found->name)
        return g_error_new(MAIL_ERROR, ENOENT, "there is no folder %s", folder->old);
    if (folder->has_messages && folder->messages > 0)
        return not_empty(folder, "messages");
    if (!folder->has_messages && !(found->attributes & MAIL_FOLDER_NOSELECT))
        return g_error_new(MAIL_ERROR, EACCES,
                           "the server does not tell whether folder %s is empty", folder->old);
    return NULL;
}

static void delete_looked(ImapFolderOp *folder)
{
    const ImapListing *found = &folder->found[IMAP_FOLDER_OLD];
    GError *error = refusal(folder);
    char pattern[] = {found->delimiter, '%', '\0'};

    if (error && error->code == ENOENT && folder->sent) { /* by the command that was lost */
        g_error_free(error);
        delete_done(folder);
        return;
    }
    if (error) {
        imap_folder_finish(folder, error);
        return;
    }
    imap_folder_step(folder, delete_now);
    if (found->delimiter)
        imap_folder_look(folder, IMAP_FOLDER_CHILDREN, folder->old, pattern);
    imap_folder_sent(folder);
}

/* Where the folder is selected, STATUS would count what that connection was told of so far (RFC
 * 9051 section 6.3.11), and not what has arrived since. So it is left first. */
static void delete_start(MailOp *op)
{
    ImapFolderOp *folder = (ImapFolderOp *)op;

    imap_folder_begin(folder);
    imap_pool_release(folder->op.pool, folder->old);
    imap_folder_step(folder, delete_looked);
    imap_folder_look(folder, IMAP_FOLDER_OLD, folder->old, "");
    imap_folder_count(folder, folder->old);
    imap_folder_sent(folder);
}

static const ImapOpClass delete_class = {.start = delete_start, .free = imap_folder_free};

MailOp *imap_delete_new(const char *folder, MailDone done, gpointer data)
{
    return &imap_folder_new(&delete_class, folder, NULL, NULL, NULL, done, data)->op;
}
