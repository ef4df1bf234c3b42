/*
 * fs_session.h: the kernel's side of a mount: requests that the test makes of a real FUSE session,
 * and the replies that it reads.
 *
 * Any thread of the test may send a request: it is a FUSE worker meanwhile. Every reply is checked
 * to be the only one.
 */
#pragma once

#include "../../fs/arrivals.h"
#include "../../fs/control.h"
#include "../../fs/dircache.h"
#include "../../fs/draft.h"
#include "../../fs/fetch.h"
#include "../../fs/flag_changes.h"
#include "../../fs/flush.h"
#include "../../fs/inode.h"
#include "../../fs/inode_map.h"
#include "../../fs/letters.h"
#include "../../fs/moves.h"
#include "../../fs/names.h"
#include "../../fs/offline.h"
#include "../../fs/ops.h"
#include "../../fs/prefetch.h"
#include "../../fs/push.h"
#include "../../fs/refresh.h"
#include "../../fs/removal.h"
#include "../../fs/request.h"
#include "../../fs/storing.h"
#include "../../fs/sync.h"
#include "../../fs/trust.h"
#include "../../fs/watch.h"
#include "fake_store.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <sys/uio.h>

typedef struct {
    Mount mount; /* first: the session's userdata */
    Options options;
    FakeServer *server;
    uint64_t prefetch; /* bytes; 0: off */
    struct fuse_session *session;
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t changed;
    struct fuse_init_in init; /* what the kernel says of itself */
    uint64_t last_unique;
    uint32_t pid;         /* who asks; 0: this process */
    GHashTable *replies;  /* unique -> GBytes: header and body; NULL while there is none */
    GPtrArray *notes;     /* GBytes */
    unsigned surplus;     /* replies to what had one, or was never asked */
    uint64_t refused;     /* the reply to this request fails */
    unsigned calls, done; /* of fs_call_async */
    bool gated, at_gate;  /* the engine stands still */
    bool closed;
    gint interrupts; /* were sent */
} Fs;

/* --- replies -------------------------------------------------------------------------------- */

static ssize_t fs_take_reply(int fd, struct iovec *iov, int count, void *userdata)
{
    Fs *fs = userdata;
    GByteArray *bytes = g_byte_array_new();
    ssize_t result;
    (void)fd;
    for (int i = 0; i < count; i++)
        g_byte_array_append(bytes, iov[i].iov_base, (guint)iov[i].iov_len);
    struct fuse_out_header header;
    memcpy(&header, bytes->data, sizeof header);
    GBytes *reply = g_byte_array_free_to_bytes(bytes);
    result = (ssize_t)g_bytes_get_size(reply);
    pthread_mutex_lock(&fs->lock);
    gpointer before = NULL;
    if (!header.unique)
        g_ptr_array_add(fs->notes, g_bytes_ref(reply));
    else if (!g_hash_table_lookup_extended(fs->replies, &header.unique, NULL, &before) || before)
        fs->surplus += header.error != -EAGAIN; /* libfuse's word on an INTERRUPT of its own */
    else
        g_hash_table_replace(fs->replies, g_memdup2(&header.unique, sizeof header.unique),
                             g_bytes_ref(reply));
    if (header.unique && header.unique == fs->refused) {
        errno = ENOENT;
        result = -1;
    }
    pthread_cond_broadcast(&fs->changed);
    pthread_mutex_unlock(&fs->lock);
    g_bytes_unref(reply);
    return result;
}

static ssize_t fs_no_read(int fd, void *buffer, size_t size, void *userdata)
{
    (void)fd, (void)buffer, (void)size, (void)userdata;
    return 0;
}

static struct timespec fs_deadline(void)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 120;
    return until;
}

/* The reply, which stays the harness's; waits for it. NULL: it never came. */
static GBytes *fs_reply(Fs *fs, uint64_t unique)
{
    struct timespec until = fs_deadline();
    GBytes *reply;
    int error = 0;
    pthread_mutex_lock(&fs->lock);
    while (!(reply = g_hash_table_lookup(fs->replies, &unique)) && !error)
        error = pthread_cond_timedwait(&fs->changed, &fs->lock, &until);
    pthread_mutex_unlock(&fs->lock);
    return reply;
}

