/*
 * quote.h: what a server said as it may stand in a message of ours.
 *
 * Pure; any thread.
 */
#pragma once

/* Printable valid UTF-8, and not endless. The caller frees. */
char *quote_text(const char *text);
