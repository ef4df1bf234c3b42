#include "op.h"

#include "listing.h"

/*
 * Where each of some folders stands: STATUS (RFC 9051 section 6.3.11), all at once. It is not meant
 * for the mailbox that is selected: of that, NOOP has the server say what changed since it was.
 * `running` counts commands under way.
 */
typedef struct StatesOp StatesOp;

typedef struct {
    StatesOp *states;
    char *folder;
    bool selected; /* is asked by NOOP */
    bool seen;     /* its STATUS came, with all that was asked for: */
    MailFolderState state;
} Asked;

struct StatesOp {
    MailOp op;
    MailStateSink sink;
    Asked *asked;
    size_t n_asked;
    unsigned running;
};

/* Whether the item is there; *number is its value. */
static bool read_item(const Asked *asked, const ImapResponse *response, const char *item,
                      uint64_t most, uint64_t *number)
{
    return imap_status_read(asked->states->op.session, response, asked->folder, item, number) &&
           *number <= most;
}

static bool status_untagged(gpointer data, const ImapResponse *response)
{
    Asked *asked = data;
    uint64_t uidvalidity, uidnext, messages, modseq = 0;

    if (!read_item(asked, response, "UIDVALIDITY", UINT32_MAX, &uidvalidity) ||
        !read_item(asked, response, "UIDNEXT", UINT32_MAX, &uidnext) ||
        !read_item(asked, response, "MESSAGES", UINT32_MAX, &messages))
        return false;
    if (!read_item(asked, response, "HIGHESTMODSEQ", UINT64_MAX, &modseq))
        modseq = 0;
    asked->seen = true;
    asked->state = (MailFolderState){
        .uidvalidity = (uint32_t)uidvalidity,
        .uidnext = (uint32_t)uidnext,
        .modseq = modseq,
        .count = (uint32_t)messages,
    };
    return false; /* a watching session may want it as well */
}

/* The selection told where the mailbox stood, and nothing has been told of it since. */
static void look_at_selected(Asked *asked)
{
    const ImapMailbox *mailbox = imap_session_mailbox(asked->states->op.session);

    if (g_strcmp0(mailbox->name, asked->folder) != 0 || mailbox->changed)
        return;
    asked->seen = true;
    asked->state = (MailFolderState){
        .uidvalidity = mailbox->uidvalidity,
        .uidnext = mailbox->uidnext,
        .modseq = mailbox->modseq,
        .count = mailbox->exists,
    };
}

static void one_done(gpointer data, const ImapResponse *response, const GError *error)
{
    Asked *asked = data;
    StatesOp *states = asked->states;

    (void)response;
    if (error) {
        imap_op_finish(&states->op, g_error_copy(error));
        return;
    }
    if (asked->selected)
        look_at_selected(asked);
    states->op.told = true;
    states->sink(states->op.data, asked->folder, asked->seen ? &asked->state : NULL);
    if (--states->running == 0)
        imap_op_finish(&states->op, NULL);
}

static const ImapRequestEvents status_events = {.untagged = status_untagged, .done = one_done};
static const ImapRequestEvents noop_events = {.done = one_done};

static ImapCommand *status_command(const ImapSession *session, const char *folder, GError **error)
{
    g_autoptr(ImapCommand) command = imap_command_new("STATUS");

    if (!imap_session_add_mailbox(session, command, folder, error))
        return NULL;
    imap_command_raw(command,
                     imap_capabilities_have(&imap_session_login(session)->caps, IMAP_CAP_CONDSTORE)
                         ? "(UIDVALIDITY UIDNEXT MESSAGES HIGHESTMODSEQ)"
                         : "(UIDVALIDITY UIDNEXT MESSAGES)");
    return g_steal_pointer(&command);
}

/* False: it has ended the operation. */
static bool ask(StatesOp *states, Asked *asked)
{
    ImapSession *session = states->op.session;
    GError *error = NULL;
    ImapCommand *command;

    asked->selected = g_strcmp0(imap_session_target(session), asked->folder) == 0;
    asked->seen = false;
    command = asked->selected ? imap_command_new("NOOP")
                              : status_command(session, asked->folder, &error);
    if (!command) {
        imap_op_finish(&states->op, error);
        return false;
    }
    states->running++;
    imap_conn_send_for(imap_session_conn(session), command,
                       asked->selected ? &noop_events : &status_events, asked, states);
    return true;
}

static void states_start(MailOp *op)
{
    StatesOp *states = (StatesOp *)op;

    states->running = 0;
    for (size_t i = 0; i < states->n_asked; i++)
        if (!ask(states, &states->asked[i]))
            return;
    if (states->n_asked == 0)
        imap_op_finish(op, NULL);
}

static void states_free(MailOp *op)
{
    StatesOp *states = (StatesOp *)op;

    for (size_t i = 0; i < states->n_asked; i++)
        g_free(states->asked[i].folder);
    g_free(states->asked);
    imap_op_free(op);
}

static const ImapOpClass states_class = {.start = states_start, .free = states_free};

MailOp *imap_states_new(const char *const *folders, MailStateSink sink, MailDone done,
                        gpointer data)
{
    MailOp *op = imap_op_new(sizeof(StatesOp), &states_class, NULL, done, data);
    StatesOp *states = (StatesOp *)op;

    op->names = true;
    states->sink = sink;
    states->n_asked = g_strv_length((char **)folders);
    states->asked = g_new0(Asked, states->n_asked);
    for (size_t i = 0; i < states->n_asked; i++)
        states->asked[i] = (Asked){.states = states, .folder = g_strdup(folders[i])};
    return op;
}
