/*
 * imap_sync_scenes.h: what the scenes of syncs have in common.
 */
#pragma once

#include "imap_scene.h"

/* What the scenes know of INBOX when they begin. */
static const MailFolderState nothing = {0};
static const MailFolderState plain = {.uidvalidity = 7, .uidnext = 6, .count = 3};
static const MailFolderState marked = {.uidvalidity = 7, .uidnext = 6, .modseq = 40, .count = 3};

static inline void play_nothing(Bed *bed)
{
    act_sync(bed, "INBOX", nothing);
}

static inline void play_plain(Bed *bed)
{
    act_sync(bed, "INBOX", plain);
}

static inline void play_marked(Bed *bed)
{
    act_sync(bed, "INBOX", marked);
}

#define NEW(number, uid)              \
    "S: * " number " FETCH (UID " uid \
    " RFC822.SIZE 100 INTERNALDATE \"01-Jan-1970 00:01:40 +0000\" FLAGS (\\Seen \\Recent))\n"
#define TOLD_NEW(uid) "message " uid " size 100 date 100 flags \\Seen.\n"
#define SELECTED(exists, uidnext)                                                                 \
    "S: * FLAGS (\\Seen)\nS: * " exists " EXISTS\nS: * 0 RECENT\nS: * OK [UIDVALIDITY 7] valid\n" \
    "S: * OK [UIDNEXT " uidnext "] next\n"
#define OPENED(tag) "S: " tag " OK [READ-ONLY] EXAMINE completed\n"
#define EXAMINED(exists, uidnext) "C: A1 EXAMINE INBOX\n" SELECTED(exists, uidnext) OPENED("A1")
