"""corpus: mail of all shapes, by name, and messages made to measure."""
import subprocess

# Dovecot 2.4 answers a range of a file that is stored with CRLF wrong: such a message must be short
# enough to be fetched whole.
WRONG_RANGES = subprocess.run(["dovecot", "--version"], capture_output=True, text=True, check=True,
                              env={"PATH": "/usr/bin:/usr/sbin:/sbin"}).stdout.startswith("2.4")
BLOCK = 65536  # in which the cache keeps messages, and up to which one is fetched whole
LINE = b"All work and no play makes a dull mailbox, %06d. \xc3\xa4\r\n"


def filler(length):
    """So many bytes of lines, no two alike."""
    count = length // len(LINE % 0) + 1
    lines = b"".join(LINE % number for number in range(count))[:length - 3]
    # A CR that has lost its LF is one that servers count in ways of their own.
    return (lines[:-1] + b"." if lines.endswith(b"\r") else lines) + b".\r\n"


def header(length=60, subject=b"exact"):
    """A header of so many bytes, with the empty line that ends it."""
    lines = [b"Subject: " + subject + b"\r\n"]
    while sum(map(len, lines)) < length - 200:
        lines.append(b"X-Long-%04d: %s\r\n" % (len(lines), b"h" * 70))
    rest = length - sum(map(len, lines)) - 2
    lines.append(b"X: %s\r\n" % (b"r" * (rest - 5)))
    return b"".join(lines) + b"\r\n"


def message(length, header_length=60):
    """A message of so many bytes, all of them counted as the server sends them."""
    return header(header_length) + filler(length - header_length)


MAIL = {
    "plain": header() + b"hello\r\n",
    "no separator, no text": b"Subject: nothing\r\nFrom: ann@example.org\r\n",
    "no header at all": b"these words are no header\r\nnor are these\r\n",
    "only a header": b"Subject: header\r\n\r\n",
    "empty header": b"\r\nthe text comes at once\r\n",
    "no line end": b"Subject: cut\r\n\r\nlast line is cut",
    "no line end in the header": b"Subject: cut",
    "one byte": b"x",
    "two line ends": b"\r\n\r\n",
    "bare LF": b"Subject: lf\nFrom: ann@example.org\n\none\ntwo\r\nthree\n",
    "bare CR": b"Subject: cr\r\n\r\none\rtwo\r\r\nthree\r",
    "8-bit": b"Subject: \xe9t\xe9 \xc3\xa9\r\n\r\n" + bytes(range(128, 256)) * 40 + b"\r\n",
    ">From first": b">From rodsmith Fri Aug 17 2001\r\nSubject: uw\r\n\r\nlike UW's\r\n",
    "From first": b"From rodsmith Fri Aug 17 2001\r\nSubject: mbox\r\n\r\nFrom here\r\n",
    "no Subject": b"From: ann@example.org\r\nTo: bob@example.org\r\n\r\nno subject\r\n",
    "998 characters": header() + b"l" * 998 + b"\r\n" + b"m" * 999 + b"\r\n" + b"n" * 1001 + b"\r\n",
    "100,000 characters": header() + b"c" * 100000 + b"\r\nend\r\n",
    "a line that looks like a response": header() + b")\r\n* 1 FETCH (UID 1 BODY[] {3}\r\nabc)\r\nA7 OK done\r\n",
    "header of 30 KB": message(30000 + 500, 30000),
    "header of 30 KB, long text": message(30000 + 150000, 30000),
    "header of 64 KiB": message(BLOCK + 500, BLOCK),
    "header of 200 KB": message(200000 + 500, 200000),
    "header of 200 KB, long text": message(200000 + 300000, 200000),
    "64 KiB - 1": message(BLOCK - 1),
    "64 KiB": message(BLOCK),
    "64 KiB + 1": message(BLOCK + 1),
    "128 KiB - 1": message(2 * BLOCK - 1),
    "128 KiB": message(2 * BLOCK),
    "128 KiB + 1": message(2 * BLOCK + 1),
    "1 MiB + 60": message((1 << 20) + 60),
    "2 MB": message(2000000),
    "5 MB": message(5000000),
}
# What APPEND does not take, or not as it is: a file put into the Maildir.
DROPPED = {
    "empty": b"",
    "NUL": b"Subject: nul\r\n\r\nbefore\0after\0\0\r\n",
    "NUL in the header": b"Subject: n\0ul\r\nX: y\r\n\r\ntext\r\n",
    "NUL at 64 KiB": message(BLOCK - 1) + b"\0" + message(BLOCK),
    "LF alone": b"Subject: lf\n\n" + b"line\n" * 20000,
    "CRLF and LF": b"Subject: both\r\n\none\r\ntwo\n" * (2000 if WRONG_RANGES else 5000),
}
