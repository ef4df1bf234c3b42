/*
 * quota.h: "* QUOTA root (STORAGE used limit MESSAGE used limit)" (RFC 9208).
 *
 * Pure; engine thread.
 */
#pragma once

#include "../cache/mailstore.h"
#include "parse.h"

/* Takes in what a QUOTA response says; whether it says how many bytes there may be. */
bool imap_quota_read(MailQuota *quota, const ImapResponse *response);
