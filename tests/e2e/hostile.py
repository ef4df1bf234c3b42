"""hostile: an IMAP server that tells what a test wants it to tell.

Without hooks it is an honest, small IMAP4rev1 server: folders, messages, EXAMINE, LIST, UID FETCH.
A hook takes the place of what it would do at one point: Server.on["FETCH"] = hook, where the name
is that of a command (without "UID"), or "greeting", "connect" (ahead of the greeting or the TLS
handshake). A hook is called with (session, command) and returns

  bytes, or an iterable of bytes   that is sent instead of the answer
  None                             the honest answer is sent

and may call session.answer(command) for the honest answer, session.hang() to say nothing for ever,
session.close() to break off. What clients said is kept: Server.clear, Server.private (under TLS),
Server.confided (the same by the certificate that was shown) and Server.commands.
"""
import base64
import collections
import datetime
import functools
import hashlib
import hmac
import itertools
import os
import pathlib
import re
import shutil
import socket
import ssl
import subprocess
import threading

from support import UTC, temporary_folder

Command = collections.namedtuple("Command", "session tag name line")  # line: all behind the tag
DATE = datetime.datetime(2024, 2, 29, 12, 34, 56, tzinfo=UTC)
SILENCE = 600  # seconds that a hanging session waits at most, should a test forget it


def literal(data):
    """Bytes as a literal."""
    return b"{%d}\r\n%s" % (len(data), data)


def quoted(data):
    """Bytes as a quoted string."""
    return b'"' + re.sub(rb'(["\\])', rb"\\\1", data) + b'"'


@functools.cache
def internal_date(date):
    """A datetime as INTERNALDATE has it."""
    months = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
    return f'"{date.day:02}-{months[date.month - 1]}-{date:%Y %H:%M:%S %z}"'.encode()


class Message:
    """A message. What is stated of it may be wrong: size, date (bytes), header and text."""

    def __init__(self, uid, data, size=None, date=None, flags=b"", header=None, text=None):
        end = data.find(b"\r\n\r\n")
        end = end + 4 if end >= 0 else len(data)
        self.uid = uid
        self.data = data
        self.size = len(data) if size is None else size
        self.date = internal_date(DATE) if date is None else date
        self.flags = flags
        self.sections = {b"": data, b"HEADER": data[:end] if header is None else header,
                         b"TEXT": data[end:] if text is None else text}

    def item(self, name):
        """One FETCH item, as (name, value)."""
        match = re.fullmatch(rb"BODY(?:\.PEEK)?\[(.*?)\](?:<(\d+)\.(\d+)>)?", name)
        if not match:
            return name, {b"UID": b"%d" % self.uid, b"FLAGS": b"(%s)" % self.flags, b"INTERNALDATE": self.date,
                          b"RFC822.SIZE": b"%d" % self.size}[name]
        data, origin = self.sections[match[1]], b""
        if match[2] is not None:
            data, origin = data[int(match[2]):int(match[2]) + int(match[3])], b"<%s>" % match[2]
        return b"BODY[%s]%s" % (match[1], origin), literal(data)


class Folder:
    """A mailbox. name is as on the wire, None for uidvalidity or uidnext leaves it unsaid."""

    def __init__(self, name, messages=(), uidvalidity=1000, uidnext=-1, delimiter=b'"/"', attributes=b""):
        self.name = name
        self.messages = list(messages)
        self.uidvalidity = uidvalidity
        self._uidnext = uidnext
        self.delimiter = delimiter
        self.attributes = attributes
        self.exists = None  # to lie

    @property
    def uidnext(self):
        """As stated; without a lie, one more than the highest UID."""
        return max([message.uid for message in self.messages], default=0) + 1 if self._uidnext == -1 else self._uidnext

    @uidnext.setter
    def uidnext(self, value):
        self._uidnext = value


def numbered(text, highest):
    """The numbers of a sequence set, as a predicate."""
    ranges = []
    for part in text.decode().split(","):
        ends = [highest if end == "*" else int(end) for end in part.split(":")]
        ranges.append((min(ends), max(ends)))
    return lambda number: any(first <= number <= last for first, last in ranges)


