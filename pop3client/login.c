#include "login.h"

#include "../imapclient/net/quote.h"
#include "../imapclient/net/sasl.h"
#include "apop.h"
#include "outcome.h"

#include <errno.h>
#include <string.h>

/* With an initial response and CR LF, AUTH may not be longer (RFC 5034 section 4). */
enum { LONGEST_AUTH = 255 };

/*
 * The steps, in order; each request's done leads to the next. `asked` is whether the server was
 * asked what it can do since that may last have changed. After `done` was called nothing is sent
 * any more.
 */
struct Pop3Login {
    const Pop3Config *config;
    Pop3Conn *conn;
    Pop3LoginResult *result;
    Pop3LoginDone done;
    gpointer data;
    char *greeting;
    bool asked, utf8, authenticated, finished;
    Secret *password;    /* a copy, since the account may get another; NULL once finished */
    SaslContext context; /* of the exchange: lives as long as it does */
    bool sasl_initial;   /* the first answer still has to be sent, on the server's "+" */
    Sasl *sasl;
    GError *sasl_error; /* why we broke the exchange off */
};

static void next_step(Pop3Login *login);

static void finish(Pop3Login *login, GError *error)
{
    g_autoptr(GError) owned = error;

    if (login->finished)
        return;
    login->finished = true;
    login->context.password = NULL;
    g_clear_pointer(&login->password, secret_free);
    login->done(login->data, owned);
}

G_GNUC_PRINTF(3, 4)
static void finish_text(Pop3Login *login, int code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    finish(login, g_error_new(MAIL_ERROR, code, "%s:%u: %s", login->config->host,
                              login->config->port, text));
}

/* NULL where the request was answered with +OK; else the reason, ready for finish. */
static GError *refusal(const Pop3Reply *reply, const GError *error, const char *what)
{
    return error ? g_error_copy(error) : pop3_outcome(reply, what);
}

static void send(Pop3Login *login, const char *command, unsigned flags,
                 const Pop3RequestEvents *events)
{
    pop3_conn_send(login->conn, command, flags, 0, events, login, login);
}

/* --- capabilities --------------------------------------------------------------------------- */

static void capa_line(gpointer data, const char *line, size_t length)
{
    Pop3Login *login = data;

    (void)length;
    pop3_capabilities_read(&login->result->caps, line);
}

/* A server that does not know CAPA is used without: what it can do shows when it is tried. */
static void capa_done(gpointer data, const Pop3Reply *reply, const GError *error)
{
    Pop3Login *login = data;
    Pop3Capabilities *caps = &login->result->caps;

    if (error) {
        finish(login, g_error_copy(error));
        return;
    }
    if (reply->kind == POP3_OK)
        pop3_capabilities_end(caps);
    if (caps->login_delay)
        login->result->login_delay = caps->login_delay;
    next_step(login);
}

static const Pop3RequestEvents capa_events = {.line = capa_line, .done = capa_done};

static void ask_capabilities(Pop3Login *login)
{
    login->asked = true;
    pop3_capabilities_clear(&login->result->caps);
    send(login, "CAPA", POP3_REQUEST_LINES, &capa_events);
}

/* --- STLS ----------------------------------------------------------------------------------- */

static void stls_done(gpointer data, const Pop3Reply *reply, const GError *error)
{
    Pop3Login *login = data;
    GError *failure = refusal(reply, error, "STLS");

    if (failure) {
        g_prefix_error(&failure, "no TLS, and tls=required: ");
        finish(login, failure);
        return;
    }
    /* What was said in clear may have been said by anybody. */
    pop3_capabilities_clear(&login->result->caps);
    login->result->login_delay = 0;
    login->asked = false;
}

static const Pop3RequestEvents stls_events = {.done = stls_done};

static void start_tls(Pop3Login *login)
{
    const Pop3Capabilities *caps = &login->result->caps;

    if (caps->known && !pop3_capabilities_have(caps, POP3_CAP_STLS)) {
        finish_text(login, EPROTO,
                    "the server offers no STLS here; use pop3s://, or tls=off where the network "
                    "may read your mail and password");
        return;
    }
    send(login, "STLS", POP3_REQUEST_STLS, &stls_events);
}

/* --- UTF8 ----------------------------------------------------------------------------------- */

/* Without it a server may change messages whose header is in UTF-8; one that refuses it is used
 * all the same. */
static void utf8_done(gpointer data, const Pop3Reply *reply, const GError *error)
{
    Pop3Login *login = data;

    (void)reply;
    if (error)
        finish(login, g_error_copy(error));
    else
        next_step(login);
}

static const Pop3RequestEvents utf8_events = {.done = utf8_done};

static void ask_utf8(Pop3Login *login)
{
    login->utf8 = true;
    send(login, "UTF8", 0, &utf8_events);
}

/* --- authentication -------------------------------------------------------------------------- */

