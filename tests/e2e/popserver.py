"""popserver: a POP3 server that tells what a test wants it to tell.

Without hooks it is an honest, small POP3 server, whose deletions are done at QUIT. A hook takes the
place of what it would do at one point, as in hostile.py: Server.on["RETR"] = hook, where the name is
that of a command, or "greeting", "connect". A hook is called with (session, command) and returns

  bytes, or an iterable of bytes   that is sent instead of the answer
  None                             the honest answer is sent

and may call session.answer(command) for the honest answer (bytes), session.hang(), session.close().
Server.commands is what clients said; Server.removed the unique-ids of what was deleted, in order.
"""
import collections

import hostile
from support import wait_for

Command = collections.namedtuple("Command", "session name line")
CAPABILITIES = b"TOP\r\nUIDL\r\nPIPELINING\r\nRESP-CODES\r\n"


class Letter:
    """A message. What is stated of it may be wrong: size (a number, or bytes)."""

    def __init__(self, name, data, size=None):
        self.name = name  # the unique-id, bytes
        self.data = data
        self.size = len(data) if size is None else size


def content(data):
    """A message's lines, as they are sent."""
    data = data if data.endswith(b"\r\n") or not data else data + b"\r\n"
    return (b"\r\n" + data).replace(b"\r\n.", b"\r\n..")[2:] + b".\r\n"


class Session(hostile.Session):
    """One connection; .letters is its snapshot of the maildrop, None before the login."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.letters = None
        self.deleted = set()

    def _serve(self):
        self._hooked("connect", None)
        if self.server.tls == "implicit":
            self.start_tls()
        greeting = self._hooked("greeting", None)
        self.send(b"+OK popserver ready\r\n" if greeting is None else greeting)
        while True:
            line = self.read_line()
            command = Command(self.number, line.split(b" ")[0].decode("ascii", "replace").upper(), line)
            with self.server.lock:
                self.server.commands.append(command)
            said = self._hooked(command.name, command)
            self.send(self.answer(command) if said is None else said)
            if command.name == "STLS" and said is None:
                self.start_tls()
            if command.name == "QUIT":
                return

    def _end(self):
        with self.server.lock:
            if self.server.holder is self:
                self.server.holder = None
        super()._end()

    def answer(self, command):
        """The honest answer."""
        method = getattr(self, "_do_" + command.name.lower(), None)
        known = command.name not in self.server.unknown
        return method(*command.line.split(b" ")[1:]) if method and known else b"-ERR unknown command\r\n"

    def number_of(self, word):
        """The index of a message that may be asked for, or None."""
        index = int(word) - 1
        return index if 0 <= index < len(self.letters) and index not in self.deleted else None

    def _do_capa(self):
        return b"+OK these\r\n" + self.server.capability_lines + b".\r\n"

    def _do_user(self, *_):
        return b"+OK\r\n"

    def _do_pass(self, *_):
        with self.server.lock:
            if self.server.holder:
                return b"-ERR [IN-USE] somebody else has the maildrop\r\n"
            self.server.holder = self
            self.letters = list(self.server.letters)
        return b"+OK the maildrop is open\r\n"

    def _list(self, tell, word=None):
        if word is not None:
            index = self.number_of(word)
            return b"-ERR no such message\r\n" if index is None else b"+OK %d %s\r\n" % (index + 1, tell(self.letters[index]))
        lines = [b"%d %s\r\n" % (index + 1, tell(letter)) for index, letter in enumerate(self.letters)
                 if index not in self.deleted]
        return b"+OK\r\n" + b"".join(lines) + b".\r\n"

    def _do_uidl(self, *words):
        return self._list(lambda letter: letter.name, *words)

    def _do_list(self, *words):
        return self._list(lambda letter: letter.size if isinstance(letter.size, bytes) else b"%d" % letter.size, *words)

    def _do_stat(self):
        return b"+OK %d %d\r\n" % (len(self.letters), sum(len(letter.data) for letter in self.letters))

    def _do_retr(self, word):
        index = self.number_of(word)
        if index is None:
            return b"-ERR no such message\r\n"
        data = self.letters[index].data
        return b"+OK %d octets\r\n" % len(data) + content(data)

    def _do_top(self, word, *_):
        index = self.number_of(word)
        if index is None:
            return b"-ERR no such message\r\n"
        header, end, _ = self.letters[index].data.partition(b"\r\n\r\n")
        return b"+OK\r\n" + content(header + end)

    def _do_dele(self, word):
        index = self.number_of(word)
        if index is None:
            return b"-ERR no such message\r\n"
        self.deleted.add(index)
        return b"+OK marked\r\n"

    def _do_noop(self):
        return b"+OK\r\n"

    def _do_stls(self):
        return b"+OK begin\r\n"

    def _do_quit(self):
        self.commit()
        return b"+OK bye\r\n"

    def commit(self):
        """What QUIT does: deletes what was marked, and gives the maildrop back."""
        with self.server.lock:
            gone = [self.letters[index] for index in sorted(self.deleted)]
            self.server.removed += [letter.name for letter in gone]
            self.server.letters = [letter for letter in self.server.letters if letter not in gone]
            self.deleted = set()
            if self.server.holder is self:
                self.server.holder = None


class Server(hostile.Server):
    """
    The server; listens when made. letters: [Letter], or {name: bytes}. capabilities: CAPA's lines;
    unknown: commands that it does not know. tls: as of hostile.Server, by "off" it has none.
    """

    session_class = Session

    def __init__(self, letters, tls="off", capabilities=CAPABILITIES, unknown=()):
        self.letters = [Letter(*pair) for pair in letters.items()] if isinstance(letters, dict) else list(letters)
        self.capability_lines = capabilities
        self.unknown = frozenset(unknown)
        self.holder = None  # the session that has the maildrop
        self.removed = []
        super().__init__([], tls)

    def url(self, scheme=None, user="ann", host="localhost"):
        """The URL that mounts it."""
        return super().url(scheme or ("pop3s" if self.tls == "implicit" else "pop3"), user, host)

    def count(self, name):
        """How often a command was sent."""
        return self.names().count(name)

    def released(self):
        """Waits until nobody has the maildrop."""
        wait_for(lambda: self.holder is None, "the end of the session", 20)