def fetch_line(number, pairs):
    """A FETCH response of (name, value) pairs."""
    return b"* %d FETCH (%s)\r\n" % (number, b" ".join(b"%s %s" % pair for pair in pairs))


def fetch_items(line):
    """The item names of a UID FETCH command's line."""
    text = line.split(b" ", 3)[3]
    text = text[1:text.index(b")")] if text.startswith(b"(") else text
    return re.findall(rb"BODY\.PEEK\[.*?\](?:<[\d.]+>)?|[A-Z0-9.]+", text)


class Closed(Exception):
    """The session is over."""


class Session:
    """One connection, served by a thread of its own."""

    def __init__(self, server, sock, number):
        self.server = server
        self.sock = sock
        self.number = number
        self.secure = False
        self.certificate = None  # the name of the one that was shown
        self.dropped = False  # set ahead of the end of `sock`, which a handshake replaces
        self.folder = None
        self.pending = b""

    # --- what hooks may call ---

    def send(self, data):
        """Sends bytes, or each bytes of an iterable."""
        try:
            for piece in [data] if isinstance(data, bytes) else data:
                self.sock.sendall(piece)
        except OSError as error:
            raise Closed() from error

    def hang(self):
        """Says nothing more, until the server is stopped or the client goes away."""
        try:
            self.sock.settimeout(SILENCE)
            while data := self.sock.recv(65536):
                self._record(data)
        except OSError:
            pass
        raise Closed()

    def close(self, data=b""):
        """Breaks off, after a last word. The client gets all of it, and then an end of file."""
        if data:
            self.send(data)
        raise Closed()

    def answer(self, command):
        """The honest answer: a list of bytes, the last of which is the tagged line."""
        method = getattr(self, "_do_" + command.name.lower(), None)
        if method is None:
            return [b"%s BAD unknown command\r\n" % command.tag]
        return list(method(command))

    def read_line(self):
        """A line of the client's, without its end."""
        while b"\r\n" not in self.pending:
            self._receive()
        line, self.pending = self.pending.split(b"\r\n", 1)
        return line

    def start_tls(self, certificate=None):
        """The handshake, in which the client finds out whether it can trust us."""
        self.certificate = certificate or self.server.certificate
        context = self.server.context(self.certificate)
        try:
            self.sock = context.wrap_socket(self.sock, server_side=True)
        except (OSError, ValueError) as error:
            if not self.dropped:
                self.server.handshake_errors.append(str(error))
            raise Closed() from error
        if self.dropped:
            raise Closed()
        self.secure = True

    # --- running ---

    def _record(self, data):
        with self.server.lock:
            (self.server.private if self.secure else self.server.clear).extend(data)
            if self.secure:
                self.server.confided[self.certificate].extend(data)

    def _receive(self):
        try:
            data = self.sock.recv(65536)
        except OSError as error:
            raise Closed() from error
        if not data:
            raise Closed()
        self._record(data)
        self.pending += data

    def _command(self):
        """The next command, with its literals in it."""
        line = self.read_line()
        while match := re.search(rb"\{(\d+)(\+?)\}$", line):
            if not match[2]:
                self.send(b"+ go on\r\n")
            while len(self.pending) < int(match[1]):
                self._receive()
            line = line[:match.start()] + quoted(self.pending[:int(match[1])])
            self.pending = self.pending[int(match[1]):]
            line += self.read_line()
        tag, _, rest = line.partition(b" ")
        name = rest.upper().removeprefix(b"UID ").split(b" ")[0].decode("ascii", "replace")
        command = Command(self.number, tag, name, rest)
        with self.server.lock:
            self.server.commands.append(command)
        return command

    def _hooked(self, name, command):
        """What a hook says, or None."""
        hook = self.server.on.get(name)
        return hook(self, command) if hook else None

    def _serve(self):
        self._hooked("connect", None)
        if self.server.tls == "implicit":
            self.start_tls()
        greeting = self._hooked("greeting", None)
        self.send(b"* OK hostile server ready\r\n" if greeting is None else greeting)
        while True:
            command = self._command()
            said = self._hooked(command.name, command)
            self.send(self.answer(command) if said is None else said)
            if command.name == "STARTTLS" and said is None and self.server.tls == "starttls":
                self.start_tls()
            if command.name == "LOGOUT":
                return

    def run(self):
        """The thread."""
        try:
            self._serve()
        except (Closed, ssl.SSLError):
            pass
        finally:
            self._end()

    def _end(self):
        """Closes in a way that does not take back what was sent."""
        try:
            self.sock.shutdown(socket.SHUT_WR)
            self.sock.settimeout(5)
            while self.sock.recv(65536):
                pass
        except OSError:
            pass
        self.sock.close()
        with self.server.lock:
            self.server.sessions.discard(self)

    # --- honest answers ---

    def _ok(self, command, text=b"done"):
        return b"%s OK %s\r\n" % (command.tag, text)

    def _do_capability(self, command):
        yield b"* CAPABILITY %s\r\n" % self.server.capabilities(self)
        yield self._ok(command)

    def _do_starttls(self, command):
        yield self._ok(command, b"begin")

    def _do_noop(self, command):
        yield self._ok(command)

    def _do_id(self, command):
        yield b'* ID ("name" "hostile")\r\n'
        yield self._ok(command)

    def _do_login(self, command):
        yield self._ok(command)

    def _do_namespace(self, command):
        yield b'* NAMESPACE (("" "/")) NIL NIL\r\n'
        yield self._ok(command)

    def _do_enable(self, command):
        yield b"* ENABLED %s\r\n" % command.line.split(b" ", 1)[1]
        yield self._ok(command)

    def _do_authenticate(self, command):
        words = command.line.split(b" ")
        if words[1].upper() != b"PLAIN":
            yield b"%s NO not this one\r\n" % command.tag
            return
        if len(words) < 3:
            self.send(b"+ \r\n")
            self.read_line()
        yield self._ok(command)

    def _do_list(self, command):
        yield b"".join(b"* LIST (%s) %s %s\r\n" % (folder.attributes, folder.delimiter, literal(folder.name))
                       for folder in self.server.folders)
        yield self._ok(command)

    def _do_examine(self, command):
        name = re.sub(rb"^\S+ ", b"", re.sub(rb" \([^\"]*\)$", b"", command.line))
        name = re.sub(rb"\\(.)", rb"\1", name[1:-1]) if name.startswith(b'"') else name
        same = [folder for folder in self.server.folders
                if folder.name == name or folder.name.upper() == name.upper() == b"INBOX"]
        self.folder = same[0] if same else None
        if self.folder is None:
            yield b"%s NO [NONEXISTENT] no such mailbox\r\n" % command.tag
            return
        folder = self.folder
        yield b"* %d EXISTS\r\n" % (len(folder.messages) if folder.exists is None else folder.exists)
        yield b"* FLAGS (\\Answered \\Flagged \\Deleted \\Draft \\Seen)\r\n"
        for name, value in ((b"UIDVALIDITY", folder.uidvalidity), (b"UIDNEXT", folder.uidnext)):
            if value is not None:
                yield b"* OK [%s %d] so it is\r\n" % (name, value)
        yield self._ok(command, b"[READ-ONLY] opened")

    _do_select = _do_examine

    def asked(self, command):
        """What a UID FETCH is about: [(sequence number, message, [(name, value)])]."""
        highest = max([message.uid for message in self.folder.messages], default=0)
        wanted = numbered(command.line.split(b" ")[2], highest)
        items = fetch_items(command.line)
        return [(number, message, [(b"UID", b"%d" % message.uid)] +
                 [message.item(name) for name in items if name != b"UID"])
                for number, message in enumerate(self.folder.messages, 1) if wanted(message.uid)]

    def _do_fetch(self, command):
        if self.folder is None:
            yield b"%s BAD nothing is open\r\n" % command.tag
            return
        for number, _, pairs in self.asked(command):
            yield fetch_line(number, pairs)
        yield self._ok(command)

    def _do_search(self, command):
        uids = b",".join(b"%d" % message.uid for message in self.folder.messages)
        yield b'* ESEARCH (TAG "%s") UID%s\r\n' % (command.tag, b" ALL " + uids if uids else b"")
        yield self._ok(command)

    def _do_logout(self, command):
        yield b"* BYE until later\r\n"
        yield self._ok(command)


