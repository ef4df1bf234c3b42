#include "login.h"

#include "net/quote.h"
#include "net/sasl.h"
#include "outcome.h"

#include <errno.h>
#include <string.h>

/*
 * The steps, in order; each request's done leads to the next. `fed` counts requests that must be
 * answered before the login is settled. After `done` was called nothing is sent any more.
 */
struct ImapLogin {
    const ImapConfig *config;
    ImapConn *conn;
    ImapLoginResult *result;
    const ImapLoginEvents *events;
    gpointer data;
    bool connected, greeted, authenticated, upgraded, finished;
    Secret *password;    /* a copy, since the account may get another; NULL once finished */
    SaslContext context; /* of the exchange: lives as long as it does */
    bool sasl_initial;   /* the first answer still has to be sent, on the server's "+" */
    Sasl *sasl;
    GError *sasl_error; /* why we broke the exchange off */
    unsigned fed;
};

static void next_step(ImapLogin *login);

static void finish(ImapLogin *login, GError *error)
{
    g_autoptr(GError) owned = error;

    if (login->finished)
        return;
    login->finished = true;
    login->context.password = NULL;
    g_clear_pointer(&login->password, secret_free);
    login->events->done(login->data, owned);
}

G_GNUC_PRINTF(3, 4)
static void finish_text(ImapLogin *login, int code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    finish(login, g_error_new(MAIL_ERROR, code, "%s:%u: %s", login->config->host,
                              login->config->port, text));
}

/* NULL where the request was answered with OK; else the reason, ready for finish. */
static GError *refusal(const ImapResponse *response, const GError *error, const char *what)
{
    return error ? g_error_copy(error) : imap_outcome(response, what);
}

/* --- capabilities --------------------------------------------------------------------------- */

static void take_capabilities(ImapLogin *login, const ImapResponse *response)
{
    if (strcmp(response->name, "CAPABILITY") == 0)
        imap_capabilities_read(&login->result->caps, response->values, 0);
    else if (imap_has_code(response, "CAPABILITY"))
        imap_capabilities_read(&login->result->caps, response->code, 1);
}

static void capability_done(gpointer data, const ImapResponse *response, const GError *error)
{
    ImapLogin *login = data;
    GError *failure = refusal(response, error, "asking what the server can do");

    if (failure) {
        finish(login, failure);
        return;
    }
    if (!login->result->caps.known) {
        finish_text(login, EPROTO, "the server does not tell what it can do");
        return;
    }
    next_step(login);
}

static const ImapRequestEvents capability_events = {.done = capability_done};

/* --- STARTTLS ------------------------------------------------------------------------------- */

static void starttls_done(gpointer data, const ImapResponse *response, const GError *error)
{
    ImapLogin *login = data;
    GError *failure = refusal(response, error, "STARTTLS");

    if (failure) {
        g_prefix_error(&failure, "no TLS, and tls=required: ");
        finish(login, failure);
        return;
    }
    /* What was said in clear may have been said by anybody. */
    imap_capabilities_clear(&login->result->caps);
    login->upgraded = true;
}

static const ImapRequestEvents starttls_events = {.done = starttls_done};

static void start_tls(ImapLogin *login)
{
    if (login->authenticated) {
        finish_text(login, EPROTO,
                    "the server logged us in before TLS could begin; nothing it says can be "
                    "trusted (use imaps://)");
        return;
    }
    if (!imap_capabilities_have(&login->result->caps, IMAP_CAP_STARTTLS)) {
        finish_text(login, EPROTO,
                    "the server offers no STARTTLS here; use imaps://, or tls=off where the "
                    "network may read your mail and password");
        return;
    }
    imap_conn_send(login->conn, imap_command_new("STARTTLS"), IMAP_REQUEST_STARTTLS,
                   &starttls_events, login);
}

/* --- authentication -------------------------------------------------------------------------- */

