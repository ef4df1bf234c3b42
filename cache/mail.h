/*
 * mail.h: the words that every part of pullmail shares: what a message and a folder are, and how
 * an operation says that it failed.
 *
 * Everything here is a plain value; any thread may use it.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * Errors. One way throughout: a function that can fail returns false (or NULL) and sets a GError
 * of the domain MAIL_ERROR. Its code is the errno value that a user's system call shall return,
 * its message one line that says what was wrong and, where something can be done about it, what.
 */
#define MAIL_ERROR (mail_error_quark())
GQuark mail_error_quark(void);

/* The errno of any GError: its code where the domain is MAIL_ERROR, EIO for a foreign one. */
int mail_errno(const GError *error);

/* Attributes of a folder (RFC 9051 section 7.3.1, RFC 6154). */
enum {
    MAIL_FOLDER_NOSELECT = 1 << 0,    /* holds no messages: it can't be selected */
    MAIL_FOLDER_NONEXISTENT = 1 << 1, /* is only the parent of others */
    MAIL_FOLDER_NOINFERIORS = 1 << 2, /* can't have children */
    MAIL_FOLDER_TRASH = 1 << 3,       /* special use \Trash */
};

/* A folder as a store lists it. The strings are the teller's. */
typedef struct {
    const char *name; /* the server's whole name in UTF-8, or its bytes where they are no UTF-8 */
    char delimiter;   /* between the levels of the name; 0: the name has only one level */
    unsigned attributes;
} MailFolderInfo;

/* Which members of a MailMessage are set. */
enum {
    MAIL_HAS_SIZE = 1 << 0,
    MAIL_HAS_DATE = 1 << 1,
    MAIL_HAS_FLAGS = 1 << 2,
};

/* What a listing tells of a message. The strings are the teller's. */
typedef struct {
    uint32_t uid;      /* 1 to 2^32 - 1 */
    unsigned has;      /* MAIL_HAS_ bits */
    uint64_t size;     /* RFC822.SIZE: octets, as the server claims */
    int64_t date;      /* INTERNALDATE: seconds since the epoch, UTC */
    const char *flags; /* "\\Seen $Forwarded": names with a space in between; "" for none */
    /* The message's own unique name at the server (POP3's UIDL), the teller's; NULL where the UID
     * is all there is. 1 to 70 characters of 0x21 to 0x7E. */
    const char *name;
} MailMessage;

/*
 * Where a folder stood when it was last in step with the server (RFC 4549, RFC 7162). uidvalidity
 * is 0 where nothing is known; modseq is 0 where the server has no CONDSTORE.
 */
typedef struct {
    uint32_t uidvalidity;
    uint32_t uidnext;
    uint64_t modseq;
    uint32_t count; /* messages that are known */
    /*
     * Asked of a sync: flags that changed may be left out, where a server without CONDSTORE would
     * have to tell all flags of a large folder. Told by it: they were.
     */
    bool flags_later;
} MailFolderState;

/* Inclusive. first <= last. */
typedef struct {
    uint32_t first;
    uint32_t last;
} MailUidRange;

/* For qsort, bsearch and g_array_sort: of elements that are, or begin with, a UID. */
int mail_compare_uids(const void *a, const void *b);

/* The parts of a message that can be asked for (RFC 9051 section 6.4.5). */
typedef enum {
    MAIL_SECTION_HEADER, /* BODY[HEADER]: with the empty line that ends it */
    MAIL_SECTION_TEXT,   /* BODY[TEXT] */
    MAIL_SECTION_BODY,   /* BODY[]: the whole message */
} MailSection;

/* A stretch of a section. length 0: from offset 0 to the end, however long. */
typedef struct {
    MailSection section;
    uint64_t offset;
    uint32_t length;
} MailRange;
