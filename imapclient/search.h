/*
 * search.h: which UIDs a UID SEARCH finds: "* SEARCH 2 3" or, where the server has ESEARCH,
 * "* ESEARCH (TAG …) UID ALL 2:3" (RFC 9051 sections 6.4.4 and 7.3.4).
 *
 * Plain data of the engine thread. A plain SEARCH does not say whose answer it is, so that it is
 * heard by all who wait for one: where there is no ESEARCH, what was found may also be what
 * somebody else has searched on the same connection just before. Who can't have that sends a
 * barrier.
 */
#pragma once

#include "session.h"

/* Zeroed: nothing was found yet. */
typedef struct {
    GArray *ranges; /* MailUidRange, in any order until imap_search_finish; NULL: none */
    bool answered;
    bool strange; /* the answer can't be understood: it says nothing */
} ImapSearch;

void imap_search_clear(ImapSearch *search);

/* Whether the server has ESEARCH. */
bool imap_search_is_extended(const ImapSession *session);
/* A command that searches; the criteria are to be appended. */
ImapCommand *imap_search_command(const ImapSession *session);
/* Hears an untagged response; true where it is nobody else's. */
bool imap_search_take(ImapSearch *search, const ImapResponse *response);
/* The search is over; the ranges are ascending and disjoint from now on. False where there was no
 * answer that can be believed. */
bool imap_search_finish(ImapSearch *search);
/* Whether it was found; after imap_search_finish. */
bool imap_search_found(const ImapSearch *search, uint32_t uid);
