#include "request.h"

#include "failure.h"
#include "log.h"

#include <errno.h>

/*
 * `pending` has every request between its submission and its reply, by its id. libfuse may tell
 * of an interruption while, or after, the request is replied to: so it is told the id alone, which
 * is never used again, and not a pointer.
 */
struct Requests {
    Mount *mount;
    gint last_id; /* atomic */
    GHashTable *pending;
};

typedef struct {
    Request *request;
    void (*submit)(Request *request);
} Submission;

typedef struct {
    Mount *mount;
    uint64_t id;
} Interruption;

Requests *requests_new(Mount *mount)
{
    Requests *requests = g_new0(Requests, 1);

    requests->mount = mount;
    requests->pending = g_hash_table_new(g_int64_hash, g_int64_equal);
    return requests;
}

void requests_free(Requests *requests)
{
    if (!requests)
        return;
    g_hash_table_unref(requests->pending);
    g_free(requests);
}

static void forget(Request *request)
{
    if (request->queue)
        g_queue_unlink(request->queue, &request->link);
    g_hash_table_remove(request->mount->requests->pending, &request->id);
    if (request->changes)
        notifier_release(request->mount->notifier);
    if (request->free_data)
        request->free_data(request->data);
    g_free(request->name);
    g_free(request);
}

static void interrupt_now(gpointer data)
{
    g_autofree Interruption *interruption = data;
    Request *request = g_hash_table_lookup(interruption->mount->requests->pending,
                                           &interruption->id);

    if (!request)
        return;
    fuse_reply_err(request->req, EINTR);
    forget(request);
}

/* Called by libfuse on one of its threads. */
static void on_interrupt(fuse_req_t req, void *data)
{
    Interruption *interruption = g_new(Interruption, 1);

    interruption->mount = fuse_req_userdata(req);
    interruption->id = GPOINTER_TO_UINT(data);
    engine_post(interruption->mount->engine, interrupt_now, interruption);
}

Request *request_new(Mount *mount, fuse_req_t req, RequestResume resume)
{
    Request *request = g_new0(Request, 1);

    request->mount = mount;
    request->req = req;
    request->resume = resume;
    request->id = (guint)g_atomic_int_add(&mount->requests->last_id, 1) + 1U;
    request->link.data = request;
    return request;
}

static void submit_now(gpointer data)
{
    g_autofree Submission *submission = data;
    Request *request = submission->request;

    g_hash_table_insert(request->mount->requests->pending, &request->id, request);
    if (fuse_req_interrupted(request->req)) {
        fuse_reply_err(request->req, EINTR);
        forget(request);
        return;
    }
    submission->submit(request);
}

void request_post(Request *request, void (*submit)(Request *request))
{
    Submission *submission = g_new(Submission, 1);
    Mount *mount = request->mount;

    submission->request = request;
    submission->submit = submit;
    if (request->changes)
        notifier_hold(mount->notifier);
    fuse_req_interrupt_func(request->req, on_interrupt, GUINT_TO_POINTER((guint)request->id));
    engine_post(mount->engine, submit_now, submission);
}

void request_wait(Request *request, GQueue *queue)
{
    request->queue = queue;
    g_queue_push_tail_link(queue, &request->link);
}

Request *request_find(Requests *requests, uint64_t id)
{
    return g_hash_table_lookup(requests->pending, &id);
}

void request_resume(Request *request, const GError *error)
{
    if (request->queue)
        g_queue_unlink(request->queue, &request->link);
    request->queue = NULL;
    if (failure_is_lost(error) || failure_is_refusal(error))
        log_note_error(error->message);
    if (!request->resume(request, error))
        forget(request);
}

void request_resume_all(GQueue *queue, const GError *error)
{
    /* Those that wait again come to the end of the queue, and are not for this round. */
    for (guint n = queue->length; n > 0 && queue->head; n--) {
        Request *request = g_queue_pop_head_link(queue)->data;
        request->queue = NULL;
        request_resume(request, error);
    }
}

void requests_fail(Requests *requests, const GError *error)
{
    g_autoptr(GList) all = g_hash_table_get_values(requests->pending);

    for (GList *l = all; l; l = l->next) {
        Request *request = l->data;
        fuse_reply_err(request->req, mail_errno(error));
        forget(request);
    }
}
