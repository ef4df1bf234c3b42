/*
 * prompt.h: asks for a password on the terminal.
 *
 * Private to credentials.c; the main thread, while there is no other.
 */
#pragma once

#include "../imapclient/net/secret.h"

/*
 * Writes the question to /dev/tty and reads a line without echo. A signal that ends or stops the
 * process meanwhile finds the terminal as it was. Fails with ENOTTY where the process has no
 * terminal, ENOKEY where the line is empty, EINVAL beyond 1024 bytes, and EINTR where a signal came
 * that the process survived.
 */
Secret *prompt_secret(const char *question, GError **error);
