#include "value.h"

#include "limits.h"

#include <string.h>

const ImapValue *imap_value_item(const ImapValue *value, size_t i)
{
    return i < imap_value_count(value) ? &value->items[i] : NULL;
}

size_t imap_value_count(const ImapValue *value)
{
    return value && value->kind == IMAP_LIST ? value->count : 0;
}

static bool has_text(const ImapValue *value)
{
    return value && (value->kind == IMAP_ATOM || value->kind == IMAP_STRING) && value->text;
}

const char *imap_value_text(const ImapValue *value)
{
    if (!has_text(value))
        return NULL;
    /* Only a literal can hold NUL. */
    if (value->literal && memchr(value->text, 0, value->length))
        return NULL;
    return value->text;
}

GBytes *imap_value_bytes(const ImapValue *value)
{
    if (!has_text(value))
        return NULL;
    return value->literal ? g_bytes_ref(value->literal) : g_bytes_new(value->text, value->length);
}

bool imap_value_is(const ImapValue *value, const char *name)
{
    if (value && value->kind == IMAP_NIL)
        return g_ascii_strcasecmp(name, "NIL") == 0;
    return value && value->kind == IMAP_ATOM && g_ascii_strcasecmp(value->text, name) == 0;
}

bool imap_value_number(const ImapValue *value, uint64_t *number)
{
    if (!value || value->kind != IMAP_ATOM || value->length == 0)
        return false;
    uint64_t n = 0;
    for (const char *p = value->text; *p; p++) {
        if (!g_ascii_isdigit(*p) || __builtin_mul_overflow(n, 10, &n) ||
            __builtin_add_overflow(n, (uint64_t)(*p - '0'), &n))
            return false;
    }
    *number = n;
    return true;
}

/* Takes exactly `digits` digits, and the character behind them unless it is 0. */
static bool take_digits(const char **text, unsigned digits, char behind, int *number)
{
    int n = 0;
    for (unsigned i = 0; i < digits; i++, (*text)++) {
        if (!g_ascii_isdigit(**text))
            return false;
        n = n * 10 + (**text - '0');
    }
    *number = n;
    return !behind || *(*text)++ == behind;
}

static bool take_day(const char **text, int *day)
{
    if (**text == ' ')
        (*text)++;
    else if (g_ascii_isdigit((*text)[0]) && g_ascii_isdigit((*text)[1]))
        return take_digits(text, 2, '-', day);
    return take_digits(text, 1, '-', day);
}

static bool take_month(const char **text, int *month)
{
    static const char names[] = "janfebmaraprmayjunjulaugsepoctnovdec";
    for (int i = 0; i < 12; i++) {
        if (g_ascii_strncasecmp(*text, names + (size_t)3 * i, 3) == 0) {
            *text += 3;
            *month = i + 1;
            return *(*text)++ == '-';
        }
    }
    return false;
}

static bool take_zone(const char **text, int *seconds)
{
    char sign = *(*text);
    int hours, minutes;
    if (sign != '+' && sign != '-')
        return false;
    (*text)++;
    if (!take_digits(text, 2, 0, &hours) || !take_digits(text, 2, 0, &minutes) || hours > 23 ||
        minutes > 59)
        return false;
    *seconds = (hours * 60 + minutes) * (sign == '-' ? -60 : 60);
    return true;
}

static bool is_leap(int year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int days_of_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return days[month - 1] + (month == 2 && is_leap(year));
}

/* Days ahead of a year of the Gregorian calendar (proleptic), counted from the year -399. */
static int64_t days_before(int year)
{
    int64_t past = (int64_t)year + 399; /* years; they have leap days where 1 to `past` have */
    return past * 365 + past / 4 - past / 100 + past / 400;
}

static int64_t days_since_epoch(int year, int month, int day)
{
    static const int before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    return days_before(year) - days_before(1970) + before[month - 1] +
           (month > 2 && is_leap(year)) + day - 1;
}

bool imap_value_date(const ImapValue *value, int64_t *seconds)
{
    if (!value || value->kind != IMAP_STRING)
        return false;
    const char *text = imap_value_text(value);
    int day, month, year, hour, minute, second, zone;
    if (!text || !take_day(&text, &day) || !take_month(&text, &month) ||
        !take_digits(&text, 4, ' ', &year) || !take_digits(&text, 2, ':', &hour) ||
        !take_digits(&text, 2, ':', &minute) || !take_digits(&text, 2, ' ', &second) ||
        !take_zone(&text, &zone) || *text)
        return false;
    if (day < 1 || day > days_of_month(year, month) || hour > 23 || minute > 59 || second > 60)
        return false;
    int64_t minutes = (days_since_epoch(year, month, day) * 24 + hour) * 60 + minute;
    *seconds = minutes * 60 + second - zone;
    return true;
}

char *imap_value_flags(const ImapValue *value)
{
    GString *flags = g_string_new(NULL);
    size_t n = MIN(imap_value_count(value), IMAP_MAX_FLAGS);
    for (size_t i = 0; i < n; i++) {
        const ImapValue *flag = &value->items[i];
        if (flag->kind != IMAP_ATOM || imap_value_is(flag, "\\Recent") ||
            !g_utf8_validate(flag->text, (gssize)flag->length, NULL))
            continue;
        if (flags->len)
            g_string_append_c(flags, ' ');
        g_string_append_len(flags, flag->text, (gssize)flag->length);
    }
    return g_string_free(flags, FALSE);
}
