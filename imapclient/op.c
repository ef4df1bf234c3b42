#include "op.h"

#include "pool.h"

#include <errno.h>

MailOp *imap_op_new(size_t size, const ImapOpClass *klass, const char *folder, MailDone done,
                    gpointer data)
{
    MailOp *op = g_malloc0(size);

    op->klass = klass;
    op->folder = g_strdup(folder);
    op->done = done;
    op->data = data;
    return op;
}

void imap_op_free(MailOp *op)
{
    g_clear_error(&op->refusal);
    g_free(op->folder);
    g_free(op);
}

/* A connection that was dropped by the other side, as happens to idle ones: another may do. */
static bool may_begin_again(const MailOp *op, const GError *error)
{
    return mail_errno(error) == ENOTCONN && !op->told && (op->on_older || !op->retried);
}

void imap_op_finish(MailOp *op, GError *error)
{
    g_autoptr(GError) owned = error;

    if (owned && may_begin_again(op, owned)) {
        op->retried = op->retried || !op->on_older;
        imap_pool_leave(op->pool, op, true);
        return;
    }
    imap_pool_leave(op->pool, op, false);
    if (owned && op->klass->failing)
        op->klass->failing(op);
    op->done(op->data, owned);
    op->klass->free(op);
}