class Server:
    """
    The server; listens when made. tls: "off", "starttls" or "implicit". capabilities is a function
    of the session, or bytes. certificate: one of Certificates.names.
    """

    session_class = Session

    def __init__(self, folders=None, tls="off", capabilities=None, certificate="good"):
        self.folders = [Folder(b"INBOX")] if folders is None else folders
        self.tls = tls
        self.certificate = certificate
        self.on = {}
        self.lock = threading.Lock()
        self.clear, self.private = bytearray(), bytearray()
        self.confided = collections.defaultdict(bytearray)
        self.commands, self.handshake_errors = [], []
        self.sessions = set()
        self._capabilities = capabilities
        self._numbers = itertools.count(1)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._listener.getsockname()[1]
        self.ca = Certificates.get().path("ca")
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def capabilities(self, session):
        """What the server says that it can do."""
        if callable(self._capabilities):
            return self._capabilities(session)
        if self._capabilities is not None:
            return self._capabilities
        return b"IMAP4rev1 ID NAMESPACE" + (b" STARTTLS LOGINDISABLED" if self.tls == "starttls" and not session.secure
                                           else b"")

    def context(self, certificate=None):
        """A TLS context with a certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*Certificates.get().pair(certificate or self.certificate))
        return context

    def _accept(self):
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            session = self.session_class(self, sock, next(self._numbers))
            with self.lock:
                self.sessions.add(session)
            threading.Thread(target=session.run, daemon=True).start()

    def honest(self):
        """From now on it does what it should."""
        self.on = {}

    def drop(self):
        """Breaks all connections, also those whose handshake is under way."""
        with self.lock:
            sessions = list(self.sessions)
        for session in sessions:
            session.dropped = True
            try:
                session.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def stop(self):
        """No connection is taken any more, and those that there are break."""
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._listener.close()
        self.drop()

    def url(self, scheme=None, user="ann", host="localhost"):
        """The URL that mounts it."""
        return f"{scheme or ('imaps' if self.tls == 'implicit' else 'imap')}://{user}@{host}:{self.port}/"

    def names(self):
        """The commands that were sent, as names in order."""
        with self.lock:
            return [command.name for command in self.commands]


class Certificates:
    """Keys and certificates, made by openssl once for all tests of a process."""

    names = {"good": "localhost", "wrong-name": "mail.example.org", "expired": "localhost", "unknown": "localhost",
             "self-signed": "localhost"}
    _lock = threading.Lock()
    _made = None

    @classmethod
    def get(cls):
        """The one instance; made when first asked for."""
        with cls._lock:
            if cls._made is None:
                cls._made = Certificates()
            return cls._made

    @classmethod
    def remove(cls):
        """Removes the files."""
        if cls._made:
            shutil.rmtree(cls._made.folder, ignore_errors=True)
        cls._made = None

    def __init__(self):
        self.folder = temporary_folder()
        for authority in ("ca", "other"):
            self._key(authority)
            self._openssl("req", "-x509", "-new", "-key", f"{authority}.key", "-subj", f"/CN=test {authority}",
                          "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-days", "2", "-out", f"{authority}.pem")
        for name, host in self.names.items():
            self._key(name)
            self._sign(name, host)

    def path(self, name):
        """Of a certificate's file."""
        return self.folder / f"{name}.pem"

    def pair(self, name):
        """The files of a certificate and its key."""
        return self.path(name), self.folder / f"{name}.key"

    def fingerprint(self, name, kind):
        """Of a certificate or of its "key", as pin= wants it."""
        der = self._openssl("x509", "-in", f"{name}.pem", "-outform", "DER")
        if kind == "key":
            der = self._openssl("pkey", "-in", f"{name}.key", "-pubout", "-outform", "DER")
            return "sha256:" + base64.b64encode(hashlib.sha256(der).digest()).decode()
        return "sha256:" + hashlib.sha256(der).hexdigest()

    def _openssl(self, *arguments):
        return subprocess.run(["openssl", *arguments], cwd=self.folder, check=True, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE).stdout

    def _key(self, name):
        self._openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", f"{name}.key")

    def _sign(self, name, host):
        (self.folder / f"{name}.ext").write_text(
            f"subjectAltName=DNS:{host}\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n")
        subject = ["-subj", f"/CN={host}"]
        if name == "self-signed":
            self._openssl("req", "-x509", "-new", "-key", f"{name}.key", *subject, "-addext",
                          f"subjectAltName=DNS:{host}",
                          "-days", "2", "-out", f"{name}.pem")
            return
        self._openssl("req", "-new", "-key", f"{name}.key", *subject, "-out", f"{name}.csr")
        if name == "expired":
            self._sign_expired(name)
            return
        authority = "other" if name == "unknown" else "ca"
        self._openssl("x509", "-req", "-in", f"{name}.csr", "-CA", f"{authority}.pem", "-CAkey", f"{authority}.key",
                      "-set_serial", str(len(os.listdir(self.folder)) + 1), "-days", "2", "-extfile", f"{name}.ext",
                      "-out",
                      f"{name}.pem")

    def _sign_expired(self, name):
        """Only "openssl ca" takes dates of the past in all versions."""
        (self.folder / "ca.cnf").write_text(
            "[ca]\ndefault_ca = d\n[d]\ndatabase = index.txt\nnew_certs_dir = .\nrand_serial = yes\n"
            "default_md = sha256\npolicy = p\nunique_subject = no\n[p]\ncommonName = supplied\n")
        (self.folder / "index.txt").touch()
        self._openssl("ca", "-batch", "-config", "ca.cnf", "-in", f"{name}.csr", "-cert", "ca.pem", "-keyfile",
                      "ca.key",
                      "-startdate", "20200101000000Z", "-enddate", "20200201000000Z", "-notext", "-extfile",
                      f"{name}.ext",
                      "-out", f"{name}.pem")


