"""cutting: what the tests of cuts share: a relay that ends the daemon, or the server's processes, at a
step of what is done, and how it is told what must hold afterwards.

A step is a line or a literal that passes between the mount and the server, in either direction, or a
system call of the program that changes the mailbox.
"""
import collections
import contextlib
import errno
import os
import pathlib
import re
import signal
import subprocess
import threading

from faults import NO_SERVER, administrator, attempt, family
from relay import Relay
from removing import fsync
from support import wait_for

# What a call fails with when the daemon dies in the midst of it, or has died.
NO_DAEMON = {errno.ENOTCONN, errno.ECONNABORTED, errno.EIO}

# Of the step at which it is cut: nothing of it happens; half of a line passes, or the call is under way;
# all of it happens.
PARTS = BEFORE, HALF, AFTER = "before", "amid", "after"


class Steps(Relay):
    """A relay that counts steps from arm() on, and cuts at some of them. .done is what it cut at."""

    def __init__(self, port):
        self._lock = threading.Lock()
        self._gate = threading.Lock()  # held while it is cut: no connection is begun then
        self._begun = 0  # cuts that are not over
        self.arm({}, None)
        super().__init__(port)

    def arm(self, at, cut):
        """cut() is called at these steps: {number, from 0: part}."""
        with self._lock:
            self.passed = 0
            self.done = []
            self._at = at
            self._cut = cut

    def disarm(self):
        """No cut begins from now on; one that has begun is over."""
        self.arm({}, None)
        wait_for(lambda: not self._begun, "the end of a cut")

    def _due(self, what):
        """Counts a step; the part at which it is to be cut, and how."""
        with self._lock:
            part = self._at.get(self.passed)
            if part:
                self._begun += 1
                self.done.append(f"{part} step {self.passed}, {what}")
            self.passed += 1
            return part, self._cut

    def _end_all(self, cut):
        try:
            with self._gate:
                cut()
        finally:
            with self._lock:
                self._begun -= 1

    def call(self, function, *arguments):
        """A system call, which is a step. Returns its result or raises its error."""
        part, cut = self._due(f"{function.__name__} {' '.join(map(str, arguments))}")
        if part == BEFORE:
            self._end_all(cut)
        killer = threading.Thread(target=self._end_all, args=(cut,)) if part == HALF else None
        if killer:
            killer.start()
        try:
            return function(*arguments)
        finally:
            if killer:
                killer.join()
            elif part == AFTER:
                self._end_all(cut)

    def _to_server(self, client, server, said):
        with self._gate:
            pass
        self._pass_all("C", client, server)

    def _to_client(self, client, server):
        self._pass_all("S", server, client)

    def _pass_all(self, who, source, target):
        try:
            for piece in pieces(source):
                part, cut = self._due(f"{who}: {piece[:70]}")
                if not part:
                    target.sendall(piece)
                    continue
                try:
                    target.sendall({BEFORE: b"", HALF: piece[:len(piece) // 2], AFTER: piece}[part])
                finally:
                    self._end_all(cut)
                break
        except OSError:
            pass
        self._end(source, target)


def pieces(source):
    """Lines, and literals between them."""
    stream = source.makefile("rb")
    while line := stream.readline():
        yield line
        literal = re.search(rb"\{(\d+)\+?\}\r\n$", line)
        if literal and (data := stream.read(int(literal[1]))):
            yield data


def kill_sessions(server):
    """What a server's crash does: the sessions are gone, in the midst of what they do."""
    killed = []
    for one in family(int((server.directory / "home/run/master.pid").read_text())):
        with contextlib.suppress(OSError):
            if pathlib.Path(f"/proc/{one}/comm").read_text() in ("imap\n", "imap-login\n"):
                os.kill(one, signal.SIGKILL)
                killed.append(one)
    wait_for(lambda: not any(map(lives, killed)), "the end of the server's processes")
    for lock in (server.directory / "mail").rglob("*.lock"):  # else it is honoured for two minutes
        lock.unlink(missing_ok=True)


def lives(pid):
    """Whether a process may still do something."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def release(point):
    """
    Ends a mount whose daemon was killed, and whose calls hang all the same: else not even SIGKILL would
    end those who wait for it. Takes an administrator.
    """
    subprocess.run([*(administrator() or []), "umount", "-f", str(point)], check=False, stderr=subprocess.DEVNULL)


class Letters:
    """Messages that are like no others, by their numbers."""

    def __init__(self):
        self._numbers = {}

    def make(self):
        """A new one: its number, and its bytes."""
        number = len(self._numbers)
        head = b"From: ann@example.org\r\nSubject: letter %d\r\nMessage-ID: <%d@example.org>\r\n\r\n" % (number, number)
        text = head + b"This is letter %d.\r\n" % number * (1 + number % 40)
        self._numbers[text] = number
        return number, text

    def number(self, text):
        """Which one it is; one that is there by half, or otherwise, is none."""
        if text not in self._numbers:
            raise AssertionError(f"this is not what any message was: {text[:200]} ({len(text)} bytes)")
        return self._numbers[text]


class Change:
    """
    Changes of a mailbox that are made while it is cut, and what must hold afterwards.

    case.known is where each letter is: {number: folders, in order; one in which it is twice, twice}.
    allowed becomes where each may be: {number: {places}}; names, which path it must have in the mount,
    where a call has said so: {number: path}.
    """

    # What calls may fail with while the server is away, and go on. EAGAIN: its log-in says [UNAVAILABLE].
    REFUSALS = NO_SERVER | {errno.EAGAIN}

    def __init__(self, case, moments, label):
        self.steps = case.steps
        self.mount = case.mount
        self.letters = case.letters
        self.ends = case.ENDS  # what they fail with when there will be no more
        self.moments = moments
        self.label = label
        self.shown = case.seen  # {number: [path in the mount]}
        self.allowed = {number: {folders} for number, folders in case.known.items()}
        self.names = {}
        self.worked = 0
        self.wrong = []
        self.over = False
        self._lock = threading.Lock()

    def act(self):
        """Makes the changes."""
        raise NotImplementedError

    def when_removed(self, number):
        """Where a letter may be once another client has removed all that the server had of it."""
        return {()}

    def choose(self, count):
        """Some letters that are in one folder alone: (number, path)."""
        numbers = sorted(number for number, paths in self.shown.items() if len(paths) == 1)
        return [(number, self.shown[number][0]) for number in self.moments.sample(numbers, min(count, len(numbers)))]

    def call(self, number, after, function, *arguments):
        """
        A call that has this letter in the places `after`, if it returns 0; else it is there, or where it
        was. Returns whether it did.
        """
        before = self.allowed.get(number, {()})
        self.allowed[number] = before | {after}
        if self.over:
            return False
        try:
            self.steps.call(function, *arguments)
        except OSError as error:
            self.failed(error, len(before) > 1, function, *arguments)
            return False
        self.allowed[number] = {after}
        with self._lock:
            self.worked += 1
        return True

    def failed(self, error, doubtful, *call):
        """A call failed; one who doesn't know where a letter is may look for it in the wrong place."""
        if error.errno in self.ends:
            self.over = True
        elif error.errno not in self.REFUSALS and not (doubtful and error.errno == errno.ENOENT):
            self.wrong.append((errno.errorcode[error.errno], *map(str, call[1:])))

    def at_once(self, act, chosen):
        """Does something with each of the chosen, in several threads."""
        chosen = collections.deque(chosen)

        def work():
            with contextlib.suppress(IndexError):
                while not self.over:
                    act(*chosen.popleft())
        threads = [threading.Thread(target=work, daemon=True) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def sync(self, *folders):
        """Has the server be told; whether or not it can be."""
        for folder in folders:
            attempt(self.steps.call, fsync, self.mount / folder)

    def mismatch(self, places):
        """What of this must not be, or None."""
        wrong = {number: (folders, self.allowed.get(number, {()})) for number, folders in places.items()
                 if folders not in self.allowed.get(number, {()})}
        wrong |= {number: ((), allowed) for number, allowed in self.allowed.items()
                  if number not in places and () not in allowed}
        return "; ".join(f"letter {number} is in {found}, not in {allowed}" for number, (found, allowed) in wrong.items())
