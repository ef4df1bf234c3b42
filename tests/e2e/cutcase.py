"""cutcase: what is done to a mailbox while it is cut (a class for each command), and the loop of cuts.

The first rounds of each are not cut, and tell how many steps there are; the cuts are spread over them.
$CUTS_SEED makes others of them.
"""
import collections
import datetime
import os
import random
import threading
import time
import unittest

from cutting import PARTS, Change, Letters, Steps, release
from faults import DATE, attempt
from removing import fsync
from support import Mount, Server, wait_for

SEED = os.environ.get("CUTS_SEED", "any")  # whatever it is, all of it has to hold
FOLDERS = "One", "Two"
LETTERS = 24
RECOVERY = 30  # steps of a mount that begins


class Remove(Change):
    """rm: what was told to be removed is nowhere."""

    REFUSALS = frozenset()  # it waits for no server

    def act(self):
        """Two batches."""
        chosen = self.choose(6)
        for part in chosen[:3], chosen[3:]:
            self.at_once(lambda number, path: self.call(number, (), os.unlink, path), part)
            self.sync(*FOLDERS)


class Rename(Change):
    """mv within a folder: a name that was given is kept."""

    def act(self):
        """Each gets another one, and some of them one more."""
        self.at_once(self.name, self.choose(6))
        self.at_once(self.name, list(self.names.items())[:2])

    def name(self, number, path):
        """Gives a letter a name of its own."""
        self.rename(number, path, path.parent / f"{path.name[:24]} {self.label}")

    def rename(self, number, path, target):
        """Returns where it is known to be afterwards."""
        self.names.pop(number, None)
        if not self.call(number, (target.parent.name,), os.rename, path, target):
            return path
        self.names[number] = target
        return target


class Move(Rename):
    """mv to the other folder: each letter is in one of them, once, and has the name that it was moved to."""

    def act(self):
        self.at_once(self.move, self.choose(6))
        self.sync(*FOLDERS)

    def move(self, number, path):
        """Every other one gets a name of its own then."""
        other, = set(FOLDERS) - {path.parent.name}
        path = self.rename(number, path, self.mount / other / path.name)
        if number % 2 and not self.over:
            self.rename(number, path, path.parent / f"letter {number} {self.label}")


class CopyIn(Change):
    """cp into the mount: what was closed with success is there once."""

    def act(self):
        """To both folders."""
        self.at_once(self.put, [self.letters.make() for _ in range(4)])

    def put(self, number, text):
        """A file, as a program that copies makes it."""
        path = self.mount / FOLDERS[number % 2] / f"copy {number}"
        if self.call(number, (path.parent.name,), write, path, text):
            self.names[number] = path


class CopyWithin(Change):
    """cp within the mount: there is one more, whole, if it was closed with success."""

    def act(self):
        """To the same folder or to the other."""
        self.at_once(self.copy, self.choose(4))

    def when_removed(self, number):
        """A copy that was closed, and is yet to be stored, outlives those that the server has."""
        return {(), (FOLDERS[number % 2],)}

    def copy(self, number, path):
        """A letter that is there twice then."""
        folder = FOLDERS[number % 2]
        self.call(number, tuple(sorted((path.parent.name, folder))), copy, path, self.mount / folder / f"copy {number} {self.label}")


def write(path, text):
    """Makes a file; whatever fails is raised."""
    made(path, lambda fd: os.write(fd, text))


def copy(source, target):
    """As cp does it within a file system."""
    with open(source, "rb", buffering=0) as original:
        made(target, lambda fd: os.copy_file_range(original.fileno(), fd, 1 << 20))


