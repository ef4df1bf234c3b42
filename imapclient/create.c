#include "folderop.h"

#include <errno.h>

/* The server may have made of it what it likes: what it lists then is told. */
static void create_done(ImapFolderOp *folder)
{
    imap_folder_step(folder, imap_folder_made);
    imap_folder_send(folder, IMAP_FOLDER_FOLLOW, "SUBSCRIBE", folder->name, NULL);
    imap_folder_look(folder, IMAP_FOLDER_NEW, folder->name, "");
    imap_folder_sent(folder);
}

/* Some other folder of that name is in the way, unless a lost command made it. What is only the
 * parent of others can be made. */
static void create_looked(ImapFolderOp *folder)
{
    const ImapListing *found = &folder->found[IMAP_FOLDER_NEW];

    if (found->name && !(found->attributes & MAIL_FOLDER_NONEXISTENT)) {
        if (folder->sent)
            create_done(folder);
        else
            imap_folder_finish(folder, g_error_new(MAIL_ERROR, EEXIST,
                                                   "there is a folder %s already", folder->name));
        return;
    }
    imap_folder_step(folder, create_done);
    imap_folder_send(folder, IMAP_FOLDER_CHANGE, "CREATE", folder->name, NULL);
    imap_folder_sent(folder);
}

static void create_named(ImapFolderOp *folder)
{
    GError *error = imap_folder_name(folder);

    if (error) {
        imap_folder_finish(folder, error);
        return;
    }
    imap_folder_step(folder, create_looked);
    imap_folder_look(folder, IMAP_FOLDER_NEW, folder->name, "");
    imap_folder_sent(folder);
}

static void create_start(MailOp *op)
{
    ImapFolderOp *folder = (ImapFolderOp *)op;

    imap_folder_begin(folder);
    imap_folder_step(folder, create_named);
    imap_folder_look(folder, IMAP_FOLDER_PARENT, folder->parent ? folder->parent : "", "");
    imap_folder_sent(folder);
}

static const ImapOpClass create_class = {.start = create_start, .free = imap_folder_free};

MailOp *imap_create_new(const char *parent, const char *level, MailFolderSink made, MailDone done,
                        gpointer data)
{
    return &imap_folder_new(&create_class, NULL, parent, level, made, done, data)->op;
}