static G_GNUC_UNUSED bool fs_is_replied(Fs *fs, uint64_t unique)
{
    pthread_mutex_lock(&fs->lock);
    bool replied = g_hash_table_lookup(fs->replies, &unique) != NULL;
    pthread_mutex_unlock(&fs->lock);
    return replied;
}

/* Waits for the reply: its errno (0: success). */
static int fs_error(Fs *fs, uint64_t unique)
{
    GBytes *reply = fs_reply(fs, unique);
    return reply ? -((const struct fuse_out_header *)g_bytes_get_data(reply, NULL))->error
                 : ETIMEDOUT;
}

/* What is behind the header. */
static const void *fs_body(Fs *fs, uint64_t unique, size_t *size)
{
    gsize length = 0;
    GBytes *reply = fs_reply(fs, unique);
    const char *bytes = reply ? g_bytes_get_data(reply, &length) : NULL;
    *size = length > sizeof(struct fuse_out_header) ? length - sizeof(struct fuse_out_header) : 0;
    return *size ? bytes + sizeof(struct fuse_out_header) : NULL;
}

/* --- requests ------------------------------------------------------------------------------- */

/* Sends a request: a structure, then bytes (a name with its NUL). Returns its number. */
static uint64_t fs_send(Fs *fs, enum fuse_opcode opcode, uint64_t ino, const void *argument,
                        size_t size, const char *bytes, size_t n_bytes)
{
    size_t length = sizeof(struct fuse_in_header) + size + n_bytes;
    g_autofree char *message = g_malloc0(length);
    pthread_mutex_lock(&fs->lock);
    uint64_t unique = fs->last_unique += 2;
    if (opcode != FUSE_INTERRUPT && opcode != FUSE_FORGET)
        g_hash_table_insert(fs->replies, g_memdup2(&unique, sizeof unique), NULL);
    pthread_mutex_unlock(&fs->lock);
    struct fuse_in_header header = {.len = (uint32_t)length,
                                    .opcode = opcode,
                                    .unique = unique,
                                    .nodeid = ino,
                                    .uid = getuid(),
                                    .gid = getgid(),
                                    .pid = fs->pid ? fs->pid : (uint32_t)getpid()};
    memcpy(message, &header, sizeof header);
    if (size)
        memcpy(message + sizeof header, argument, size);
    if (n_bytes)
        memcpy(message + sizeof header + size, bytes, n_bytes);
    struct fuse_buf buf = {.size = length, .mem = message};
    fuse_session_process_buf(fs->session, &buf);
    return unique;
}

static uint64_t fs_send_lookup(Fs *fs, uint64_t parent, const char *name)
{
    return fs_send(fs, FUSE_LOOKUP, parent, NULL, 0, name, strlen(name) + 1);
}

static uint64_t fs_send_open(Fs *fs, enum fuse_opcode opcode, uint64_t ino, int flags)
{
    struct fuse_open_in in = {.flags = (uint32_t)flags};
    return fs_send(fs, opcode, ino, &in, sizeof in, NULL, 0);
}

static uint64_t fs_send_read(Fs *fs, enum fuse_opcode opcode, uint64_t ino, uint64_t fh,
                             uint64_t offset, size_t size)
{
    struct fuse_read_in in = {.fh = fh, .offset = offset, .size = (uint32_t)size};
    return fs_send(fs, opcode, ino, &in, sizeof in, NULL, 0);
}

static G_GNUC_UNUSED void fs_interrupt(Fs *fs, uint64_t unique)
{
    struct fuse_interrupt_in in = {.unique = unique};
    g_atomic_int_inc(&fs->interrupts);
    fs_send(fs, FUSE_INTERRUPT, 0, &in, sizeof in, NULL, 0);
}

/* --- requests and their replies -------------------------------------------------------------- */

