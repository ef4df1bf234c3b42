"""Folders listed while messages come and go, and while the first listing arrives: none skipped, none twice."""
import collections
import ctypes
import datetime
import errno
import os
import re
import signal
import struct
import subprocess
import sys
import threading
import unittest

from hostile import Certificates, Folder, Message
from hostile import Server as Scripted
from support import UTC, Mount, Server, wait_for

MESSAGE = b"Subject: one of many\r\n\r\ntext\r\n"
SMALL = 1024  # bytes for getdents: some 15 names


def tearDownModule():
    Certificates.remove()


class Reader:
    """Reads a directory by getdents64 with a small buffer, so that a listing takes many calls."""

    libc = ctypes.CDLL(None, use_errno=True)

    def __init__(self, path):
        self.file = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        self.uids = []
        self.ended = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.file)

    def step(self):
        """One call. What it saw is added to .uids."""
        buffer = ctypes.create_string_buffer(SMALL)
        length = self.libc.syscall(217 if os.uname().machine == "x86_64" else 61, self.file, buffer, SMALL)
        if length < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        at = 0
        while at < length:
            size = struct.unpack_from("=QqHB", buffer, at)[2]
            name = buffer.raw[at + 19:at + size].split(b"\0")[0].decode()
            match = re.fullmatch(r"\d{8}-\d{6}-(\d+)\.eml", name)
            if match:
                self.uids.append(int(match[1]))
            at += size
        self.ended = length == 0
        return length > 0

    def read_to(self, uid):
        """Reads on until a message was seen that comes so late."""
        while not self.uids or self.uids[-1] < uid:
            if not self.step():
                raise AssertionError(f"the directory ends behind {self.uids[-1:]}, ahead of {uid}")

    def finish(self):
        """Reads to the end; returns all UIDs."""
        while self.step():
            pass
        return self.uids


def assert_each_once(uids, stayed, ever):
    """All that stayed were seen, nothing that never was, none twice, in order."""
    twice = [uid for uid, count in collections.Counter(uids).items() if count > 1]
    assert not twice, f"seen twice: {twice}"
    assert uids == sorted(uids), "out of order"
    assert not set(stayed) - set(uids), f"skipped: {sorted(set(stayed) - set(uids))}"
    assert not set(uids) - set(ever), f"never were: {sorted(set(uids) - set(ever))}"


class ComeAndGoTest(unittest.TestCase):
    """A real server; another client delivers and deletes during a listing."""

    def test_in_the_middle_of_a_listing(self):
        with Server() as server:
            with server.mailbox() as mailbox:
                mailbox.append("INBOX", MESSAGE)
            for number in range(599):
                server.drop("INBOX", MESSAGE, datetime.datetime(2025, 1, 1, 0, 0, number % 60, tzinfo=UTC))
            with server.mailbox() as mailbox:
                uids = mailbox.uids("INBOX")
            self.assertEqual(len(uids), 600)
            with Mount(server, "refresh=1") as mount:
                self.run_listings(server, mount, uids)

    def run_listings(self, server, mount, uids):
        """Both the first listing and one of what is known, each changed under way."""
        gone, come = set(), []
        for first in (True, False):
            stayed = [uid for uid in uids if uid not in gone]
            with Reader(mount / "INBOX") as reader:
                reader.read_to(stayed[100])
                expunged = stayed[50:60] + stayed[90:130] + stayed[300:310] + stayed[-5:]
                with server.mailbox() as mailbox:
                    for uid in expunged:
                        mailbox.store("INBOX", uid, "+FLAGS", "\\Deleted")
                        mailbox.expunge("INBOX", uid)
                    come += [mailbox.append("INBOX", MESSAGE) for _ in range(20)]
                gone |= set(expunged)
                # Somebody else looks: the daemon learns of it.
                there = sorted((set(uids) - gone) | set(come))
                wait_for(lambda there=there: sorted(mount.messages()) == there, f"the changes ({first})")
                assert_each_once(reader.finish(), (set(uids) - gone) | set(come), set(uids) | set(come))


