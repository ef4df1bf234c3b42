/*
 * fs_named.h: a mount of a server without UIDs (see fake_named.h), with a folder INBOX.
 */
#pragma once

#include "fs_harness.h"

static G_GNUC_UNUSED Scene named_scene(void)
{
    Scene scene = scene_new();
    scene.server->named = true;
    scene.inbox->uidvalidity = 1;
    return scene;
}

/* One that the test has put together anew around the same server. */
static G_GNUC_UNUSED uint64_t named_remount(Scene *scene, void **state)
{
    fs_unmount(scene->fs);
    return scene_mount(scene, state);
}

static uint64_t named_send_unlink(Fs *fs, uint64_t parent, const char *name)
{
    return fs_send(fs, FUSE_UNLINK, parent, NULL, 0, name, strlen(name) + 1);
}

static G_GNUC_UNUSED int named_unlink(Fs *fs, uint64_t parent, const char *name)
{
    return fs_error(fs, named_send_unlink(fs, parent, name));
}

static G_GNUC_UNUSED int named_fsyncdir(Fs *fs, uint64_t ino)
{
    struct fuse_fsync_in in = {0};
    return fs_error(fs, fs_send(fs, FUSE_FSYNCDIR, ino, &in, sizeof in, NULL, 0));
}

/* What was to be removed, operation by operation: "1,2;3;". */
static G_GNUC_UNUSED void assert_removals(FakeServer *server, const char *expected)
{
    fake_lock(server);
    assert_string_equal(server->removals->str, expected);
    fake_unlock(server);
}

static G_GNUC_UNUSED void assert_names(Fs *fs, uint64_t ino, const char *expected)
{
    g_autofree char *names = fs_names(fs, ino);
    assert_string_equal(names, expected);
}

static G_GNUC_UNUSED void assert_found(Fs *fs, uint64_t directory, const char *name, uint32_t uid)
{
    struct fuse_entry_out entry;
    assert_int_equal(fs_lookup(fs, directory, name, &entry), 0);
    assert_int_equal(inode_of(entry.nodeid).uid, uid);
}

static G_GNUC_UNUSED void assert_missing(Fs *fs, uint64_t directory, const char *name)
{
    struct fuse_entry_out entry;
    assert_int_equal(fs_lookup(fs, directory, name, &entry), ENOENT);
}
