"""actors: who uses the mount, and another client of the server's. Each is a thread that does one thing
after the other, drawn from the seed, until the soak is over."""
import contextlib
import errno
import imaplib
import os
import random
import re
import subprocess
import threading
import time

import letters

CHUNKS = 512, 4096, 65536, 1 << 17


class Actor(threading.Thread):
    """One of them: act() does one thing."""

    PAUSE = 0.03

    def __init__(self, soak, name):
        super().__init__(name=name, daemon=True)
        self.soak, self.ledger, self.totals = soak, soak.ledger, soak.totals
        self.moments = random.Random(f"{soak.seed} {name}")
        self.life = None

    def run(self):
        try:
            while not self.soak.over.is_set():
                if self.begin():
                    self.act()
                time.sleep(self.PAUSE * 2 * self.moments.random())
        except BaseException as failure:
            self.soak.fail(self.name, failure)

    def begin(self):
        """Whether there is a mount to be used; what is done now is done to that."""
        self.life = self.soak.life
        return self.soak.up.wait(0.1) and not self.soak.over.is_set()

    def act(self):
        """Does one thing."""
        raise NotImplementedError

    def place(self):
        """A folder's path."""
        return self.soak.mount / self.moments.choice(self.soak.folders)

    def call(self, function, *arguments, number=None, mark=0, also=()):
        """
        A system call on the mount, watched. An error that there is an excuse for, or that is among
        `also`, is raised; for any other, and where it takes too long, the soak fails.
        """
        begin = time.monotonic()
        try:
            return self.soak.watch.call(self.life, function, *arguments)
        except OSError as error:
            if error.errno not in also:
                self.soak.excuse(error, self.life, begin, f"{function.__name__} {arguments}", number, mark)
            self.totals["errors"] += 1
            if number is None:
                self.soak.tell(f"{function.__name__} {' '.join(map(str, arguments))[:200]}: {errno.errorcode[error.errno]}")
            raise

    def listing(self, folder):
        """
        [(number, name)] of a folder, and the moment ahead of it. What the mount itself has done is seen
        at once.
        """
        mark = self.ledger.now()
        names = self.call(os.listdir, folder)
        self.totals["listings"] += 1
        found = [(letters.number_of(name), name) for name in names]
        if len(set(names)) != len(names) or any(number not in self.ledger.letters for number, _ in found):
            self.soak.discrepancy(f"the listing of {folder} has what nobody put there, or has it twice: {sorted(names)}")
        shown = {number for number, _ in found}
        for letter in self.ledger.known():
            sure = letter.here and len(letter.allowed) == 1 and not letter.maybe_twice
            if sure and (letter.number in shown) != ((folder.name,) in letter.allowed) and \
                    self.ledger.untouched(letter.number, mark) and self.life == self.soak.life:
                self.soak.discrepancy(f"letter {letter.number} is {'' if letter.number in shown else 'not '}listed in "
                                      f"{folder}, and was put to {letter.allowed}, {letter.path}")
        return found, mark

    def check_state(self, path, number, mark, state):
        """Size and time; a copy that was made here has its own time until it is listed."""
        told, expected = (state.st_size, int(state.st_mtime)), (len(letters.text(number)), letters.BASE + number)
        if told != expected and not (told[0] == expected[0] and " copy " in path.name) and \
                self.ledger.untouched(number, mark):
            self.soak.discrepancy(f"{path} has size and time {told}, not {expected}", number)

    def verify(self, path, number, mark, found, expected, what):
        """What was read is what it must be; one that is being written is not there yet."""
        self.totals["bytes compared"] += len(found)
        if found != expected and self.ledger.untouched(number, mark):
            self.soak.discrepancy(f"{what} of {path}: {letters.difference(found, expected)}", number)


