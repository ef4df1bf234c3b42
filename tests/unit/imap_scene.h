/*
 * imap_scene.h: scenes (see scene.h) of the IMAP client.
 */
#pragma once

#include "../../imapclient/store.h"
#include "scene.h"

/* The first lines of most transcripts; the connection is in clear, and logged in at once. */
#define PREAUTH(capabilities) "S: * PREAUTH [CAPABILITY " capabilities "] ready\n"

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
    };

    return imap_store_new(&config);
}