class Scram:
    """The server's side of SCRAM-SHA-256 (RFC 7677), for a hook of AUTHENTICATE."""

    def __init__(self, password=b"pass", iterations=4096, forge=None):
        self.password, self.iterations, self.forge = password, iterations, forge

    def __call__(self, session, command):
        """forge: a function of the server's last message (bytes) that falsifies it."""
        words = command.line.split(b" ")
        if len(words) < 3:
            session.send(b"+ \r\n")
        first = base64.b64decode(words[2] if len(words) > 2 else session.read_line())
        bare = re.sub(rb"^[^,]*,[^,]*,", b"", first)
        nonce = re.search(rb"r=([^,]*)", bare)[1] + b"server"
        salt = b"salt of the server"
        server_first = b"r=%s,s=%s,i=%d" % (nonce, base64.b64encode(salt), self.iterations)
        session.send(b"+ %s\r\n" % base64.b64encode(server_first))
        try:
            final = base64.b64decode(session.read_line(), validate=True)
        except ValueError:
            return b"%s BAD broken off\r\n" % command.tag
        without_proof = final[:final.rindex(b",p=")]
        salted = hashlib.pbkdf2_hmac("sha256", self.password, salt, min(self.iterations, 10000))
        key = hmac.digest(salted, b"Server Key", "sha256")
        signature = hmac.digest(key, b"%s,%s,%s" % (bare, server_first, without_proof), "sha256")
        last = b"v=" + base64.b64encode(signature)
        if self.forge:
            last = self.forge(last)
        if last is not None:
            session.send(b"+ %s\r\n" % base64.b64encode(last))
            if session.read_line() == b"*":
                return b"%s BAD broken off\r\n" % command.tag
        return b"%s OK logged in\r\n" % command.tag


def tree_of(folder, *without):
    """All paths below a folder, but for those in or at the paths `without`."""
    found = set()
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if pathlib.Path(place, name) not in without]
        found |= {os.path.join(place, name) for name in folders + files}
    return found
