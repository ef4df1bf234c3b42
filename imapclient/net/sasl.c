#include "sasl.h"
#include "quote.h"
#include "sasl_cram.h"
#include "sasl_oauth.h"
#include "sasl_scram.h"

#include <errno.h>
#include <gio/gio.h>
#include <gsasl.h>
#include <string.h>

/* Where the messages of a mechanism come from. */
typedef enum { MADE_BY_GSASL, MADE_AS_CRAM_MD5, MADE_AS_XOAUTH2, MADE_AS_OAUTHBEARER } Maker;

typedef struct {
    const char *name;
    Maker maker;
    bool client_first;
    bool needs_password;
    bool in_clear; /* what it sends is the password or token itself */
    bool binding;  /* binds the login to the TLS connection */
    bool automatic;
} Mechanism;

/* From the strongest on. */
static const Mechanism mechanisms[] = {
    {"EXTERNAL", MADE_BY_GSASL, .client_first = true, .automatic = true},
    {"SCRAM-SHA-256-PLUS", MADE_BY_GSASL, true, true, .binding = true, .automatic = true},
    {"SCRAM-SHA-256", MADE_BY_GSASL, true, true, .automatic = true},
    {"SCRAM-SHA-1-PLUS", MADE_BY_GSASL, true, true, .binding = true, .automatic = true},
    {"SCRAM-SHA-1", MADE_BY_GSASL, true, true, .automatic = true},
    {"CRAM-MD5", MADE_AS_CRAM_MD5, false, true, .automatic = true},
    {"PLAIN", MADE_BY_GSASL, true, true, .in_clear = true, .automatic = true},
    {"XOAUTH2", MADE_AS_XOAUTH2, true, true, .in_clear = true},
    {"OAUTHBEARER", MADE_AS_OAUTHBEARER, true, true, .in_clear = true},
};

/*
 * done: the mechanism has nothing more to say or to check. context is the caller's. cause is what
 * a callback of libgsasl found wrong, for which that library has no way through.
 */
struct Sasl {
    const Mechanism *mechanism;
    const SaslContext *context;
    bool started;
    bool done;
    Gsasl *library;
    Gsasl_session *session;
    GError *cause;
    char *failure;
};

/* --- Which mechanism --- */

static bool is_oauth(const Mechanism *mechanism)
{
    return mechanism->maker == MADE_AS_XOAUTH2 || mechanism->maker == MADE_AS_OAUTHBEARER;
}

static const Mechanism *find_mechanism(const char *name)
{
    for (size_t i = 0; i < G_N_ELEMENTS(mechanisms); i++)
        if (g_ascii_strcasecmp(mechanisms[i].name, name) == 0)
            return &mechanisms[i];
    return NULL;
}

static bool is_offered(const char *const *offered, const char *name)
{
    for (; *offered; offered++)
        if (g_ascii_strcasecmp(*offered, name) == 0)
            return true;
    return false;
}

/*
 * The binding that -PLUS uses, and its type. Up to TLS 1.2 it is tls-unique, which every server
 * with -PLUS knows; TLS 1.3 has only tls-exporter (RFC 9266 section 3).
 */
static GBytes *find_binding(const SaslContext *context, Gsasl_property *property)
{
    if (!context->secure || !context->channel_binding)
        return NULL;
    GBytes *binding = context->channel_binding(context->data, "tls-unique");
    *property = GSASL_CB_TLS_UNIQUE;
    if (binding)
        return binding;
    *property = GSASL_CB_TLS_EXPORTER;
    return context->channel_binding(context->data, "tls-exporter");
}

static bool has_binding(const SaslContext *context)
{
    Gsasl_property property;
    g_autoptr(GBytes) binding = find_binding(context, &property);
    return binding != NULL;
}

/* Why context does not permit the mechanism, and what to do; NULL where it does. */
static const char *objection(const SaslContext *context, const Mechanism *mechanism)
{
    if (mechanism->needs_password && !context->password)
        return "it needs a password or token: give passfile= or passcmd=";
    if (mechanism->in_clear && !context->secure && !context->allow_clear)
        return "it would send the password in clear text: use TLS (tls=required)";
    if (mechanism->binding && !has_binding(context))
        return "it needs a TLS connection to bind the login to";
    if (!mechanism->needs_password && !(context->client_cert && context->secure))
        return "it needs TLS and a client certificate: give cert=";
    return NULL;
}

