#include "op.h"

#include "maildrop.h"

#include <errno.h>
#include <string.h>

Pop3Op *pop3_op_new(size_t size, const Pop3OpClass *klass, Pop3Listed needs, MailDone done,
                    gpointer data)
{
    Pop3Op *op = g_malloc0(size);

    op->klass = klass;
    op->needs = needs;
    op->done = done;
    op->data = data;
    return op;
}

void pop3_op_free(Pop3Op *op)
{
    g_free(op);
}

/* A session that was ended by the other side, as happens to idle ones: another may do. */
static bool may_begin_again(const Pop3Op *op, const GError *error)
{
    return mail_errno(error) == ENOTCONN && !op->told && !op->retried;
}

void pop3_op_finish(Pop3Op *op, GError *error)
{
    g_autoptr(GError) owned = error;

    if (owned && may_begin_again(op, owned)) {
        op->retried = true;
        pop3_maildrop_leave(op->maildrop, op, true);
        return;
    }
    pop3_maildrop_leave(op->maildrop, op, false);
    op->done(op->data, owned);
    op->klass->free(op);
}

GError *pop3_op_check_folder(const char *folder, uint32_t uidvalidity)
{
    if (strcmp(folder, POP3_FOLDER) != 0)
        return g_error_new(MAIL_ERROR, ENOENT, "a POP3 server has no folder %s", folder);
    if (uidvalidity != POP3_UIDVALIDITY)
        return g_error_new(MAIL_ERROR, ESTALE, "folder %s is another one by now", folder);
    return NULL;
}

/* --- connecting: done as soon as there is a session ----------------------------------------------
 */

static void connect_start(Pop3Op *op)
{
    pop3_op_finish(op, NULL);
}

static const Pop3OpClass connect_class = {connect_start, NULL, pop3_op_free};

Pop3Op *pop3_connect_new(MailDone done, gpointer data)
{
    return pop3_op_new(sizeof(Pop3Op), &connect_class, POP3_LISTED_NOTHING, done, data);
}

/* --- listing folders: there is one
 * ---------------------------------------------------------------- */

typedef struct {
    Pop3Op op;
    MailFolderSink sink;
} ListOp;

static void list_start(Pop3Op *op)
{
    static const MailFolderInfo inbox = {POP3_FOLDER, 0, MAIL_FOLDER_NOINFERIORS};

    op->told = true;
    ((ListOp *)op)->sink(op->data, &inbox);
    pop3_op_finish(op, NULL);
}

static const Pop3OpClass list_class = {list_start, NULL, pop3_op_free};

Pop3Op *pop3_list_new(MailFolderSink sink, MailDone done, gpointer data)
{
    Pop3Op *op = pop3_op_new(sizeof(ListOp), &list_class, POP3_LISTED_NOTHING, done, data);

    op->offline = true;
    ((ListOp *)op)->sink = sink;
    return op;
}
