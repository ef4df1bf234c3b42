"""bed: what the benchmark measures with: the link, pullmail's mount, the limits (rawfetch, rawpop,
rawappend), the rivals (mbsync, mpop), and programs that scan a tree, each with a clock.

Whatever is measured proves that it did its work: a scan that found another number of files, or a
fetch of another number of messages, ends the benchmark.
"""
import contextlib
import os
import pathlib
import select
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests/e2e"))
import relay  # noqa: E402, F401
import support  # noqa: E402

from mailboxes import NEEDLE  # noqa: E402

PROGRAMS = pathlib.Path(os.environ.get("BENCH_PROGRAMS", ROOT / "build/release/tests/bench"))
PASSWORD = "pass"


class Wrong(Exception):
    """Something that was measured did not do what it should."""


class TooLong(Exception):
    """It was ended before it was done."""


def wait_until(process, end):
    """Whether a process ended by itself before a time. (Popen.wait() with a timeout looks only now and then.)"""
    try:
        descriptor = os.pidfd_open(process.pid)
        try:
            if select.select([descriptor], [], [], max(end - time.monotonic(), 0))[0]:
                return True
        finally:
            os.close(descriptor)
        return False
    finally:
        process.poll()
        if process.returncode is None:
            process.kill()


def timed(command, limit=300, **options):
    """Runs a command that must succeed; returns seconds and what it printed."""
    begin = time.monotonic()
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        # A file: where GNU grep prints to /dev/null, it stops at the first match.
        process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=output,
                                   stderr=errors, **options)
        ended = wait_until(process, begin + limit)
        seconds = time.monotonic() - begin
        status = process.wait()
        if not ended:
            raise TooLong
        output.seek(0)
        errors.seek(0)
        text, complaints = output.read().decode(errors="replace"), errors.read().decode(errors="replace")
    if status != 0 or complaints:
        raise Wrong(f"{' '.join(map(str, command))} ended with {status}: {complaints[:2000]}")
    return seconds, text


def expect(what, found, wanted):
    """Ends the benchmark if something was done only in part."""
    if found != wanted:
        raise Wrong(f"{what}: {found}, where it should be {wanted}")