static ImapLiteralMode literal_mode(const ImapLogin *login)
{
    if (imap_capabilities_have(&login->result->caps, IMAP_CAP_LITERAL_PLUS))
        return IMAP_LITERAL_PLUS;
    if (imap_capabilities_have(&login->result->caps, IMAP_CAP_LITERAL_MINUS))
        return IMAP_LITERAL_MINUS;
    return IMAP_LITERAL_SYNC;
}

static void auth_done(gpointer data, const ImapResponse *response, const GError *error)
{
    ImapLogin *login = data;
    GError *failure = refusal(response, error, "login refused");

    if (login->sasl_error) {
        g_clear_error(&failure);
        finish(login, g_steal_pointer(&login->sasl_error));
        return;
    }
    if (failure) {
        const char *told = login->sasl ? sasl_failure(login->sasl) : NULL;
        if (failure->code == EREMOTEIO)
            failure->code = EACCES;
        if (told)
            g_prefix_error(&failure, "%s; ", told);
        if (!error) {
            /* A server that has more to say than "no" has said what to do. */
            bool plain = !response->code || imap_has_code(response, "AUTHENTICATIONFAILED");
            g_autofree char *text = g_strdup_printf(
                "%s:%u: user %s: %s%s", login->config->host, login->config->port,
                login->config->user, failure->message,
                plain && failure->code == EACCES ? " (are login name and password right?)" : "");
            g_free(failure->message);
            failure->message = g_steal_pointer(&text);
        }
        finish(login, failure);
        return;
    }
    if (login->sasl && !sasl_finish(login->sasl, &failure)) {
        finish(login, failure);
        return;
    }
    login->authenticated = true;
    take_capabilities(login, response);
    next_step(login);
}

static void auth_continue(gpointer data, const char *text)
{
    ImapLogin *login = data;
    bool first = login->sasl_initial;
    g_autoptr(Secret) answer = NULL;

    /* LOGIN asks for nothing, and is asked for nothing. */
    if (!login->sasl || login->sasl_error)
        return;
    login->sasl_initial = false;
    answer = sasl_step(login->sasl, first && !*text ? NULL : text, &login->sasl_error);
    imap_conn_answer(login->conn, answer ? secret_text(answer) : "*");
}

static const ImapRequestEvents auth_events = {.continuation = auth_continue, .done = auth_done};

static GBytes *channel_binding(gpointer data, const char *type)
{
    ImapLogin *login = data;
    Stream *stream = imap_conn_stream(login->conn);

    return stream ? stream_channel_binding(stream, type) : NULL;
}

static void set_context(ImapLogin *login)
{
    const ImapConfig *config = login->config;
    Stream *stream = imap_conn_stream(login->conn);

    login->context = (SaslContext){
        .user = config->user,
        .password = login->password,
        .host = config->host,
        .port = config->port,
        .service = "imap",
        .secure = stream && stream_is_secure(stream),
        .client_cert = config->client_cert,
        .allow_clear = config->clear,
        .channel_binding = channel_binding,
        .data = login,
    };
}

static void send_auth(ImapLogin *login, ImapCommand *command)
{
    imap_conn_send(login->conn, command, IMAP_REQUEST_BARRIER, &auth_events, login);
    /* What was offered before authentication holds no more (RFC 9051 section 6.2); the server may
     * tell the new capabilities at any moment from now on. */
    imap_capabilities_clear(&login->result->caps);
}

static void authenticate_sasl(ImapLogin *login, const char *mechanism)
{
    g_autoptr(ImapCommand) command = imap_command_new("AUTHENTICATE");
    GError *error = NULL;

    login->sasl = sasl_new(mechanism, &login->context, &error);
    if (!login->sasl) {
        finish(login, error);
        return;
    }
    imap_command_raw(command, mechanism);
    login->sasl_initial = sasl_client_first(login->sasl);
    if (login->sasl_initial && imap_capabilities_have(&login->result->caps, IMAP_CAP_SASL_IR)) {
        g_autoptr(Secret) initial = sasl_step(login->sasl, NULL, &error);
        if (!initial) {
            finish(login, error);
            return;
        }
        login->sasl_initial = false;
        imap_command_secret_raw(command, secret_length(initial) ? secret_text(initial) : "=");
    }
    send_auth(login, g_steal_pointer(&command));
}