def made(path, fill):
    """Makes a file; the first error counts, close's too."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        fill(fd)
    except OSError:
        attempt(os.close, fd)
        raise
    os.close(fd)


class CutCase(unittest.TestCase):
    """
    A server and a mount by way of the relay, with letters in two folders. Who is killed, and how one
    goes on from there, is the subclass's: round(change, at, moments) has the change be made, cut at
    these steps, until all has settled; returns how many steps there were, and sets .done.
    """

    ENDS = frozenset()  # what calls fail with once there is no daemon

    def setUp(self):
        self.server = Server(rawlog=False)
        self.addCleanup(self.server.remove)
        self.steps = Steps(self.server.ports["imap"])
        self.addCleanup(self.steps.__exit__)
        self.letters = Letters()
        self.connect()
        for folder in FOLDERS:
            self.mailbox.create(folder)
        self.refill()
        self.known = self.places()
        self.mount = Mount(self.server, "tls=off", "refresh=1", "timeout=5", url=self.steps.url())
        self.mount.start()
        self.addCleanup(self.mount.__exit__, None, None, None)
        self.seen = self.shown()

    def connect(self):
        """Another client's connection."""
        self.mailbox = self.server.mailbox()
        self.addCleanup(self.mailbox.imap.shutdown)

    # --- what is there ---

    def places(self):
        """Where the letters are, as another client sees it: {number: folders}."""
        found = collections.defaultdict(tuple)
        for folder in FOLDERS:
            for text in self.mailbox.fetch_all(folder).values():
                found[self.letters.number(text)] += (folder,)
        return dict(found)

    def shown(self):
        """What the mount shows: {number: [path]}."""
        found = collections.defaultdict(list)
        for folder in FOLDERS:
            for path in (self.mount / folder).iterdir():
                found[self.letters.number(path.read_bytes())].append(path)
        return dict(found)

    def refill(self):
        """Letters of which there are two or more go, and new ones come, where few are left; returns what changed."""
        places = self.places()
        single = {number for number, folders in places.items() if len(folders) == 1}
        if len(single) >= LETTERS / 2:
            return {}
        for folder in FOLDERS:
            for uid, text in self.mailbox.fetch_all(folder).items():
                if self.letters.number(text) not in single:
                    self.mailbox.expunge(folder, uid)
        changed = {number: () for number in places if number not in single}
        for index in range(LETTERS):
            number, text = self.letters.make()
            changed[number] = FOLDERS[index % 2],
            self.server.drop(FOLDERS[index % 2], text, DATE + datetime.timedelta(minutes=number))
        return changed

    # --- a round ---

    def act(self, change):
        """Makes the changes; returns how many steps they took."""
        worker = threading.Thread(target=change.act, daemon=True)
        worker.start()
        worker.join(60)
        if worker.is_alive():
            release(self.mount.point)
            self.fail("a call hangs")
        return self.steps.passed

    def settle(self, change):
        """Waits until all is as it must be, for another client and in the mount."""
        for folder in FOLDERS:
            wait_for(lambda folder=folder: attempt(fsync, self.mount / folder) is None, "the server")
        end = time.monotonic() + 30
        while wrong := self.mismatch(change):
            self.assertLess(time.monotonic(), end, wrong)
            time.sleep(0.02)
        self.assertEqual(change.wrong, [])

    def mismatch(self, change):
        """What is not yet as it must be."""
        self.known = self.places()
        wrong = change.mismatch(self.known)
        if wrong:
            return wrong
        try:
            self.seen = self.shown()
        except OSError as error:
            return f"the mount says: {error}"
        for number in set(self.known) | set(self.seen):
            paths = self.seen.get(number, [])
            if sorted(path.parent.name for path in paths) != sorted(self.known.get(number, ())):
                return f"letter {number} is in {self.known.get(number)}, and the mount shows {list(map(str, paths))}"
            if number in change.names and change.names[number] not in paths:
                return f"letter {number} is {list(map(str, paths))}, and was to be {change.names[number]}"
        return None

    done = ()

    def round(self, change, at, moments):
        """See above."""
        raise NotImplementedError

    def cut_in_a_loop(self, kind, rounds):
        """The rounds; one that fails says which it was."""
        worked = within = total = 0
        for cut in range(-2, rounds):  # the very first has more steps than those after it
            moments = random.Random(f"{SEED} {kind.__name__} {cut}")
            change = kind(self, moments, f"of {cut}")
            at = {cut * total // rounds: moments.choice(PARTS)} if cut >= 0 else {}
            try:
                steps = self.round(change, at, moments)
            except (AssertionError, OSError) as failure:
                raise AssertionError(f"seed {SEED!r}, {kind.__name__}, cut {cut} at {at}, of {total} steps; cut "
                                     f"{self.done}: {failure}\n{self.mount.log()}") from failure
            total = steps if cut < 0 else total
            worked += change.worked
            within += bool(self.done)
        self.assertGreaterEqual(within, rounds // 3)
        self.assertGreaterEqual(worked, rounds // 4)
