/*
 * fake_watch.h: a FakeServer that tells what changes, when the test says so, and where folders
 * stand, when it is asked.
 *
 * fake_store.h's own.
 */
#pragma once

#include "fake_op.h"

static GError *fake_run_states(FakeOp *op)
{
    FakeServer *server = op->store->server;
    for (guint i = 0; i < op->listed->len; i++) {
        const FakeFolder *folder = fake_find(server, op->listed->pdata[i]);
        MailFolderState state = {0};
        if (folder)
            state = (MailFolderState){folder->uidvalidity, folder->uidnext,
                                      server->condstore ? folder->modseq : 0, folder->messages->len,
                                      false};
        op->state_sink(op->data, op->listed->pdata[i], folder ? &state : NULL);
    }
    return NULL;
}

static void fake_watch(MailStore *store, const char *const *folders, const MailWatchSink *sink,
                       gpointer data)
{
    FakeServer *server = ((FakeStore *)store)->server;
    fake_lock(server);
    g_free(server->watched);
    server->watched = g_strjoinv(" ", (char **)folders);
    server->watch_sink = sink;
    server->watch_data = data;
    server->started[FAKE_WATCH]++;
    fake_unlock(server);
}

static bool fake_watches(MailStore *store, const char *folder)
{
    FakeServer *server = ((FakeStore *)store)->server;
    fake_lock(server);
    bool tells = server->tells &&
                 (strcmp(server->tells, "*") == 0 || g_strcmp0(server->tells, folder) == 0);
    fake_unlock(server);
    return tells;
}