static void authenticate_login(ImapLogin *login)
{
    g_autoptr(ImapCommand) command = imap_command_new("LOGIN");
    ImapLiteralMode mode = literal_mode(login);
    GError *error = NULL;

    if (!imap_command_astring(command, login->config->user, false, mode, &error) ||
        !imap_command_secret(command, secret_text(login->password), mode, &error)) {
        finish(login, error);
        return;
    }
    sasl_warn_of_clear(&login->context);
    send_auth(login, g_steal_pointer(&command));
}

/* Why the command LOGIN can't be used, or NULL. */
static const char *login_command_obstacle(const ImapLogin *login)
{
    const SaslContext *context = &login->context;

    if (!context->password)
        return "no password was given";
    if (imap_capabilities_have(&login->result->caps, IMAP_CAP_LOGINDISABLED))
        return "the server forbids LOGIN here (LOGINDISABLED)";
    if (!context->secure && !context->allow_clear)
        return "the connection is not under TLS";
    return NULL;
}

static void authenticate(ImapLogin *login)
{
    const char *auth = login->config->auth;
    bool automatic = !auth || g_ascii_strcasecmp(auth, "auto") == 0;
    const char *obstacle;
    const char *mechanism = NULL;
    g_autoptr(GError) error = NULL;

    set_context(login);
    obstacle = login_command_obstacle(login);
    if (automatic || g_ascii_strcasecmp(auth, "login") != 0)
        mechanism = sasl_choose(&login->context,
                                (const char *const *)login->result->caps.auth->pdata,
                                automatic ? NULL : auth, &error);
    if (mechanism)
        authenticate_sasl(login, mechanism);
    else if (error && !automatic)
        finish(login, g_steal_pointer(&error));
    else if (obstacle)
        finish_text(login, EACCES, "can't log in: %s%s%s", obstacle, error ? "; " : "",
                    error ? error->message : "");
    else
        authenticate_login(login);
}

/* --- after authentication --------------------------------------------------------------------- */

static void fed(ImapLogin *login)
{
    if (--login->fed == 0)
        login->events->settled(login->data);
}

static bool enable_untagged(gpointer data, const ImapResponse *response)
{
    ImapLogin *login = data;

    if (strcmp(response->name, "ENABLED") != 0)
        return false;
    for (size_t i = 0; i < imap_value_count(response->values); i++) {
        const ImapValue *name = imap_value_item(response->values, i);
        if (imap_value_is(name, "QRESYNC"))
            login->result->qresync = true;
        else if (imap_value_is(name, "UTF8=ACCEPT"))
            login->result->utf8 = true;
    }
    return true;
}

static bool id_untagged(gpointer data, const ImapResponse *response)
{
    ImapLogin *login = data;
    const ImapValue *pairs = imap_value_item(response->values, 0);

    if (strcmp(response->name, "ID") != 0)
        return false;
    for (size_t i = 0; i + 1 < imap_value_count(pairs); i += 2) {
        const char *key = imap_value_text(imap_value_item(pairs, i));
        const char *value = imap_value_text(imap_value_item(pairs, i + 1));
        if (key && value && g_ascii_strcasecmp(key, "name") == 0) {
            g_free(login->result->server);
            login->result->server = quote_text(value);
        }
    }
    return true;
}

/* ENABLE and ID are niceties: a server that refuses them is used without. That the connection
 * failed its owner is told anyway. */
static void feed_done(gpointer data, const ImapResponse *response, const GError *error)
{
    (void)response;
    if (!error)
        fed(data);
}

static const ImapRequestEvents enable_events = {.untagged = enable_untagged, .done = feed_done};
static const ImapRequestEvents id_events = {.untagged = id_untagged, .done = feed_done};

