#include "sequence.h"

enum { AT_ONCE = 256 };

typedef struct {
    int64_t date;
    uint32_t uid;
} Place;

static bool is_by_name(ScanOrder order)
{
    return order == SCAN_NAMES_UP || order == SCAN_NAMES_DOWN;
}

static bool is_down(ScanOrder order)
{
    return order == SCAN_UIDS_DOWN || order == SCAN_NAMES_DOWN;
}

static int compare_names(gconstpointer a, gconstpointer b)
{
    const Place *one = a, *other = b;

    if (one->date != other->date)
        return one->date < other->date ? -1 : 1;
    return (one->uid > other->uid) - (one->uid < other->uid);
}

static int compare(ScanOrder order, const Place *one, const Place *other)
{
    int result = is_by_name(order) ? compare_names(one, other)
                                   : (one->uid > other->uid) - (one->uid < other->uid);

    return is_down(order) ? -result : result;
}

static void reverse(GArray *uids)
{
    for (guint i = 0; i < uids->len / 2; i++) {
        uint32_t *low = &g_array_index(uids, uint32_t, i);
        uint32_t *high = &g_array_index(uids, uint32_t, uids->len - 1 - i);
        uint32_t kept = *low;
        *low = *high;
        *high = kept;
    }
}

static GArray *by_name(Catalog *catalog, uint32_t folder)
{
    g_autoptr(GArray) places = g_array_new(FALSE, FALSE, sizeof(Place));
    GArray *uids = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    CatalogMessage messages[AT_ONCE];
    uint32_t after = 0;
    size_t n;

    while ((n = catalog_messages_after(catalog, folder, after, messages, AT_ONCE))) {
        for (size_t i = 0; i < n; i++) {
            Place place = {messages[i].date, messages[i].uid};
            g_array_append_val(places, place);
        }
        after = messages[n - 1].uid;
    }
    g_array_sort(places, compare_names);
    for (guint i = 0; i < places->len; i++)
        g_array_append_val(uids, g_array_index(places, Place, i).uid);
    return uids;
}

static GArray *by_uid(Catalog *catalog, uint32_t folder)
{
    GArray *uids = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    CatalogMessage messages[AT_ONCE];
    uint32_t after = 0;
    size_t n;

    while ((n = catalog_messages_after(catalog, folder, after, messages, AT_ONCE))) {
        for (size_t i = 0; i < n; i++)
            g_array_append_val(uids, messages[i].uid);
        after = messages[n - 1].uid;
    }
    return uids;
}

GArray *sequence_new(Catalog *catalog, uint32_t folder, ScanOrder order)
{
    GArray *uids = is_by_name(order) ? by_name(catalog, folder) : by_uid(catalog, folder);

    if (is_down(order))
        reverse(uids);
    return uids;
}

/* Of a message that is gone nothing but the UID is known: it is passed over. */
static bool is_up_to(Catalog *catalog, uint32_t folder, ScanOrder order, uint32_t uid,
                     const Place *limit)
{
    Place place = {.uid = uid};
    CatalogMessage message;

    if (is_by_name(order) && catalog_message(catalog, folder, uid, &message))
        place.date = message.date;
    return compare(order, &place, limit) <= 0;
}

guint sequence_after(Catalog *catalog, uint32_t folder, ScanOrder order, const GArray *sequence,
                     const CatalogMessage *message)
{
    const Place limit = {message->date, message->uid};
    guint low = 0, high = sequence->len;

    while (low < high) {
        guint middle = low + (high - low) / 2;
        if (is_up_to(catalog, folder, order, g_array_index(sequence, uint32_t, middle), &limit))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}
