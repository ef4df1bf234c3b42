/*
 * imap_login_scenes.h: what the scenes of logins have in common: connecting, and PLAIN.
 */
#pragma once

#include "imap_scene.h"

static inline void play_connect(Bed *bed)
{
    act_connect(bed);
}

/* base64 of NUL ann NUL hunter2 */
#define PLAIN "AGFubgBodW50ZXIy"
#define SENT_PLAIN(tag) "C: " tag " AUTHENTICATE PLAIN " PLAIN "\n"
#define LOGGED_IN(tag) "S: " tag " OK [CAPABILITY IMAP4rev1] logged in\n"
