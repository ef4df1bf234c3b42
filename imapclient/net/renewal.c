#include "renewal.h"

#include <errno.h>
#include <gio/gio.h>
#include <string.h>

enum { MOST = 64 << 10 }; /* bytes that the command may print */

typedef struct {
    RenewalDone done;
    gpointer data;
} Asker;

/*
 * text is there exactly while the command runs, or is about to: what it has printed, wiped after.
 * telling: those that are told of its end just now. fresh: what nobody was there to be told.
 */
struct Renewal {
    gatomicrefcount references;
    char *command;
    GArray *askers, *telling;
    Secret *fresh;
    GSubprocess *process;
    GCancellable *cancellable;
    GSource *timer;
    char *text;
    size_t length;
};

Renewal *renewal_new(const char *command)
{
    Renewal *renewal = g_new0(Renewal, 1);

    g_atomic_ref_count_init(&renewal->references);
    renewal->command = g_strdup(command);
    renewal->askers = g_array_new(FALSE, FALSE, sizeof(Asker));
    renewal->telling = g_array_new(FALSE, FALSE, sizeof(Asker));
    return renewal;
}

Renewal *renewal_ref(Renewal *renewal)
{
    g_atomic_ref_count_inc(&renewal->references);
    return renewal;
}

void renewal_unref(Renewal *renewal)
{
    if (!renewal || !g_atomic_ref_count_dec(&renewal->references))
        return;
    g_array_unref(renewal->askers);
    g_array_unref(renewal->telling);
    secret_free(renewal->fresh);
    g_free(renewal->command);
    g_free(renewal);
}

/* --- a run; it holds a reference, so that it always comes to its end -------------------------- */

/* Whoever asks from here on, asks anew; and who is told may have others forgotten. */
static void tell_all(Renewal *renewal, const Secret *secret, const GError *error)
{
    g_array_append_vals(renewal->telling, renewal->askers->data, renewal->askers->len);
    g_array_set_size(renewal->askers, 0);
    while (renewal->telling->len) {
        Asker asker = g_array_index(renewal->telling, Asker, 0);
        g_array_remove_index(renewal->telling, 0);
        asker.done(asker.data, secret, error);
    }
}

static void end(Renewal *renewal, const GError *error)
{
    g_autoptr(Secret) secret = NULL;
    const char *line_end = memchr(renewal->text, '\n', renewal->length);
    size_t length = line_end ? (size_t)(line_end - renewal->text) : renewal->length;

    while (length > 0 && renewal->text[length - 1] == '\r')
        length--;
    if (!error)
        secret = secret_new(renewal->text, (gssize)length);
    secret_wipe(renewal->text, MOST);
    g_clear_pointer(&renewal->text, g_free);
    g_source_destroy(renewal->timer);
    g_clear_pointer(&renewal->timer, g_source_unref);
    g_clear_object(&renewal->process);
    g_clear_object(&renewal->cancellable);
    secret_free(renewal->fresh);
    renewal->fresh = secret && !renewal->askers->len ? secret_copy(secret) : NULL;
    tell_all(renewal, secret, error);
    renewal_unref(renewal);
}

static void ended(GObject *object, GAsyncResult *result, gpointer data)
{
    Renewal *renewal = data;
    GSubprocess *process = G_SUBPROCESS(object);
    g_autoptr(GError) error = NULL;

    g_subprocess_wait_finish(process, result, NULL);
    if (g_cancellable_is_cancelled(renewal->cancellable))
        error = g_error_new(MAIL_ERROR, ETIMEDOUT, "passcmd does not come to an end");
    else if (!g_subprocess_get_successful(process))
        error = g_error_new(
            MAIL_ERROR, EACCES, "passcmd %s %d",
            g_subprocess_get_if_exited(process) ? "exited with status" : "was ended by signal",
            g_subprocess_get_if_exited(process) ? g_subprocess_get_exit_status(process)
                                                : g_subprocess_get_term_sig(process));
    else if (!renewal->length || *renewal->text == '\n' ||
             memchr(renewal->text, '\0', renewal->length))
        error = g_error_new(MAIL_ERROR, EACCES, "passcmd prints no token");
    end(renewal, error);
}

static void read_more(Renewal *renewal);

static void was_read(GObject *stream, GAsyncResult *result, gpointer data)
{
    Renewal *renewal = data;
    gssize n = g_input_stream_read_finish(G_INPUT_STREAM(stream), result, NULL);

    if (n > 0) {
        renewal->length += (size_t)n;
        if (renewal->length < MOST) {
            read_more(renewal);
            return;
        }
        g_subprocess_force_exit(renewal->process);
    }
    g_subprocess_wait_async(renewal->process, NULL, ended, renewal);
}

static void read_more(Renewal *renewal)
{
    g_input_stream_read_async(g_subprocess_get_stdout_pipe(renewal->process),
                              renewal->text + renewal->length, MOST - renewal->length,
                              G_PRIORITY_DEFAULT, renewal->cancellable, was_read, renewal);
}

static gboolean took_too_long(gpointer data)
{
    Renewal *renewal = data;

    g_cancellable_cancel(renewal->cancellable);
    g_subprocess_force_exit(renewal->process);
    return G_SOURCE_REMOVE;
}

/* From the main loop, as everything is told. */
static gboolean begin(gpointer data)
{
    Renewal *renewal = data;
    const char *const arguments[] = {"/bin/sh", "-c", renewal->command, NULL};
    g_autoptr(GError) problem = NULL;

    renewal->process = g_subprocess_newv(arguments, G_SUBPROCESS_FLAGS_STDOUT_PIPE, &problem);
    if (renewal->process) {
        g_source_set_callback(renewal->timer, took_too_long, renewal, NULL);
        g_source_attach(renewal->timer, g_main_context_get_thread_default());
        read_more(renewal);
    } else {
        g_autoptr(GError)
            error = g_error_new(MAIL_ERROR, EACCES, "passcmd can't be run: %s", problem->message);
        end(renewal, error);
    }
    return G_SOURCE_REMOVE;
}

void renewal_ask(Renewal *renewal, RenewalDone done, gpointer data)
{
    const Asker asker = {done, data};
    GSource *source;

    g_array_append_val(renewal->askers, asker);
    if (renewal->text)
        return; /* it runs */
    renewal_ref(renewal);
    renewal->text = g_malloc0(MOST);
    renewal->length = 0;
    renewal->cancellable = g_cancellable_new();
    renewal->timer = g_timeout_source_new_seconds(RENEWAL_SECONDS);
    source = g_idle_source_new();
    g_source_set_callback(source, begin, renewal, NULL);
    g_source_attach(source, g_main_context_get_thread_default());
    g_source_unref(source);
}

static void forget(GArray *askers, gconstpointer data)
{
    for (guint i = askers->len; i > 0; i--)
        if (g_array_index(askers, Asker, i - 1).data == data)
            g_array_remove_index(askers, i - 1);
}

void renewal_forget(Renewal *renewal, gconstpointer data)
{
    forget(renewal->askers, data);
    forget(renewal->telling, data);
}

void renewal_take(Renewal *renewal, Secret *secret)
{
    if (!renewal->fresh)
        return;
    secret_replace(secret, renewal->fresh);
    g_clear_pointer(&renewal->fresh, secret_free);
}