static void send_enable(ImapLogin *login)
{
    const ImapCapabilities *caps = &login->result->caps;
    ImapCommand *command;

    if (!imap_capabilities_have(caps, IMAP_CAP_ENABLE) ||
        !(caps->bits & (IMAP_CAP_QRESYNC | IMAP_CAP_UTF8_ACCEPT)))
        return;
    command = imap_command_new("ENABLE");
    if (imap_capabilities_have(caps, IMAP_CAP_QRESYNC))
        imap_command_raw(command, "QRESYNC");
    if (imap_capabilities_have(caps, IMAP_CAP_UTF8_ACCEPT))
        imap_command_raw(command, "UTF8=ACCEPT");
    login->fed++;
    imap_conn_send(login->conn, command, 0, &enable_events, login);
}

static void send_id(ImapLogin *login)
{
    ImapCommand *command;

    if (!imap_capabilities_have(&login->result->caps, IMAP_CAP_ID))
        return;
    command = imap_command_new("ID");
    imap_command_raw(command, "(\"name\" \"pullmail\" \"version\" \"" PULLMAIL_VERSION "\")");
    login->fed++;
    imap_conn_send(login->conn, command, 0, &id_events, login);
}

static void set_up(ImapLogin *login)
{
    const ImapCapabilities *caps = &login->result->caps;

    /* A server without IMAP4rev1 has nothing but UTF-8 names (RFC 9051 section 5.1). */
    login->result->utf8 = imap_capabilities_have(caps, IMAP_CAP_REV2) &&
                          !imap_capabilities_have(caps, IMAP_CAP_REV1);
    login->fed = 1;
    send_enable(login);
    send_id(login);
    finish(login, NULL);
    fed(login);
}

/* --- the order of things -----------------------------------------------------------------------
 */

static void next_step(ImapLogin *login)
{
    const ImapConfig *config = login->config;
    Stream *stream = imap_conn_stream(login->conn);
    bool secure = stream && stream_is_secure(stream);

    if (login->finished)
        return;
    if (!login->result->caps.known)
        imap_conn_send(login->conn, imap_command_new("CAPABILITY"), 0, &capability_events, login);
    else if (!secure && !config->clear)
        start_tls(login);
    else if (!login->authenticated)
        authenticate(login);
    else
        set_up(login);
}

bool imap_login_awaits_greeting(const ImapLogin *login)
{
    return login->connected && !login->greeted;
}

void imap_login_ready(ImapLogin *login)
{
    login->connected = true;
    if (login->upgraded)
        next_step(login);
}

static void take_greeting(ImapLogin *login, const ImapResponse *response)
{
    login->greeted = true;
    take_capabilities(login, response);
    if (strcmp(response->name, "PREAUTH") == 0) {
        login->authenticated = true;
    } else if (strcmp(response->name, "BYE") == 0) {
        g_autofree char *text = quote_text(response->text);
        finish_text(login, imap_has_code(response, "UNAVAILABLE") ? EAGAIN : ECONNREFUSED,
                    "the server turned us away: %s", text);
        return;
    } else if (strcmp(response->name, "OK") != 0) {
        finish_text(login, EPROTO, "this is no IMAP server: its greeting is \"%s\"",
                    response->name);
        return;
    }
    next_step(login);
}

void imap_login_untagged(ImapLogin *login, const ImapResponse *response)
{
    if (login->finished)
        return;
    if (!login->greeted)
        take_greeting(login, response);
    else
        take_capabilities(login, response);
}

ImapLogin *imap_login_new(const ImapConfig *config, ImapConn *conn, ImapLoginResult *result,
                          const ImapLoginEvents *events, gpointer data)
{
    ImapLogin *login = g_new0(ImapLogin, 1);

    login->config = config;
    login->password = config->password ? secret_copy(config->password) : NULL;
    login->conn = conn;
    login->result = result;
    login->events = events;
    login->data = data;
    return login;
}

void imap_login_free(ImapLogin *login)
{
    if (!login)
        return;
    sasl_free(login->sasl);
    secret_free(login->password);
    g_clear_error(&login->sasl_error);
    g_free(login);
}

void imap_login_result_clear(ImapLoginResult *result)
{
    imap_capabilities_clear(&result->caps);
    g_clear_pointer(&result->server, g_free);
    result->utf8 = result->qresync = false;
}
