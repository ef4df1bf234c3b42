#include "header.h"

#include <string.h>

/* So much of the line, up to its LF, is there now. */
static void lengthen(HeaderScan *scan, const uint8_t *bytes, size_t length)
{
    if (length == 0)
        return;
    if (scan->line == 0)
        scan->cr = bytes[0] == '\r';
    scan->line += length;
}

size_t header_scan(HeaderScan *scan, const uint8_t *bytes, size_t length)
{
    size_t done = 0;

    while (!scan->ended && done < length) {
        const uint8_t *end = memchr(bytes + done, '\n', length - done);
        size_t n = end ? (size_t)(end - bytes) - done : length - done;
        lengthen(scan, bytes + done, n);
        done += n + (end ? 1 : 0);
        if (!end)
            break;
        scan->ended = scan->line == 0 || (scan->line == 1 && scan->cr);
        scan->line = 0;
    }
    return done;
}
