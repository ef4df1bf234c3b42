/*
 * imap_scene.h: scenes (see scene.h) of the IMAP client.
 */
#pragma once

#include "../../imapclient/net/reach.h"
#include "../../imapclient/store.h"
#include "scene.h"

/* The first lines of most transcripts; the connection is in clear, and logged in at once. */
#define PREAUTH(capabilities) "S: * PREAUTH [CAPABILITY " capabilities "] ready\n"

/* Microseconds that the clock is ahead; and that the machine was suspended. */
static gint64 scene_ahead, scene_slept;

static inline gint64 scene_now(void)
{
    return g_get_monotonic_time() + scene_ahead;
}

static inline gint64 scene_asleep(void)
{
    return scene_slept;
}

static const ReachClock scene_clock = {scene_now, scene_asleep};

static MailStore *scene_make_store(const Bed *bed)
{
    const Scene *scene = bed->scene;
    ImapConfig config = {
        .host = "127.0.0.1",
        .port = bed->server.port,
        .tls = bed->tls,
        .implicit_tls = scene->tls == TLS_IMPLICIT,
        .clear = scene->tls == TLS_OFF,
        .user = scene->user ? scene->user : "ann",
        .password = bed->password,
        .auth = scene->auth,
        .read_only = !scene->writable,
        .connections = scene->connections ? scene->connections : 1,
        .timeout = scene->timeout ? scene->timeout : 5,
        .compress = (ImapCompress)scene->compress,
        .fast_link = scene->fast_link,
        .renew = scene->renew,
        .quiet = 1,
        .trace = true,
        .clock = &scene_clock,
    };

    return imap_store_new(&config);
}
