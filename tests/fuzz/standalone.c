/*
 * standalone.c: runs a fuzz target on the files that the command line names, for compilers that
 * have no libFuzzer, and to look at one finding.
 */
#include <glib.h>
#include <stdint.h>
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: %s FILE...\n", argv[0]);
        return 2;
    }
    for (int i = 1; i < argc; i++) {
        g_autofree char *contents = NULL;
        gsize length = 0;
        g_autoptr(GError) error = NULL;
        if (!g_file_get_contents(argv[i], &contents, &length, &error)) {
            fprintf(stderr, "%s\n", error->message);
            return 1;
        }
        /* a copy of the very size: the NUL that GLib adds would hide a read beyond the end */
        g_autofree uint8_t *data = g_memdup2(contents, length);
        LLVMFuzzerTestOneInput(data, length);
    }
    return 0;
}
