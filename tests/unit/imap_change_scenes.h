/*
 * imap_change_scenes.h: what the scenes of changes have in common: INBOX with UIDVALIDITY 7, and
 * servers that can much or little.
 */
#pragma once

#include "imap_scene.h"

/* --- operations ------------------------------------------------------------------------------ */

static const uint32_t uids_three[] = {5, 6, 9};

static inline void act_marked(gpointer data, uint32_t uid)
{
    act_tell(data, "marked %u", uid);
}

static inline MailRemove in_inbox(const uint32_t *uids, size_t n)
{
    return (MailRemove){.folder = "INBOX", .uidvalidity = 7, .uids = uids, .n_uids = n};
}

static inline Act *act_remove_from(Bed *bed, MailRemove remove)
{
    Act *act = act_new(bed);

    act->op = mail_store_remove(bed->store, &remove, act_removed, act_done, act);
    return act;
}

static inline Act *act_mark(Bed *bed, MailRemove remove)
{
    Act *act = act_new(bed);

    act->op = mail_store_mark(bed->store, &remove, act_marked, act_done, act);
    return act;
}

static inline Act *act_expunge(Bed *bed, MailRemove remove)
{
    Act *act = act_new(bed);

    act->op = mail_store_expunge(bed->store, &remove, act_removed, act_done, act);
    return act;
}

static inline void act_copied(gpointer data, uint32_t uid, uint32_t uidvalidity, uint32_t copy)
{
    act_tell(data, "copied %u to %u %u", uid, uidvalidity, copy);
}

static inline void act_unsure(gpointer data, uint32_t uid)
{
    act_tell(data, "unsure %u", uid);
}

static const MailCopySink act_copy_sink = {act_copied, act_removed, act_marked, act_unsure};

static inline MailCopy from_inbox(const uint32_t *uids, size_t n, const char *target)
{
    return (MailCopy){
        .folder = "INBOX", .uidvalidity = 7, .uids = uids, .n_uids = n, .target = target};
}

static inline Act *act_copy(Bed *bed, MailCopy copy)
{
    Act *act = act_new(bed);

    act->op = mail_store_copy(bed->store, &copy, &act_copy_sink, act_done, act);
    return act;
}

static inline Act *act_move(Bed *bed, MailCopy copy)
{
    Act *act = act_new(bed);

    act->op = mail_store_move(bed->store, &copy, &act_copy_sink, act_done, act);
    return act;
}

static inline void act_appended(gpointer data, uint32_t uidvalidity, uint32_t uid)
{
    act_tell(data, "appended %u %u", uidvalidity, uid);
}

static inline void act_unsure_append(gpointer data)
{
    act_tell(data, "unsure");
}

static const MailAppendSink act_append_sink = {act_appended, act_unsure_append};

static inline Act *act_append(Bed *bed, MailAppend append)
{
    Act *act = act_new(bed);

    act->op = mail_store_append(bed->store, &append, &act_append_sink, act_done, act);
    return act;
}

static inline void act_found(gpointer data, uint32_t uidvalidity, uint32_t uid, uint64_t size)
{
    act_tell(data, "found %u %u size %" G_GUINT64_FORMAT, uidvalidity, uid, (guint64)size);
}

static inline Act *act_find(Bed *bed, MailFind find)
{
    Act *act = act_new(bed);

    act->op = mail_store_find(bed->store, &find, act_found, act_done, act);
    return act;
}

static inline void act_permanent(gpointer data, const char *flags)
{
    act_tell(data, "permanent %s", flags ? flags : "unknown");
}

static inline void act_stored(gpointer data, uint32_t uid)
{
    act_tell(data, "stored %u", uid);
}

static inline void act_modified(gpointer data, uint32_t uid)
{
    act_tell(data, "modified %u", uid);
}

static const MailFlagsSink act_flags_sink = {act_permanent, act_stored, act_modified};

static inline Act *act_flags_of(Bed *bed, const MailFlags *flags)
{
    Act *act = act_new(bed);

    act->op = mail_store_flags(bed->store, flags, &act_flags_sink, act_done, act);
    return act;
}

static inline Act *act_flags(Bed *bed, MailFlagsHow how, const char *names, uint64_t since)
{
    MailFlags flags = {.folder = "INBOX",
                       .uidvalidity = 7,
                       .uids = uids_three,
                       .n_uids = 3,
                       .how = how,
                       .flags = names,
                       .unchanged_since = since};

    return act_flags_of(bed, &flags);
}

static inline Act *act_create(Bed *bed, const char *parent, const char *level)
{
    Act *act = act_new(bed);

    act->op = mail_store_create(bed->store, parent, level, act_folder, act_done, act);
    return act;
}

static inline Act *act_delete(Bed *bed, const char *folder)
{
    Act *act = act_new(bed);

    act->op = mail_store_delete(bed->store, folder, act_done, act);
    return act;
}

static inline Act *act_rename(Bed *bed, const char *folder, const char *parent, const char *level)
{
    Act *act = act_new(bed);

    act->op = mail_store_rename(bed->store, folder, parent, level, act_folder, act_done, act);
    return act;
}

/* --- what servers say ------------------------------------------------------------------------ */

/* One of 2002, and one of today. */
#define OLD PREAUTH("IMAP4rev1")
#define NEW PREAUTH("IMAP4rev1 UIDPLUS MOVE LITERAL+ ESEARCH UNSELECT")

#define SELECT(tag, folder) "C: " tag " SELECT " folder "\n"
#define SELECTED_AS(tag, uidvalidity, code)                                                  \
    "S: * FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)\n"                           \
    "S: * OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft \\*)] limited\n" \
    "S: * 12 EXISTS\nS: * 0 RECENT\nS: * OK [UIDVALIDITY " uidvalidity "] valid\n"           \
    "S: * OK [UIDNEXT 20] next\n"                                                            \
    "S: " tag " OK [" code "] done\n"
#define SELECTED(tag) SELECTED_AS(tag, "7", "READ-WRITE")
/* INBOX, on a connection that was not used before. */
#define OPENED SELECT("A1", "INBOX") SELECTED("A1")
#define OK(tag) "S: " tag " OK done\n"
