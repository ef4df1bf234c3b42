/*
 * filename.h: the file name of a message: the one that a user gave it; else made of the unique name
 * that the server gives it, where it gives any, else of its date and UID (see names.h).
 *
 * In a directory no two entries have one name. Where a user gave a message a name that a folder has
 * by now, the folder keeps it, and the message has its usual one; where a message comes whose usual
 * name a user gave to another, it has a distinct one, with "~2" in it.
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
/* Whether a message of the folder may have that name, rather than a folder. */
bool filename_may_be_message(const Mount *mount, uint32_t folder, const char *name);
/*
 * Why a message of the folder can't be given that name, an errno: EEXIST where another one that is
 * not hidden or that is on its way there (see arrivals.h), or a folder, has it; what
 * names_check_given says; 0: it can be. Messages of which nobody knows yet may turn out to have it:
 * they get another.
 */
int filename_check_given(const Mount *mount, uint32_t folder, uint32_t uid, const char *name);
/* The same of a message that was on its way under that name, and has come. */
int filename_check_arrived(const Mount *mount, uint32_t folder, uint32_t uid, const char *name);
/*
 * A message of the folder has that name no more: where it was another one's usual name, which had
 * to have a distinct one, the kernel is told that this is no more.
 */
void filename_freed(const Mount *mount, uint32_t folder, const char *name);
