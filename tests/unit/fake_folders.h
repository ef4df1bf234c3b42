/*
 * fake_folders.h: what a FakeServer does when folders are made, deleted and renamed, and flags
 * changed.
 *
 * fake_store.h's own.
 */
#pragma once

#include "fake_server.h"

static FakeFolder *fake_find(FakeServer *server, const char *name)
{
    for (guint i = 0; i < server->folders->len; i++) {
        FakeFolder *folder = server->folders->pdata[i];
        if (strcmp(folder->name, name) == 0)
            return folder;
    }
    return NULL;
}

static G_GNUC_UNUSED GPtrArray *fake_folder_names(const FakeServer *server)
{
    GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; i < server->folders->len; i++)
        g_ptr_array_add(names, g_strdup(((FakeFolder *)server->folders->pdata[i])->name));
    return names;
}

/* parent NULL: none. */
static G_GNUC_UNUSED char *fake_full_name(const char *parent, const char *level)
{
    return parent ? g_strconcat(parent, "/", level, NULL) : g_strdup(level);
}

static G_GNUC_UNUSED GError *fake_create_folder(FakeServer *server, const char *parent,
                                                const char *name)
{
    if (parent && !fake_find(server, parent))
        return g_error_new(MAIL_ERROR, ENOENT, "no folder \"%s\"", parent);
    if (fake_find(server, name))
        return g_error_new(MAIL_ERROR, EEXIST, "folder \"%s\" is there", name);
    fake_folder(server, name);
    return NULL;
}

static G_GNUC_UNUSED GError *fake_delete_folder(FakeServer *server, const char *name)
{
    FakeFolder *folder = fake_find(server, name);
    if (!folder || folder->messages->len > 0)
        return g_error_new(MAIL_ERROR, folder ? ENOTEMPTY : ENOENT, "folder \"%s\" stays", name);
    fake_drop_folder(server, folder);
    return NULL;
}

static G_GNUC_UNUSED GError *fake_rename_folder(FakeServer *server, const char *old,
                                                const char *name)
{
    g_autofree char *prefix = g_strconcat(old, "/", NULL);
    if (!fake_find(server, old) || fake_find(server, name))
        return g_error_new(MAIL_ERROR, fake_find(server, old) ? EEXIST : ENOENT, "not renamed");
    for (guint i = 0; i < server->folders->len; i++) {
        FakeFolder *folder = server->folders->pdata[i];
        if (strcmp(folder->name, old) != 0 && !g_str_has_prefix(folder->name, prefix))
            continue;
        char *now = g_strconcat(name, folder->name + strlen(old), NULL);
        g_free(folder->name);
        folder->name = now;
    }
    return NULL;
}

/* "\\Seen a" and how to change it by "a b". The caller frees. */
static char *fake_flags_after(const char *flags, MailFlagsHow how, const char *change)
{
    g_auto(GStrv) names = g_strsplit(how == MAIL_FLAGS_SET ? "" : flags, " ", -1);
    g_auto(GStrv) words = g_strsplit(change, " ", -1);
    GString *text = g_string_new(how == MAIL_FLAGS_TAKE ? "" : change);
    for (char **name = names; *name; name++)
        if (**name && !g_strv_contains((const char *const *)words, *name))
            g_string_append_printf(text, "%s%s", text->len ? " " : "", *name);
    return g_string_free(text, FALSE);
}

static G_GNUC_UNUSED void fake_change_flags(FakeServer *server, FakeFolder *folder,
                                            const MailFlags *flags, const MailFlagsSink *sink,
                                            gpointer data)
{
    sink->permanent(data, "\\*");
    for (size_t i = 0; i < flags->n_uids; i++) {
        FakeMessage *message = NULL;
        for (guint m = 0; m < folder->messages->len && !message; m++)
            if (((FakeMessage *)folder->messages->pdata[m])->uid == flags->uids[i])
                message = folder->messages->pdata[m];
        if (flags->unchanged_since &&
            (server->modified || (message && message->modseq > flags->unchanged_since))) {
            server->modified -= server->modified > 0;
            sink->modified(data, flags->uids[i]);
            continue;
        }
        if (message) {
            char *now = fake_flags_after(message->flags, flags->how, flags->flags);
            g_free(message->flags);
            message->flags = now;
            message->modseq = ++folder->modseq;
        }
        sink->stored(data, flags->uids[i]);
    }
}
