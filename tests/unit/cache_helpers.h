/*
 * cache_helpers.h: what the tests of the cache share: directories of their own, a count of
 * warnings, bytes that one can tell the message from, and processes to be killed.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <glib.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int warnings; /* since the directory was made */

static G_GNUC_UNUSED void count_warning(const char *domain, GLogLevelFlags level, const char *text,
                                        gpointer data)
{
    (void)domain, (void)data;
    if (level & G_LOG_LEVEL_WARNING)
        g_atomic_int_inc(&warnings);
    else if (level & (G_LOG_LEVEL_CRITICAL | G_LOG_LEVEL_ERROR))
        fprintf(stderr, "critical: %s\n", text);
}

static G_GNUC_UNUSED void remove_tree(const char *path)
{
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    for (const char *name; dir && (name = g_dir_read_name(dir));) {
        g_autofree char *below = g_build_filename(path, name, NULL);
        if (g_file_test(below, G_FILE_TEST_IS_DIR) && !g_file_test(below, G_FILE_TEST_IS_SYMLINK))
            remove_tree(below);
        else
            g_unlink(below);
    }
    g_rmdir(path);
}

/* cmocka's setup and teardown: *state is the path of a directory of the test's own. */
static G_GNUC_UNUSED int setup_directory(void **state)
{
    g_log_set_default_handler(count_warning, NULL);
    g_atomic_int_set(&warnings, 0);
    char *path = g_build_filename(g_get_tmp_dir(), "pullmail-test.XXXXXX", NULL);
    *state = g_mkdtemp_full(path, 0700);
    return *state ? 0 : -1;
}

static G_GNUC_UNUSED int teardown_directory(void **state)
{
    remove_tree(*state);
    g_free(*state);
    return 0;
}

#define TEST_IN_DIRECTORY(test) \
    cmocka_unit_test_setup_teardown(test, setup_directory, teardown_directory)

/* A generator of its own, so that a seed means the same everywhere. */
static G_GNUC_UNUSED uint32_t next_random(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*seed >> 33);
}

/* The byte at an offset of a message. */
static inline unsigned char byte_of(uint32_t folder, uint32_t uid, uint64_t offset)
{
    uint64_t seed = ((uint64_t)folder << 32 | uid) * 0x9e3779b97f4a7c15u + (offset >> 3);
    seed = (seed ^ seed >> 29) * 0xbf58476d1ce4e5b9u;
    return (unsigned char)(seed >> 8 * (offset & 7));
}

static G_GNUC_UNUSED GBytes *bytes_of(uint32_t folder, uint32_t uid, uint64_t offset, size_t length)
{
    unsigned char *bytes = g_malloc(length);
    for (size_t i = 0; i < length; i++)
        bytes[i] = byte_of(folder, uid, offset + i);
    return g_bytes_new_take(bytes, length);
}

static G_GNUC_UNUSED bool are_bytes_of(const unsigned char *bytes, uint32_t folder, uint32_t uid,
                                       uint64_t offset, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (bytes[i] != byte_of(folder, uid, offset + i))
            return false;
    return true;
}

/* In a child there is no cmocka to report to. */
#define CHILD_CHECK(condition)                                                     \
    do {                                                                           \
        if (!(condition)) {                                                        \
            fprintf(stderr, "%s:%d: child: %s\n", __FILE__, __LINE__, #condition); \
            _exit(1);                                                              \
        }                                                                          \
    } while (0)

static G_GNUC_UNUSED void assert_child_succeeds(pid_t child)
{
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* XORs bytes of a file at random places with random values, none of which is 0. */
static G_GNUC_UNUSED void flip_bytes(const char *path, uint64_t *seed, unsigned n)
{
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    long size = ftell(file);
    for (unsigned i = 0; i < n; i++) {
        long at = (long)(next_random(seed) % (unsigned long)size);
        fseek(file, at, SEEK_SET);
        int byte = fgetc(file);
        fseek(file, at, SEEK_SET);
        fputc(byte ^ (int)(1 + next_random(seed) % 255), file);
    }
    assert_int_equal(fclose(file), 0);
}

static G_GNUC_UNUSED void write_file(const char *directory, const char *name, const void *bytes,
                                     size_t length)
{
    g_autofree char *path = g_build_filename(directory, name, NULL);
    assert_true(g_file_set_contents(path, bytes, (gssize)length, NULL));
}

/* Bytes of all files in the directory. */
static G_GNUC_UNUSED uint64_t directory_bytes(const char *path)
{
    uint64_t bytes = 0;
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    for (const char *name; dir && (name = g_dir_read_name(dir));) {
        g_autofree char *below = g_build_filename(path, name, NULL);
        struct stat st;
        if (lstat(below, &st) == 0)
            bytes += (uint64_t)st.st_size;
    }
    return bytes;
}

/* How many names in the directory begin so. */
static G_GNUC_UNUSED unsigned count_names(const char *path, const char *prefix)
{
    unsigned n = 0;
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    for (const char *name; dir && (name = g_dir_read_name(dir));)
        n += g_str_has_prefix(name, prefix);
    return n;
}

/*
 * GLib's slices go from thread to thread under locks that ThreadSanitizer can't see. This runs
 * ahead of their first use.
 */
static __attribute__((constructor)) void use_plain_memory(void)
{
    setenv("G_SLICE", "always-malloc", 1);
}
