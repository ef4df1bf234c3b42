/*
 * fs_write.h: how the kernel makes and writes files, for a mount of a server that takes messages.
 */
#pragma once

#include "fs_harness.h"

#define LETTER "Subject: x\r\nMessage-ID: <x@y>\r\n\r\ntext\r\n"

static G_GNUC_UNUSED uint64_t user_mount(Scene *scene, void **state)
{
    *scene = scene_new();
    scene->server->changes = MAIL_STORE_CHANGES | MAIL_STORE_REMOVE;
    scene->server->breaks_with = ENOTCONN;
    return scene_mount(scene, state);
}

static uint64_t user_send_create(Fs *fs, uint64_t parent, const char *name)
{
    struct fuse_create_in in = {.flags = O_WRONLY | O_CREAT | O_EXCL, .mode = S_IFREG | 0644};
    return fs_send(fs, FUSE_CREATE, parent, &in, sizeof in, name, strlen(name) + 1);
}

/* The inode, or 0 and the errno. */
static G_GNUC_UNUSED uint64_t user_create(Fs *fs, uint64_t parent, const char *name, int *error)
{
    uint64_t unique = user_send_create(fs, parent, name);
    struct fuse_entry_out entry = {0};
    size_t size;
    const void *body = fs_body(fs, unique, &size);
    *error = fs_error(fs, unique);
    if (*error)
        return 0;
    assert_int_equal(size, sizeof entry + sizeof(struct fuse_open_out));
    memcpy(&entry, body, sizeof entry);
    assert_int_equal(entry.entry_valid, 0);
    assert_int_equal(entry.attr_valid, 0);
    return entry.nodeid;
}

static G_GNUC_UNUSED int user_bytes(Fs *fs, uint64_t ino, const char *bytes, uint64_t offset)
{
    struct fuse_write_in in = {.offset = offset, .size = (uint32_t)strlen(bytes)};
    return fs_error(fs, fs_send(fs, FUSE_WRITE, ino, &in, sizeof in, bytes, strlen(bytes)));
}

static G_GNUC_UNUSED uint64_t user_send_flush(Fs *fs, uint64_t ino)
{
    struct fuse_flush_in in = {0};
    return fs_send(fs, FUSE_FLUSH, ino, &in, sizeof in, NULL, 0);
}

static G_GNUC_UNUSED int user_flush_it(Fs *fs, uint64_t ino)
{
    return fs_error(fs, user_send_flush(fs, ino));
}

static G_GNUC_UNUSED int user_set(Fs *fs, uint64_t ino, struct fuse_setattr_in in)
{
    return fs_error(fs, fs_send(fs, FUSE_SETATTR, ino, &in, sizeof in, NULL, 0));
}

/* A file that is written, and not closed yet. */
static G_GNUC_UNUSED uint64_t user_file(Fs *fs, uint64_t parent, const char *name,
                                        const char *bytes)
{
    int error;
    uint64_t ino = user_create(fs, parent, name, &error);
    assert_int_equal(error, 0);
    assert_int_equal(user_bytes(fs, ino, bytes, 0), 0);
    return ino;
}

/* How many messages the server has. */
static G_GNUC_UNUSED guint user_count(Scene *scene)
{
    fake_lock(scene->server);
    guint n = scene->inbox->messages->len;
    fake_unlock(scene->server);
    return n;
}

/* "uid:date:body;" of all messages that the server has. */
static G_GNUC_UNUSED char *user_server(Scene *scene)
{
    GString *text = g_string_new(NULL);
    fake_lock(scene->server);
    for (guint i = 0; i < scene->inbox->messages->len; i++) {
        const FakeMessage *message = scene->inbox->messages->pdata[i];
        gsize size;
        const char *bytes = g_bytes_get_data(message->body, &size);
        g_string_append_printf(text, "%u:", message->uid);
        g_string_append_len(text, bytes, (gssize)size);
        g_string_append_c(text, ';');
    }
    fake_unlock(scene->server);
    return g_string_free(text, FALSE);
}

static G_GNUC_UNUSED void assert_server(Scene *scene, const char *expected)
{
    g_autofree char *text = user_server(scene);
    assert_string_equal(text, expected);
}

static G_GNUC_UNUSED void assert_listed(Fs *fs, uint64_t ino, const char *expected)
{
    g_autofree char *names = fs_names(fs, ino);
    assert_string_equal(names, expected);
}

static G_GNUC_UNUSED uint64_t ino_of(Fs *fs, uint64_t parent, const char *name)
{
    struct fuse_entry_out entry;
    return fs_lookup(fs, parent, name, &entry) == 0 ? entry.nodeid : 0;
}
