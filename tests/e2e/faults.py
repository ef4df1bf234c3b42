"""faults: what the tests of faults share: a mailbox, whole reads of it, a server that is frozen, a
disk that is small."""
import contextlib
import datetime
import errno
import os
import pathlib
import re
import signal
import sqlite3
import subprocess

from corpus import message
from support import UTC, run, temporary_folder, wait_for

DATE = datetime.datetime(2025, 5, 1, 12, 0, 0, tzinfo=UTC)
# What a read may fail with when the server is away.
NO_SERVER = {errno.ETIMEDOUT, errno.ENOTCONN, errno.ECONNREFUSED, errno.EHOSTUNREACH}

# read and openat, where a program waits for a file: on x86-64, and on the architectures after it.
SYSCALLS = {"0", "257"} if os.uname().machine == "x86_64" else {"63", "56"}


def fill(server, folder, small, long=0, length=300000):
    """Makes a folder with so many small and long messages; returns {UID: bytes}."""
    with server.mailbox() as mailbox:
        if folder != "INBOX":
            mailbox.create(folder)
        for number in range(small + long):
            size = 1200 + 37 * number if number < small else length + 1000 * number
            mailbox.append(folder, message(size, 80), DATE + datetime.timedelta(minutes=number))
        return mailbox.fetch_all(folder)


def read(path):
    """A file's bytes, read to its end; what the kernel has of them is dropped ahead of that."""
    with open(path, "rb", buffering=0) as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        return b"".join(iter(lambda: file.read(1 << 17), b""))


def attempt(function, *arguments):
    """A function's result, or the errno that it failed with."""
    try:
        return function(*arguments)
    except OSError as error:
        return error.errno


def waits(pid):
    """Whether a child is in the midst of opening or reading a file."""
    called = pathlib.Path(f"/proc/{pid}/syscall").read_text().split()[0]
    return pathlib.Path(f"/proc/{pid}/comm").read_text() == "cat\n" and called in SYSCALLS


def settled(function, *arguments):
    """The function's result, once it has one: a server that is back may have been asked a moment too early."""
    found = wait_for(lambda: (result,) if not isinstance(result := attempt(function, *arguments), int) else None,
                     "the server's return")
    return found[0]


def check_bytes(test, paths, truth, uids=None):
    """Every message that is listed (or those of uids), read to its end, is the server's."""
    test.assertEqual(sorted(paths), sorted(truth))
    for uid in truth if uids is None else uids:
        found = read(paths[uid])
        test.assertTrue(found == truth[uid], f"UID {uid}: {len(found)} bytes, not the {len(truth[uid])} of the server")


def status(mount, name):
    """A line of .pullmail/status; a number, where it is one."""
    value = re.search(rf"^{name}: (.*)$", mount.status(), re.MULTILINE)[1]
    return int(value) if value.isdigit() else value


def account(cache):
    """The one account's directory in a cache directory."""
    found = [path for path in cache.iterdir() if path.is_dir()]
    if len(found) != 1:
        raise AssertionError(f"{len(found)} accounts in the cache: {found}")
    return found[0]


def on_disk(mount):
    """
    {UID: bytes} of what the cache has on disk of messages, by a look of its own (a message's
    blocks, whatever folder it is of, in their order).
    """
    path = account(mount.cache) / "content.db"
    with contextlib.closing(sqlite3.connect(path.as_uri() + "?mode=ro", uri=True, timeout=10)) as database:
        rows = database.execute("SELECT m.folder, m.uid, b.id & 1048575, b.bytes FROM message m"
                                " JOIN block b ON b.id >> 20 = m.id ORDER BY m.folder, m.uid, b.id").fetchall()
    found = {}
    for _, uid, _, data in rows:
        found[uid] = found.get(uid, b"") + data
    return found


def wait_flushed(mount, truth):
    """Waits until all of these messages are on disk, and the sizes that were proved of them too."""
    def flushed():
        held = on_disk(mount)
        return all(held.get(uid) == data for uid, data in truth.items())
    wait_for(flushed, "the messages on disk")
    path = account(mount.cache) / "index.db"

    def proved():
        with contextlib.closing(sqlite3.connect(path.as_uri() + "?mode=ro", uri=True, timeout=10)) as database:
            (count,) = database.execute("SELECT count(*) FROM message WHERE proof & 1").fetchone()
        return count >= len(truth)
    wait_for(proved, "the index on disk")


def check_databases(test, cache):
    """Both databases are sound."""
    for name in ("index.db", "content.db"):
        with contextlib.closing(sqlite3.connect(account(cache) / name, timeout=10)) as database:
            test.assertEqual(database.execute("PRAGMA integrity_check").fetchall(), [("ok",)])


# --- servers ------------------------------------------------------------------------------------


def dovecot_settings(old, new):
    """A file of settings for Server("--extra", …), in the language of the Dovecot that is installed."""
    path = temporary_folder() / "settings"
    environment = {**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"}
    version = re.match(r"(\d+)\.(\d+)", run("dovecot", "--version", env=environment))
    path.write_text(old if (int(version[1]), int(version[2])) < (2, 4) else new)
    return str(path)


def family(pid):
    """A process and all that came of it, as far as they have not ended meanwhile."""
    try:
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [pid] + [one for child in children for one in family(int(child))]


@contextlib.contextmanager
def frozen(server):
    """A server that takes connections, as its kernel does, and says nothing."""
    pid = int((server.directory / "home/run/master.pid").read_text())
    processes = []
    try:
        for _ in range(2):  # what was begun while the first were stopped
            for one in family(pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(one, signal.SIGSTOP)
                    processes.append(one)
        yield
    finally:
        for one in processes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(one, signal.SIGCONT)


# --- disks --------------------------------------------------------------------------------------


def administrator():
    """The words ahead of a command that make root run it; None where they are not to be had."""
    if os.geteuid() == 0:
        return []
    sudo = ["sudo", "-n"]
    with contextlib.suppress(FileNotFoundError):
        if subprocess.run([*sudo, "true"], check=False, capture_output=True).returncode == 0:
            return sudo
    return None


class SmallDisk:
    """A file system of so many bytes in memory, at .path. It takes an administrator to make it."""

    def __init__(self, size):
        self.folder = temporary_folder()
        self.path = self.folder / "disk"
        self.path.mkdir()
        self._root = administrator()
        run(*self._root, "mount", "-t", "tmpfs", "-o", f"size={size},mode=0700,uid={os.geteuid()}", "pullmail-test", self.path)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        run(*self._root, "umount", self.path)
        self.path.rmdir()
        self.folder.rmdir()

    def remount(self, *options):
        """Mounts it with other options: "ro", "size=1M"."""
        run(*self._root, "mount", "-o", ",".join(("remount", *options)), self.path)
