/*
 * script_text.h: the text of a transcript, for script.h to play.
 *
 * A transcript has a line for each step:
 *   C: text     the client must send exactly this line next
 *   S: text     the server sends the line
 *   R: text     the server sends the text without a line's end; C escapes are understood
 *   D: file     the server sends the bytes of a file of tests/data
 *   E: text     the server sends the line over and over until the client has gone
 *   e: text     likewise without a line's end
 *   F:          the client sends a line, and the server what Script.answer makes of it
 *   W:          the server waits for script_go_on
 *   T:          the TLS handshake
 *   Z:          from here on both sides are compressed
 *   X:          the server closes the connection
 * Behind the last step the client must not send anything more.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <glib.h>
#include <stdbool.h>
#include <string.h>

typedef struct {
    char kind; /* of "CSEFWTXZ" */
    GBytes *bytes;
} ScriptStep;

static inline GBytes *script_file(const char *name)
{
    g_autofree char *path = g_build_filename("tests/data", name, NULL);
    char *content = NULL;
    gsize length = 0;

    if (!g_file_get_contents(path, &content, &length, NULL))
        fail_msg("%s can't be read; tests run in the top folder", path);
    return g_bytes_new_take(content, length);
}

static inline ScriptStep script_step(const char *line)
{
    const char *text = line[1] && line[2] ? line + 3 : "";
    char *owned = NULL;

    assert_true(line[1] == ':');
    switch (line[0]) {
    case 'D':
        return (ScriptStep){'S', script_file(text)};
    case 'R':
        owned = g_strcompress(text);
        return (ScriptStep){'S', g_bytes_new_take(owned, strlen(owned))};
    case 'e':
        return (ScriptStep){'E', g_bytes_new(text, strlen(text))};
    case 'C':
    case 'S':
    case 'E':
        owned = g_strconcat(text, "\r\n", NULL);
        return (ScriptStep){line[0], g_bytes_new_take(owned, strlen(owned))};
    default:
        assert_true(strchr("FWTXZ", line[0]) != NULL);
        return (ScriptStep){line[0], NULL};
    }
}

static inline void script_step_clear(gpointer data)
{
    ScriptStep *step = data;

    if (step->bytes)
        g_bytes_unref(step->bytes);
}

static inline GArray *script_read(const char *text)
{
    GArray *steps = g_array_new(FALSE, FALSE, sizeof(ScriptStep));

    g_array_set_clear_func(steps, script_step_clear);
    for (const char *end; *text; text = *end ? end + 1 : end) {
        end = strchrnul(text, '\n');
        g_autofree char *line = g_strndup(text, (gsize)(end - text));
        if (!*line)
            continue;
        ScriptStep step = script_step(line);
        g_array_append_val(steps, step);
    }
    return steps;
}

/* Twice the number of steps in which the server says something: the ways to cut it off. */
static inline size_t script_halves(const char *text)
{
    g_autoptr(GArray) steps = script_read(text);
    size_t n = 0;

    for (guint i = 0; i < steps->len; i++)
        n += g_array_index(steps, ScriptStep, i).kind == 'S';
    return 2 * n;
}
