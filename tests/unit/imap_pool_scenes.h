/*
 * imap_pool_scenes.h: what the scenes of the pool have in common: fetches from folders whose
 * UIDVALIDITY is 7.
 */
#pragma once

#include "imap_scene.h"

static const MailRange text_only[] = {{MAIL_SECTION_TEXT, 0, 0}};

static inline Act *fetch(Bed *bed, const char *folder, uint32_t uid)
{
    return act_fetch(bed, &(MailFetch){folder, 7, &uid, 1, text_only, 1, 1000, false});
}

#define GREETING PREAUTH("IMAP4rev1")
#define EXAMINE(tag, folder) "C: " tag " EXAMINE " folder "\n"
#define EXAMINED(tag) "S: * 1 EXISTS\nS: * OK [UIDVALIDITY 7] x\nS: " tag " OK done\n"
#define FETCH(tag, uid) "C: " tag " UID FETCH " uid " (BODY.PEEK[TEXT])\n"
#define FETCHED(tag, uid) "S: * 1 FETCH (UID " uid " BODY[TEXT] \"t\")\nS: " tag " OK done\n"
#define TOLD(uid) "fetch " uid " TEXT t\nok\n"
