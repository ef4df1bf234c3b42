"""support: what the end-to-end tests share: a private Dovecot (Server), a mount of it (Mount), and
what the server's protocol log tells of the commands that the mount sent.

The program under test is $PULLMAIL, a command line such as "valgrind build/…/mount.pullmail";
without it, mount.pullmail of the source tree.
"""
import collections
import ctypes
import datetime
import hashlib
import itertools
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests"))
from imaptool import Mailbox, ports, utf7  # noqa: E402

PROGRAM = shlex.split(os.environ.get("PULLMAIL") or str(ROOT / "mount.pullmail"))
UTC = datetime.timezone.utc

Command = collections.namedtuple("Command", "session name line")  # name: "UID FETCH", "NOOP", …
Fetched = collections.namedtuple("Fetched", "session section length")  # section: "BODY[TEXT]<0>"


def wait_for(condition, what, seconds=30):
    """Returns the condition's value once it is true; fails, saying what was awaited."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {seconds} s")
        time.sleep(0.02)


def temporary_folder():
    """A short path, that a daemon which serves another user can be given too."""
    return pathlib.Path(tempfile.mkdtemp(prefix="e2e."))


def sha256(data):
    """Of bytes, or of the file at a path."""
    return hashlib.sha256(data if isinstance(data, bytes) else pathlib.Path(data).read_bytes()).hexdigest()


def run(*command, **options):
    """Runs a command and returns what it printed; one that fails fails the test."""
    done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False, timeout=300, **options)
    text = done.stdout.decode("utf-8", "surrogateescape")
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{text}")
    return text


# Of a server that tells nothing by itself, a mount sees changes when it looks, and sends no more than
# that takes.
TELLS_NOTHING = ("--without", "IDLE", "--without", "NOTIFY")


class Server:
    """
    A private Dovecot, with options of tests/dovecot ("--without", "QRESYNC"). Starts when made.
    Use it in a with statement or call remove().
    """

    def __init__(self, *options, rawlog=True):
        self.folder = temporary_folder()
        self.directory = self.folder / "server"
        self.options = [*(["--rawlog"] if rawlog else []), *options]
        self._sequence = itertools.count(1)
        try:
            self.start()
        except BaseException:
            self.remove()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.remove()

    def _call(self, command, *options):
        run(sys.executable, ROOT / "tests/dovecot", command, self.directory, *options)

    def start(self):
        """Starts it, or starts it again at the same ports with the same mail."""
        self._call("start", *self.options)

    def stop(self):
        """Stops it and breaks all connections; start() starts it again."""
        self._call("stop")

    def remove(self):
        """Stops it and removes all of it."""
        self._call("remove")
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def ports(self):
        """{"imap": 20143, "imaps": …}"""
        return ports(self.directory)

    @property
    def ca(self):
        """The file of the authority's certificate."""
        return self.directory / "ca.pem"

    def url(self, scheme="imaps", user="ann", folder=""):
        """The URL that mounts it."""
        return f"{scheme}://{user}@localhost:{self.ports[scheme]}/{folder}"

    def mailbox(self, user="ann", password="pass"):
        """A connection of the test's own, to deliver and compare."""
        return Mailbox(self.directory, user, password)

    def log(self):
        """Dovecot's own log."""
        return (self.directory / "log").read_text(errors="replace")

    def drop(self, folder, message, date=None, flags=""):
        """
        Puts a file straight into the Maildir of a folder (which exists; "INBOX" or "A/B"), for bytes
        that APPEND would not take. flags are Maildir's letters. The server gives it a UID when it
        looks next.
        """
        home = self.directory / "mail/ann"
        place = (home if folder == "INBOX" else home / utf7(folder)) / "cur"
        date = date or datetime.datetime.now(UTC)
        path = place / f"{int(date.timestamp())}.{os.getpid()}_{next(self._sequence)}.test:2,{flags}"
        path.write_bytes(message)
        os.utime(path, (date.timestamp(), date.timestamp()))
        if os.geteuid() == 0:
            shutil.chown(path, "mail", "mail")
        return path

    # --- The protocol log. A mark is a moment: what was logged before does not count. ---

    def mark(self):
        """This moment, for the `since` of the functions below."""
        return {path: path.stat().st_size for path in (self.directory / "rawlog").iterdir()}

    def transcript(self, since=None, direction="in"):
        """{session: [line as bytes, without time and line end]}; direction "in" is the client's."""
        lines = {}
        for path in sorted((self.directory / "rawlog").glob(f"*.{direction}")):
            with open(path, "rb") as file:
                file.seek((since or {}).get(path, 0))
                data = file.read()
            stripped = re.sub(rb"^\d+\.\d+ |\r+$", b"", data, flags=re.MULTILINE).split(b"\n")
            if stripped[-1] == b"":
                stripped.pop()
            lines[path.stem] = stripped
        return lines

    def commands(self, since=None, mounts_only=True):
        """
        The commands that clients sent after their login, in order within each session. Those of
        mailbox() are left out (imaplib's tags are four letters and a number).
        """
        pattern = re.compile(rb"(\S+) ((?:UID )?[A-Z]+)(?: |$)", re.IGNORECASE)
        found = []
        left_out = self._own_sessions() if mounts_only else ()
        for session, lines in self.transcript(since).items():
            for line in lines if session not in left_out else ():
                match = pattern.match(line)
                if match and match[2].upper() in VERBS:
                    found.append(Command(session, match[2].decode().upper(), line.decode("utf-8", "replace")))
        return found

    def _own_sessions(self):
        """Sessions of imaplib, told by the tags of its commands."""
        found = set()
        for path in (self.directory / "rawlog").glob("*.in"):
            with open(path, "rb") as file:
                if re.match(rb"(?:\d+\.\d+ )?[A-P]{4}\d+ ", file.readline()):
                    found.add(path.stem)
        return found

    def count(self, name, since=None, containing=""):
        """How many commands of this name ("UID FETCH") were sent, whose line has a text in it."""
        return sum(command.name == name and containing in command.line for command in self.commands(since))

    def fetched(self, since=None, mounts_only=True):
        """What of messages the server sent: sections and their lengths."""
        pattern = re.compile(rb"(BODY\[[^\]]*\](?:<\d+>)?|RFC822(?:\.\w+)?|BINARY\[[^\]]*\](?:<\d+>)?) "
                             rb'(?:~?\{(\d+)\}|"((?:[^"\\]|\\.)*)")')
        found = []
        left_out = self._own_sessions() if mounts_only else ()
        for session, lines in self.transcript(since, "out").items():
            for line in lines if session not in left_out else ():
                for match in pattern.finditer(line):
                    length = int(match[2]) if match[2] is not None else len(match[3])
                    found.append(Fetched(session, match[1].decode(), length))
        return found


