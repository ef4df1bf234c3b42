/*
 * opttable.h: the words of -o: which there are, and what each does.
 *
 * Private to options.c, on the main thread.
 */
#pragma once

#include "options.h"

/* What the words fill in. */
typedef struct {
    Options *options;
    char *passed; /* for libfuse: joined by ',', escaped as its parser wants it; by free() */
    bool fsname, subtype; /* are in passed */
} OptionTarget;

/*
 * One word of a list, its escapes resolved: "ro", "refresh=30". Fails with EINVAL: unknown (with
 * the word that was probably meant), a value missing, needless or wrong. What follows the '=' of an
 * unknown word is not repeated in the message: it may be a password.
 */
bool opttable_set(OptionTarget *target, const char *word, GError **error);

/* Adds a word to what libfuse gets. */
void opttable_pass(OptionTarget *target, const char *word);
