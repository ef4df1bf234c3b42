/*
 * fs_moves.h: a mount with two folders, between which messages are moved.
 */
#pragma once

#include "fs_rename.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#define OLD (MAIL_STORE_CHANGES | MAIL_STORE_REMOVE | MAIL_STORE_MAKES)
#define ALL (OLD | MAIL_STORE_MOVES | MAIL_STORE_NEW_UIDS)

typedef struct {
    Scene scene;
    FakeFolder *archive;
    uint64_t inbox, target; /* directories */
} Place;

/* As another mount that has the same cache, until it is done once more or the test ends. */
static G_GNUC_UNUSED void place_take_moves(const char *directory)
{
    static int owner = -1;
    g_autofree char *path = g_build_filename(directory, "moves.lock", NULL);
    if (owner >= 0)
        close(owner);
    owner = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(owner >= 0);
    assert_int_equal(flock(owner, LOCK_EX | LOCK_NB), 0);
}

/* INBOX with messages 1 to 3, of different sizes, and an "Archive" in which the next UID is 50. */
static Place place_mount(void **state, FakeMoves moves)
{
    Place place = {.scene = scene_new()};
    FakeServer *server = place.scene.server;
    for (uint32_t uid = 1; uid <= 3; uid++)
        fake_add(server, place.scene.inbox, uid, 10, 10 + uid);
    place.archive = fake_folder(server, "Archive");
    fake_add(server, place.archive, 49, 10, 11);
    server->changes = ALL;
    server->moves = moves;
    place.inbox = scene_mount(&place.scene, state);
    place.target = fs_folder(place.scene.fs, FUSE_ROOT_ID, "Archive");
    return place;
}

static int place_move(Place *place, const char *name, const char *new_name)
{
    return rename_one(place->scene.fs, place->inbox, name, place->target, new_name);
}

/* Reads all of a message that has the bytes of the one with UID `of`. */
static G_GNUC_UNUSED void assert_bytes(Fs *fs, uint64_t ino, uint32_t of, size_t size)
{
    uint64_t unique = fs_send_read(fs, FUSE_READ, ino, 0, 0, 1000);
    size_t length;
    assert_int_equal(fs_error(fs, unique), 0);
    const void *bytes = fs_body(fs, unique, &length);
    assert_int_equal(length, size);
    assert_true(fake_are_bytes(bytes, of, 0, length));
}

/* How many the server has. */
static void assert_messages(Place *place, guint inbox, guint archive)
{
    fake_lock(place->scene.server);
    assert_int_equal(place->scene.inbox->messages->len, inbox);
    assert_int_equal(place->archive->messages->len, archive);
    fake_unlock(place->scene.server);
}
