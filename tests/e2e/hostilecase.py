"""hostilecase: how a case with a hostile server is run and judged.

Whatever the server does, one of two things comes of it: the program refuses to mount, with one
clear line; or the mount works, each read gives a message's exact bytes or an errno that says why
not, the daemon stays alive and small, and is unmounted with status 0. Nothing is written but into
mount and cache.
"""
import concurrent.futures
import contextlib
import errno
import itertools
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import traceback
import unittest

from hostile import Certificates, Folder, Message, Server, tree_of
from support import PROGRAM, Mount, MountFailed, wait_for

MEMORY_LIMIT = 100 << 20
AT_ONCE = 6  # most cases wait for a silent server

# What a read or a listing may fail with: these say what happened, EIO would not.
GOOD_ERRORS = {errno.ETIMEDOUT, errno.ENOTCONN, errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.EPROTO, errno.ENOENT,
               errno.ESTALE, errno.EACCES, errno.EREMOTEIO, errno.EAGAIN, errno.EFBIG, errno.ECONNRESET, errno.EINTR,
               errno.EKEYREJECTED}

MESSAGE = b"Subject: honest\r\n\r\nan honest text\r\n"
EXPECTED = {3: MESSAGE, 4: MESSAGE + b"x" * 100000}

# Where the server says it: ahead of its honest answer to this.
STAGES = ("greeting", "CAPABILITY", "LOGIN", "LIST", "EXAMINE", "listing", "body")

cases_run = 0  # pylint: disable=invalid-name


def instrumented():
    """Whether the program is watched by a sanitizer or valgrind, which takes memory of its own."""
    return len(PROGRAM) > 1 or b"__tsan_init" in pathlib.Path(PROGRAM[0]).read_bytes() or \
        b"__asan_init" in pathlib.Path(PROGRAM[0]).read_bytes()


INSTRUMENTED = instrumented()


def memory_peak(pid):
    """The most bytes of memory that a process has had."""
    return int(re.search(r"VmHWM:\s+(\d+) kB", pathlib.Path(f"/proc/{pid}/status").read_text())[1]) << 10


def check_memory(mount):
    """The daemon has stayed small."""
    peak = memory_peak(mount.pid)
    if not INSTRUMENTED and peak > MEMORY_LIMIT:
        raise AssertionError(f"the daemon took {peak >> 20} MB of memory")


def check_places(mount):
    """Only what belongs there is beside the mount and in the cache."""
    beside = {name for name in os.listdir(mount.folder) if not name.startswith(".fuse_hidden")}
    if not beside <= {"mnt", "cache", "pass", "log"}:
        raise AssertionError(f"there are other files beside the mount: {sorted(beside)}")
    cached = [os.path.relpath(path, mount.cache) for path in tree_of(mount.cache)]
    known = r"lock|moves\.lock|outbox-[0-9a-f]{16}\.lock|(index|content|outbox)\.db(-wal|-shm|-journal)?"
    strange = [path for path in cached if not re.fullmatch(rf"[^/]+(/({known}))?", path)]
    if strange or sum("/" not in path for path in cached) > 1:
        raise AssertionError(f"what is in the cache: {sorted(cached)}")


def check_log(mount):
    """What is printed can't harm a terminal, nor fill a disk."""
    log = (mount.folder / "log").read_bytes()
    if re.search(rb"[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]", log):
        raise AssertionError(f"control characters in the log: {log[:1000]!r}")
    if len(log) > 100_000:
        raise AssertionError(f"{len(log)} bytes of log")


def check_refusal(failure):
    """A refused mount says why, in one line of a bearable length."""
    lines = [line for line in failure.log.splitlines() if not line.startswith(("mount.pullmail: the server says: ",
            "mount.pullmail: imap: "))]
    if failure.status != 32 or len(lines) != 1 or not lines[0].startswith("mount.pullmail: ") or len(lines[0]) > 1000:
        raise AssertionError(f"a refusal should be status 32 and one line: {failure}")


class QuietMount(Mount):
    """A Mount whose failure to mount is a result, not an accident."""

    def abandon(self):
        self.clear_away()
        if self.pid is not None:
            try:
                wait_for(self._ended, "the daemon's end", 20)
            except AssertionError:
                self.kill()
                raise

    def stop(self):
        """A program that another case starts holds our files for the moment until its exec."""
        wait_for(self._unmounted, "fusermount3 -u", 20)
        status = self.wait_end()
        if status != 0:
            raise AssertionError(f"the daemon ended with {status}:\n{self.log()}")

    def _unmounted(self):
        return subprocess.run(["fusermount3", "-u", str(self.point)], check=False,
                              stderr=subprocess.DEVNULL).returncode == 0


