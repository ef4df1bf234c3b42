"""soak: a mount that is used by many while its network, its server and itself fail in all ways, for as
long as one likes; and at the end all is as it must be.

What must hold all the time: every byte that is read is right, or the read fails with an errno that
says why; there is a fault that excuses each error; nothing blocks for longer than `limit` (see Watch); what the
mount was told to change is seen so at once. At the end: mount and server agree on every folder, each
letter is where what returned 0 has put it, once, and the daemon has grown by nothing.
"""
import collections
import contextlib
import errno
import os
import pathlib
import shutil
import signal
import subprocess
import threading
import time

import letters
from actors import Changer, Lister, OtherClient, Reader
from adversary import Adversary
from cutting import NO_DAEMON, release
from faults import NO_SERVER, attempt, check_databases, status
from ledger import Ledger
from network import Network
from removing import fsync
from sampler import Sampler
from support import Mount, Server, mounted, temporary_folder

FOLDERS = "INBOX", "One", "Two"
LETTERS = 200   # to begin with; they stay about as many
SETTLING = 90   # seconds until all agrees at the end
# EAGAIN: a server that starts says that it is unavailable.
AWAY = NO_SERVER | {errno.ENETUNREACH, errno.EAGAIN}
GONE = {errno.ENOENT, errno.ESTALE}
PENDING = "deletions-pending", "moves-pending", "files-to-be-stored"


class Discrepancy(AssertionError):
    """Something is not as it must be."""


class Watch:
    """Who waits in which call, since when; and what has taken longest."""

    # When the server falls silent in the midst of these, it is asked by another connection what has
    # become of it, which may be silent too.
    LOOKING = {os.close, os.fsync, os.rename, os.copy_file_range}

    def __init__(self, soak):
        self.soak = soak
        self.worst = {False: (0.0, "none"), True: (0.0, "none")}  # by whether they may have looked
        self._calls = {}

    def call(self, life, function, *arguments):
        """Calls it. What the end of its daemon breaks off is not counted."""
        begin, me, looks = time.monotonic(), threading.get_ident(), function in self.LOOKING
        limit = self.soak.limit + looks * (self.soak.timeout + 1)
        self._calls[me] = (begin, life, limit, f"{function.__name__} {' '.join(map(str, arguments))[:120]}")
        try:
            return function(*arguments)
        finally:
            what = self._calls.pop(me)[-1]
            taken = time.monotonic() - begin
            if taken > self.worst[looks][0] and life == self.soak.life:
                self.worst[looks] = (taken, what)
                if taken > limit:
                    self.soak.fail("watch", Discrepancy(f"{what}: took {taken:.1f} s"))

    def check(self):
        """Fails the soak if something hangs."""
        for begin, life, limit, what in list(self._calls.values()):
            waited = time.monotonic() - begin
            if waited > limit and life == self.soak.life:
                self.soak.fail("watch", Discrepancy(f"{what}: blocks for {waited:.1f} s"))

    def of_life(self, life):
        """What is in the midst of a call of this daemon's."""
        return [what for _, its, _, what in list(self._calls.values()) if its == life]


class Forks:
    """
    No program is started while one of our files is being written: it would have that too, until its exec,
    and close it, which stores what is there by then. Hold .lock while such a file is open.
    """

    def __init__(self):
        self.lock = threading.RLock()
        self._original = subprocess.Popen

    def __enter__(self):
        lock = self.lock

        class Popen(self._original):
            """Waits until it may be started."""

            def __init__(self, *arguments, **keywords):
                with lock:
                    super().__init__(*arguments, **keywords)
        subprocess.Popen = Popen
        return self

    def __exit__(self, *_):
        subprocess.Popen = self._original


class KeptLog(Mount):
    """A mount whose daemons' logs are all kept, in a folder."""

    def __init__(self, kept, *arguments, **keywords):
        super().__init__(*arguments, **keywords)
        self.kept = kept
        self.started = 0

    def start(self):
        self.keep()
        self.started += 1
        return super().start()

    def keep(self):
        """Copies the log of the daemon so far."""
        with contextlib.suppress(OSError):
            shutil.copy(self.folder / "log", self.kept / f"daemon-{self.started}.log")

    def abandon(self):
        """A mount that can't begin just now says so in its log, not here."""
        self.kill()