static GError *auth_refusal(Pop3Login *login, const Pop3Reply *reply, const GError *error)
{
    GError *failure = refusal(reply, error, "login refused");
    const char *told = login->sasl ? sasl_failure(login->sasl) : NULL;

    if (!failure || error)
        return failure;
    login->result->in_use = pop3_is_in_use(reply);
    login->result->too_soon = pop3_has_code(reply, "LOGIN-DELAY");
    if (login->result->in_use)
        failure->code = EAGAIN;
    else if (failure->code == EREMOTEIO && !pop3_has_code(reply, "SYS"))
        failure->code = EACCES;
    if (told)
        g_prefix_error(&failure, "%s; ", told);
    g_prefix_error(&failure, "%s:%u: user %s: ", login->config->host, login->config->port,
                   login->config->user);
    return failure;
}

static void auth_done(gpointer data, const Pop3Reply *reply, const GError *error)
{
    Pop3Login *login = data;
    GError *failure = NULL;

    if (login->sasl_error) {
        finish(login, g_steal_pointer(&login->sasl_error));
        return;
    }
    failure = auth_refusal(login, reply, error);
    if (failure || (login->sasl && !sasl_finish(login->sasl, &failure))) {
        finish(login, failure);
        return;
    }
    login->authenticated = true;
    login->asked = false;
    next_step(login);
}

static void auth_more(gpointer data, const char *text)
{
    Pop3Login *login = data;
    bool first = login->sasl_initial;
    g_autoptr(Secret) answer = NULL;

    if (login->sasl_error)
        return;
    login->sasl_initial = false;
    answer = sasl_step(login->sasl, first && !*text ? NULL : text, &login->sasl_error);
    pop3_conn_answer(login->conn, answer ? secret_text(answer) : "*");
}

static const Pop3RequestEvents sasl_events = {.more = auth_more, .done = auth_done};
static const Pop3RequestEvents auth_events = {.done = auth_done};

static GBytes *channel_binding(gpointer data, const char *type)
{
    Pop3Login *login = data;
    Stream *stream = pop3_conn_stream(login->conn);

    return stream ? stream_channel_binding(stream, type) : NULL;
}

static void set_context(Pop3Login *login)
{
    const Pop3Config *config = login->config;
    Stream *stream = pop3_conn_stream(login->conn);

    login->context = (SaslContext){
        .user = config->user,
        .password = login->password,
        .host = config->host,
        .port = config->port,
        .service = "pop",
        .secure = stream && stream_is_secure(stream),
        .client_cert = config->client_cert,
        .allow_clear = config->clear,
        .channel_binding = channel_binding,
        .data = login,
    };
}

/* "AUTH mechanism", or NULL where the first answer is too long for it, and waits for the "+". */
static Secret *auth_command(const char *mechanism, const Secret *initial)
{
    const char *text = secret_length(initial) ? secret_text(initial) : "=";
    size_t length = strlen("AUTH  \r\n") + strlen(mechanism) + strlen(text);
    char line[LONGEST_AUTH];
    Secret *command;

    if (length > LONGEST_AUTH)
        return NULL;
    g_snprintf(line, sizeof line, "AUTH %s %s", mechanism, text);
    command = secret_new(line, -1);
    secret_wipe(line, sizeof line);
    return command;
}

/*
 * A first answer that is too long is made again once the server asks, by a mechanism begun anew.
 */
static void authenticate_sasl(Pop3Login *login, const char *mechanism)
{
    g_autofree char *bare = g_strdup_printf("AUTH %s", mechanism);
    g_autoptr(Secret) command = NULL;
    GError *error = NULL;

    login->sasl = sasl_new(mechanism, &login->context, &error);
    if (login->sasl && sasl_client_first(login->sasl)) {
        g_autoptr(Secret) initial = sasl_step(login->sasl, NULL, &error);
        command = initial ? auth_command(mechanism, initial) : NULL;
        if (initial && !command) {
            sasl_free(login->sasl);
            login->sasl = sasl_new(mechanism, &login->context, &error);
            login->sasl_initial = true;
        }
    }
    if (error)
        finish(login, error);
    else if (command)
        send(login, secret_text(command), POP3_REQUEST_SECRET, &sasl_events);
    else
        send(login, bare, 0, &sasl_events);
}

/* "COMMAND text", as it may be sent: a line's end in the text would begin another command. */
static bool send_word(Pop3Login *login, const char *command, const char *text, size_t length,
                      const Pop3RequestEvents *events)
{
    size_t size = strlen(command) + length + 2;
    char *line;

    if (memchr(text, '\n', length) || memchr(text, '\r', length) || memchr(text, '\0', length)) {
        finish_text(login, EACCES, "%s can't be sent: it has a line's end or a NUL in it",
                    strcmp(command, "USER") == 0 ? "the login name" : "the password");
        return false;
    }
    line = g_malloc(size);
    g_snprintf(line, size, "%s %s", command, text);
    send(login, line, POP3_REQUEST_SECRET, events);
    secret_wipe(line, size);
    g_free(line);
    return true;
}