static G_GNUC_UNUSED int fs_lookup(Fs *fs, uint64_t parent, const char *name,
                                   struct fuse_entry_out *entry)
{
    uint64_t unique = fs_send_lookup(fs, parent, name);
    int error = fs_error(fs, unique);
    size_t size;
    const void *body = fs_body(fs, unique, &size);
    memset(entry, 0, sizeof *entry);
    if (!error) {
        assert_int_equal(size, sizeof *entry);
        memcpy(entry, body, size);
    }
    return error;
}

static G_GNUC_UNUSED int fs_getattr(Fs *fs, uint64_t ino, struct fuse_attr_out *out)
{
    struct fuse_getattr_in in = {0};
    uint64_t unique = fs_send(fs, FUSE_GETATTR, ino, &in, sizeof in, NULL, 0);
    int error = fs_error(fs, unique);
    size_t size;
    const void *body = fs_body(fs, unique, &size);
    memset(out, 0, sizeof *out);
    if (!error) {
        assert_int_equal(size, sizeof *out);
        memcpy(out, body, size);
    }
    return error;
}

static G_GNUC_UNUSED uint64_t fs_size(Fs *fs, uint64_t ino)
{
    struct fuse_attr_out out;
    assert_int_equal(fs_getattr(fs, ino, &out), 0);
    return out.attr.size;
}

static G_GNUC_UNUSED int fs_opendir(Fs *fs, uint64_t ino)
{
    return fs_error(fs, fs_send_open(fs, FUSE_OPENDIR, ino, O_RDONLY | O_DIRECTORY));
}

static G_GNUC_UNUSED int fs_open(Fs *fs, uint64_t ino)
{
    return fs_error(fs, fs_send_open(fs, FUSE_OPEN, ino, O_RDONLY));
}

static G_GNUC_UNUSED int fs_release(Fs *fs, uint64_t ino, uint64_t fh)
{
    struct fuse_release_in in = {.fh = fh};
    return fs_error(fs, fs_send(fs, FUSE_RELEASE, ino, &in, sizeof in, NULL, 0));
}

/* Reads, and checks that what comes is this stretch of the message, as long as it can be. */
static G_GNUC_UNUSED bool fs_reads(Fs *fs, uint64_t ino, uint64_t offset, size_t size, uint64_t end)
{
    uint64_t unique = fs_send_read(fs, FUSE_READ, ino, 0, offset, size);
    size_t length, expected = offset < end ? (size_t)MIN(size, end - offset) : 0;
    const void *bytes = fs_body(fs, unique, &length);
    return fs_error(fs, unique) == 0 && length == expected &&
           fake_are_bytes(bytes, inode_of(ino).uid, offset, length);
}

/* Reads all of the message, and a piece beyond its end. */
static G_GNUC_UNUSED bool fs_reads_all(Fs *fs, uint64_t ino, size_t piece, uint64_t end)
{
    bool right = true;
    for (uint64_t offset = 0; right && offset <= end + piece; offset += piece)
        right = fs_reads(fs, ino, offset, piece, end);
    return right;
}

static G_GNUC_UNUSED int fs_read_error(Fs *fs, uint64_t ino, uint64_t offset, size_t size)
{
    return fs_error(fs, fs_send_read(fs, FUSE_READ, ino, 0, offset, size));
}

/* The inode of a message in a folder that was looked at. */
static G_GNUC_UNUSED uint64_t fs_message(const Fs *fs, const char *folder, uint32_t uid)
{
    g_autoptr(GArray) folders = catalog_folders(fs->mount.catalog);
    for (guint i = 0; i < folders->len; i++) {
        const CatalogFolder *known = &g_array_index(folders, CatalogFolder, i);
        if (strcmp(known->name, folder) == 0)
            return inode_number(INODE_MESSAGE, known->id, uid);
    }
    return 0;
}

static G_GNUC_UNUSED uint64_t fs_folder(Fs *fs, uint64_t parent, const char *name)
{
    struct fuse_entry_out entry;
    assert_int_equal(fs_lookup(fs, parent, name, &entry), 0);
    return entry.nodeid;
}

/* --- what the kernel is told ----------------------------------------------------------------- */