class Reader(Actor):
    """Reads letters, in all ways, and compares every byte."""

    def act(self):
        with contextlib.suppress(OSError):
            folder = self.place()
            found, mark = self.listing(folder)
            for _ in range(self.moments.randrange(1, 12)):
                if found and not self.soak.over.is_set():
                    number, name = self.moments.choice(found)
                    with contextlib.suppress(OSError):
                        self.read(folder / name, number, mark)

    def read(self, path, number, mark):
        """
        One letter, whole or a part. One that is being written is left alone: where the kernel opens files by
        itself, who closes a file that others write has it stored.
        """
        if self.ledger.letters[number].busy:
            return
        expected = letters.text(number)
        fd = self.call(os.open, path, os.O_RDONLY, number=number, mark=mark)
        try:
            if self.moments.random() < 0.7:
                os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            state = self.call(os.fstat, fd, number=number, mark=mark)
            self.check_state(path, number, mark, state)
            if self.moments.random() < 0.75:
                count = self.moments.choice(CHUNKS)
                data = b"".join(iter(lambda: self.call(os.read, fd, count, number=number, mark=mark), b""))
                self.verify(path, number, mark, data, expected, "the whole")
            else:
                os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_RANDOM)
                begin, count = self.moments.randrange(len(expected)), self.moments.choice(CHUNKS)
                data = b""
                # The kernel gives what came ahead of an error, and the error to who reads on.
                while len(data) < count and (more := self.call(os.pread, fd, count - len(data), begin + len(data),
                                                               number=number, mark=mark)):
                    data += more
                self.verify(path, number, mark, data, expected[begin:begin + count], f"{count} bytes from {begin} on")
            self.totals["reads"] += 1
        finally:
            self.call(os.close, fd, number=number, mark=mark)