class Link:
    """
    A way to a port of this machine, of so many ms there and back and so many Mbit/s (0: no bound);
    .port is its near end. Without a bound and without delay it is the port itself.
    """

    def __init__(self, port, delay, rate):
        self.port = port
        self.process = None
        if delay or rate:
            self.process = subprocess.Popen([PROGRAMS / "link", str(delay), str(rate), str(port)],
                                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            line = self.process.stdout.readline()
            if not line:
                raise Wrong("there is no link (see above)")
            self.port = int(line)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process:
            self.process.stdin.close()
            self.process.wait(10)

    def count(self):
        """What passed since the last call: bytes to the client, bytes to the server, and turns."""
        self.process.stdin.write("count\n")
        self.process.stdin.flush()
        return [int(word) for word in self.process.stdout.readline().split()]


class Mount(support.Mount):
    """A mount through a link, with a cache of its own; .seconds: until the command returned."""

    def __init__(self, server, link, user, *options, scheme="imap"):
        super().__init__(server, "tls=off", "auth=plain", "timeout=120", *options, background=True,
                         password=PASSWORD, url=f"{scheme}://{user}@127.0.0.1:{link.port}/")
        self.seconds = None

    def start(self):
        support.adopt_orphans()
        self.seconds, _ = timed(self.command())
        self.pid = self._daemon()
        return self

    def value(self, key):
        """A number of the status, or None."""
        for line in self.status().splitlines():
            if line.startswith(key + ": "):
                return int(line.split()[1])
        return None

    def requests(self):
        """How many requests the kernel has sent so far, or None where the status does not tell."""
        return self.value("requests")

    def memory(self):
        """The daemon's memory, MB: now, and at most so far."""
        text = pathlib.Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        values = dict(line.split(":", 1) for line in text.splitlines())
        return [int(values[name].split()[0]) / 1024 for name in ("VmRSS", "VmHWM")]


def raw(link, user, task, *arguments, compress=False):
    """rawfetch; returns seconds and the numbers that it printed."""
    seconds, text = timed([PROGRAMS / "rawfetch", *(["-z"] if compress else []), link.port, user, PASSWORD, task,
                           *arguments])
    return seconds, [float(word) for word in text.split()]


def raw_all(link, user, mail, compress=False):
    """The limit: seconds for all bodies."""
    seconds, (count, _) = raw(link, user, "all", compress=compress)
    expect("messages that rawfetch got", count, mail.count)
    return seconds


def raw_list(link, user, mail, compress=False):
    """The limit of a listing."""
    seconds, (count, _) = raw(link, user, "list", compress=compress)
    expect("messages that rawfetch listed", count, mail.count)
    return seconds


def raw_maildrop(link, user, mail):
    """The limit of POP3: rawpop's seconds for all messages."""
    seconds, text = timed([PROGRAMS / "rawpop", link.port, user, PASSWORD])
    expect("messages that rawpop got", int(text.split()[0]), mail.count)
    return seconds


def raw_append(link, user, folder, files):
    """The limit of copying in: rawappend's seconds to put all files into a folder."""
    seconds, text = timed([PROGRAMS / "rawappend", link.port, user, PASSWORD, folder, *files])
    expect("messages that rawappend stored", int(text.split()[0]), len(files))
    return seconds


def grep(folder, needles, limit=300):
    """Seconds of grep -r, which must find all."""
    seconds, text = timed(["grep", "-rlF", NEEDLE, folder], limit)
    expect(f"files that grep found in {folder}", text.count("\n"), needles)
    return seconds


def mbsync_word():
    """How this version says it: TLSType since 1.5."""
    version = timed(["mbsync", "--version"])[1].split()[-1]
    return "TLSType" if [int(word) for word in version.split(".")[:2]] >= [1, 5] else "SSLType"


def mbsync_and_grep(link, user, mail):
    """The rival: seconds to copy all to a Maildir, as mbsync does by itself, and those to grep that."""
    with scratch() as folder:
        (folder / "mbsyncrc").write_text(
            f"IMAPAccount far\nHost 127.0.0.1\nPort {link.port}\nUser {user}\nPass {PASSWORD}\n"
            f"{mbsync_word()} None\nAuthMechs LOGIN\nTimeout 300\n\n"
            f"IMAPStore far\nAccount far\n\n"
            f"MaildirStore near\nPath {folder}/near/\nInbox {folder}/near/INBOX\nSubFolders Verbatim\n\n"
            f"Channel all\nFar :far:\nNear :near:\nPatterns INBOX\nCreate Near\nSync Pull\nSyncState *\n",
            encoding="ascii")
        (folder / "near").mkdir()
        pull, _ = timed(["mbsync", "-qq", "-c", folder / "mbsyncrc", "all"], env={**os.environ, "HOME": str(folder)})
        return pull, grep(folder / "near", mail.needles)


def mpop_and_grep(link, user, mail):
    """The rival by POP3, as mbsync_and_grep: mpop pipelines, and keeps what it copied at the server."""
    with scratch() as folder:
        for name in ("near", "near/cur", "near/new", "near/tmp"):
            (folder / name).mkdir()
        (folder / "mpoprc").touch(mode=0o600)
        (folder / "mpoprc").write_text(
            f"account far\nhost 127.0.0.1\nport {link.port}\nuser {user}\npassword {PASSWORD}\n"
            f"tls off\nauth user\npipelining auto\nkeep on\ntimeout 300\n"
            f"uidls_file {folder}/uidls\ndelivery maildir {folder}/near\n", encoding="ascii")
        pull, _ = timed(["mpop", "-q", "-C", folder / "mpoprc", "far"], env={**os.environ, "HOME": str(folder)})
        return pull, grep(folder / "near", mail.needles)


@contextlib.contextmanager
def scratch():
    """A folder on the disk that the benchmark works on."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="s."))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def evict(folder):
    """Takes the files of a folder from the page cache; names and inodes stay known to the kernel."""
    for base, _, files in os.walk(folder):
        for name in files:
            descriptor = os.open(os.path.join(base, name), os.O_RDONLY)
            os.fsync(descriptor)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)
