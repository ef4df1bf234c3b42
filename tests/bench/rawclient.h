/*
 * rawclient.h: what the raw clients of the benchmark share: a connection to this machine, and an
 * end at the first thing that goes wrong.
 */
#pragma once

#include <glib.h>
#include <stddef.h>

enum { RAW_INPUT = 256 * 1024 };

/* Says what is wrong, behind the program's name (g_set_prgname), and ends the process. */
void raw_fail(const char *what) G_GNUC_NORETURN;
/* Connects to a port of 127.0.0.1, without TLS. */
void raw_connect(const char *port);
void raw_close(void);
void raw_send(const void *data, size_t length);
/* What has come: 1 to RAW_INPUT bytes. */
size_t raw_receive(unsigned char buffer[RAW_INPUT]);
