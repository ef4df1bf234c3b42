/*
 * header.h: where the header of a message ends: behind its first empty line, whose end (and whose
 * predecessor's) may be a bare LF too.
 *
 * Pure; engine thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zeroed: at the beginning of a message. */
typedef struct {
    size_t line; /* bytes of the line under way, as far as it matters: 0, 1, or more */
    bool cr;     /* and the first of them is a CR */
    bool ended;
} HeaderScan;

/* How many of the bytes belong to the header; once `ended`, none do. */
size_t header_scan(HeaderScan *scan, const uint8_t *bytes, size_t length);
