/*
 * privatefile.h: a file without a name, which only this process can read, and which is gone when it
 * ends, however it does.
 *
 * Any thread.
 */
#pragma once

#include <glib.h>

/*
 * A descriptor to read and write by, close-on-exec. directory: where its bytes lie; NULL, or where
 * that can't be written: $TMPDIR. Below 0, with the errno: there is neither.
 */
int privatefile_open(const char *directory, GError **error);
