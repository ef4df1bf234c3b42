"""imaptool: what the demo and the tests do with a server of tests/dovecot, by Python's own imaplib,
so that pullmail is compared with somebody else's idea of IMAP."""
import base64
import datetime
import imaplib
import pathlib
import re
import ssl


def utf7(name):
    """A folder's name in the modified UTF-7 of RFC 3501 section 5.1.3."""
    def encode(match):
        text = base64.b64encode(match[0].encode("utf-16-be")).decode().rstrip("=")
        return "&" + text.replace("/", ",") + "-"
    return re.sub("[^ -~]+", encode, name.replace("&", "&-"))


def from_utf7(name):
    """The way back."""
    def decode(match):
        text = match[1].replace(",", "/")
        return base64.b64decode(text + "=" * (-len(text) % 4)).decode("utf-16-be") if text else "&"
    return re.sub("&([^-]*)-", decode, name)


def quoted(name):
    """A folder's name as a quoted string."""
    return '"' + utf7(name).replace("\\", "\\\\").replace('"', '\\"') + '"'


def ports(directory):
    """The ports that a server of tests/dovecot listens on."""
    lines = (pathlib.Path(directory) / "ports").read_text(encoding="ascii").splitlines()
    return {name: int(port) for name, port in (line.split() for line in lines)}


class Mailbox:
    """A connection to the server, logged in."""

    def __init__(self, directory, user="ann", password="pass"):
        context = ssl.create_default_context(cafile=str(pathlib.Path(directory) / "ca.pem"))
        self.imap = imaplib.IMAP4_SSL("localhost", ports(directory)["imaps"], ssl_context=context, timeout=60)
        self.imap.login(user, password)
        self.selected = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Logs out."""
        self.imap.logout()

    @staticmethod
    def _ok(answer):
        if answer[0] != "OK":
            raise RuntimeError(f"the server says {answer}")
        return answer[1]

    def select(self, folder):
        """Selects a folder, afresh; to be read alone, where it allows no more."""
        try:
            self._ok(self.imap.select(quoted(folder)))
        except imaplib.IMAP4.readonly:
            self._ok(self.imap.select(quoted(folder), readonly=True))
        self.selected = folder

    def _in(self, folder):
        if self.selected != folder:
            self.select(folder)
        else:
            self._ok(self.imap.noop())

    def create(self, folder):
        """Makes a folder."""
        self._ok(self.imap.create(quoted(folder)))

    def delete(self, folder):
        """Removes a folder."""
        self._ok(self.imap.delete(quoted(folder)))

    def rename(self, folder, name):
        """Renames a folder."""
        self._ok(self.imap.rename(quoted(folder), quoted(name)))

    def folders(self):
        """The names of all folders that can be selected."""
        lines = [line.decode() for line in self._ok(self.imap.list('""', "*")) if line]
        names = [re.match(r'\([^)]*\) (?:"[^"]*"|NIL) "?(.*?)"?$', line)[1]
                 for line in lines if "\\noselect" not in line.lower() and "\\nonexistent" not in line.lower()]
        return sorted(from_utf7(re.sub(r"\\(.)", r"\1", name)) for name in names)

    def append(self, folder, message, date=None, flags=()):
        """
        Adds a message with an INTERNALDATE (a datetime with a time zone) and flags; returns its UID.
        Dovecot keeps lines that end in LF, and serves them with CRLF.
        """
        when = date or datetime.datetime.now(datetime.timezone.utc)
        months = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
        stamp = f'"{when.day:02}-{months[when.month - 1]}-{when:%Y %H:%M:%S %z}"'
        self.imap.literal = message
        self._ok(self.imap._simple_command("APPEND", quoted(folder), f"({' '.join(flags)})", stamp))
        answer = self.imap.untagged_responses.pop("APPENDUID", None) or self.imap.response("APPENDUID")[1]
        return int(answer[-1].split()[1])

    def uids(self, folder):
        """The UIDs of all messages, ascending."""
        self._in(folder)
        return sorted(int(uid) for uid in self._ok(self.imap.uid("SEARCH", "ALL"))[0].split())

    def fetch(self, folder, uid, section=""):
        """The bytes of one message, or of a section of it, as the server sends them."""
        self._in(folder)
        for item in self._ok(self.imap.uid("FETCH", str(uid), f"(BODY.PEEK[{section}])")):
            if isinstance(item, tuple):
                return item[1]
        return b""

    def fetch_all(self, folder):
        """{UID: bytes} of all messages."""
        self._in(folder)
        items = self._ok(self.imap.uid("FETCH", "1:*", "(UID BODY.PEEK[])"))
        return {int(re.search(rb"UID (\d+)", item[0])[1]): item[1] for item in items if isinstance(item, tuple)}

    def describe(self, folder, uid):
        """What the server says of one message: {"flags": …, "date": …, "size": …}."""
        self._in(folder)
        answer = self._ok(self.imap.uid("FETCH", str(uid), "(FLAGS INTERNALDATE RFC822.SIZE)"))[0]
        when = re.search(rb'INTERNALDATE "([^"]*)"', answer)[1].decode().strip()
        return {"flags": re.search(rb"FLAGS \(([^)]*)\)", answer)[1].decode().split(),
                "date": datetime.datetime.strptime(when, "%d-%b-%Y %H:%M:%S %z"),
                "size": int(re.search(rb"RFC822.SIZE (\d+)", answer)[1])}

    def flags(self, folder):
        """{UID: set of flags} of all messages; \\Recent, which says nothing of the message, is left out."""
        self._in(folder)
        items = [item for item in self._ok(self.imap.uid("FETCH", "1:*", "(UID FLAGS)")) if item and b"UID " in item]
        return {int(re.search(rb"UID (\d+)", item)[1]):
                set(re.search(rb"FLAGS \(([^)]*)\)", item)[1].decode().split()) - {"\\Recent"} for item in items}

    def store(self, folder, uid, change, *flags):
        """Changes flags; change is "+FLAGS", "-FLAGS" or "FLAGS"."""
        self._in(folder)
        self._ok(self.imap.uid("STORE", str(uid), change, f"({' '.join(flags)})"))

    def expunge(self, folder, uid):
        """Removes one message."""
        self.store(folder, uid, "+FLAGS", "\\Deleted")
        self._ok(self.imap.uid("EXPUNGE", str(uid)))