VERBS = frozenset(b"""APPEND AUTHENTICATE CAPABILITY CHECK CLOSE COMPRESS COPY CREATE DELETE ENABLE EXAMINE
    EXPUNGE FETCH GETQUOTA GETQUOTAROOT ID IDLE LIST LOGIN LOGOUT LSUB MOVE NAMESPACE NOOP NOTIFY RENAME
    SEARCH SELECT STARTTLS STATUS STORE SUBSCRIBE UNSELECT""".split()) | {
        b"UID " + verb for verb in b"COPY EXPUNGE FETCH MOVE SEARCH STORE".split()}


def need_fuse():
    """Fails, saying why, where this user can't mount."""
    if not os.path.exists("/dev/fuse"):
        raise AssertionError("there is no /dev/fuse: the kernel's module fuse is not loaded ('modprobe fuse'), "
                             "or the container was not given the device")
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        mode = os.stat("/dev/fuse").st_mode & 0o777
        raise AssertionError(f"/dev/fuse has mode {mode:04o}, which keeps this user from mounting; "
                             "an administrator's 'chmod 666 /dev/fuse' allows it, as udev does")
    if not shutil.which("fusermount3"):
        raise AssertionError("fusermount3 is missing; 'make deps' installs it (package fuse3)")


def mounted(point):
    """Whether something is mounted there; asked of the kernel's table, not of the file system."""
    with open("/proc/self/mounts", encoding="utf-8", errors="surrogateescape") as table:
        return any(line.split()[1].encode().decode("unicode_escape") == str(point) for line in table)


class MountFailed(AssertionError):
    """The program ended without a mount: its exit status and what it printed."""

    def __init__(self, status, log):
        super().__init__(f"mount.pullmail ended with {status}:\n{log}")
        self.status = status
        self.log = log


