/*
 * sync_batch.h: gathers what FETCH answers tell of messages while a folder is synced, and hands
 * it on in batches, so that a sink's locks and the like are paid for once in a while.
 *
 * Engine thread; one per sync. What a server tells of a message in several answers in a row is
 * joined. A message is new from UID `first_new` on; of a new one at least its size or its date
 * must be told, or it is left to the next sync. Memory grows with the messages that there are, up
 * to a bound.
 */
#pragma once

#include "../cache/mailstore.h"
#include "parse.h"

typedef struct SyncBatch SyncBatch;

SyncBatch *imap_sync_batch_new_for(const MailSyncSink *sink, gpointer data);
void imap_sync_batch_free(SyncBatch *batch);
/* Forgets all, also what was not handed on yet; new messages are those from UID first_new on. */
void imap_sync_batch_reset(SyncBatch *batch, uint32_t first_new);
/*
 * All messages were asked for. UIDs ascend with the sequence numbers (RFC 9051 section 2.3.1.1), so
 * that as long as the answers come without a gap in these, the sink is told what was reached.
 */
void imap_sync_batch_follow(SyncBatch *batch);
/* Sequence numbers are no longer those that they were: nothing more is reached. */
void imap_sync_batch_unfollow(SyncBatch *batch);

/* Takes a FETCH answer; false where it has no UID. What is beyond the bound is dropped. */
bool imap_sync_batch_take(SyncBatch *batch, const ImapResponse *response);
/* Takes UIDs that there are; false where they are far more than `exists`. */
bool imap_sync_batch_present(SyncBatch *batch, const GArray *ranges, uint32_t exists);
/* Hands on what is gathered. */
void imap_sync_batch_flush(SyncBatch *batch);
/* Tells the sink all UIDs that were seen. */
void imap_sync_batch_tell_present(SyncBatch *batch);

/* How many new messages there were. */
uint32_t imap_sync_batch_new(SyncBatch *batch);
/*
 * The UID that the next sync begins at: `told` (the server's UIDNEXT, 0 for none), or beyond the
 * messages that were seen, but never beyond a new one that was left. At least 1.
 */
uint32_t imap_sync_batch_uidnext(SyncBatch *batch, uint32_t told);
/* Whether the server told of more messages than there can be. */
bool imap_sync_batch_is_flooded(const SyncBatch *batch);