class Slow:
    """A scripted server whose listing pauses."""

    def __init__(self, count, pause):
        self.server = Scripted([Folder(b"INBOX", [Message(uid, MESSAGE) for uid in range(1, count + 1)])])
        self.pause = pause
        self.go_on = threading.Event()
        self.paused = threading.Event()
        self.breaks = False
        self.server.on["FETCH"] = self.fetch

    def fetch(self, session, command):
        """The metadata in two halves, or the first of them alone."""
        if b"RFC822.SIZE" not in command.line:
            return None
        answer = session.answer(command)
        session.send(b"".join(answer[:self.pause]))
        self.paused.set()
        if not self.go_on.wait(120):
            session.close()
        if self.breaks:
            session.close()
        return b"".join(answer[self.pause:])


class FirstListingTest(unittest.TestCase):
    """The first listing of a folder is read while it arrives."""

    def begin(self, count=3000, pause=2000, *options):
        slow = Slow(count, pause)
        self.addCleanup(slow.server.stop)
        self.addCleanup(slow.go_on.set)
        mount = Mount(slow.server, "tls=off", *options)
        self.addCleanup(mount.remove)
        mount.start()
        self.addCleanup(lambda: mount.pid is None or mount.stop())
        return slow, mount

    def test_is_read_while_it_arrives(self):
        slow, mount = self.begin()
        with Reader(mount / "INBOX") as reader:
            # What comes last ahead of the pause may still be in a batch.
            reader.read_to(1500)
            self.assertFalse(slow.go_on.is_set())
            # New mail, which the answer under way does not have, and the next one does.
            slow.server.folders[0].messages.append(Message(3001, MESSAGE))
            slow.go_on.set()
            assert_each_once(reader.finish(), range(1, 3001), range(1, 3002))
        self.assertEqual(len(mount.messages()), len(reader.uids))

    def test_breaks_off(self):
        """An errno, and not a listing that looks like a whole one; then all of it."""
        slow, mount = self.begin()
        slow.breaks = True
        with Reader(mount / "INBOX") as reader:
            reader.read_to(1500)
            slow.go_on.set()
            with self.assertRaises(OSError) as caught:
                reader.finish()
            self.assertIn(caught.exception.errno, {errno.ENOTCONN, errno.ECONNRESET, errno.EHOSTUNREACH})
            self.assertLess(len(reader.uids), 2001)
            slow.breaks = False
            del slow.server.folders[0].messages[99]
            self.assertEqual(sorted(mount.messages()), [uid for uid in range(1, 3001) if uid != 100])
            # Who had seen one half goes on with the other.
            assert_each_once(reader.finish(), set(range(1, 3001)) - {100}, range(1, 3001))

    def test_can_be_interrupted(self):
        slow, mount = self.begin()
        process = subprocess.Popen([sys.executable, "-c", "import os, sys; os.listdir(sys.argv[1])",
                                    str(mount / "INBOX")], stderr=subprocess.DEVNULL)
        self.assertTrue(slow.paused.wait(60))
        process.send_signal(signal.SIGKILL)
        wait_for(lambda: process.poll() is not None, "the end of a process that was killed")
        slow.go_on.set()
        self.assertEqual(len(mount.messages()), 3000)

    def test_in_no_order(self):
        """A server that answers in another order than that of the UIDs: nothing is passed over."""
        slow, mount = self.begin()
        slow.go_on.set()
        slow.server.on["FETCH"] = self.backwards
        with Reader(mount / "INBOX") as reader:
            self.assertEqual(reader.finish(), list(range(1, 3001)))

    @staticmethod
    def backwards(session, command):
        """Two halves, the second one first."""
        answer = session.answer(command)
        return b"".join(answer[1500:-1] + answer[:1500] + answer[-1:])


class CrashTest(unittest.TestCase):
    """The daemon is killed while it writes what it read: nothing wrong is ever read afterwards."""

    def test_kill_in_the_middle(self):
        count = 1500
        texts = {uid: b"Subject: %d\r\n\r\n%s" % (uid, b"%08d\r\n" % uid * 500) for uid in range(1, count + 1)}
        server = Scripted([Folder(b"INBOX", [Message(uid, text) for uid, text in texts.items()])])
        self.addCleanup(server.stop)
        mount = Mount(server, "tls=off")
        self.addCleanup(mount.remove)
        for kill_at in (200, 900):
            mount.start()
            paths = mount.messages()
            for uid in range(1, kill_at):
                self.assertEqual(paths[uid].read_bytes(), texts[uid])
            mount.kill()
        mount.start()
        paths = mount.messages()
        for uid in range(1, count + 1, 7):
            self.assertEqual(paths[uid].read_bytes(), texts[uid])
        mount.stop()


if __name__ == "__main__":
    unittest.main()
