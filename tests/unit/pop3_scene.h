/*
 * pop3_scene.h: scenes (see scene.h) of the POP3 client, and how most transcripts begin.
 */
#pragma once

#include "../../pop3client/store.h"
#include "scene.h"

enum { NEVER = 3600 };

static MailStore *scene_make_store(const Bed *bed)
{
    const Scene *scene = bed->scene;
    Pop3Config config = {
        .host = "127.0.0.1",
        .port = bed->server.port,
        .tls = bed->tls,
        .implicit_tls = scene->tls == TLS_IMPLICIT,
        .clear = scene->tls == TLS_OFF,
        .user = scene->user ? scene->user : "ann",
        .password = bed->password,
        .auth = scene->auth,
        .read_only = scene->read_only,
        .timeout = scene->timeout ? scene->timeout : 5,
        .idle = scene->leaves ? 0 : NEVER,
        .trace = true,
    };

    return pop3_store_new(&config);
}

/* What the server can do, once asked. */
#define CAPA(lines) "C: CAPA\nS: +OK\n" lines "S: .\n"
#define USER_PASS "C: USER ann\nS: +OK\nC: PASS hunter2\nS: +OK in\n"
/* Logged in to a server that can do so much; lines is such as "S: TOP\n". */
#define LOGIN(lines) "S: +OK ready\n" CAPA(lines) USER_PASS CAPA(lines)
#define MODERN "S: TOP\nS: UIDL\nS: PIPELINING\nS: RESP-CODES\n"
/* To one that knows none of it. */
#define LOGIN_OLD "S: +OK ready\nC: CAPA\nS: -ERR what?\n" USER_PASS "C: CAPA\nS: -ERR what?\n"
#define QUIT "C: QUIT\nS: +OK bye\n"

static inline void play_connect(Bed *bed)
{
    act_connect(bed);
}

static inline Act *sync_inbox(Bed *bed)
{
    return act_sync(bed, "INBOX", (MailFolderState){0});
}
