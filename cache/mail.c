#include "mail.h"

#include <errno.h>

G_DEFINE_QUARK(pullmail_mail_error, mail_error)

int mail_errno(const GError *error)
{
    return error->domain == MAIL_ERROR && error->code > 0 ? error->code : EIO;
}

int mail_compare_uids(const void *a, const void *b)
{
    const uint32_t *one = a, *other = b;

    return (*one > *other) - (*one < *other);
}
