/*
 * fuzz_names.c: any bytes as a folder's name, and as a file name that is looked up.
 */
#include "../../fs/names.h"

#include <stddef.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool fine, const char *what)
{
    if (!fine)
        g_error("%s", what);
}

static void check_level(const char *level)
{
    g_autofree char *name = names_folder(level);
    g_autofree char *back = names_folder_decode(name);

    check(name[0] && strlen(name) <= 255 && !strchr(name, '/'), "no file name");
    check(g_utf8_validate(name, -1, NULL), "a name in no UTF-8");
    check(strcmp(name, ".") != 0 && strcmp(name, "..") != 0, "a name that leads elsewhere");
    check(names_message_uid(name) == 0, "a folder that looks like a message");
    check(back ? strcmp(back, level) == 0 : strstr(name, "%~") != NULL, "the way back differs");
}

static void check_name(const char *name)
{
    g_autofree char *level = names_folder_decode(name);
    g_autofree char *again = level ? names_folder(level) : NULL;
    uint32_t uid = names_message_uid(name);

    check(!again || strcmp(again, name) == 0, "two names for a folder");
    check(!uid || !level, "a message and a folder of one name");
    check(!uid || g_str_has_suffix(name, ".eml"), "a UID from nowhere");
}

/* As a server's name for a message, and as a file name that is looked up. */
static void check_unique(const char *text)
{
    char name[256], again[256];
    unsigned which = 0;
    g_autofree char *decoded = names_unique_decode(text, &which);

    check(!decoded || (names_unique(decoded, which, again, sizeof again) && !strcmp(again, text)),
          "two names for a message");
    if (strlen(text) > 70 || !*text || !g_str_is_ascii(text) ||
        !names_unique(text, 1, name, sizeof name))
        return;
    g_autofree char *back = names_unique_decode(name, &which);
    check(!strchr(name, '/') && name[0] != '.', "a name that leads elsewhere");
    check(back && strcmp(back, text) == 0 && which == 1, "the way back from a name differs");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *text = g_strndup(size > 0 ? (const char *)data : "", size);
    char message[NAMES_MESSAGE_MAX];
    int64_t date = 0;
    uint32_t uid = 0;

    check_level(text);
    check_name(text);
    check_unique(text);
    if (size > 0)
        memcpy(&date, data, MIN(size, sizeof date));
    if (size > sizeof date)
        memcpy(&uid, data + sizeof date, MIN(size - sizeof date, sizeof uid));
    names_message(date, uid, message);
    check(strlen(message) < NAMES_MESSAGE_MAX, "a message's name is too long");
    check(names_message_uid(message) == uid, "a message's UID is lost");
    return 0;
}