class Mount:
    """
    A mount of a Server, at .point; ends when the with statement does, which asserts that the
    daemon ended with 0. In the foreground (as usual here) .log() is what it printed. The cache is
    kept from one start() to the next.

    options: "refresh=1", …; cafile, passfile and cachedir are given unless they are among them, or
    passcmd is, or pin is, or the server has no certificate.
    """

    def __init__(self, server, *options, url=None, arguments=(), background=False, password="pass", environment=None):
        self.folder = temporary_folder()
        self.point = self.folder / "mnt"
        self.cache = self.folder / "cache"
        self.passfile = self.folder / "pass"
        self.url = url or server.url()
        self.background = background
        self.arguments = list(arguments)
        self.environment = {**os.environ, **(environment or {})}
        given = {option.split("=")[0] for option in options}
        if "passcmd" in given:
            given.add("passfile")
        usual = {"cafile": server.ca, "passfile": self.passfile, "cachedir": self.cache}
        given |= {"cafile"} if server.ca is None or "pin" in given else set()
        self.options = list(options) + [f"{name}={value}" for name, value in usual.items() if name not in given]
        self.pid = None
        self.exit_status = None
        self.point.mkdir()
        self.passfile.touch(mode=0o600)
        self.passfile.write_text(password + "\n")

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.remove()
            raise

    def __exit__(self, kind, *_):
        try:
            if self.pid is not None:
                self.stop() if kind is None else self.abandon()
        finally:
            self.remove()

    def command(self):
        """The command line that mounts."""
        foreground = [] if self.background else ["-f"]
        return [*PROGRAM, self.url, str(self.point), *foreground, *self.arguments, "-o", ",".join(self.options)]

    def log(self):
        """What the program printed since the last start()."""
        return (self.folder / "log").read_text(errors="replace")

    def start(self):
        """Mounts; returns once the mount is there. Raises MountFailed if the program ends instead."""
        need_fuse()
        if self.background:
            adopt_orphans()
        with open(self.folder / "log", "wb") as log:
            process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                       env=self.environment, start_new_session=True)
        self.pid = process.pid
        process.returncode = 0  # this class does the waiting
        wait_for(lambda: mounted(self.point) or self._ended(), "a mount or an end of mount.pullmail", 120)
        if not self.background:
            wait_for(lambda: " is mounted on " in self.log() or self._ended(), "the daemon's word of it", 120)
        else:
            wait_for(self._ended, "the return of mount.pullmail", 120)
            if self.exit_status == 0:
                self.pid = self._daemon()
        if self.pid is None or not mounted(self.point):
            self.abandon()
            raise MountFailed(self.exit_status, self.log())
        return self

    def _daemon(self):
        """The process in the background: an orphan that came to this process."""
        children = pathlib.Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
        ours = [int(child) for child in children
                if str(self.point).encode() in pathlib.Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")]
        if len(ours) != 1:
            raise AssertionError(f"{len(ours)} daemons in the background, where one should be")
        return ours[0]

    def _ended(self):
        """Whether the process has ended; its status is kept."""
        if self.pid is None:
            return True
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        if pid:
            self.pid = None
            self.exit_status = os.waitstatus_to_exitcode(status)
        return bool(pid)

    def wait_end(self, seconds=120):
        """Waits for the daemon's end and returns its exit status."""
        wait_for(self._ended, "the daemon's end", seconds)
        return self.exit_status

    def signal(self, number=signal.SIGTERM):
        """Sends the daemon a signal."""
        os.kill(self.pid, number)

    def stop(self):
        """Unmounts; the daemon must end with 0."""
        run("fusermount3", "-u", self.point)
        status = self.wait_end()
        if status != 0:
            raise AssertionError(f"the daemon ended with {status}:\n{self.log()}")

    def remount(self):
        """Unmounts and mounts again, with the same cache."""
        self.stop()
        return self.start()

    def kill(self):
        """Ends the daemon without notice, as a crash would; the dead mount is cleared away."""
        if self.pid is not None:
            os.kill(self.pid, signal.SIGKILL)
            self.wait_end()
        self.clear_away()

    def clear_away(self):
        """Detaches what is mounted, whatever its state."""
        if mounted(self.point):
            subprocess.run(["fusermount3", "-u", "-z", str(self.point)], check=False, stderr=subprocess.DEVNULL)

    def abandon(self):
        """Ends all of it, after a failure; what the program printed goes to the test's output."""
        self.clear_away()
        if self.pid is not None:
            try:
                wait_for(self._ended, "the daemon's end", 10)
            except AssertionError:
                self.kill()
        sys.stderr.write(f"mount.pullmail's log:\n{self.log()}\n")

    def remove(self):
        """Removes the folder with cache and all, once nothing is mounted."""
        self.clear_away()
        if not mounted(self.point):
            shutil.rmtree(self.folder, ignore_errors=True)

    def __truediv__(self, path):
        return self.point / path

    def messages(self, folder="INBOX"):
        """{UID: path} of a folder's messages."""
        found = {}
        for name in os.listdir(self.point / folder):
            match = re.fullmatch(r"\d{8}-\d{6}-(\d+)\.eml", name)
            if match:
                found[int(match[1])] = self.point / folder / name
        return found

    def status(self):
        """The text of .pullmail/status."""
        return (self.point / ".pullmail/status").read_text()

    def xattr(self, path, name):
        """An extended attribute's value, as text."""
        return os.getxattr(path, name).decode()


def adopt_orphans():
    """From now on a daemon that detached itself is this process's child, so that its end is seen."""
    pr_set_child_subreaper = 36
    if ctypes.CDLL(None, use_errno=True).prctl(pr_set_child_subreaper, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def file_name(date, uid):
    """The name that a message has in the mount: INTERNALDATE in UTC, then the UID."""
    return f"{date.astimezone(UTC):%Y%m%d-%H%M%S}-{uid}.eml"
