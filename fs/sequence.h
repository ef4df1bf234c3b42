/*
 * sequence.h: the messages of a folder in the order in which they are being read.
 *
 * Engine thread.
 */
#pragma once

#include "scan.h"

/* All UIDs in that order (SCAN_MIXED: as the folder is listed), uint32_t elements; the caller
 * unrefs. */
GArray *sequence_new(Catalog *catalog, uint32_t folder, ScanOrder order);
/* How many of the sequence come ahead of, or are, the message. */
guint sequence_after(Catalog *catalog, uint32_t folder, ScanOrder order, const GArray *sequence,
                     const CatalogMessage *message);
