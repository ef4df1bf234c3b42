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

/* A sync of three messages, and what it tells. */
#define SYNCED(capabilities)                                      \
    LOGIN(capabilities), "C: UIDL\nC: LIST\n"                     \
                         "S: +OK\nS: 1 a\nS: 2 b\nS: 3 c\nS: .\n" \
                         "S: +OK\nS: 1 10\nS: 2 20\nS: 3 30\nS: .\n"
/* Likewise where one command waits for the other. */
#define SYNCED_SLOWLY(capabilities)                                        \
    LOGIN(capabilities), "C: UIDL\nS: +OK\nS: 1 a\nS: 2 b\nS: 3 c\nS: .\n" \
                         "C: LIST\nS: +OK\nS: 1 10\nS: 2 20\nS: 3 30\nS: .\n"
#define TOLD_SYNC                                                                             \
    "reset 1\nmessage 1 size 10 name a\nmessage 2 size 20 name b\nmessage 3 size 30 name c\n" \
    "present 1 2 3\nstate 1 uidnext 4 modseq 0 count 3\nok\n"

static const MailRange pop3_both[] = {{MAIL_SECTION_HEADER, 0, 0}, {MAIL_SECTION_TEXT, 0, 0}};
static const MailRange pop3_header[] = {{MAIL_SECTION_HEADER, 0, 0}};
static const MailRange pop3_body[] = {{MAIL_SECTION_BODY, 0, 0}};
static const uint32_t pop3_uids[] = {1, 2, 3};

enum { POP3_LIMIT = 1000 };

/* So many of the UIDs 1 to 3. */
static inline Act *fetch_first(Bed *bed, size_t n, const MailRange *ranges, size_t n_ranges)
{
    return act_fetch(bed,
                     &(MailFetch){"INBOX", 1, pop3_uids, n, ranges, n_ranges, POP3_LIMIT, false});
}

/* Syncs; true where that went well, so that the scene can go on. */
static inline bool synced(Bed *bed)
{
    sync_inbox(bed);
    return bed_run(bed);
}
