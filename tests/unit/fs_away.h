/*
 * fs_away.h: a mount whose server is away for a while: the store says so, and operations fail.
 */
#pragma once

#include "fs_harness.h"

static void away_tell(Fs *fs, const GError *error)
{
    FakeStore *store = (FakeStore *)fs->mount.store;
    if (!store->told)
        offline_begin(fs->mount.offline);
    store->told(store->told_data, error);
    fs_call_done(fs, NULL);
}

static void away_tell_lost(Fs *fs)
{
    g_autoptr(GError) error = g_error_new(MAIL_ERROR, EHOSTUNREACH, "the server is away");
    away_tell(fs, error);
}

static void away_tell_reached(Fs *fs)
{
    away_tell(fs, NULL);
}

/* What is asked of it fails from now on. */
static G_GNUC_UNUSED void away_lose(Fs *fs)
{
    for (FakeKind kind = 0; kind < FAKE_KINDS; kind++)
        fake_fail(fs->server, kind, EHOSTUNREACH, UINT_MAX);
    fs_call_async(fs, away_tell_reached);
    fs_call_async(fs, away_tell_lost);
}

/* It is there again. */
static G_GNUC_UNUSED void away_reach(Fs *fs)
{
    for (FakeKind kind = 0; kind < FAKE_KINDS; kind++)
        fake_fail(fs->server, kind, 0, 0);
    fs_call_async(fs, away_tell_reached);
}

/* The status's lines. */
static GString *away_text;

static void away_describe(Fs *fs)
{
    g_string_truncate(away_text, 0);
    letters_describe(fs->mount.letters, away_text);
    moves_describe(fs->mount.moves, away_text);
    removals_describe(fs->mount.removals, away_text);
    flag_changes_describe(fs->mount.flag_changes, away_text);
    fs_call_done(fs, NULL);
}

/* Waits until so many are pending of what that line counts. */
static G_GNUC_UNUSED void away_await(Fs *fs, const char *key, unsigned n)
{
    g_autofree char *line = g_strdup_printf("%s: %u\n", key, n);
    gint64 until = g_get_monotonic_time() + 60 * G_TIME_SPAN_SECOND;
    bool found = false;
    away_text = g_string_new(NULL);
    while (!found && g_get_monotonic_time() < until) {
        fs_call_async(fs, away_describe);
        found = strstr(away_text->str, line) != NULL;
    }
    if (!found)
        print_error("%s", away_text->str);
    g_string_free(away_text, TRUE);
    assert_true(found);
}
