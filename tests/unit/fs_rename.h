/*
 * fs_rename.h: renaming, as the kernel asks for it.
 */
#pragma once

#include "fs_named.h"

static uint64_t rename_send(Fs *fs, uint64_t parent, const char *name, uint64_t new_parent,
                            const char *new_name, unsigned flags)
{
    struct fuse_rename2_in in = {.newdir = new_parent, .flags = flags};
    g_autofree char *both = g_strdup_printf("%s%c%s", name, 1, new_name);
    size_t length = strlen(both) + 1;
    both[strlen(name)] = '\0';
    return fs_send(fs, FUSE_RENAME2, parent, &in, sizeof in, both, length);
}

static G_GNUC_UNUSED int rename_one(Fs *fs, uint64_t parent, const char *name, uint64_t new_parent,
                                    const char *new_name)
{
    return fs_error(fs, rename_send(fs, parent, name, new_parent, new_name, 0));
}

/* The message's usual name; the test's until it has asked for four more. */
static G_GNUC_UNUSED const char *rename_usual(uint32_t uid)
{
    static char names[4][NAMES_MESSAGE_MAX];
    static unsigned next;
    char *name = names[next++ % G_N_ELEMENTS(names)];
    names_message(fake_date(uid), uid, name);
    return name;
}

static G_GNUC_UNUSED void assert_file(Fs *fs, uint64_t directory, const char *name, uint64_t ino)
{
    struct fuse_entry_out entry;
    assert_int_equal(fs_lookup(fs, directory, name, &entry), 0);
    assert_int_equal(entry.nodeid, ino);
}

static G_GNUC_UNUSED void assert_no_file(Fs *fs, uint64_t directory, const char *name)
{
    struct fuse_entry_out entry;
    assert_int_equal(fs_lookup(fs, directory, name, &entry), ENOENT);
}
