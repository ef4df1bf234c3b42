"""mailboxes: the mail that the benchmark reads: the same bytes each time, put straight into the Maildirs
of a server of tests/dovecot.

ordinary: what a mailbox of a person holds: 70 % short texts, 20 % with a text in HTML as well, 10 %
    with an attachment in base64: 2,000 messages are 50 MB.
small: texts of 1 to 11 KB.
many: texts of 1 KB at most, a thousand files with many names each, which makes 100,000 messages in
    a second or two.

One message in a hundred has NEEDLE in its text.
"""
import base64
import datetime
import itertools
import os
import random
import shutil

NEEDLE = "vermilion-otter-5521"
FIRST_DAY = datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc).timestamp()
ORIGINALS = 1000
SYLLABLES = ("ba be bo da di du el en er fa fi ga gen go hal han in ka ker la len li lo ma men mi mo na "
             "nor o pa per ra ren ri sa sel so ta ten ti tor u va ven wi").split()


class Writer:
    """Makes words, texts and messages, all by one random number generator."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.words = ["".join(self.random.choices(SYLLABLES, k=self.random.randint(1, 4))) for _ in range(3000)]
        # As in languages: Zipf's law.
        self.weights = list(itertools.accumulate(1 / (rank + 3) for rank in range(len(self.words))))
        self.sentences = [self.sentence() for _ in range(4000)]

    def sentence(self):
        """Eight to twenty words."""
        words = self.random.choices(self.words, cum_weights=self.weights, k=self.random.randint(8, 20))
        return " ".join(words).capitalize() + "."

    def text(self, length):
        """About so many characters, in lines."""
        lines = []
        while length > 0:
            lines.append(self.random.choice(self.sentences))
            length -= len(lines[-1]) + 1
        return "\n".join(lines) + "\n"

    def html(self, length):
        """The same for those who read with a browser."""
        paragraphs = (f'<p style="margin:0 0 12px 0;font-family:Verdana,sans-serif">{line}</p>'
                      for line in self.text(length).splitlines())
        return "<html><body>\n" + "\n".join(paragraphs) + "\n</body></html>\n"

    def header(self, number, date, content):
        """From, To and the rest, with the lines that mail servers add."""
        name, other = self.random.sample(self.words, 2)
        when = datetime.datetime.fromtimestamp(date, datetime.timezone.utc)
        hops = "".join(f"Received: from {word}.example.net (10.{number % 250}.0.{hop}) by mx{hop}.example.org\n"
                       f"\twith ESMTPS id {self.random.getrandbits(64):016x}; {when:%a, %d %b %Y %H:%M:%S} +0000\n"
                       for hop, word in enumerate(self.random.choices(self.words, k=3), 1))
        return (f"Return-Path: <{name}@example.net>\n{hops}From: {name.capitalize()} <{name}@example.net>\n"
                f"To: Ann <ann@example.org>\nSubject: {self.random.choice(self.sentences)[:60]}\n"
                f"Date: {when:%a, %d %b %Y %H:%M:%S} +0000\n"
                f"Message-ID: <{number}.{self.random.getrandbits(48):012x}.{other}@example.net>\n"
                f"MIME-Version: 1.0\nContent-Type: {content}\n\n")

    def message(self, number, date, kind, text_length):
        """A message with LF, as it lies in a Maildir; kind: "text", "html" or "attachment"."""
        text = self.text(text_length)
        if number % 100 == 50:
            text += f"This one is the {NEEDLE} of them.\n"
        if kind == "text":
            return (self.header(number, date, "text/plain; charset=utf-8") + text).encode()
        boundary = f"=_{self.random.getrandbits(64):016x}"
        part = f"--{boundary}\nContent-Type: text/plain; charset=utf-8\n\n{text}\n--{boundary}\n"
        if kind == "html":
            outer = "alternative"
            part += f"Content-Type: text/html; charset=utf-8\n\n{self.html(text_length)}"
        else:
            outer = "mixed"
            data = self.random.randbytes(int(self.random.uniform(40000, 240000)))
            part += ("Content-Type: application/pdf\nContent-Transfer-Encoding: base64\n\n"
                     + base64.encodebytes(data).decode())
        header = self.header(number, date, f'multipart/{outer}; boundary="{boundary}"')
        return f"{header}{part}\n--{boundary}--\n".encode()


class Maildir:
    """A user's INBOX on a server of tests/dovecot (its folder); filled before the server looks."""

    def __init__(self, server, user):
        self.home = server / "mail" / user
        for name in ("cur", "new", "tmp"):
            (self.home / name).mkdir(parents=True)
        self.count = 0
        self.needles = 0
        self.bytes = 0  # as the server sends them, with CRLF

    def _path(self, length, size):
        """The next name; the server numbers messages in the order of names."""
        # The sizes in the name spare Dovecot a look into the file.
        name = f"{int(FIRST_DAY) + self.count}.M{self.count:07}.bench,S={length},W={size}:2,S"
        self.count += 1
        self.bytes += size
        return self.home / "cur" / name

    def add(self, message, date):
        """Stores a message; returns what again() takes."""
        length, size = len(message), len(message) + message.count(b"\n")
        path = self._path(length, size)
        path.write_bytes(message)
        os.utime(path, (date, date))
        has_needle = NEEDLE.encode() in message
        self.needles += has_needle
        return path, length, size, has_needle

    def again(self, path, length, size, has_needle):
        """One more name for a message, which makes it one more message."""
        os.link(path, self._path(length, size))
        self.needles += has_needle

    def finish(self):
        """As root, the mail is the user mail's, as that server wants it."""
        if os.geteuid() == 0:
            done = set()
            for folder, _, files in os.walk(self.home):
                shutil.chown(folder, "mail", "mail")
                for entry in os.scandir(folder) if files else ():
                    if entry.inode() not in done:
                        done.add(entry.inode())
                        shutil.chown(entry.path, "mail", "mail")
        return self


def ordinary(server, user, count):
    """The mailbox of a person."""
    writer = Writer(1)
    maildir = Maildir(server, user)
    for number in range(count):
        date = FIRST_DAY + number * 7200
        kind = writer.random.choices(["text", "html", "attachment"], [70, 20, 10])[0]
        length = {"text": writer.random.uniform(500, 6000), "html": writer.random.uniform(2000, 12000),
                  "attachment": 1000}[kind]
        maildir.add(writer.message(number, date, kind, length), date)
    return maildir.finish()


def small(server, user, count):
    """Many small files."""
    writer = Writer(2)
    maildir = Maildir(server, user)
    for number in range(count):
        date = FIRST_DAY + number * 1800
        maildir.add(writer.message(number, date, "text", writer.random.uniform(300, 10000)), date)
    return maildir.finish()


def many(server, user, count):
    """A folder to be listed."""
    writer = Writer(3)
    maildir = Maildir(server, user)
    date, originals = FIRST_DAY, []
    for number in range(ORIGINALS):
        date += writer.random.uniform(60, 86400)
        originals.append(maildir.add(writer.message(number, date, "text", writer.random.uniform(50, 400)), date))
    # In turn, so that no message resembles its neighbours: a listing would be compressed to nothing.
    for _ in range(count // ORIGINALS - 1):
        for original in originals:
            maildir.again(*original)
    return maildir.finish()
