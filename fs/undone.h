/*
 * undone.h: what users were told is done, and what could not be done at the server later: a message
 * that was to be removed or moved and that the server does not let go, a file that it does not
 * take. The log says each in a line, and the status how many there were and which was the last.
 *
 * For this process, any thread.
 */
#pragma once

#include <glib.h>

/* So many changes were not done; a warning says which, and why. */
void undone_note(guint changes, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* Appends lines for the status. */
void undone_describe(GString *text);
