"""letters: messages that say themselves what they must be: each is made of its number alone, which its
header, its date and, in the mount, its name tell. No two of them are as long."""
import base64
import calendar
import datetime
import random
import re
import time

from support import UTC

BASE = 1735689600  # 2025: the INTERNALDATE of letter n is so many seconds, and n
LATE = 1767225600  # 2026: no letter has that
SHORT = 9973       # primes: numbers below them make each length once
LONG = 299993
USUAL = re.compile(r"(\d{8}-\d{6})-\d+(?:~\d+)?\.eml")
GIVEN = re.compile(r"letter (\d+)\b.*\.eml")
NOISE = base64.b64encode(random.Random("noise").randbytes(1 << 15))


def text(number):
    """Its bytes."""
    length = 300 + number * 4099 % SHORT
    if number % 23 == 0:
        length = 20000 + number * 4099 % LONG
    head = (b"From: ann@example.org\r\nSubject: letter %d\r\nMessage-ID: <%d@example.org>\r\nX-Letter: %d %d\r\n\r\n"
            % (number, number, number, length))
    lines, got = [head], len(head)
    while got < length:
        begin = (number * 1009 + got * 7) % (len(NOISE) - 64)
        lines.append(b"%d %s\r\n" % (number, NOISE[begin:begin + 64]))
        got += len(lines[-1])
    whole = b"".join(lines)[:length - 2]
    return (whole[:-1] + b"." if whole.endswith(b"\r") else whole) + b"\r\n"


def date(number):
    """Its INTERNALDATE."""
    return datetime.datetime.fromtimestamp(BASE + number, UTC)


def number_of(name):
    """The number that a file's name tells; None: it is no letter's."""
    usual, given = USUAL.fullmatch(name), GIVEN.fullmatch(name)
    if usual:
        return calendar.timegm(time.strptime(usual[1], "%Y%m%d-%H%M%S")) - BASE
    return int(given[1]) if given else None


def number_in(data):
    """The number that a message's header tells, if it is what that letter is; else None."""
    found = re.search(rb"^X-Letter: (\d+) ", data[:400], re.MULTILINE)
    return int(found[1]) if found and text(int(found[1])) == data else None


def difference(found, expected):
    """Where bytes are not what they should be, for a story."""
    at = next((n for n, pair in enumerate(zip(found, expected)) if pair[0] != pair[1]), min(len(found), len(expected)))
    return (f"{len(found)} bytes, not {len(expected)}; from byte {at} on {found[at:at + 60]!r}, "
            f"not {expected[at:at + 60]!r}")
