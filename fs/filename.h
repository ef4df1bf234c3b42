/*
 * filename.h: the file name of a message: made of the unique name that the server gives it, where
 * it gives any, else of its date and UID (see names.h).
 *
 * Any thread.
 */
#pragma once

#include "mount.h"

#define FILENAME_MAX_BYTES 256 /* with the NUL */

/* False: the message has none, since what is known of it does not belong together. */
bool filename_of(const Mount *mount, uint32_t folder, const CatalogMessage *message,
                 char name[FILENAME_MAX_BYTES]);
/* The message in the folder of that name. False: none is known. */
bool filename_message(const Mount *mount, uint32_t folder, const char *name,
                      CatalogMessage *message);
/* Whether a message may have that name, rather than a folder. */
bool filename_may_be_message(const Mount *mount, const char *name);
