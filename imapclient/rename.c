#include "folderop.h"
#include "pool.h"

#include <errno.h>
#include <string.h>

/* Subscriptions are to names, and stay behind when a folder gets another one (RFC 9051 section
 * 6.3.6). Below it the server has its own delimiter there. */
static char *renamed(const ImapFolderOp *folder, const char *name)
{
    char from = folder->found[IMAP_FOLDER_OLD].delimiter;
    char to = folder->found[IMAP_FOLDER_PARENT].delimiter;
    char *result = g_strconcat(folder->name, name + strlen(folder->old), NULL);

    for (char *p = result + strlen(folder->name); *p && from && to; p++)
        if (*p == from)
            *p = to;
    return result;
}

static void rename_done(ImapFolderOp *folder)
{
    imap_folder_step(folder, imap_folder_made);
    for (guint i = 0; i < folder->subscribed->len; i++) {
        const char *name = folder->subscribed->pdata[i];
        g_autofree char *now = renamed(folder, name);
        imap_folder_send(folder, IMAP_FOLDER_FOLLOW, "UNSUBSCRIBE", name, NULL);
        imap_folder_send(folder, IMAP_FOLDER_FOLLOW, "SUBSCRIBE", now, NULL);
    }
    imap_folder_look(folder, IMAP_FOLDER_NEW, folder->name, "");
    imap_folder_sent(folder);
}

/* Where a command was lost, and the folder is not under its old name but under the new one, that
 * command was carried out. */
static bool is_done(const ImapFolderOp *folder)
{
    return folder->sent && !folder->found[IMAP_FOLDER_OLD].name &&
           folder->found[IMAP_FOLDER_NEW].name;
}

static GError *refusal(const ImapFolderOp *folder)
{
    const ImapListing *new = &folder->found[IMAP_FOLDER_NEW];

    if (!folder->found[IMAP_FOLDER_OLD].name)
        return g_error_new(MAIL_ERROR, ENOENT, "there is no folder %s", folder->old);
    if (new->name && !(new->attributes &MAIL_FOLDER_NONEXISTENT))
        return g_error_new(MAIL_ERROR, EEXIST, "there is a folder %s already", folder->name);
    return NULL;
}

static void rename_looked(ImapFolderOp *folder)
{
    GError *error = is_done(folder) ? NULL : refusal(folder);

    if (error) {
        imap_folder_finish(folder, error);
    } else if (is_done(folder)) {
        rename_done(folder);
    } else {
        imap_pool_release(folder->op.pool, folder->old);
        imap_folder_step(folder, rename_done);
        imap_folder_send(folder, IMAP_FOLDER_CHANGE, "RENAME", folder->old, folder->name);
        imap_folder_sent(folder);
    }
}

/* The new name may not be below the old one: the folder would be its own parent. */
static GError *check_name(const ImapFolderOp *folder)
{
    char delimiter = folder->found[IMAP_FOLDER_OLD].delimiter;

    if (g_str_has_prefix(folder->name, folder->old) &&
        (!folder->name[strlen(folder->old)] ||
         (delimiter && folder->name[strlen(folder->old)] == delimiter)))
        return g_error_new(MAIL_ERROR, EINVAL, "folder %s can't be moved below itself",
                           folder->old);
    return NULL;
}

static void rename_named(ImapFolderOp *folder)
{
    char pattern[] = {folder->found[IMAP_FOLDER_OLD].delimiter, '*', '\0'};
    GError *error = imap_folder_name(folder);

    if (!error)
        error = check_name(folder);
    if (error) {
        imap_folder_finish(folder, error);
        return;
    }
    /* One that has been renamed already is not listed any more, but may be subscribed to. */
    if (!folder->found[IMAP_FOLDER_OLD].name)
        pattern[0] = folder->found[IMAP_FOLDER_PARENT].delimiter;
    imap_folder_step(folder, rename_looked);
    imap_folder_look(folder, IMAP_FOLDER_NEW, folder->name, "");
    imap_folder_look(folder, IMAP_FOLDER_SUBSCRIBED, folder->old, "");
    if (*pattern)
        imap_folder_look(folder, IMAP_FOLDER_SUBSCRIBED, folder->old, pattern);
    imap_folder_sent(folder);
}

static void rename_start(MailOp *op)
{
    ImapFolderOp *folder = (ImapFolderOp *)op;

    imap_folder_begin(folder);
    imap_folder_step(folder, rename_named);
    imap_folder_look(folder, IMAP_FOLDER_OLD, folder->old, "");
    imap_folder_look(folder, IMAP_FOLDER_PARENT, folder->parent ? folder->parent : "", "");
    imap_folder_sent(folder);
}

static const ImapOpClass rename_class = {.start = rename_start, .free = imap_folder_free};

MailOp *imap_rename_new(const char *folder, const char *parent, const char *level,
                        MailFolderSink made, MailDone done, gpointer data)
{
    return &imap_folder_new(&rename_class, folder, parent, level, made, done, data)->op;
}
