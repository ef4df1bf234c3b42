#include "failure.h"

#include <errno.h>

bool failure_is_lost(const GError *error)
{
    switch (error ? mail_errno(error) : 0) {
    case ENOTCONN:
    case ETIMEDOUT:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case ECONNREFUSED:
        return true;
    default:
        return false;
    }
}

bool failure_is_refusal(const GError *error)
{
    switch (error ? mail_errno(error) : 0) {
    case EROFS:
    case EACCES:
    case EPERM:
    case EDQUOT:
    case EINVAL:
        return true;
    default:
        return false;
    }
}