class Lister(Actor):
    """Lists, looks at the files, and has grep read them all."""

    PAUSE = 0.1

    def act(self):
        with contextlib.suppress(OSError):
            folder = self.place()
            if self.moments.random() < 0.15:
                self.grep(folder)
            else:
                self.look(folder)

    def look(self, folder):
        """Size and time of some."""
        found, mark = self.listing(folder)
        for number, name in self.moments.sample(found, min(len(found), 25)):
            with contextlib.suppress(OSError):
                state = self.call(os.stat, folder / name, number=number, mark=mark)
                self.check_state(folder / name, number, mark, state)

    def grep(self, folder):
        """The lines of each letter, counted by grep; what it could not read, it says."""
        begin = time.monotonic()
        found, mark = self.listing(folder)
        paths = [str(folder / name) for number, name in found if not self.ledger.letters[number].busy]
        process = subprocess.Popen(["grep", "-Hac", "", *paths, "/dev/null"], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            output, errors = process.communicate(timeout=20 * self.soak.limit)
        except subprocess.TimeoutExpired:
            self.soak.discrepancy(f"grep in {folder} has not ended after {20 * self.soak.limit} s")
        failed = {}
        for line in errors.splitlines():
            path, _, text = line.removeprefix("grep: ").rpartition(": ")
            number = failed[path] = letters.number_of(os.path.basename(path))
            self.soak.excuse(self.soak.error_of(text, line), self.life, begin, "grep", number, mark)
        for line in output.splitlines():
            path, _, count = line.rpartition(":")
            number = letters.number_of(os.path.basename(path))
            if number is not None and path not in failed and int(count) != letters.text(number).count(b"\n") and \
                    self.ledger.untouched(number, mark) and self.life == self.soak.life:
                self.soak.discrepancy(f"grep finds {count} lines in {path}")
        self.totals["greps"] += 1


class Changer(Actor):
    """rm, mv and cp in the mount: what was told to be done is done, once."""

    PAUSE = 0.12

    def act(self):
        with contextlib.suppress(OSError):
            self.moments.choice([self.remove, self.move, self.move, self.rename, self.copy_in, self.copy_within,
                                 self.copy_in, self.sync])()

    @contextlib.contextmanager
    def some(self):
        """A letter that is in one folder, for sure: the letter and its path; or None where it did not come to that."""
        folder = self.place()
        found, mark = self.listing(folder)
        number, name = self.moments.choice(found or [(None, None)])
        letter = self.ledger.claim(number) if found else None
        try:
            sure = letter and letter.folder == folder.name and letter.changed < mark
            yield (letter, folder / name) if sure else (None, None)
        finally:
            if letter:
                self.ledger.release(letter)

    def done(self, letter, path, what):
        """A call returned 0: that holds, whatever comes."""
        letter.path, letter.here, letter.moved = path, True, True
        self.totals[what] += 1
        self.soak.tell(f"letter {letter.number}: {what}, {sorted(letter.allowed)}, {path}")

    def remove(self):
        """rm."""
        with self.some() as (letter, path):
            if letter:
                with self.ledger.change(letter, ()):
                    self.call(os.unlink, path)
                self.done(letter, None, "rm")

    def move(self):
        """mv to another folder."""
        with self.some() as (letter, path):
            if letter:
                other = self.moments.choice([folder for folder in self.soak.folders if folder != path.parent.name])
                self.to(letter, path, self.soak.mount / other / path.name, "mv")

    def rename(self):
        """mv within the folder."""
        with self.some() as (letter, path):
            if letter:
                self.to(letter, path, path.parent / f"letter {letter.number} {self.ledger.now()}.eml", "mv")

    def to(self, letter, path, target, what):
        """Has another path. What is yet to be stored goes to no other folder: mv would copy it then."""
        letter.path = None
        with self.ledger.change(letter, (target.parent.name,)):
            self.call(os.rename, path, target, also={errno.EXDEV})
        self.done(letter, target, what)

    def copy_in(self):
        """cp -p of a file into the mount; several, now and then."""
        for _ in range(self.moments.choice((1, 1, 1, 6))):
            if self.soak.crowded() and self.moments.random() < 0.5:
                return
            self.put(self.place())

    def put(self, folder):
        """A new letter."""
        letter = self.ledger.add(())
        letter.stored, letter.home = time.monotonic(), folder.name
        path = folder / f"letter {letter.number} new.eml"
        try:
            with self.soak.forks.lock, self.ledger.change(letter, (folder.name,)):
                self.write(path, letters.text(letter.number), letters.BASE + letter.number)
            self.done(letter, path, "cp in")
        finally:
            self.ledger.release(letter)

    def write(self, path, data, seconds):
        """As a program that copies does it: whatever fails is told, at close too."""
        fd = self.call(os.open, path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            for begin in range(0, len(data), 1 << 16):
                self.call(os.write, fd, data[begin:begin + (1 << 16)])
            self.call(os.utime, fd, (seconds, seconds))
            if self.moments.random() < 0.2:
                self.call(os.fsync, fd)
        except BaseException:
            self.give_up(fd)
            raise
        self.call(os.close, fd)

    def give_up(self, fd):
        """Closes a file that was not written whole, and so may be no message."""
        with contextlib.suppress(OSError):
            self.soak.watch.call(self.life, os.close, fd)

    def copy_within(self):
        """cp of a letter within the mount, which is there twice then."""
        if self.moments.random() < 0.5:
            return
        with self.some() as (letter, path):
            if letter:
                folder = self.place()
                target = folder / f"letter {letter.number} copy {self.ledger.now()}.eml"
                with self.soak.forks.lock, self.ledger.change(letter, tuple(sorted((path.parent.name, folder.name)))):
                    self.copy(path, target)
                letter.path, letter.moved = None, True
                self.totals["cp within"] += 1
                self.soak.tell(f"letter {letter.number}: cp within, {sorted(letter.allowed)}, {target}")

    def copy(self, path, target):
        """By copy_file_range, as cp does."""
        with contextlib.ExitStack() as stack:
            source = self.call(os.open, path, os.O_RDONLY)
            stack.callback(os.close, source)
            fd = self.call(os.open, target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                while self.call(os.copy_file_range, source, fd, 1 << 24):
                    pass
            except BaseException:
                self.give_up(fd)
                raise
            self.call(os.close, fd)

    def sync(self):
        """Has the server told of all; it may say that another client has deleted what is to be moved."""
        fd = self.call(os.open, self.place(), os.O_RDONLY | os.O_DIRECTORY)
        try:
            self.call(os.fsync, fd, also={errno.ENOENT})
            self.totals["fsyncs"] += 1
        finally:
            os.close(fd)


class OtherClient(Actor):
    """Another client of the server's, which it reaches without the network that has faults."""

    PAUSE = 0.08
    LOST = (OSError, imaplib.IMAP4.abort, RuntimeError)

    def __init__(self, soak, name):
        super().__init__(soak, name)
        self.mailbox = None

    def begin(self):
        return not self.soak.over.is_set()

    def act(self):
        folder = self.moments.choice(self.soak.folders)
        if self.soak.server_lock.acquire(blocking=False):
            try:
                with self.connected():
                    self.change(folder)
            finally:
                self.soak.server_lock.release()
        elif self.soak.server_down.is_set() and self.moments.random() < 0.1:
            self.drop(folder)

    @contextlib.contextmanager
    def connected(self):
        """Has a connection, unless that was just lost."""
        try:
            self.mailbox = self.mailbox or self.soak.server.mailbox()
            yield
        except self.LOST:
            if self.mailbox:
                with contextlib.suppress(OSError):
                    self.mailbox.imap.shutdown()
            self.mailbox = None

    def change(self, folder):
        """One change."""
        what = self.moments.random()
        if what < 0.45:
            (self.expunge if self.soak.crowded() else self.deliver)(folder)
        elif what < 0.6:
            self.expunge(folder)
        elif what < 0.8:
            self.deliver(folder)
        else:
            self.flag(folder)

    def deliver(self, folder):
        """A new letter."""
        letter = self.ledger.add(())
        try:
            with self.ledger.change(letter, (folder,)):
                self.mailbox.append(folder, letters.text(letter.number), letters.date(letter.number))
            self.totals["deliveries"] += 1
        finally:
            self.ledger.release(letter)

    def drop(self, folder):
        """The same, while no server runs."""
        letter = self.ledger.add(())
        with self.ledger.change(letter, (folder,)):
            self.soak.server.drop(folder, letters.text(letter.number).replace(b"\r\n", b"\n"), letters.date(letter.number))
        self.ledger.release(letter)
        self.totals["deliveries"] += 1

    def expunge(self, folder):
        """Deletes a letter, wherever it is; if the mount may yet be at it, that may be before or after."""
        self.mailbox.select(folder)
        uid = self.moments.choice(self.mailbox.uids(folder) or [0])
        found = re.search(rb"X-Letter: (\d+) ", self.mailbox.fetch(folder, uid, "HEADER")) if uid else None
        letter = self.ledger.claim(int(found[1])) if found else None
        if not letter:
            return
        try:
            less = {tuple(place[:n] + place[n + 1:]) for place in letter.allowed for n in range(len(place))}
            sure = letter.folder == folder and not letter.moved
            letter.path = None
            with self.ledger.change(letter, *([()] if sure else letter.allowed | less | {()})):
                self.mailbox.expunge(folder, uid)
            self.totals["deletions"] += 1
            self.soak.tell(f"letter {letter.number}: deleted by another client, {folder} {uid}")
        finally:
            self.ledger.release(letter)

    def flag(self, folder):
        """Sets or clears a flag."""
        self.mailbox.select(folder)
        uid = self.moments.choice(self.mailbox.uids(folder) or [0])
        if uid:
            self.mailbox.store(folder, uid, self.moments.choice(("+FLAGS", "-FLAGS")),
                               self.moments.choice(("\\Seen", "\\Flagged", "\\Answered", "work")))
            self.totals["flags"] += 1