static const char *choose_wanted(const SaslContext *context, const char *const *offered,
                                 const char *list, const char *wanted, GError **error)
{
    const Mechanism *mechanism = find_mechanism(wanted);
    const char *why;
    if (!mechanism)
        why = "it is not known here; auth=auto takes the strongest that both sides have";
    else if (!is_offered(offered, wanted))
        why = "the server does not offer it; auth=auto takes the strongest that both sides have";
    else
        why = objection(context, mechanism);
    if (!why)
        return mechanism->name;
    g_set_error(error, MAIL_ERROR, EACCES, "can't log in by %s: %s (the server offers %s)", wanted,
                why, list);
    return NULL;
}

static const char *choose_strongest(const SaslContext *context, const char *const *offered,
                                    const char *list, GError **error)
{
    const char *refused = NULL;
    const char *why = "none of these is known here; see auth= in the manual";
    for (size_t i = 0; i < G_N_ELEMENTS(mechanisms); i++) {
        const Mechanism *mechanism = &mechanisms[i];
        if (!mechanism->automatic || !is_offered(offered, mechanism->name) ||
            (!mechanism->needs_password && context->password))
            continue;
        refused = objection(context, mechanism);
        if (!refused)
            return mechanism->name;
        why = refused;
    }
    if (!refused && (is_offered(offered, "XOAUTH2") || is_offered(offered, "OAUTHBEARER")))
        why = "a token is asked for: use auth=xoauth2 or auth=oauthbearer with passcmd=";
    g_set_error(error, MAIL_ERROR, EACCES, "no way to log in: the server offers %s; %s", list, why);
    return NULL;
}

const char *sasl_choose(const SaslContext *context, const char *const *offered, const char *wanted,
                        GError **error)
{
    g_autofree char *names = g_strjoinv(" ", (char **)offered);
    g_autofree char *printable = quote_text(names);
    const char *list = *printable ? printable : "nothing";
    return wanted ? choose_wanted(context, offered, list, wanted, error)
                  : choose_strongest(context, offered, list, error);
}

/* --- The exchange --- */

static int give_binding(const Sasl *sasl, Gsasl_session *session, Gsasl_property property)
{
    Gsasl_property found;
    /* libgsasl 2.2.0 fails where a mechanism without -PLUS could have had one. */
    g_autoptr(GBytes) binding = sasl->mechanism->binding ? find_binding(sasl->context, &found)
                                                         : NULL;
    if (!binding || found != property)
        return GSASL_NO_CALLBACK;
    g_autofree char *text = g_base64_encode(g_bytes_get_data(binding, NULL),
                                            g_bytes_get_size(binding));
    return gsasl_property_set(session, property, text);
}

static int answer_library(Gsasl *library, Gsasl_session *session, Gsasl_property property)
{
    Sasl *sasl = gsasl_callback_hook_get(library);
    const SaslContext *context = sasl->context;
    switch (property) {
    case GSASL_AUTHID:
        return gsasl_property_set(session, property, context->user);
    case GSASL_AUTHZID:
        /* Only EXTERNAL has no other place for the name (RFC 4422 appendix A). */
        if (sasl->mechanism->needs_password)
            return GSASL_NO_CALLBACK;
        return gsasl_property_set(session, property, context->user ? context->user : "");
    case GSASL_SCRAM_SALTED_PASSWORD:
        return scram_give_salted_password(session, sasl->mechanism->name, context->password,
                                          &sasl->cause);
    case GSASL_PASSWORD:
        if (!context->password || sasl->cause)
            return GSASL_NO_PASSWORD;
        return gsasl_property_set(session, property, secret_text(context->password));
    case GSASL_SERVICE:
        return gsasl_property_set(session, property, context->service);
    case GSASL_HOSTNAME:
        return gsasl_property_set(session, property, context->host);
    case GSASL_CB_TLS_UNIQUE:
    case GSASL_CB_TLS_EXPORTER:
        return give_binding(sasl, session, property);
    default:
        return GSASL_NO_CALLBACK;
    }
}

static bool has_control(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (g_ascii_iscntrl(text[i]) || text[i] == '\0')
            return true;
    return false;
}

