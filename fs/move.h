/*
 * move.h: one message that is being moved, and how that ends: what moves.c, which has the server
 * do it, shares with move_end.c, which has the catalog know.
 *
 * moves.h's own; engine thread.
 */
#pragma once

#include "mount.h"

/*
 * What is known of it when it begins, and what the server told since. `copied`: it is in the
 * target, as `copy` of that `uidvalidity` (0: nobody knows). `gone`, or only `marked`: it is not in
 * its folder any more. `unsure`: see MailCopySink. `here`: it was found where it was, with this
 * `header`. `candidate`: a message in the target that may be it, or a copy of it; `doubtful`: one
 * of several. `rounds`: how often it was asked for again.
 */
typedef struct {
    uint64_t waiting; /* the request's id */
    uint32_t folder, uid, target;
    char *name, *old_name;
    CatalogMessage message;
    char *flags;
    bool copied, gone, marked, unsure, here, doubtful;
    uint32_t uidvalidity, copy, candidate;
    GBytes *header;
    unsigned rounds;
} Move;

/* The target has it, under a UID that is known: so has the catalog, with all that was known and is
 * held of it, and its name. */
void move_settle(Mount *mount, const Move *move);
/* The target has it, and nobody knows under which UID: the next look shows it. */
void move_settle_unknown(Mount *mount, const Move *move);