class Soak:
    """See above. run() returns when it is over, and raises what was found first."""

    def __init__(self, seed, seconds, kept=None, timeout=5, slack=5, tls=True):
        self.seed, self.seconds, self.timeout, self.tls = seed, seconds, timeout, tls
        self.limit = timeout + slack
        self.kept = pathlib.Path(kept or temporary_folder())
        shutil.rmtree(self.kept, ignore_errors=True)
        self.kept.mkdir(parents=True)
        self.folders = FOLDERS
        self.ledger = Ledger()
        self.totals = collections.Counter()
        self.watch = Watch(self)
        self.forks = Forks()
        self.over = threading.Event()
        self.up = threading.Event()          # there is a mount
        self.server_down = threading.Event()
        self.server_lock = threading.Lock()  # who has it may end the server, or rely on it
        self.life = 0                        # another one, as soon as a daemon is to end
        self.failure = None
        self.begun = time.monotonic()
        self._events = open(self.kept / "events", "w", encoding="utf-8")
        self._lock = threading.Lock()
        self._calm_since = None              # None: there is a fault

    # --- what the others tell, and ask ---

    def tell(self, text):
        """A line of the soak's own log."""
        with self._lock:
            self._events.write(f"{time.strftime('%H:%M:%S')} {time.monotonic() - self.begun:7.2f} {text}\n")
            self._events.flush()

    def fail(self, who, failure):
        """The first failure counts, and ends it all."""
        with self._lock:
            first, self.failure = self.failure is None, self.failure or failure
        if first:
            self.tell(f"FAILED {who}: {failure!r}")
        self.over.set()

    def discrepancy(self, story, number=None):
        """Something is wrong, with a letter it may be."""
        letter = self.ledger.letters.get(number)
        raise Discrepancy(f"{story}; {vars(letter) if letter else ''}; now it is {self.ledger.now()}")

    @contextlib.contextmanager
    def trouble(self, what):
        """There is a fault, while the with statement lasts."""
        self.tell(f"begin {what}")
        self._calm_since = None
        self.totals[what.split(",")[0]] += 1
        try:
            yield
        finally:
            self._calm_since = time.monotonic()
            self.tell("end")

    @contextlib.contextmanager
    def silence(self, seconds):
        """The server says nothing for so long."""
        silence = [time.monotonic(), float("inf")]
        if seconds > self.timeout - 1:
            self.ledger.silences.append(silence)
        try:
            yield
        finally:
            silence[1] = time.monotonic()

    def troubled(self, since):
        """Whether an error may be by a fault: a connection may have been lost, and that be found out late."""
        calm = self._calm_since
        return calm is None or since < calm + self.limit + 2

    def excuse(self, error, life, begin, what, number=None, mark=0):
        """Fails, unless the error is one that must be expected."""
        if life != self.life and error.errno in NO_DAEMON | GONE | AWAY:
            return
        if error.errno in AWAY and self.troubled(begin):
            return
        if error.errno == errno.EPROTO and time.monotonic() < self.network.corrupted + 2 * self.limit:
            return
        if error.errno in GONE and number is not None and not self.ledger.there(number, mark):
            return
        calm = self._calm_since
        self.discrepancy(f"{what}: {error}, begun {time.monotonic() - begin:.2f} s ago; no fault for "
                         f"{0 if calm is None else time.monotonic() - calm:.1f} s; letter {number}, "
                         f"{vars(self.ledger.letters[number]) if number in self.ledger.letters else ''}")

    @staticmethod
    def error_of(text, line):
        """The error that a program has printed."""
        found = [number for number in errno.errorcode if os.strerror(number) == text]
        if not found:
            raise Discrepancy(f"a program says: {line}")
        return OSError(found[0], text)

    def crowded(self):
        """Whether there are enough letters."""
        return sum(letter.allowed != {()} for letter in self.ledger.known()) > LETTERS * 1.3

    # --- its course ---

    def run(self):
        """All of it."""
        with contextlib.ExitStack() as stack:
            stack.callback(self._events.close)
            stack.enter_context(self.forks)
            self.server = stack.enter_context(Server(rawlog="SOAK_RAWLOG" in os.environ))
            self.fill()
            self.network = stack.enter_context(Network(self.server.ports["imaps" if self.tls else "imap"]))
            scheme, options = ("imaps", ()) if self.tls else ("imap", ("tls=off",))
            self.mount = KeptLog(self.kept, self.server, *options, f"timeout={self.timeout}", "refresh=5", "cachesize=4M",
                                 url=f"{scheme}://ann@localhost:{self.network.port}/", arguments=["-v"])
            stack.callback(self.end)
            try:
                self.mount.start()
                self.soak()
                self.settle()
            except AssertionError as failure:
                self.fail("soak", failure)
            if self.failure:
                raise self.failure

    def fill(self):
        """The first letters."""
        with self.server.mailbox() as mailbox:
            for folder in FOLDERS[1:]:
                mailbox.create(folder)
        for number in range(LETTERS):
            letter = self.ledger.add((FOLDERS[number % 3],))
            self.server.drop(*letter.allowed.pop(), letters.text(number).replace(b"\r\n", b"\n"), letters.date(number))
            letter.allowed = {(FOLDERS[number % 3],)}

    def soak(self):
        """The actors act, until the time is over or something is wrong."""
        self.adversary = Adversary(self)
        self.sampler = Sampler(self)
        self._calm_since = time.monotonic() - 1000
        self.up.set()
        actors = [kind(self, f"{kind.__name__} {number}") for kind, count in
                  ((Reader, 2), (Lister, 1), (Changer, 2), (OtherClient, 1)) for number in range(count)]
        actors += [self.adversary, self.sampler]
        for actor in actors:
            actor.start()
        end = self.begun + self.seconds
        while time.monotonic() < end and not self.over.wait(0.2):
            self.watch.check()
        self.over.set()
        stop = time.monotonic() + 3 * self.limit
        while any(actor.is_alive() for actor in actors) and time.monotonic() < stop:
            time.sleep(0.1)
            self.watch.check()
        left = [actor.name for actor in actors if actor.is_alive()]
        if left:
            self.fail("soak", Discrepancy(f"{left} do not come to their end: {self.watch.of_life(self.life)}"))
        if self.failure:
            raise self.failure
        self.sampler.check()

    def settle(self):
        """No fault any more: all comes to agree, soon, and does so after a remount too."""
        self.settled("at the end")
        self.tell("remount")
        self.mount.remount()
        self.settled("after a remount")
        self.mount.stop()
        check_databases(_Asserts, self.mount.cache)

    def settled(self, when):
        """Waits until mount and server agree."""
        begin = time.monotonic()
        while (wrong := self.mismatch()) and time.monotonic() < begin + SETTLING:
            time.sleep(0.3)
        if wrong:
            raise Discrepancy(f"{when}, after {SETTLING} s without faults: {wrong}")
        self.tell(f"agrees {when}, after {time.monotonic() - begin:.1f} s")

    def mismatch(self):
        """What is not yet, or not, as it must be."""
        for folder in FOLDERS:
            if isinstance(attempt(fsync, self.mount / folder), int):
                return f"fsync of {folder}: {os.strerror(attempt(fsync, self.mount / folder) or 0)}"
        pending = {key: status(self.mount, key) for key in PENDING}
        if any(pending.values()):
            return f"there is still to be done: {pending}"
        with self.server.mailbox() as mailbox:
            truth = {folder: mailbox.fetch_all(folder) if mailbox.uids(folder) else {} for folder in FOLDERS}
            flags = {folder: mailbox.flags(folder) if truth[folder] else {} for folder in FOLDERS}
        try:
            shown = {folder: self.shown(folder) for folder in FOLDERS}
        except OSError as error:
            return f"the mount says: {error}"
        return self.disagreement(truth, flags, shown) or self.ledger.mismatch(self.places(truth)) or self.names(shown)

    def shown(self, folder):
        """{UID: (name, bytes, flags, time)} of a folder in the mount."""
        found = {}
        for name in os.listdir(self.mount / folder):
            path = self.mount / folder / name
            uid = int(self.mount.xattr(path, "user.mail.uid"))
            if uid in found:
                raise Discrepancy(f"{folder} shows message {uid} as {name} and as {found[uid][0]}")
            flags = set(self.mount.xattr(path, "user.mail.flags").split()) - {"\\Recent"}
            found[uid] = (name, path.read_bytes(), flags, int(path.stat().st_mtime))
        return found

    @staticmethod
    def disagreement(truth, flags, shown):
        """Between server and mount."""
        for folder in FOLDERS:
            if truth[folder].keys() != shown[folder].keys():
                return (f"{folder}: the server alone has {sorted(truth[folder].keys() - shown[folder].keys())}, "
                        f"the mount alone {sorted(shown[folder].keys() - truth[folder].keys())}")
            for uid, (name, data, its, seconds) in shown[folder].items():
                if data != truth[folder][uid]:
                    return f"{folder}/{name}: {letters.difference(data, truth[folder][uid])}"
                if letters.number_in(data) is None or letters.number_in(data) != letters.number_of(name):
                    return f"{folder}/{name} is letter {letters.number_in(data)}"
                # A copy that was made while the server was away is a new file, with a time of its own.
                if seconds != letters.BASE + letters.number_in(data) and not (" copy " in name and seconds > letters.LATE):
                    return f"{folder}/{name} has the time {seconds}"
                if its != flags[folder][uid]:
                    return f"{folder}/{name} has the flags {its}, not {flags[folder][uid]}"
        return None

    @staticmethod
    def places(truth):
        """{number: the folders that have it}."""
        found = collections.defaultdict(tuple)
        for folder in sorted(FOLDERS):
            for data in truth[folder].values():
                found[letters.number_in(data)] += (folder,)
        return found

    def names(self, shown):
        """Names that were given, and are not there."""
        there = {self.mount / folder / name for folder in FOLDERS for name, *_ in shown[folder].values()}
        lost = [str(letter.path) for letter in self.ledger.known()
                if letter.path and letter.folder and letter.path not in there]
        return f"these names are lost: {lost}" if lost else None

    def slay(self, life):
        """kill -9 of the daemon. A call may hang in the kernel although that is gone: then release() alone helps."""
        self.mount.signal(signal.SIGKILL)
        self.mount.wait_end()
        end = time.monotonic() + 2
        while self.watch.of_life(life) and time.monotonic() < end:
            time.sleep(0.02)
        if self.watch.of_life(life):
            self.tell(f"hang: {self.watch.of_life(life)}")
            self.totals["mounts released"] += 1
            release(self.mount.point)
        self.mount.clear_away()

    def end(self):
        """Ends all that was begun, whatever its state."""
        self.over.set()
        self.network.clear()
        if self.mount.pid is not None:
            with contextlib.suppress(AssertionError):
                self.slay(self.life)
        self.mount.keep()
        with contextlib.suppress(OSError):
            shutil.copy(self.server.directory / "log", self.kept / "dovecot.log")
            if self.failure:
                shutil.copytree(self.server.directory / "mail", self.kept / "mail")
                shutil.copytree(self.mount.cache, self.kept / "cache")
                shutil.copytree(self.server.directory / "rawlog", self.kept / "rawlog")
        self.mount.remove()
        if mounted(self.mount.point):
            self.tell(f"still mounted: {self.mount.point}")

    def summary(self):
        """What was done, in lines."""
        lines = [f"seed {self.seed}, {'TLS' if self.tls else 'in clear'}: {time.monotonic() - self.begun:.0f} s"]
        lines += [f"  {key:20} {self.totals[key]:,}" for key in sorted(self.totals)]
        lines += [f"  {'connections':20} {self.network.connections:,}"]
        lines += [f"  {'worst wait':20} {taken:.2f} s: {what}" for taken, what in self.watch.worst.values()]
        return "\n".join(lines + self.sampler.summary())


class _Asserts:
    """check_databases wants a test."""

    @staticmethod
    def assertEqual(found, expected):
        """Fails, where they are not equal."""
        if found != expected:
            raise Discrepancy(f"a database is not sound: {found}")