@contextlib.contextmanager
def hostile_mount(server, *options, kind=QuietMount, **keywords):
    """A mount (of a kind) of a hostile server, judged at its end; yields the mount, or MountFailed."""
    usual = [] if server.tls != "off" or "tls=required" in options else ["tls=off"]
    given = {option.split("=")[0] for option in options}
    usual += [option for option in ("timeout=3", "refresh=1", "connections=2") if option.split("=")[0] not in given]
    mount = kind(server, *usual, *options, **keywords)
    try:
        try:
            mount.start()
        except MountFailed as failure:
            check_refusal(failure)
            check_log(mount)
            check_places(mount)
            yield failure
            return
        yield mount
        if mount.pid is not None:
            judge_end(mount)
    finally:
        if mount.pid is not None:
            mount.kill()
        mount.remove()


def judge_end(mount):
    """The mount has lived through it: asserts that, and unmounts."""
    if mount._ended():
        raise AssertionError(f"the daemon died with {mount.exit_status}:\n{mount.log()}")
    check_memory(mount)
    mount.stop()
    check_log(mount)
    check_places(mount)


def attempt(function, *arguments):
    """A function's result; or the OSError, which must tell something, that it failed with."""
    try:
        return function(*arguments)
    except OSError as error:
        if error.errno not in GOOD_ERRORS:
            raise AssertionError(f"{error}: an errno that does not tell what happened") from error
        return error


def read(path):
    """A file's bytes, through read()."""
    with open(path, "rb", buffering=0) as file:
        return b"".join(iter(lambda: file.read(1 << 17), b""))


def read_exact(path, expected):
    """Reads: exactly these bytes, or an errno."""
    found = attempt(read, path)
    if not isinstance(found, OSError) and found != expected:
        raise AssertionError(f"{path}: {len(found)} bytes {found[:80]!r}, not {len(expected)} {expected[:80]!r}")
    return found


def try_all(mount, expected):
    """Lists and reads INBOX; what there is must be of {UID: bytes}, or fail with an errno."""
    attempt(os.listdir, mount.point)
    messages = attempt(mount.messages)
    for uid, path in {} if isinstance(messages, OSError) else messages.items():
        if uid in expected:
            read_exact(path, expected[uid])
        else:
            attempt(read, path)


def is_exact(mount, expected):
    """Whether INBOX has exactly these messages."""
    try:
        messages = mount.messages()
        return messages.keys() == expected.keys() and all(read(path) == expected[uid] for uid, path in messages.items())
    except OSError:
        return False


def expect_recovery(server, mount, expected):
    """The server does what it should, from now on: the mount shows its mail."""
    server.honest()
    wait_for(lambda: is_exact(mount, expected), f"the mail of a server that is honest again\n{mount.log()}", 20)


def honest_server():
    """A server with two messages, a small and a long one."""
    return Server([Folder(b"INBOX", [Message(uid, data) for uid, data in EXPECTED.items()]), Folder(b"Other")])


def install(server, stage, hook):
    """Puts a hook at a stage."""
    if stage in ("listing", "body"):
        def only_there(session, command):
            return hook(session, command) if (b"BODY" in command.line) == (stage == "body") else None
        server.on["FETCH"] = only_there
    else:
        server.on[stage] = hook


def ahead(garbage):
    """A hook that says something ahead of the honest answer."""
    def hook(session, command):
        return itertools.chain([garbage], session.answer(command) if command else [b"* OK ready\r\n"])
    return hook


def run_stage(stage, hook):
    """One case: a hook at a stage, of one server."""
    with honest_server() as server:
        install(server, stage, hook)
        with hostile_mount(server) as mount:
            if not isinstance(mount, MountFailed):
                try_all(mount, EXPECTED)
                expect_recovery(server, mount, EXPECTED)


class HostileTest(unittest.TestCase):
    """Cases are functions; several run at once."""

    maxDiff = None

    def run_cases(self, cases, at_once=AT_ONCE):
        """{name: function}; fails with the stories of all that failed."""
        global cases_run
        cases_run += len(cases)
        failures = []
        with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
            futures = {pool.submit(function): name for name, function in cases.items()}
            for future in concurrent.futures.as_completed(futures):
                if future.exception():
                    story = "".join(traceback.format_exception(future.exception()))
                    failures.append(f"--- case {futures[future]}:\n{story}")
        if failures:
            self.fail(f"{len(failures)} of {len(cases)} cases failed\n" + "\n".join(failures))


def set_up_module():
    """All temporary files of a test module are in one folder, so that strays are found."""
    global cases_run
    cases_run = 0
    tempfile.tempdir = tempfile.mkdtemp(prefix="hostile.")
    pathlib.Path(tempfile.tempdir).chmod(0o711)


def tear_down_module():
    """Nothing is left but the certificates; says how many cases there were."""
    Certificates.remove()
    left = sorted(tree_of(tempfile.tempdir))
    shutil.rmtree(tempfile.tempdir, ignore_errors=True)
    tempfile.tempdir = None
    print(f"# {cases_run} hostile cases", flush=True)
    if left:
        raise AssertionError(f"left behind: {left}")
