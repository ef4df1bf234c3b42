"""The answer to a fetch is cut off after each of its bytes in turn. A reader has the whole message, by
another connection, or is told that the server is away; and nothing but whole messages is ever kept."""
import concurrent.futures
import unittest

from faults import NO_SERVER, attempt, read, settled, status
from hostile import Certificates, Folder, Message, Server
from hostilecase import QuietMount
from pop3mount import messages_at
from popserver import Letter
from popserver import Server as PopServer

FIRST = 1001  # so that all answers have one length
AT_ONCE = 8  # most of the time is waiting
ALWAYS = 1000  # cuts of one message; no reader makes so many attempts
HEADER = b"Subject: letter %d\r\nTo: ann@example.org\r\n\r\n"


def letter(number):
    """A small message that is like no other, and of which dots and line ends could be lost."""
    return HEADER % number + b"..%d:\r\n.\r\n)\r\n%d\r\n" % (number, number)


class Cutter:
    """
    A hook that lets so many bytes of the answers about a message through, and then ends the
    connection: .length, of the first such answer, is known afterwards.
    """

    def __init__(self):
        self.length = None
        self.fetches = self.cuts = 0
        self.arm(None, 0, 0)

    def arm(self, number, after, times):
        """So often, of this message."""
        self.number, self.after, self.times = number, after, times

    def __call__(self, session, command):
        number = self.fetched(session, command)
        self.fetches += number is not None
        if number is None or number != self.number:
            return None
        answer = session.answer(command)
        answer = answer if isinstance(answer, bytes) else b"".join(answer)
        self.length = self.length or len(answer)
        if not self.times:
            return answer
        self.times -= 1
        self.cuts += 1
        return session.close(answer[:self.after])

    def fetched(self, session, command):
        """Of which message a command fetches the bytes, if it does."""
        raise NotImplementedError


class ImapCutter(Cutter):
    """Of UID FETCH."""

    def fetched(self, session, command):
        return int(command.line.split(b" ")[2]) if b"BODY" in command.line else None


class StretchCutter(ImapCutter):
    """Of UID FETCH of a stretch that begins where the message does."""

    def fetched(self, session, command):
        return super().fetched(session, command) if b"[]<0." in command.line else None


class Pop3Cutter(Cutter):
    """Of RETR."""

    def fetched(self, session, command):
        return int(session.letters[int(command.line.split(b" ")[1]) - 1].name)


class Imap:
    """How it is done by IMAP."""

    command, cutter, mount = "FETCH", ImapCutter, QuietMount
    options = ("connections=1",)

    @staticmethod
    def server(truth):
        """A server that has these: {number: bytes}."""
        return Server([Folder(b"INBOX", [Message(number, data) for number, data in truth.items()])])

    @staticmethod
    def paths(mount):
        """{number: path}."""
        return mount.messages()


class LongImap(Imap):
    """By IMAP, of messages that are said to be long."""

    cutter = StretchCutter

    @staticmethod
    def server(truth):
        return Server([Folder(b"INBOX", [Message(number, data, size=1 << 20) for number, data in truth.items()])])


class Pop3:
    """And by POP3."""

    command, cutter, mount = "RETR", Pop3Cutter, QuietMount
    options = ("idle=1",)

    @staticmethod
    def server(truth):
        """As above; the numbers are the unique-ids."""
        return PopServer([Letter(b"%d" % number, data) for number, data in truth.items()])

    @staticmethod
    def paths(mount):
        """{number: path}."""
        return {int(name): path for name, path in messages_at(mount.point).items()}


