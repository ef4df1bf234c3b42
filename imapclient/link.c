#include "link.h"

ImapLink imap_link_look(ImapLink link, const Pace *pace, uint64_t fast)
{
    if (link != IMAP_LINK_UNKNOWN)
        return link;
    if (pace_best(pace) >= fast)
        return IMAP_LINK_IS_FAST;
    if (fast == UINT64_MAX) /* which no link can turn out to be */
        return pace_is_enough(pace) ? IMAP_LINK_IS_SLOW : IMAP_LINK_UNKNOWN;
    return pace_is_settled(pace) || pace_stays_below(pace, fast) ? IMAP_LINK_IS_SLOW
                                                                 : IMAP_LINK_UNKNOWN;
}

bool imap_link_is_near(uint32_t round_trip, uint64_t fast)
{
    return round_trip < IMAP_LINK_NEAR && fast != UINT64_MAX;
}

bool imap_link_compresses(ImapLink link, ImapCompress mode)
{
    return mode == IMAP_COMPRESS_ON || (mode == IMAP_COMPRESS_AUTO && link == IMAP_LINK_IS_SLOW);
}
