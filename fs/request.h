/*
 * request.h: a FUSE request that the network has to answer: it waits on the engine thread, and
 * is resumed there exactly once, unless it is interrupted before.
 *
 * A worker makes it and posts it; from then on it is the engine's.
 */
#pragma once

#include "mount.h"

typedef struct Request Request;

/*
 * What the request waited for is there (error NULL) or can't be had. Replies to request->req,
 * unless it waits again (then it returns true). Engine thread.
 */
typedef bool (*RequestResume)(Request *request, const GError *error);

struct Request {
    Mount *mount;
    fuse_req_t req;
    RequestResume resume;
    fuse_ino_t ino; /* what it is about */
    char *name;     /* of a lookup or an attribute, or NULL; owned */
    size_t size;    /* of a read, or for an attribute's value */
    off_t offset;
    bool plus;                  /* of a readdirplus */
    struct fuse_file_info file; /* of an open */
    unsigned rounds;            /* how many fetches were made for its sake */
    bool changes;               /* the kernel locks directories until it is answered */
    uint64_t follows;           /* a message on its way, for which it waits (see moves.h) */
    RequestResume then;         /* of sync_wait: what resumes it in the end */
    gpointer data;              /* what else belongs to it, */
    GDestroyNotify free_data;   /* and is freed with it, if this is set */

    uint64_t id;   /* for interruptions */
    GQueue *queue; /* where it waits, or NULL */
    GList link;    /* in queue */
};

Requests *requests_new(Mount *mount);
void requests_free(Requests *requests);

/* Any worker. */
Request *request_new(Mount *mount, fuse_req_t req, RequestResume resume);
/* Posts it: submit(request) runs on the engine thread, unless it was interrupted by then. */
void request_post(Request *request, void (*submit)(Request *request));

/* --- the engine thread ----------------------------------------------------------------------- */

/* Puts it at the end of a queue of its kind. */
void request_wait(Request *request, GQueue *queue);
/* The request of that id, which is in no queue; NULL: it was interrupted since. */
Request *request_find(Requests *requests, uint64_t id);
/* Takes it from its queue and resumes it; it is gone afterwards, or waits again. */
void request_resume(Request *request, const GError *error);
/* Resumes all that are in the queue now. */
void request_resume_all(GQueue *queue, const GError *error);
/* The mount ends: all that still wait fail with this error. */
void requests_fail(Requests *requests, const GError *error);