class Share:
    """A mount of a server's, and those of the cuts that fall to it: {number of the message: bytes}."""

    def __init__(self, way, cuts, times):
        self.way, self.cuts, self.times = way, cuts, times
        self.truth = {number: letter(number) for number in cuts}
        self.whole = self.failed = 0

    def run(self):
        """All of them; returns itself."""
        with self.way.server(self.truth) as server:
            self.cutter = server.on[self.way.command] = self.way.cutter()
            with self.way.mount(server, "tls=off", "refresh=3600", "timeout=20", "prefetch=off", *self.way.options) as mount:
                paths = self.way.paths(mount)
                for index, (number, after) in enumerate(self.cuts.items()):
                    self.cut(paths[number], number, after)
                    if index == len(self.cuts) // 2:  # what was cut off is nothing for who comes after a crash, too
                        mount.kill()
                        mount.start()
                        self.check_all(mount, list(self.cuts)[:index + 1])
                mount.remount()
                fetches = self.cutter.fetches
                self.check_all(mount, self.cuts)
                if self.cutter.fetches > fetches:
                    raise AssertionError("what had been read whole was not kept")
                if status(mount, "cache-damaged-blocks") != 0:
                    raise AssertionError(f"the cache is damaged:\n{mount.status()}")
        return self

    def cut(self, path, number, after):
        """One cut, or as many as there are attempts: what the reader sees, and sees when all is well again."""
        self.cutter.arm(number, after, self.times)
        found = attempt(read, path)
        if isinstance(found, int):
            self.check(found in NO_SERVER, number, after, f"errno {found}")
            self.failed += 1
        else:
            self.check(found == self.truth[number], number, after, found)
            self.whole += 1
        self.cutter.times = 0
        found = settled(read, path)
        self.check(found == self.truth[number], number, after, f"afterwards {found}")

    def check_all(self, mount, numbers):
        """These are as they should be."""
        paths = self.way.paths(mount)
        for number in numbers:
            found = settled(read, paths[number])
            self.check(found == self.truth[number], number, self.cuts[number], f"in a new mount {found}")

    @staticmethod
    def check(good, number, after, story):
        """Fails with a story."""
        if not good:
            raise AssertionError(f"message {number}, cut after {after} bytes: {story}")


class CutFetchTest(unittest.TestCase):
    """Each cut is of a message of its own, which nobody has read before."""

    @classmethod
    def setUpClass(cls):
        cls.addClassCleanup(Certificates.remove)

    def cut_everywhere(self, way, times):
        """At each byte of an answer; returns how many readers had it whole, and how many were told an error."""
        length = Share(way, {FIRST: 0}, 1).run().cutter.length
        self.assertGreater(length, len(letter(FIRST)))
        cuts = {FIRST + after: after for after in range(length)}
        shares = [Share(way, dict(list(cuts.items())[first::AT_ONCE]), times) for first in range(AT_ONCE)]
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            done = list(pool.map(Share.run, shares))
        self.assertGreaterEqual(sum(share.cutter.cuts for share in done), length)
        self.assertEqual({share.cutter.length for share in done}, {length})
        return sum(share.whole for share in done), sum(share.failed for share in done)

    def test_imap_cut_once(self):
        """Another connection has it, and the reader does not notice."""
        whole, failed = self.cut_everywhere(Imap, 1)
        self.assertGreater(whole, len(letter(FIRST)))
        self.assertEqual(failed, 0)

    def test_imap_cut_once_of_a_long_one(self):
        """As the server claims; so a stretch is asked for, once the claim turned out to be false. What
        has come whole is not fetched again where the tagged line is lost, and the reader is told."""
        whole, failed = self.cut_everywhere(LongImap, 1)
        self.assertGreater(whole, len(letter(FIRST)))
        self.assertLess(failed, whole)

    def test_imap_cut_each_time(self):
        _, failed = self.cut_everywhere(Imap, ALWAYS)
        self.assertGreater(failed, len(letter(FIRST)))

    def test_pop3_cut_once(self):
        """What has come of a message's beginning is not fetched again, and the reader is told."""
        whole, failed = self.cut_everywhere(Pop3, 1)
        self.assertGreater(whole, len(HEADER % FIRST))
        self.assertGreater(failed, 0)

    def test_pop3_cut_each_time(self):
        _, failed = self.cut_everywhere(Pop3, ALWAYS)
        self.assertGreater(failed, len(letter(FIRST)))


if __name__ == "__main__":
    unittest.main()
