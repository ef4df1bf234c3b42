"""The daemon dies without notice (kill -9) at many moments: what it leaves behind is cleared away by
one command, and what is in its cache is right, and is not fetched again."""
import errno
import os
import re
import signal
import subprocess
import threading
import unittest

from faults import account, attempt, check_bytes, check_databases, fill, read, status, wait_flushed, waits
from relay import Relay
from support import Mount, Server, mounted, run, wait_for


class Scan(threading.Thread):
    """Reads all messages, over and over, until that fails: what it gave is checked meanwhile."""

    def __init__(self, paths, truth):
        super().__init__()
        self.paths = paths
        self.truth = truth
        self.wrong = []
        self.read = 0
        self.error = None
        self.start()

    def run(self):
        while True:
            for uid, path in self.paths.items():
                try:
                    found = read(path)
                except OSError as error:
                    self.error = error.errno
                    return
                self.read += 1
                if found != self.truth[uid]:
                    self.wrong.append((uid, len(found)))


class CrashTest(unittest.TestCase):
    """One server, that the tests only read."""

    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.addClassCleanup(cls.server.remove)
        cls.truth = fill(cls.server, "INBOX", small=120, long=8)
        cls.uids = sorted(cls.truth)

    def crash_while_scanning(self, mount, ready):
        """Kills the daemon once ready(scan), in the midst of it; what was read until then was right."""
        scan = Scan(mount.messages(), self.truth)
        wait_for(lambda: ready(scan) or scan.error, "the moment to kill the daemon")
        mount.signal(signal.SIGKILL)
        mount.wait_end()
        scan.join(60)
        self.assertFalse(scan.is_alive(), "the reader hangs in a mount whose daemon died")
        self.assertEqual(scan.wrong, [])
        self.assertIn(scan.error, (errno.ENOTCONN, errno.ECONNABORTED, errno.EIO))
        self.assertEqual(attempt(os.listdir, mount.point), errno.ENOTCONN)
        run("fusermount3", "-u", mount.point)
        self.assertFalse(mounted(mount.point))

    def test_after_so_many_messages(self):
        """Early, in the first long message, at the end, and again on what is cached by half."""
        with Mount(self.server) as mount:
            for count in (0, 1, 20, 60, 119, 121, 127, 300):
                with self.subTest(count=count):
                    self.crash_while_scanning(mount, lambda scan, count=count: scan.read >= count)
                    mount.start()
            check_bytes(self, mount.messages(), self.truth)
            self.assertEqual(status(mount, "cache-damaged-blocks"), 0)
            mount.stop()
            check_databases(self, mount.cache)

    def test_while_the_cache_is_written(self):
        """
        The bound makes each scan write all of the time, and drop what it wrote; the moments are
        around those at which that goes to the disk.
        """
        with Mount(self.server, "cachesize=2M") as mount:
            content = account(mount.cache) / "content.db-wal"
            for writes in (1, 2, 3, 4, 6):
                with self.subTest(writes=writes):
                    seen = set()

                    def written(_scan, seen=seen, writes=writes):
                        seen.add(content.stat().st_mtime_ns if content.exists() else 0)
                        return len(seen) > writes
                    self.crash_while_scanning(mount, written)
                    mount.start()
                    self.assertEqual(status(mount, "cache"), "on disk")
            check_bytes(self, mount.messages(), self.truth)
            self.assertEqual(status(mount, "cache-damaged-blocks"), 0)
            mount.stop()
            check_databases(self, mount.cache)

    def test_while_the_folder_is_listed(self):
        """The listing is not there by half afterwards."""
        with Mount(self.server) as mount:
            for delay in (0, 0.005, 0.02, 0.05, 0.45, 0.55):
                with self.subTest(delay=delay):
                    lister = subprocess.Popen(["ls", "-l", mount / "INBOX"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                    threading.Event().wait(delay)
                    mount.kill()
                    lister.wait(60)
                    mount.start()
                    self.assertEqual(sorted(mount.messages()), self.uids)
            sizes = {uid: path.stat().st_size for uid, path in mount.messages().items()}
            self.assertEqual(sizes, {uid: len(data) for uid, data in self.truth.items()})

    def test_what_is_on_disk_is_not_fetched_again(self):
        first, last = self.uids[:50] + self.uids[-2:], self.uids[50:60]
        with Mount(self.server, "prefetch=off") as mount:
            check_bytes(self, mount.messages(), self.truth, first)
            wait_flushed(mount, {uid: self.truth[uid] for uid in first})
            names = {uid: os.path.basename(path) for uid, path in mount.messages().items()}
            inodes = {uid: path.stat().st_ino for uid, path in mount.messages().items()}
            check_bytes(self, mount.messages(), self.truth, last)
            mount.kill()
            mark = self.server.mark()
            mount.start()
            self.assertEqual({uid: os.path.basename(path) for uid, path in mount.messages().items()}, names)
            self.assertEqual({uid: path.stat().st_ino for uid, path in mount.messages().items()}, inodes)
            check_bytes(self, mount.messages(), self.truth, first)
            self.assertEqual(self.server.fetched(mark), [])
            self.assertFalse([command.line for command in self.server.commands(mark) if "RFC822.SIZE" in command.line])
            check_bytes(self, mount.messages(), self.truth)
            asked = {int(re.search(r"UID FETCH (\d+)", command.line)[1])
                     for command in self.server.commands(mark) if "BODY" in command.line}
            self.assertLessEqual(set(self.uids[60:-2]), asked)
            self.assertFalse(asked & set(first))

    def test_in_the_background(self):
        with Mount(self.server, background=True) as mount:
            self.crash_while_scanning(mount, lambda scan: scan.read >= 30)
            mount.start()
            check_bytes(self, mount.messages(), self.truth, self.uids[:40])

    def test_readers_that_wait_are_freed(self):
        with Relay(self.server.ports["imap"]) as relay, Mount(self.server, "tls=off", url=relay.url()) as mount:
            paths = mount.messages()
            relay.silent = True
            readers = [subprocess.Popen(["cat", paths[uid]], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                       for uid in self.uids[:4] + self.uids[-4:]]
            wait_for(lambda: all(waits(reader.pid) for reader in readers), "the readers waiting")
            mount.kill()
            for reader in readers:
                output, errors = reader.communicate(timeout=60)
                self.assertEqual((output, reader.returncode), (b"", 1), errors)
            relay.silent = False
            mount.start()
            check_bytes(self, mount.messages(), self.truth, self.uids[:4] + self.uids[-4:])


if __name__ == "__main__":
    unittest.main()
