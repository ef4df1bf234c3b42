#include "fs_harness.h"

/*
 * Messages full of lines, so that stretches would begin within a CR LF if nobody took care, read
 * from a server that answers such a stretch right, and from one that puts a CR ahead of the LF
 * which is no part of it. Both must give the same bytes.
 */

enum { MIB = 1 << 20, HEADER = 300 };

static Scene scene_of(bool surplus_cr)
{
    Scene scene = scene_new();
    scene.server->surplus_cr = surplus_cr;
    return scene;
}

/* A line's length, and where in it the message begins. */
static uint32_t uid_of(uint32_t line, uint32_t shift)
{
    return line * FAKE_LINES + shift;
}

static void test_from_the_beginning(void **state)
{
    for (int surplus_cr = 0; surplus_cr < 2; surplus_cr++) {
        Scene scene = scene_of(surplus_cr);
        uint64_t end = HEADER + MIB;
        for (uint32_t line = 2; line < 5; line++)
            for (uint32_t shift = 0; shift < line; shift++)
                fake_add(scene.server, scene.inbox, uid_of(line, shift), HEADER, MIB);
        g_autofree char *directory = g_strdup_printf("%s/%d", (char *)*state, surplus_cr);
        g_mkdir(directory, 0700);
        void *folder = directory;
        scene_mount(&scene, &folder);
        for (uint32_t line = 2; line < 5; line++) {
            for (uint32_t shift = 0; shift < line; shift++) {
                uint64_t ino = fs_message(scene.fs, "INBOX", uid_of(line, shift));
                assert_int_equal(fs_open(scene.fs, ino), 0);
                assert_int_equal(fs_size(scene.fs, ino), end);
                if (!fs_reads_all(scene.fs, ino, 50000, end))
                    fail_msg("surplus %d, lines of %u, shift %u", surplus_cr, line, shift);
            }
        }
        scene_end(&scene);
    }
}

/* Each time a message of which nothing but its header is held. */
static void test_somewhere(void **state)
{
    static const uint64_t offsets[] = {65536, 65535, 65537, 131072, 5 * 65536, 900000, 600000};
    for (int surplus_cr = 0; surplus_cr < 2; surplus_cr++) {
        Scene scene = scene_of(surplus_cr);
        uint64_t end = HEADER + MIB;
        for (uint32_t shift = 0; shift < 3 * G_N_ELEMENTS(offsets); shift++)
            fake_add(scene.server, scene.inbox, uid_of(3, shift), HEADER, MIB);
        g_autofree char *directory = g_strdup_printf("%s/%d", (char *)*state, surplus_cr);
        g_mkdir(directory, 0700);
        void *folder = directory;
        scene_mount(&scene, &folder);
        for (uint32_t shift = 0; shift < 3 * G_N_ELEMENTS(offsets); shift++) {
            uint64_t ino = fs_message(scene.fs, "INBOX", uid_of(3, shift));
            assert_int_equal(fs_open(scene.fs, ino), 0);
            if (!fs_reads(scene.fs, ino, offsets[shift / 3], 1000, end) ||
                !fs_reads(scene.fs, ino, offsets[shift / 3] - 10, 20, end) ||
                !fs_reads_all(scene.fs, ino, 100000, end))
                fail_msg("surplus %d, offset %lu, shift %u", surplus_cr,
                         (unsigned long)offsets[shift / 3], shift % 3);
        }
        scene_end(&scene);
    }
}

static void test_here_and_there(void **state)
{
    for (int surplus_cr = 0; surplus_cr < 2; surplus_cr++) {
        Scene scene = scene_of(surplus_cr);
        uint64_t end = HEADER + 4 * MIB, seed = 1;
        for (uint32_t shift = 0; shift < 6; shift++)
            fake_add(scene.server, scene.inbox, uid_of(6, shift), HEADER, 4 * MIB);
        g_autofree char *directory = g_strdup_printf("%s/%d", (char *)*state, surplus_cr);
        g_mkdir(directory, 0700);
        void *folder = directory;
        scene_mount(&scene, &folder);
        for (uint32_t shift = 0; shift < 6; shift++) {
            uint64_t ino = fs_message(scene.fs, "INBOX", uid_of(6, shift));
            assert_int_equal(fs_open(scene.fs, ino), 0);
            for (int i = 0; i < 100; i++) {
                uint64_t offset = next_random(&seed) % end;
                if (!fs_reads(scene.fs, ino, offset, 1 + next_random(&seed) % 100000, end))
                    fail_msg("surplus %d, shift %u, offset %lu", surplus_cr, shift,
                             (unsigned long)offset);
            }
        }
        scene_end(&scene);
    }
}

/* The size is a lie, so that BODY[] is fetched in stretches up to its end. */
static void test_with_a_false_size(void **state)
{
    static const int64_t lies[] = {-1, 1, -1000, 1000, -MIB, MIB};
    for (int surplus_cr = 0; surplus_cr < 2; surplus_cr++) {
        Scene scene = scene_of(surplus_cr);
        uint64_t end = HEADER + 3 * MIB;
        uint32_t shift = 0;
        for (size_t i = 0; i < 3 * G_N_ELEMENTS(lies); i++, shift++)
            fake_claim(scene.server,
                       fake_add(scene.server, scene.inbox, uid_of(3, shift), HEADER, 3 * MIB),
                       end + (uint64_t)lies[i / 3]);
        g_autofree char *directory = g_strdup_printf("%s/%d", (char *)*state, surplus_cr);
        g_mkdir(directory, 0700);
        void *folder = directory;
        scene_mount(&scene, &folder);
        for (shift = 0; shift < 3 * G_N_ELEMENTS(lies); shift++) {
            uint64_t ino = fs_message(scene.fs, "INBOX", uid_of(3, shift));
            assert_int_equal(fs_open(scene.fs, ino), 0);
            /* One too many, of a server with that fault, shows when the end is read. */
            bool shows = !surplus_cr || lies[shift / 3] != 1;
            if ((shows && fs_size(scene.fs, ino) != end) ||
                !fs_reads_all(scene.fs, ino, 100000, end) || fs_size(scene.fs, ino) != end)
                fail_msg("surplus %d, lie %ld, shift %u: %lu", surplus_cr, (long)lies[shift / 3],
                         shift % 3, (unsigned long)fs_size(scene.fs, ino));
        }
        scene_end(&scene);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_DIRECTORY(test_from_the_beginning),
        TEST_IN_DIRECTORY(test_somewhere),
        TEST_IN_DIRECTORY(test_here_and_there),
        TEST_IN_DIRECTORY(test_with_a_false_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
