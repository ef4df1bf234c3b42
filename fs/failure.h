/*
 * failure.h: what kind of failure an error of the store's is, for who decides whether to try again.
 *
 * Plain functions; error NULL is none of them.
 */
#pragma once

#include "../cache/mail.h"

/* The server can't be reached: so it would be with anything else. */
bool failure_is_lost(const GError *error);
/* The server, or the store on its behalf, does not do it: another try would not mend that. */
bool failure_is_refusal(const GError *error);
