#include "pool_private.h"

static bool is_near(ImapPool *pool, const Stream *stream)
{
    return imap_link_is_near(stream_round_trip(stream), pool->config.fast_link);
}

static bool is_to_compress(ImapPool *pool, const ImapMember *member)
{
    Stream *stream = imap_conn_stream(imap_session_conn(member->session));

    if (stream)
        pool->link = imap_link_look(pool->link, stream_pace(stream), pool->config.fast_link);
    return imap_link_compresses(pool->link, pool->config.compress);
}

void imap_pool_compress_behind(ImapPool *pool)
{
    for (guint i = 0; i < pool->members->len; i++) {
        ImapMember *member = g_ptr_array_index(pool->members, i);
        Stream *stream = imap_conn_stream(imap_session_conn(member->session));
        if (member->ops.length == 1 && stream && !is_near(pool, stream) &&
            is_to_compress(pool, member))
            imap_session_compress(member->session);
    }
}

void imap_pool_look_at_link(ImapPool *pool, ImapMember *bulk)
{
    if (!is_to_compress(pool, bulk))
        return;
    for (guint i = 0; i < pool->members->len; i++) {
        ImapMember *member = g_ptr_array_index(pool->members, i);
        if (member == bulk || member->ops.length == 0)
            imap_session_compress(member->session);
    }
}

void imap_pool_begin_bulk(ImapPool *pool, ImapMember *member)
{
    Stream *stream = imap_conn_stream(imap_session_conn(member->session));

    if (stream && is_near(pool, stream))
        stream_forget_pace(stream);
}
