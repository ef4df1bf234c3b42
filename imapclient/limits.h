/*
 * limits.h: how much of everything a server may say before it is cut off.
 *
 * A server may make a mount useless; it may not make pullmail crash or grow.
 */
#pragma once

#define IMAP_MAX_LINE (1 << 20)    /* bytes of a response outside its literals */
#define IMAP_MAX_DEPTH 64          /* parentheses within each other */
#define IMAP_MAX_ITEMS (1 << 18)   /* values in a response, all levels together */
#define IMAP_MAX_STRING (64 << 10) /* a literal that is no message content: names, texts */
#define IMAP_MAX_KEPT (8 << 20)    /* literals that are kept, in a response together */
#define IMAP_MAX_FLAGS 1000        /* of a message: the rest is not looked at */
#define IMAP_MAX_FOLDERS 50000     /* that LIST may tell */
#define IMAP_MAX_NAME 4000         /* bytes of a folder's name: no path could hold more */
#define IMAP_MAX_NAMES (16 << 20)  /* bytes of all folders' names together */
#define IMAP_MAX_NAMESPACES 16     /* of other users, and shared */
#define IMAP_MAX_ALERTS 20         /* that are passed on to the user */
#define IMAP_MAX_FETCH (4 << 20)   /* bytes of a section or stretch, held in memory */