/* The name that a notice of this code is about; NULL: it is of another. */
static const char *fs_note_name(GBytes *note, int code)
{
    const char *bytes = g_bytes_get_data(note, NULL);
    struct fuse_out_header header;
    memcpy(&header, bytes, sizeof header);
    if (header.error != code)
        return NULL;
    return bytes + sizeof header +
           (code == FUSE_NOTIFY_DELETE ? sizeof(struct fuse_notify_delete_out)
                                       : sizeof(struct fuse_notify_inval_entry_out));
}

static bool fs_has_note(const Fs *fs, int code, const char *name)
{
    for (guint i = 0; i < fs->notes->len; i++)
        if (g_strcmp0(fs_note_name(fs->notes->pdata[i], code), name) == 0)
            return true;
    return false;
}

/* Waits until it has been told of an entry (FUSE_NOTIFY_DELETE or _INVAL_ENTRY). */
static G_GNUC_UNUSED void fs_await_note(Fs *fs, int code, const char *name)
{
    struct timespec until = fs_deadline();
    int error = 0;
    pthread_mutex_lock(&fs->lock);
    while (!fs_has_note(fs, code, name) && !error)
        error = pthread_cond_timedwait(&fs->changed, &fs->lock, &until);
    pthread_mutex_unlock(&fs->lock);
    assert_int_equal(error, 0);
}

/* --- directories ---------------------------------------------------------------------------- */

typedef struct {
    char name[256];
    uint64_t ino, nodeid, offset, size; /* nodeid and size: of readdirplus */
    unsigned type;
} FsEntry;

static size_t fs_take_entry(const char *bytes, bool plus, FsEntry *entry)
{
    struct fuse_entry_out out = {0};
    struct fuse_dirent dirent;
    size_t skip = plus ? sizeof out : 0;
    if (plus)
        memcpy(&out, bytes, sizeof out);
    memcpy(&dirent, bytes + skip, sizeof dirent);
    assert_true(dirent.namelen < sizeof entry->name);
    *entry = (FsEntry){.ino = dirent.ino,
                       .nodeid = out.nodeid,
                       .offset = dirent.off,
                       .size = out.attr.size,
                       .type = dirent.type};
    memcpy(entry->name, bytes + skip + FUSE_NAME_OFFSET, dirent.namelen);
    return FUSE_DIRENT_ALIGN(skip + FUSE_NAME_OFFSET + dirent.namelen);
}

/* One READDIR or READDIRPLUS: appends what came (FsEntry) to entries; returns the errno. */
static G_GNUC_UNUSED int fs_readdir(Fs *fs, uint64_t ino, bool plus, uint64_t offset, size_t size,
                                    GArray *entries)
{
    uint64_t unique = fs_send_read(fs, plus ? FUSE_READDIRPLUS : FUSE_READDIR, ino, 0, offset,
                                   size);
    size_t length;
    const char *bytes = fs_body(fs, unique, &length);
    assert_true(length <= size);
    for (size_t at = 0; at < length;) {
        FsEntry entry;
        at += fs_take_entry(bytes + at, plus, &entry);
        g_array_append_val(entries, entry);
    }
    return fs_error(fs, unique);
}

/* The whole directory, with buffers of this size: FsEntry elements; the caller unrefs. */
static G_GNUC_UNUSED GArray *fs_list(Fs *fs, uint64_t ino, bool plus, size_t size)
{
    GArray *entries = g_array_new(FALSE, FALSE, sizeof(FsEntry));
    uint64_t offset = 0;
    guint before;
    do {
        before = entries->len;
        assert_int_equal(fs_readdir(fs, ino, plus, offset, size, entries), 0);
        if (entries->len)
            offset = g_array_index(entries, FsEntry, entries->len - 1).offset;
    } while (entries->len > before);
    return entries;
}

/* The names but "." and "..", with a space behind each; the caller frees. */
static G_GNUC_UNUSED char *fs_names(Fs *fs, uint64_t ino)
{
    g_autoptr(GArray) entries = fs_list(fs, ino, false, 4096);
    GString *text = g_string_new(NULL);
    for (guint i = 2; i < entries->len; i++)
        g_string_append_printf(text, "%s ", g_array_index(entries, FsEntry, i).name);
    return g_string_free(text, FALSE);
}