/* What a message can't carry must not get into it: NUL and ^A end things there. */
static bool check_context(const Mechanism *mechanism, const SaslContext *context, GError **error)
{
    const char *what = NULL;
    if (context->user && has_control(context->user, strlen(context->user)))
        what = "the login name has a control character";
    else if (!mechanism->needs_password)
        return true;
    else if (!context->user)
        what = "a login name is needed: give user=";
    else if (!context->password)
        what = "a password or token is needed: give passfile= or passcmd=";
    else if (strlen(secret_text(context->password)) != secret_length(context->password))
        what = "the password has a NUL character";
    else if (is_oauth(mechanism) &&
             has_control(secret_text(context->password), secret_length(context->password)))
        what = "the token has a control character; is it one line?";
    if (what)
        g_set_error(error, MAIL_ERROR, EACCES, "can't log in by %s: %s", mechanism->name, what);
    return !what;
}

static bool start_library(Sasl *sasl, GError **error)
{
    int status = gsasl_init(&sasl->library);
    if (status == GSASL_OK) {
        gsasl_callback_set(sasl->library, answer_library);
        gsasl_callback_hook_set(sasl->library, sasl);
        status = gsasl_client_start(sasl->library, sasl->mechanism->name, &sasl->session);
    }
    if (status != GSASL_OK)
        g_set_error(error, MAIL_ERROR, EACCES,
                    "can't log in by %s: %s; choose another with auth=", sasl->mechanism->name,
                    gsasl_strerror(status));
    return status == GSASL_OK;
}

static bool is_this_machine(const char *host)
{
    g_autoptr(GInetAddress) address = g_inet_address_new_from_string(host);

    return address ? g_inet_address_get_is_loopback(address)
                   : g_ascii_strcasecmp(host, "localhost") == 0;
}

void sasl_warn_of_clear(const SaslContext *context)
{
    static gint warned;

    if (!context->secure && !is_this_machine(context->host) &&
        g_atomic_int_compare_and_exchange(&warned, FALSE, TRUE))
        g_warning("the password goes to %s in clear text, since tls=off was said: all in between "
                  "can read it",
                  context->host);
}

Sasl *sasl_new(const char *mechanism, const SaslContext *context, GError **error)
{
    const Mechanism *known = find_mechanism(mechanism);
    if (!known) {
        g_set_error(error, MAIL_ERROR, EACCES, "can't log in by %s: it is not known here",
                    mechanism);
        return NULL;
    }
    if (!check_context(known, context, error))
        return NULL;
    g_autoptr(Sasl) sasl = g_new0(Sasl, 1);
    sasl->mechanism = known;
    sasl->context = context;
    if (known->in_clear)
        sasl_warn_of_clear(context);
    if (known->maker == MADE_BY_GSASL && !start_library(sasl, error))
        return NULL;
    return g_steal_pointer(&sasl);
}

bool sasl_client_first(Sasl *sasl)
{
    return sasl->mechanism->client_first;
}

static Secret *encode(const char *bytes, size_t length)
{
    char *text = g_base64_encode((const guchar *)bytes, length);
    Secret *encoded = secret_new(text, -1);
    secret_wipe(text, strlen(text));
    g_free(text);
    return encoded;
}

/* The library keeps properties until it asks again, in memory that it frees as it is. */
static void wipe_properties(Sasl *sasl)
{
    static const Gsasl_property secrets[] = {GSASL_PASSWORD, GSASL_SCRAM_SALTED_PASSWORD};
    for (size_t i = 0; i < G_N_ELEMENTS(secrets); i++) {
        char *value = (char *)gsasl_property_fast(sasl->session, secrets[i]);
        if (value)
            secret_wipe(value, strlen(value));
        gsasl_property_free(sasl->session, secrets[i]);
    }
}

static void set_library_error(Sasl *sasl, int status, GError **error)
{
    if (sasl->cause) {
        g_propagate_error(error, g_steal_pointer(&sasl->cause));
        return;
    }
    if (sasl->failure) {
        g_set_error(error, MAIL_ERROR, EACCES, "the server refused the login: %s", sasl->failure);
        return;
    }
    bool parse = status == GSASL_MECHANISM_PARSE_ERROR || status == GSASL_BASE64_ERROR ||
                 status == GSASL_MECHANISM_CALLED_TOO_MANY_TIMES;
    g_set_error(error, MAIL_ERROR, parse ? EPROTO : EACCES, "the login by %s failed: %s%s",
                sasl->mechanism->name, gsasl_strerror(status),
                status == GSASL_AUTHENTICATION_ERROR
                    ? "; the server did not prove that it knows the password"
                    : "");
}

