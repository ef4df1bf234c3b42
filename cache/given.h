/*
 * given.h: the names that users gave to messages, of one folder.
 *
 * Part of the catalog, under its lock. A name is one message's at a time. When its message is gone
 * the name is free for another, but is still known of the message, whose UID comes never again: so
 * the kernel can be told which name it was that is gone.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct GivenNames GivenNames;

typedef struct {
    uint32_t uid;
    bool stored; /* the index has it */
    bool gone;   /* the message is: nobody has the name */
    char *name;
} GivenName;

GivenNames *given_names_new(void);
void given_names_free(GivenNames *names); /* NULL is allowed */

/* NULL where the message has, and had, none. Valid until another one is given to it. */
GivenName *given_names_of(const GivenNames *names, uint32_t uid);
/* The one that has the name now, or NULL. */
GivenName *given_names_find(const GivenNames *names, const char *name);
/* Whoever had the name has it no more; NULL: the message has none. */
void given_names_put(GivenNames *names, uint32_t uid, const char *name, bool stored);
/* The message is gone. */
void given_names_free_name(GivenNames *names, uint32_t uid);

/* All that somebody has, in no order. */
void given_names_begin(const GivenNames *names, GHashTableIter *iter);
GivenName *given_names_next(GHashTableIter *iter);
