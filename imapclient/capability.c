#include "capability.h"

static const struct {
    const char *name;
    unsigned bits;
} names[] = {
    {"IMAP4REV1", IMAP_CAP_REV1},
    /* What IMAP4rev2 includes (RFC 9051 appendix E), as far as it matters here. */
    {"IMAP4REV2", IMAP_CAP_REV2 | IMAP_CAP_SASL_IR | IMAP_CAP_NAMESPACE | IMAP_CAP_LITERAL_MINUS |
                      IMAP_CAP_ENABLE | IMAP_CAP_ESEARCH | IMAP_CAP_UIDPLUS | IMAP_CAP_MOVE |
                      IMAP_CAP_UNSELECT | IMAP_CAP_IDLE},
    {"STARTTLS", IMAP_CAP_STARTTLS},
    {"LOGINDISABLED", IMAP_CAP_LOGINDISABLED},
    {"SASL-IR", IMAP_CAP_SASL_IR},
    {"ID", IMAP_CAP_ID},
    {"NAMESPACE", IMAP_CAP_NAMESPACE},
    {"LITERAL+", IMAP_CAP_LITERAL_PLUS},
    {"LITERAL-", IMAP_CAP_LITERAL_MINUS},
    {"ENABLE", IMAP_CAP_ENABLE},
    {"CONDSTORE", IMAP_CAP_CONDSTORE},
    /* RFC 7162 section 3.2: a server with QRESYNC has CONDSTORE and ENABLE too. */
    {"QRESYNC", IMAP_CAP_QRESYNC | IMAP_CAP_CONDSTORE | IMAP_CAP_ENABLE},
    {"UTF8=ACCEPT", IMAP_CAP_UTF8_ACCEPT},
    {"UTF8=ONLY", IMAP_CAP_UTF8_ACCEPT},
    {"QUOTA", IMAP_CAP_QUOTA},
    {"ESEARCH", IMAP_CAP_ESEARCH},
    {"SPECIAL-USE", IMAP_CAP_SPECIAL_USE},
    {"COMPRESS=DEFLATE", IMAP_CAP_COMPRESS},
    {"UIDPLUS", IMAP_CAP_UIDPLUS},
    {"MOVE", IMAP_CAP_MOVE},
    {"REPLACE", IMAP_CAP_REPLACE},
    {"UNSELECT", IMAP_CAP_UNSELECT},
    {"APPENDLIMIT", IMAP_CAP_APPENDLIMIT},
    {"IDLE", IMAP_CAP_IDLE},
    {"NOTIFY", IMAP_CAP_NOTIFY},
};

static void read_one(ImapCapabilities *caps, const char *text)
{
    g_autofree char *name = g_ascii_strup(text, -1);

    if (g_str_has_prefix(name, "AUTH=")) {
        g_ptr_array_add(caps->auth, g_strdup(name + strlen("AUTH=")));
        return;
    }
    if (g_str_has_prefix(name, "APPENDLIMIT=") &&
        !g_ascii_string_to_unsigned(name + strlen("APPENDLIMIT="), 10, 0, UINT64_MAX,
                                    &caps->append_limit, NULL))
        caps->append_limit = UINT64_MAX;
    /* By RFC 9208 the resources are named besides; either says that there are quotas. */
    if (g_str_has_prefix(name, "QUOTA=RES-"))
        caps->bits |= IMAP_CAP_QUOTA;
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
        if (strcmp(name, names[i].name) == 0)
            caps->bits |= names[i].bits;
}

void imap_capabilities_read(ImapCapabilities *caps, const ImapValue *list, size_t first)
{
    g_autoptr(GString) all = g_string_new(NULL);

    imap_capabilities_clear(caps);
    caps->auth = g_ptr_array_new_with_free_func(g_free);
    for (size_t i = first; i < imap_value_count(list); i++) {
        const char *text = imap_value_text(imap_value_item(list, i));
        if (!text)
            continue;
        read_one(caps, text);
        g_string_append_printf(all, "%s%s", all->len ? " " : "", text);
    }
    g_ptr_array_add(caps->auth, NULL);
    caps->text = g_string_free(g_steal_pointer(&all), FALSE);
    caps->known = true;
}

char *imap_capabilities_names(unsigned bits)
{
    GString *text = g_string_new(NULL);
    unsigned named = IMAP_CAP_LOGINDISABLED;

    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        if ((names[i].bits & bits) != names[i].bits || !(names[i].bits & ~named))
            continue;
        /* By its first bit alone: what it includes is named itself. */
        named |= names[i].bits & (~names[i].bits + 1);
        g_string_append_printf(text, "%s%s", text->len ? " " : "", names[i].name);
    }
    return g_string_free(text, FALSE);
}

void imap_capabilities_clear(ImapCapabilities *caps)
{
    caps->bits = 0;
    caps->append_limit = UINT64_MAX;
    g_clear_pointer(&caps->auth, g_ptr_array_unref);
    g_clear_pointer(&caps->text, g_free);
    caps->known = false;
}

bool imap_capabilities_have(const ImapCapabilities *caps, unsigned bits)
{
    return (caps->bits & bits) == bits;
}
