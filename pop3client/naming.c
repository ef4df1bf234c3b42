#include "naming.h"

#include "header.h"
#include "limits.h"
#include "outcome.h"

/* What TOP n 0 is expected to answer, in bytes. */
enum { HEADER_BYTES = 4096 };

typedef struct {
    Pop3Naming *naming;
    guint index;
    bool whole; /* by RETR */
    HeaderScan scan;
    GChecksum *sum;
} Inquiry;

/* next: the first message of the listing that nobody was asked for yet. */
struct Pop3Naming {
    Pop3Conn *conn;
    Pop3Listing *listing;
    bool has_top;
    bool *no_top;
    Pop3NamingDone done;
    gpointer data;
    guint next;
    GHashTable *asked; /* Inquiry */
    GError *failure;
};

static void one_free(gpointer data)
{
    Inquiry *one = data;

    g_checksum_free(one->sum);
    g_free(one);
}

static void ask(Inquiry *one);
static void ask_more(Pop3Naming *naming);

static void top_content(gpointer data, const uint8_t *bytes, size_t length)
{
    Inquiry *one = data;

    /* Some send lines of the body too. */
    g_checksum_update(one->sum, bytes, (gssize)header_scan(&one->scan, bytes, length));
}

static void retr_content(gpointer data, const uint8_t *bytes, size_t length)
{
    g_checksum_update(((Inquiry *)data)->sum, bytes, (gssize)length);
}

static void give_name(Inquiry *one)
{
    g_autofree char *name = g_strconcat(one->whole ? "full-" : "head-",
                                        g_checksum_get_string(one->sum), NULL);

    pop3_listing_name(one->naming->listing, one->index, name);
}

static void one_done(gpointer data, const Pop3Reply *reply, const GError *error)
{
    Inquiry *one = data;
    Pop3Naming *naming = one->naming;
    const Pop3Entry *entry = pop3_listing_entry(naming->listing, one->index);
    g_autofree char *what = g_strdup_printf("finding out which message %u is", entry->number);
    g_autoptr(GError) failure = error ? g_error_copy(error) : pop3_outcome(reply, what);

    if (failure && !error && !one->whole) {
        *naming->no_top = *naming->no_top || !naming->has_top;
        one->whole = true;
        ask(one);
        return;
    }
    if (!failure)
        give_name(one);
    else if (!naming->failure)
        naming->failure = g_steal_pointer(&failure);
    g_hash_table_remove(naming->asked, one);
    ask_more(naming);
    if (g_hash_table_size(naming->asked) == 0)
        naming->done(naming->data, naming->failure);
}

static const Pop3RequestEvents top_events = {.content = top_content, .done = one_done};
static const Pop3RequestEvents retr_events = {.content = retr_content, .done = one_done};

static void ask(Inquiry *one)
{
    Pop3Naming *naming = one->naming;
    const Pop3Entry *entry = pop3_listing_entry(naming->listing, one->index);
    g_autofree char *command = g_strdup_printf(one->whole ? "RETR %u" : "TOP %u 0", entry->number);

    pop3_conn_send(naming->conn, command, POP3_REQUEST_CONTENT,
                   one->whole ? entry->size : HEADER_BYTES, one->whole ? &retr_events : &top_events,
                   naming, one);
}

/* As many as can be under way; only one while it is not known whether the server has TOP. */
static void ask_more(Pop3Naming *naming)
{
    guint most = naming->has_top || *naming->no_top ? POP3_PIPELINE_DEPTH : 1;

    while (!naming->failure && g_hash_table_size(naming->asked) < most) {
        guint index = pop3_listing_nameless(naming->listing, naming->next);
        if (index == pop3_listing_count(naming->listing))
            break;
        Inquiry *one = g_new0(Inquiry, 1);
        naming->next = index + 1;
        one->naming = naming;
        one->index = index;
        one->whole = *naming->no_top;
        one->sum = g_checksum_new(G_CHECKSUM_SHA256);
        g_hash_table_add(naming->asked, one);
        ask(one);
    }
}

Pop3Naming *pop3_naming_new(Pop3Conn *conn, Pop3Listing *listing, bool has_top, bool *no_top,
                            Pop3NamingDone done, gpointer data)
{
    Pop3Naming *naming = g_new0(Pop3Naming, 1);

    naming->conn = conn;
    naming->listing = listing;
    naming->has_top = has_top;
    naming->no_top = no_top;
    naming->done = done;
    naming->data = data;
    naming->asked = g_hash_table_new_full(NULL, NULL, one_free, NULL);
    ask_more(naming);
    return naming;
}

void pop3_naming_free(Pop3Naming *naming)
{
    if (!naming)
        return;
    pop3_conn_cancel(naming->conn, naming);
    g_hash_table_unref(naming->asked);
    g_clear_error(&naming->failure);
    g_free(naming);
}
