/*
 * imap_fetch_scenes.h: what the scenes of fetches have in common: INBOX with UIDVALIDITY 7 is
 * opened, and some of UID 5 (or of 5, 6 and 9) asked for.
 */
#pragma once

#include "imap_scene.h"

/* Bytes of a section. */
enum { LIMIT = 1000 };

static const MailRange header_and_text[] = {{MAIL_SECTION_HEADER, 0, 0}, {MAIL_SECTION_TEXT, 0, 0}};
static const MailRange text_only[] = {{MAIL_SECTION_TEXT, 0, 0}};
static const MailRange text_start[] = {{MAIL_SECTION_TEXT, 0, 10}};

static inline Act *fetch(Bed *bed, const uint32_t *uids, size_t n_uids, const MailRange *ranges,
                         size_t n)
{
    return act_fetch(bed, &(MailFetch){"INBOX", 7, uids, n_uids, ranges, n, LIMIT, false});
}

static inline Act *fetch_one(Bed *bed, uint32_t uid, const MailRange *ranges, size_t n)
{
    return fetch(bed, &uid, 1, ranges, n);
}

static inline void play_both(Bed *bed)
{
    fetch_one(bed, 5, header_and_text, 2);
}

static inline void play_text(Bed *bed)
{
    fetch_one(bed, 5, text_only, 1);
}

static inline void play_start(Bed *bed)
{
    fetch_one(bed, 5, text_start, 1);
}

static inline void play_three(Bed *bed)
{
    static const uint32_t uids[] = {5, 6, 9};
    fetch(bed, uids, G_N_ELEMENTS(uids), text_only, 1);
}

#define SELECTED                                                                \
    "S: * 3 EXISTS\nS: * OK [UIDVALIDITY 7] valid\nS: * OK [UIDNEXT 12] next\n" \
    "S: A1 OK [READ-ONLY] EXAMINE completed\n"
#define ASKED(what) PREAUTH("IMAP4rev1") "C: A1 EXAMINE INBOX\nC: A2 UID FETCH " what "\n" SELECTED
#define ASKED_BOTH ASKED("5 (BODY.PEEK[HEADER] BODY.PEEK[TEXT])")
#define ASKED_TEXT ASKED("5 (BODY.PEEK[TEXT])")
#define ASKED_START ASKED("5 (BODY.PEEK[TEXT]<0.10>)")
#define ASKED_THREE ASKED("5:6,9 (BODY.PEEK[TEXT])")
#define DONE "S: A2 OK done\n"
#define ANOTHER                                                                               \
    "C: A3 UID FETCH 6 (BODY.PEEK[TEXT])\nS: * 3 FETCH (UID 6 BODY[TEXT] \"six\")\nS: A3 OK " \
    "done\n"
