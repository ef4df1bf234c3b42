#include "maildrop.h"
#include "outcome.h"

#include <errno.h>

typedef struct {
    struct RemoveOp *remove;
    uint32_t uid;
    bool deleted; /* the server has marked it */
} Removal;

/* removals: those that a DELE was sent for, in this session. */
typedef struct RemoveOp {
    Pop3Op op;
    MailRemovedSink sink;
    uint32_t *uids;
    size_t n_uids;
    Removal *removals;
    size_t n_removals;
    GError *refusal;
} RemoveOp;

static void tell(RemoveOp *remove, uint32_t uid)
{
    remove->op.told = true;
    remove->sink(remove->op.data, uid);
}

static void dele_done(gpointer data, const Pop3Reply *reply, const GError *error)
{
    Removal *removal = data;
    g_autoptr(GError) refused = error ? NULL : pop3_outcome(reply, "removing a message");

    if (error)
        pop3_op_finish(&removal->remove->op, g_error_copy(error));
    else if (refused)
        g_warning("%s", refused->message);
    else
        removal->deleted = true;
}

static const Pop3RequestEvents dele_events = {.done = dele_done};

static void send_dele(RemoveOp *remove, uint32_t uid, uint32_t number)
{
    Removal *removal = &remove->removals[remove->n_removals++];
    g_autofree char *command = g_strdup_printf("DELE %u", number);

    *removal = (Removal){remove, uid, false};
    pop3_conn_send(pop3_session_conn(remove->op.session), command, 0, 0, &dele_events, remove,
                   removal);
}

/* Only what is under the same name in this very session is removed. */
static void remove_start(Pop3Op *op)
{
    RemoveOp *remove = (RemoveOp *)op;
    GError *error = g_steal_pointer(&remove->refusal);

    remove->n_removals = 0;
    for (size_t i = 0; !error && i < remove->n_uids; i++) {
        const Pop3Entry *entry = pop3_op_find_last(op, remove->uids[i], &error);
        if (entry)
            send_dele(remove, remove->uids[i], entry->number);
        else if (!error)
            tell(remove, remove->uids[i]);
    }
    if (error || remove->n_removals == 0)
        pop3_op_finish(op, error);
}

/* The deletions are committed by that, or may have been. */
static void remove_left(Pop3Op *op, const GError *error)
{
    RemoveOp *remove = (RemoveOp *)op;

    for (size_t i = 0; !error && i < remove->n_removals; i++)
        if (remove->removals[i].deleted)
            tell(remove, remove->removals[i].uid);
    pop3_op_finish(op, error ? g_error_copy(error) : NULL);
}

static void remove_free(Pop3Op *op)
{
    RemoveOp *remove = (RemoveOp *)op;

    g_free(remove->uids);
    g_free(remove->removals);
    g_clear_error(&remove->refusal);
    pop3_op_free(op);
}

static const Pop3OpClass remove_class = {remove_start, remove_left, remove_free};

Pop3Op *pop3_remove_new(const MailRemove *request, bool read_only, MailRemovedSink sink,
                        MailDone done, gpointer data)
{
    Pop3Op *op = pop3_op_new(sizeof(RemoveOp), &remove_class, POP3_LISTED_NAMES, done, data);
    RemoveOp *remove = (RemoveOp *)op;

    op->removes = true;
    remove->sink = sink;
    remove->uids = g_memdup2(request->uids, request->n_uids * sizeof *request->uids);
    remove->n_uids = request->n_uids;
    remove->removals = g_new0(Removal, request->n_uids);
    remove->refusal = pop3_op_check_folder(request->folder, request->uidvalidity);
    if (!remove->refusal && read_only)
        remove->refusal = g_error_new(MAIL_ERROR, EROFS,
                                      "nothing is removed: the mount is "
                                      "read-only");
    op->offline = remove->refusal != NULL;
    return op;
}
