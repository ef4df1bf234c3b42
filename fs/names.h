/*
 * names.h: file names: of messages, and of folders.
 *
 * Pure functions; any thread.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define NAMES_MESSAGE_MAX 48 /* a message's name with its NUL fits */

/* "20261122-190507-17.eml": the date in UTC (seconds since the epoch; a year beyond 9999 or
 * before 0 counts as the epoch), then the UID. */
void names_message(int64_t date, uint32_t uid, char name[NAMES_MESSAGE_MAX]);

/* "20261122-190507-17~2.eml": what the message is called instead where the name is another's; n: 2
 * and on. */
void names_message_other(int64_t date, uint32_t uid, unsigned n, char name[NAMES_MESSAGE_MAX]);

/* The UID in a name of one of these two forms, 0 for all else. The date is the caller's to compare:
 * by making the name again. */
uint32_t names_message_uid(const char *name);

/*
 * One level of a folder's name (UTF-8, or any bytes) as a file name: '/', NUL can't occur, control
 * characters (also DEL and C1), broken UTF-8, "." and "..", pullmail's own hidden names
 * (".pullmail", ".headers", ".parts", ".search") and what looks like a message's name get
 * percent-encoded, as does a '%' ahead of two hex digits or of '~'; an empty level is "%", and
 * "%" is "%25". Beyond 255 bytes
 * the name is cut (at a character) and "%~" and 32 hex digits of its SHA-256 follow: names that
 * differ stay apart. The caller frees.
 */
char *names_folder(const char *level);
/* The way back; NULL for a name that names_folder never makes, and for a cut one, which only a
 * list of all folders can answer. The caller frees. */
char *names_folder_decode(const char *name);

/* Whether a user can give a message that name: 0; ENAMETOOLONG beyond 255 bytes; EPERM for one of
 * pullmail's own; EINVAL for what is no file name at all. */
int names_check_given(const char *name);

/*
 * A unique name that a server gives a message (POP3's UIDL: characters of 0x21 to 0x7E) as a file
 * name: with ".eml" behind it; '/', a '.' at the beginning, and a '%' ahead of two hex digits or of
 * '~' get percent-encoded. which: of several messages with that name, 0 for the first; "%~2" and so
 * on follow the name of the others. False: it does not fit.
 */
bool names_unique(const char *unique, unsigned which, char *name, size_t size);
/* The way back; NULL for a name that names_unique never makes. The caller frees. */
char *names_unique_decode(const char *name, unsigned *which);