static void user_done(gpointer data, const Pop3Reply *reply, const GError *error)
{
    Pop3Login *login = data;
    const Secret *password = login->password;
    GError *failure = auth_refusal(login, reply, error);

    if (failure)
        finish(login, failure);
    else
        send_word(login, "PASS", secret_text(password), secret_length(password), &auth_events);
}

static const Pop3RequestEvents user_events = {.done = user_done};

static void authenticate_user(Pop3Login *login)
{
    const char *user = login->config->user;

    sasl_warn_of_clear(&login->context);
    send_word(login, "USER", user, strlen(user), &user_events);
}

static void authenticate_apop(Pop3Login *login)
{
    GError *error = NULL;
    g_autofree char *argument = apop_argument(login->greeting, login->config->user, login->password,
                                              &error);

    if (!argument)
        finish_text(login, mail_errno(error), "%s", error->message);
    else
        send_word(login, "APOP", argument, strlen(argument), &auth_events);
    g_clear_error(&error);
}

/* Why the password can't be sent to the server, not even as a digest; or NULL. */
static const char *password_obstacle(const Pop3Login *login)
{
    if (!login->context.password)
        return "no password was given";
    if (!login->context.secure && !login->context.allow_clear)
        return "the connection is not under TLS";
    return NULL;
}

static bool is_wanted(const Pop3Login *login, const char *name)
{
    return login->config->auth && g_ascii_strcasecmp(login->config->auth, name) == 0;
}

static void authenticate(Pop3Login *login)
{
    static const char *const nothing[] = {NULL};
    const Pop3Capabilities *caps = &login->result->caps;
    const char *const *offered = caps->known ? (const char *const *)caps->auth->pdata : nothing;
    bool automatic = !login->config->auth || is_wanted(login, "auto");
    bool apop = is_wanted(login, "apop");
    bool user = apop || is_wanted(login, "user") || is_wanted(login, "login");
    const char *obstacle, *mechanism = NULL;
    g_autoptr(GError) error = NULL;

    set_context(login);
    obstacle = password_obstacle(login);
    if (!user)
        mechanism = sasl_choose(&login->context, offered, automatic ? NULL : login->config->auth,
                                &error);
    if (mechanism)
        authenticate_sasl(login, mechanism);
    else if (error && !automatic)
        finish(login, g_steal_pointer(&error));
    else if (obstacle)
        finish_text(login, EACCES, "can't log in: %s%s%s", obstacle, error ? "; " : "",
                    error ? error->message : "");
    else if (apop)
        authenticate_apop(login);
    else
        authenticate_user(login);
}

/* --- the order of things -----------------------------------------------------------------------
 */

static void next_step(Pop3Login *login)
{
    Stream *stream = pop3_conn_stream(login->conn);
    bool secure = stream && stream_is_secure(stream);

    if (login->finished)
        return;
    if (!login->asked)
        ask_capabilities(login);
    else if (!secure && !login->config->clear)
        start_tls(login);
    else if (!login->authenticated && !login->utf8 &&
             pop3_capabilities_have(&login->result->caps, POP3_CAP_UTF8))
        ask_utf8(login);
    else if (!login->authenticated)
        authenticate(login);
    else
        finish(login, NULL);
}

void pop3_login_ready(Pop3Login *login)
{
    next_step(login);
}

void pop3_login_greeting(Pop3Login *login, const Pop3Reply *reply)
{
    g_autoptr(GError) failure = pop3_outcome(reply, "the server turned us away");

    if (failure) {
        login->result->in_use = pop3_is_in_use(reply);
        login->result->too_soon = pop3_has_code(reply, "LOGIN-DELAY");
        if (login->result->in_use)
            failure->code = EAGAIN;
        else if (failure->code == EREMOTEIO)
            failure->code = ECONNREFUSED;
        finish_text(login, failure->code, "%s", failure->message);
        return;
    }
    login->greeting = g_strdup(reply->text);
    next_step(login);
}

Pop3Login *pop3_login_new(const Pop3Config *config, Pop3Conn *conn, Pop3LoginResult *result,
                          Pop3LoginDone done, gpointer data)
{
    Pop3Login *login = g_new0(Pop3Login, 1);

    login->config = config;
    login->password = config->password ? secret_copy(config->password) : NULL;
    login->conn = conn;
    login->result = result;
    login->done = done;
    login->data = data;
    return login;
}

void pop3_login_free(Pop3Login *login)
{
    if (!login)
        return;
    sasl_free(login->sasl);
    secret_free(login->password);
    g_clear_error(&login->sasl_error);
    g_free(login->greeting);
    g_free(login);
}

void pop3_login_result_clear(Pop3LoginResult *result)
{
    pop3_capabilities_clear(&result->caps);
}
