#include "trust.h"

#include "filename.h"
#include "inode.h"

enum { LATE_MILLIS = 100 };

/*
 * `can_open` is set before the first request. `opens` and `caught` are atomic, and only ever go
 * from 0 to 1: the kernel opens files by itself; a size was wrong since then. Requests wait in
 * `later` and then in `late`, each for one tick of the timer, which is set while there are some;
 * these are the engine thread's.
 */
struct Trust {
    Mount *mount;
    bool can_open;
    gint opens, caught;
    GQueue late, later; /* Request */
    GSource *timer;
};

Trust *trust_new(Mount *mount)
{
    Trust *trust = g_new0(Trust, 1);

    trust->mount = mount;
    g_queue_init(&trust->late);
    g_queue_init(&trust->later);
    return trust;
}

void trust_free(Trust *trust)
{
    if (!trust)
        return;
    engine_cancel(&trust->timer);
    g_free(trust);
}

void trust_set_kernel(Trust *trust, bool can_open)
{
    trust->can_open = can_open;
}

static bool is_earned(Trust *trust)
{
    uint64_t right, wrong;

    catalog_size_record(trust->mount->catalog, &right, &wrong);
    return right >= TRUST_AFTER && !wrong;
}

bool trust_skips_open(Trust *trust)
{
    if (!trust->can_open)
        return false;
    if (g_atomic_int_get(&trust->opens))
        return true;
    if (!is_earned(trust))
        return false;
    g_atomic_int_set(&trust->opens, 1);
    g_info("the server's sizes are true: the kernel opens messages by itself");
    return true;
}

bool trust_is_opened(Trust *trust)
{
    return g_atomic_int_get(&trust->opens);
}

bool trust_lasts(Trust *trust, const CatalogMessage *message)
{
    if (message->proof & CATALOG_SIZE_PROVED)
        return true;
    return message->size > 0 && !g_atomic_int_get(&trust->caught);
}

bool trust_wants_proof(Trust *trust, const CatalogMessage *message)
{
    return g_atomic_int_get(&trust->opens) && !trust_lasts(trust, message);
}

void trust_describe(Trust *trust, GString *text)
{
    const char *answer = "yes";

    if (g_atomic_int_get(&trust->opens))
        answer = g_atomic_int_get(&trust->caught) ? "no, but sizes are proved before they are shown"
                                                  : "no";
    g_string_append_printf(text, "open-requests: %s\n", answer);
}

/* --- reads behind the end ----------------------------------------------------------------------
 */

static gboolean tick(gpointer data)
{
    Trust *trust = data;

    request_resume_all(&trust->late, NULL);
    for (GList *link; (link = g_queue_pop_head_link(&trust->later));)
        request_wait(link->data, &trust->late);
    if (trust->late.head)
        return G_SOURCE_CONTINUE;
    engine_cancel(&trust->timer);
    return G_SOURCE_REMOVE;
}

void trust_wait(Trust *trust, Request *request)
{
    request_wait(request, &trust->later);
    if (!trust->timer)
        trust->timer = engine_after(LATE_MILLIS, tick, trust);
}

/* --- when it is caught ----------------------------------------------------------------------- */

static bool forget_name(const Mount *mount, uint32_t folder, const CatalogMessage *message)
{
    char name[FILENAME_MAX_BYTES];

    return !filename_of(mount, folder, message, name) ||
           notify_entry_now(mount->notifier, mount_folder_ino(mount, folder), name);
}

static bool forget_unproved(const Mount *mount, uint32_t folder)
{
    CatalogMessage messages[64];
    uint32_t after = 0;
    size_t n;

    while ((n = catalog_messages_after(mount->catalog, folder, after, messages,
                                       G_N_ELEMENTS(messages)))) {
        after = messages[n - 1].uid;
        for (size_t i = 0; i < n; i++)
            if (!(messages[i].proof & CATALOG_SIZE_PROVED) &&
                !forget_name(mount, folder, &messages[i]))
                return false;
    }
    return true;
}

/* Names rather than attributes: see trust.h on readers of a file that is shorter than claimed. */
static void forget_all_unproved(Notifier *notifier, gpointer data)
{
    const Mount *mount = data;
    g_autoptr(GArray) folders = catalog_folders(mount->catalog);

    (void)notifier;
    for (guint i = 0; i < folders->len; i++)
        if (!forget_unproved(mount, g_array_index(folders, CatalogFolder, i).id))
            return;
}

static void keep_mount(gpointer mount)
{
    (void)mount; /* it outlives the notifier */
}

void trust_size_was_wrong(Trust *trust, uint64_t ino, uint64_t claimed, uint64_t size)
{
    Mount *mount = trust->mount;
    Inode inode = inode_of(ino);
    CatalogMessage message;
    char name[FILENAME_MAX_BYTES];
    uint64_t right, wrong;

    if (!g_atomic_int_get(&trust->opens) || size > claimed) {
        notify_size(mount->notifier, ino);
    } else if (catalog_message(mount->catalog, inode.folder, inode.uid, &message) &&
               filename_of(mount, inode.folder, &message, name)) {
        notify_entry(mount->notifier, mount_folder_ino(mount, inode.folder), name);
    }
    /* That the server claimed no size at all is no lie. */
    catalog_size_record(mount->catalog, &right, &wrong);
    if (!g_atomic_int_get(&trust->opens) || g_atomic_int_get(&trust->caught) || !wrong)
        return;
    g_atomic_int_set(&trust->caught, 1);
    g_warning("the server was wrong about the size of a message: from now on sizes are proved "
              "before they are shown");
    notify_task(mount->notifier, forget_all_unproved, mount, keep_mount);
}
