/*
 * trust.h: whether the server's word on the size of messages is taken, so that the kernel needs not
 * ask us to open files.
 *
 * Programs allocate, map and stop reading by st_size; RFC822.SIZE is but a claim. There are three
 * states, and in each the bytes that a reader gets are exact:
 *
 * 1. The server has yet to earn trust. Each open() is a request, and waits until the message's size
 *    is proved. That costs some 40 us a file, and nothing but the first reading of a message costs
 *    more. stat shows the claim of messages that nobody opened.
 * 2. It has earned it: of this account TRUST_AFTER sizes were found true, and none ever wrong (the
 *    catalog's size record, which is kept). The next open() is answered with ENOSYS: from then on
 *    this mount's kernel opens files by itself, and keeps their pages (as by FOPEN_KEEP_CACHE).
 *    Where files can be written it tells of each that is closed, since these are stored then, and
 *    it can't be told not to of messages alone (FOPEN_NOFLUSH takes an open that is asked for).
 *    There is no way back before the next mount. So that a lie does no harm all the same, nothing
 *    of a message is given out before its size is proved, by the very command that fetches what is
 *    read. Where that shows another size:
 *    - a larger one: the kernel forgets the size ahead of the answer, and asks when its
 *      reader comes to the end that was claimed;
 *    - a smaller one: the answer ends early, by which the kernel corrects the size itself, unless
 *      it is told to forget the attributes meanwhile (it would take the answer for outdated, and
 *      show the reader NULs); so its name is forgotten instead, and with the next lookup the size.
 *      A read ahead that begins behind the true end is answered late, after the one that has the
 *      end in it: for the same reason, only the first of such answers counts.
 *    This is exact for whoever reads up to the end of file (cat, grep, cp). Who relies on an
 *    st_size from before (tar, rsync, mmap) may have had a wrong one of this one message; hence
 *    TRUST_AFTER is far above what a server survives that is wrong about every fiftieth message.
 *    Where 0 is claimed the kernel would not even ask to read: it keeps no such size, in state 1
 *    neither, and is told it after a proof alone.
 * 3. It was caught in state 2: of messages whose size is not proved, the kernel is made to forget
 *    all that it was told; lookup and getattr wait for the proof, and readdirplus leaves the
 *    attributes to them. If a proof can't be had, the claim is shown, for this once; a read fails.
 *
 * The record is kept with "wrong" in it, so later mounts are in state 1 for ever. They need nothing
 * of 3: open() sees to it that no size is wrong when a file is read, while a listing stays one
 * command, as with servers that estimate all their sizes it has to be.
 */
#pragma once

#include "request.h"

/* A server that is wrong about every 50th message gets by with a chance of 0.6 %, one that is about
 * every 20th with 2 in a million. More would only cost some 40 us each, once in a cache's life. */
#define TRUST_AFTER 256

Trust *trust_new(Mount *mount);
void trust_free(Trust *trust);

/* Whether the kernel takes ENOSYS for an answer to open. Before any other request. */
void trust_set_kernel(Trust *trust, bool can_open);

/* --- any thread ------------------------------------------------------------------------------ */

/* An open() is to be answered with ENOSYS; true means that it will be. */
bool trust_skips_open(Trust *trust);
/* Whether it was so answered: the kernel opens files by itself. */
bool trust_is_opened(Trust *trust);
/* Whether the kernel may keep what it is told of the message's size. */
bool trust_lasts(Trust *trust, const CatalogMessage *message);
/* Whether fetch_prove must come before it is told. */
bool trust_wants_proof(Trust *trust, const CatalogMessage *message);
/* "open-requests: no, the server's sizes are true": a line for the status. */
void trust_describe(Trust *trust, GString *text);

/* --- the engine thread ----------------------------------------------------------------------- */

/*
 * The size of a message turned out to be another than claimed. To be called when the catalog has it
 * right, and before anybody who waits for the message is answered.
 */
void trust_size_was_wrong(Trust *trust, uint64_t ino, uint64_t claimed, uint64_t size);
/* The request, a read that begins behind the end of its message, is resumed a little later. */
void trust_wait(Trust *trust, Request *request);
