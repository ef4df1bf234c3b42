/*
 * standalone.c: runs a fuzz target without libFuzzer, on the files and folders that the command
 * line names, or on all its seeds (CORPUS, a folder): for the tests, for compilers that have no
 * libFuzzer, for AFL++, and to look at one finding.
 */
#include <glib.h>
#include <stdint.h>
#include <stdio.h>

#ifndef CORPUS
#define CORPUS "tests/fuzz/corpus"
#endif

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* How many inputs were run; 0 where a file can't be read. */
static unsigned run(const char *path)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GDir) folder = g_dir_open(path, 0, NULL);
    g_autofree char *contents = NULL;
    gsize length = 0;
    unsigned runs = 0;

    if (folder) {
        for (const char *name; (name = g_dir_read_name(folder));) {
            g_autofree char *below = g_build_filename(path, name, NULL);
            runs += run(below);
        }
        return runs;
    }
    if (!g_file_get_contents(path, &contents, &length, &error)) {
        fprintf(stderr, "%s\n", error->message);
        return 0;
    }
    /* a copy of the very size: the NUL that GLib adds would hide a read beyond the end */
    g_autofree uint8_t *data = g_memdup2(contents, length);
    LLVMFuzzerTestOneInput(data, length);
    return 1;
}

int main(int argc, char **argv)
{
    const char *const seeds[] = {CORPUS};
    const char *const *paths = argc > 1 ? (const char *const *)argv + 1 : seeds;
    int n = argc > 1 ? argc - 1 : 1;

    for (int i = 0; i < n; i++) {
        if (!run(paths[i])) {
            fprintf(stderr, "nothing was run of %s\n", paths[i]);
            return 1;
        }
    }
    return 0;
}
