/*
 * naming.h: names for messages that the server gives none, or one that others have too: hashes of
 * the header, by TOP, or of the whole message, by RETR, where the server has no TOP.
 *
 * Engine thread. Two messages of the same content get the same name, and are told apart by their
 * order alone, which between the two makes no difference.
 */
#pragma once

#include "conn.h"
#include "listing.h"

typedef struct Pop3Naming Pop3Naming;

/* error NULL: all of the listing have names. Once; from the main loop. May free the naming. */
typedef void (*Pop3NamingDone)(gpointer data, const GError *error);

/*
 * has_top: the server says that it has TOP. Else it may have it all the same: *no_top is looked at,
 * and set once it was refused. listing and no_top are borrowed.
 */
Pop3Naming *pop3_naming_new(Pop3Conn *conn, Pop3Listing *listing, bool has_top, bool *no_top,
                            Pop3NamingDone done, gpointer data);
void pop3_naming_free(Pop3Naming *naming); /* NULL is allowed; tells nobody */
