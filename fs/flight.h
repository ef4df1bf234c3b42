/*
 * flight.h: a message on its way from the server into the cache: what was asked for, what came,
 * and what that makes of the message's file.
 *
 * fetch.h's own; engine thread.
 */
#pragma once

#include "fetch.h"
#include "fetch_plan.h"

typedef enum {
    ASK_PLANNED, /* what fetch_plan.h says */
    ASK_DECIDE,  /* BODY[] of a small message whose parts do not add up */
    ASK_SIZING,  /* BODY[], stretch by stretch, up to its end */
    ASK_WHOLE,   /* what whole.h says */
} Asking;

typedef struct {
    MailRange asked;
    GBytes *bytes;
} Part;

typedef struct Batch Batch;
typedef struct Flights Flights;

/* What has come of a message that comes whole: see whole.h. `blocks` are in the cache, `tail` (NULL
 * before the first fetch) is what follows; `length` bytes in all. */
typedef struct {
    GByteArray *tail;
    uint32_t blocks;
    uint64_t length, header_length;
    bool begun, header_ended, text_ended;
} Whole;

/*
 * A message that is being fetched (`op` or `batch` is set), or was lately. While idle it is in the
 * idle ones' queue, and nobody waits for it.
 */
typedef struct {
    Mount *mount;
    Flights *flights;
    uint64_t ino;
    uint32_t folder, uid;
    char *name;     /* of the folder, when it was asked last */
    GQueue waiting; /* Request */
    MailOp *op;
    Batch *batch; /* it is fetched with others */
    Asking asking;
    uint64_t sized; /* how far sizing has come */
    bool sized_cr;  /* and that the byte ahead of there is a CR (see ReadAhead) */
    GBytes *joined; /* HEADER and TEXT, while BODY[] is asked to decide */
    GArray *parts;  /* Part: what the fetch under way has brought */
    Whole whole;
    MailRange text_probe; /* what was asked for besides a stretch of TEXT; length 0: nothing */
    bool adds_up;         /* HEADER and TEXT together are as long as the message: that was seen */
    ReadAhead ahead;
    GList idle_link;
    bool idle;
    bool cut;      /* the answer was cut off, and is asked for once more */
    bool resuming; /* those who wait are being resumed: what they need more comes afterwards */
} Flight;

Flights *flights_new(Mount *mount);
void flights_free(Flights *flights);

/* The message's, made where there is none; it is idle no more. */
Flight *flight_of(Flights *flights, uint64_t ino);
/* The message's, or NULL. */
Flight *flight_find(Flights *flights, uint64_t ino);
/* It is idle: how it was read is remembered for a while. */
void flight_land(Flight *flight);

/* How many messages are being fetched, and how many requests wait for them. */
void flights_count(Flights *flights, guint *messages, guint *requests);

/* The message is asked for from the folder of that name. */
void flight_set_name(Flight *flight, const char *name);

/* Keeps what came. Nothing is asked for twice: what a server sends once more is not kept, or it
 * could send without an end. */
void flight_add(Flight *flight, const MailRange *asked, GBytes *bytes);
/* What came for a whole section, or for any stretch of it; NULL: nothing. */
const Part *flight_part(const Flight *flight, MailSection section);

/*
 * That BODY[] is as long as was claimed does not say that HEADER and TEXT are: before the first
 * stretch of TEXT is believed, its end is looked at too, by the same command. Adds that to the n
 * ranges where it has to be; returns how many there are.
 */
size_t flight_add_text_probe(Flight *flight, const CatalogMessage *message, MailRange *ranges,
                             size_t n);

/* From here on the file image is BODY[], of which nothing is held yet. */
void flight_begin_sizing(Flight *flight);

/* The message is so many bytes long, its header so many of them (0: not known). */
void flight_prove(Flight *flight, uint32_t header_length, uint64_t size, unsigned proof);

/*
 * Puts what came into the cache. What has to be asked next to know what the message is: ASK_PLANNED
 * where nothing has. Of a message that is gone by now nothing is taken.
 */
Asking flight_take(Flight *flight);