static Secret *step_library(Sasl *sasl, const char *challenge, size_t length, GError **error)
{
    char *output = NULL;
    size_t output_length = 0;
    Secret *answer = NULL;
    int status = gsasl_step(sasl->session, challenge, length, &output, &output_length);
    if (status == GSASL_OK || status == GSASL_NEEDS_MORE) {
        sasl->done = status == GSASL_OK;
        answer = encode(output, output_length);
    } else {
        if (length > 0 && g_str_has_prefix(sasl->mechanism->name, "SCRAM-"))
            sasl->failure = scram_failure_text(challenge, length);
        set_library_error(sasl, status, error);
    }
    if (output)
        secret_wipe(output, output_length);
    gsasl_free(output);
    wipe_properties(sasl);
    return answer;
}

static Secret *step_cram_md5(Sasl *sasl, const char *challenge, size_t length, GError **error)
{
    g_autoptr(Secret) message = cram_md5_answer(sasl->context, challenge, length, error);
    sasl->done = message != NULL;
    return message ? encode(secret_text(message), secret_length(message)) : NULL;
}

/* A token's first message is also the last; a challenge after it is the server's refusal, which
 * has to be answered before the server says so in its own protocol. */
static Secret *step_oauth(Sasl *sasl, const char *challenge, size_t length, bool first)
{
    bool bearer = sasl->mechanism->maker == MADE_AS_OAUTHBEARER;
    if (first) {
        g_autoptr(Secret) message = bearer ? oauth_bearer_message(sasl->context)
                                           : oauth_xoauth2_message(sasl->context);
        sasl->done = true;
        return encode(secret_text(message), secret_length(message));
    }
    sasl->done = false;
    sasl->failure = oauth_failure_text(challenge, length);
    return bearer ? encode("\1", 1) : secret_new("", 0); /* RFC 7628 section 3.2.3 */
}

/* After the end, only a token's refusal has a challenge of its own. */
static bool expects_challenge(const Sasl *sasl, GError **error)
{
    if (sasl->done ? is_oauth(sasl->mechanism) : !sasl->failure)
        return true;
    g_set_error(error, MAIL_ERROR, EPROTO, "the server goes on with a login by %s that is over",
                sasl->mechanism->name);
    return false;
}

Secret *sasl_step(Sasl *sasl, const char *challenge, GError **error)
{
    bool first = !sasl->started;
    char *decoded = NULL;
    size_t length = 0;
    if (!expects_challenge(sasl, error))
        return NULL;
    sasl->started = true;
    /* What a server says before the client's first word means nothing; some send text there. */
    if (challenge && *challenge && !(first && sasl->mechanism->client_first) &&
        gsasl_base64_from(challenge, strlen(challenge), &decoded, &length) != GSASL_OK) {
        g_set_error(error, MAIL_ERROR, EPROTO,
                    "the server's challenge in the login by %s is no base64",
                    sasl->mechanism->name);
        return NULL;
    }
    Secret *answer;
    if (sasl->session)
        answer = step_library(sasl, decoded, length, error);
    else if (is_oauth(sasl->mechanism))
        answer = step_oauth(sasl, decoded, length, first);
    else
        answer = step_cram_md5(sasl, decoded, length, error);
    gsasl_free(decoded);
    return answer;
}

bool sasl_finish(Sasl *sasl, GError **error)
{
    if (sasl->done && !sasl->failure)
        return true;
    g_set_error(error, MAIL_ERROR, EPROTO,
                "the server says that the login by %s worked before it has proved who it is",
                sasl->mechanism->name);
    return false;
}

const char *sasl_failure(Sasl *sasl)
{
    return sasl->failure;
}

void sasl_free(Sasl *sasl)
{
    if (!sasl)
        return;
    if (sasl->session) {
        wipe_properties(sasl);
        gsasl_finish(sasl->session);
    }
    if (sasl->library)
        gsasl_done(sasl->library);
    g_clear_error(&sasl->cause);
    g_free(sasl->failure);
    g_free(sasl);
}
