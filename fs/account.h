/*
 * account.h: from what the user asked for to the store that speaks to his server.
 *
 * Main thread, before the engine is started.
 */
#pragma once

#include "../cache/mailstore.h"
#include "credentials.h"

/*
 * The store of the URL's protocol; nothing is sent yet. Fails with the errno of an unusable
 * certificate file.
 */
MailStore *account_store(const Options *options, const Credentials *credentials, GError **error);

/* What the account's cache directory is known by: "imaps://ann@mail.example.org:993". */
char *account_key(const Options *options, const Credentials *credentials);
