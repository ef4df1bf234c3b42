"""The server is away: stopped, frozen, started again, or cut off in the midst of an answer. What is
cached can be read all the same; what is not fails with an errno that says why, or waits and can be
interrupted; nothing that is short is ever served, or kept."""
import concurrent.futures
import errno
import os
import signal
import subprocess
import time
import unittest

from faults import DATE, NO_SERVER, attempt, check_bytes, fill, frozen, on_disk, read, settled, status, waits
from relay import Relay
from support import Mount, Server, run, wait_for

AGES = 60  # seconds that nothing here may take, however busy the machine is


class OutageTest(unittest.TestCase):
    """One server, whose mail the tests only read."""

    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.addClassCleanup(cls.server.remove)
        cls.truth = fill(cls.server, "INBOX", small=30, long=2)
        cls.other = fill(cls.server, "Other", small=3)
        cls.never = fill(cls.server, "Never looked at", small=1)
        cls.uids = sorted(cls.truth)
        cls.held, cls.cold = cls.uids[:5] + cls.uids[-1:], cls.uids[5:-1]

    def look(self, mount):
        """Lists two folders and reads some of their messages; returns the paths."""
        paths = mount.messages()
        check_bytes(self, paths, self.truth, self.held)
        check_bytes(self, mount.messages("Other"), self.other)
        return paths

    def check_known(self, mount, paths):
        """All that needs no server."""
        check_bytes(self, mount.messages(), self.truth, self.held)
        check_bytes(self, mount.messages("Other"), self.other)
        self.assertEqual({uid: path.stat().st_size for uid, path in paths.items()},
                         {uid: len(data) for uid, data in self.truth.items()})
        self.assertEqual(mount.xattr(paths[self.cold[0]], "user.mail.uid"), str(self.cold[0]))
        self.assertIn("INBOX", os.listdir(mount.point))
        run("df", mount.point)
        run("ls", "-lR", mount / "INBOX", mount / "Other")
        self.assertGreater(status(mount, "messages"), 0)

    def test_stopped_and_started(self):
        self.addCleanup(self.ensure_running)
        with Mount(self.server, "timeout=20", "refresh=3600", "prefetch=off") as mount:
            paths = self.look(mount)
            self.server.stop()
            self.check_known(mount, paths)
            for path in (paths[self.cold[0]], paths[self.uids[-2]], mount / "Never looked at"):
                self.assertIn(attempt(read if path.suffix else os.listdir, path), NO_SERVER)
            done = subprocess.run(["cat", paths[self.cold[1]]], check=False, capture_output=True)
            self.assertEqual((done.returncode, done.stdout), (1, b""))
            self.server.start()
            self.assertEqual(settled(read, paths[self.cold[0]]), self.truth[self.cold[0]])
            check_bytes(self, mount.messages("Never looked at"), self.never)
            check_bytes(self, mount.messages(), self.truth)

    def test_restarted_between_two_reads(self):
        self.addCleanup(self.ensure_running)
        with Mount(self.server) as mount:
            paths = self.look(mount)
            for uid in self.cold[:2]:
                self.server.stop()
                self.server.start()
                self.assertEqual(read(paths[uid]), self.truth[uid])

    def test_listings_of_a_stopped_server(self):
        """They are old, and have to do, for as long as there are no newer ones."""
        self.addCleanup(self.ensure_running)
        with Mount(self.server, "refresh=1") as mount:
            paths = self.look(mount)
            self.server.stop()
            time.sleep(2)  # the listings are older than refresh= now
            self.check_known(mount, paths)
            self.assertIn(attempt(os.listdir, mount / "Never looked at"), NO_SERVER)
            self.server.start()
            with self.server.mailbox() as mailbox:
                new = mailbox.append("Other", b"Subject: after\r\n\r\nthe outage\r\n", DATE)
                self.addCleanup(self.expunge, "Other", new)
            wait_for(lambda: new in mount.messages("Other"), "the message that came after the outage")

    def ensure_running(self):
        """Also after a failure."""
        try:
            self.server.start()
        except AssertionError as error:
            self.assertIn("runs already", str(error))

    def expunge(self, folder, uid):
        """Undoes an append."""
        with self.server.mailbox() as mailbox:
            mailbox.expunge(folder, uid)

    def test_frozen(self):
        with Mount(self.server, "timeout=3", "refresh=3600", "prefetch=off") as mount:
            paths = self.look(mount)
            with frozen(self.server), concurrent.futures.ThreadPoolExecutor(8) as pool:
                reads = [pool.submit(attempt, read, paths[uid]) for uid in self.cold[:3] + self.uids[-2:-1]]
                lists = pool.submit(attempt, os.listdir, mount / "Never looked at")
                self.check_known(mount, paths)
                for one in (*reads, lists):
                    self.assertEqual(one.result(AGES), errno.ETIMEDOUT)
                # No connection is left now, and none can be made.
                self.assertEqual(attempt(read, paths[self.cold[4]]), errno.ETIMEDOUT)
                self.check_known(mount, paths)
            settled(read, paths[self.cold[0]])
            check_bytes(self, mount.messages(), self.truth)
            check_bytes(self, mount.messages("Never looked at"), self.never)

    def test_frozen_and_interrupted(self):
        with Mount(self.server, "timeout=3600", "refresh=3600", "prefetch=off") as mount:
            paths = self.look(mount)
            with frozen(self.server):
                # None of these ends by itself.
                for number, program in ((signal.SIGKILL, "cat"), (signal.SIGINT, "cat"), (signal.SIGTERM, "cat")):
                    for path in (paths[self.cold[0]], paths[self.uids[-2]]):
                        reader = subprocess.Popen([program, path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
                        wait_for(lambda reader=reader: waits(reader.pid), "the reader waiting")
                        reader.send_signal(number)
                        self.assertEqual(reader.communicate(timeout=AGES), (b"", None))
                        self.assertEqual(reader.returncode, -number)
                lister = subprocess.Popen(["ls", mount / "Never looked at"], stdout=subprocess.DEVNULL)
                time.sleep(0.1)
                lister.send_signal(signal.SIGINT)
                self.assertEqual(lister.wait(AGES), -signal.SIGINT)
                self.check_known(mount, paths)
            check_bytes(self, mount.messages(), self.truth)

    def test_frozen_while_a_message_is_read(self):
        """Its beginning is there already: the rest fails, and is not taken for the end."""
        with Mount(self.server, "timeout=3", "prefetch=off") as mount:
            path = mount.messages()[self.uids[-2]]
            with open(path, "rb", buffering=0) as file:
                begin = file.read(4096)
                with frozen(self.server):
                    found = [begin]

                    def read_on():
                        while data := file.read(4096):
                            found.append(data)
                    self.assertEqual(attempt(read_on), errno.ETIMEDOUT)
                    got = b"".join(found)
                    self.assertTrue(self.truth[self.uids[-2]].startswith(got))
                    self.assertLess(len(got), len(self.truth[self.uids[-2]]))
                rest = settled(file.read, 1 << 16) + b"".join(iter(lambda: file.read(1 << 16), b""))
            self.assertTrue(got + rest == self.truth[self.uids[-2]])

    def test_listings_of_a_frozen_server(self):
        """One wait is enough to know that it is frozen: what is known is shown then, of every folder."""
        with Mount(self.server, "refresh=3600", "timeout=3", "prefetch=off") as mount:
            self.look(mount)
            mount.messages("Never looked at")
            mount.remount()  # all folders are known, and none was looked at lately
            with frozen(self.server):
                self.assertEqual(sorted(mount.messages()), self.uids)
                self.assertEqual(sorted(mount.messages("Other")), sorted(self.other))
                self.assertEqual(sorted(mount.messages("Never looked at")), sorted(self.never))
                os.stat(mount / "INBOX/20250501-120000-1.eml")
                self.assertEqual(mount.log().count("is shown as it was"), 1, mount.log())

    def test_unmounting_a_frozen_server(self):
        for waiting in (False, True):
            with self.subTest(waiting=waiting), Mount(self.server, "timeout=3600", "prefetch=off") as mount:
                paths = self.look(mount)
                with frozen(self.server):
                    reader = subprocess.Popen(["cat", paths[self.cold[0]]], stdout=subprocess.PIPE) if waiting else None
                    if reader:
                        wait_for(lambda reader=reader: waits(reader.pid), "the reader waiting")
                        mount.signal(signal.SIGTERM)
                    else:
                        run("fusermount3", "-u", mount.point)
                    self.assertEqual(mount.wait_end(AGES), 0)
                    if reader:
                        self.assertEqual(reader.communicate(timeout=AGES)[0], b"")
                        self.assertEqual(reader.returncode, 1)

    def test_unmounting_a_stopped_server(self):
        self.addCleanup(self.ensure_running)
        with Mount(self.server) as mount:
            self.look(mount)
            self.server.stop()
            mount.stop()

    def test_mounting_a_frozen_server(self):
        mount = Mount(self.server, "timeout=1")
        self.addCleanup(mount.remove)
        with frozen(self.server):
            done = subprocess.run(mount.command(), check=False, capture_output=True, timeout=AGES)
        self.assertEqual(done.returncode, 32)
        self.assertRegex(done.stderr.decode(), r"\Amount\.pullmail: [^\n]*1 s[^\n]*\n\Z")


class CutTest(unittest.TestCase):
    """Connections that are cut in the midst of an answer, by a relay."""

    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.addClassCleanup(cls.server.remove)
        cls.truth = fill(cls.server, "INBOX", small=20, long=2)
        cls.uids = sorted(cls.truth)

    def mount(self, relay, *options):
        """A mount through a relay."""
        return Mount(self.server, "tls=off", "connections=1", "prefetch=off", *options, url=relay.url())

    def check_cache(self, mount):
        """What is on disk of any message is how it begins, be it all of it or a part."""
        held = on_disk(mount)
        for uid, data in held.items():
            self.assertTrue(self.truth[uid].startswith(data) or data in self.truth[uid], f"UID {uid} on disk")
        return held

    def test_cut_after_so_many_bytes(self):
        """Each connection, also those that are made again: a read is right, or fails."""
        with Relay(self.server.ports["imap"]) as relay, self.mount(relay, "refresh=3600") as mount:
            paths = mount.messages()
            relay.cut_from = b" FETCH "
            failed = served = 0
            for extra in (0, 1, 200, 1000, 1199, 1300, 1500, 3000, 20000, 66000, 100000, 299000, 310000):
                relay.cut_after = extra
                relay.cut()
                for uid in (self.uids[extra % 20], self.uids[-1], self.uids[-2]):
                    found = attempt(read, paths[uid])
                    if isinstance(found, int):
                        self.assertIn(found, NO_SERVER, os.strerror(found))
                        failed += 1
                    else:
                        self.assertTrue(found == self.truth[uid], f"UID {uid}, cut after {extra}: {len(found)} bytes")
                        served += 1
            self.assertGreater(failed, 5)
            self.assertGreater(served, 5)
            relay.cut_after = None
            settled(read, paths[self.uids[0]])
            check_bytes(self, mount.messages(), self.truth)
            mount.stop()
            self.assertEqual(self.check_cache(mount), self.truth)
            mark = self.server.mark()
            mount.start()
            check_bytes(self, mount.messages(), self.truth)
            self.assertEqual(self.server.fetched(mark), [])

    def test_cut_once(self):
        """A connection that was lost is made again, and the read does not notice."""
        with Relay(self.server.ports["imap"]) as relay, self.mount(relay, "refresh=3600") as mount:
            paths = mount.messages()
            for uid in self.uids:
                relay.cut()
                self.assertTrue(read(paths[uid]) == self.truth[uid], f"UID {uid}")
            self.assertGreaterEqual(relay.connections, len(self.uids))

    def test_cut_while_a_scan_goes_on(self):
        with Relay(self.server.ports["imap"]) as relay, self.mount(relay) as mount:
            paths = mount.messages()
            with concurrent.futures.ThreadPoolExecutor(4) as pool:
                scans = [pool.submit(attempt, read, paths[uid]) for uid in self.uids]
                while not all(scan.done() for scan in scans):
                    relay.cut()
                    time.sleep(0.05)
            for uid, scan in zip(self.uids, scans):
                self.assertTrue(scan.result() in NO_SERVER if isinstance(scan.result(), int) else
                                scan.result() == self.truth[uid], f"UID {uid}")
            for uid in self.uids:
                settled(read, paths[uid])  # what failed may do so for a moment yet
            check_bytes(self, mount.messages(), self.truth)
            mount.stop()
            self.check_cache(mount)

    def test_silent_in_the_midst_of_an_answer(self):
        with Relay(self.server.ports["imap"]) as relay, self.mount(relay, "timeout=3", "refresh=3600") as mount:
            paths = mount.messages()
            relay.cut_from, relay.hang = b" FETCH ", True
            for uid, after in ((self.uids[0], 500), (self.uids[-1], 10000)):
                relay.cut_after = after
                self.assertEqual(attempt(read, paths[uid]), errno.ETIMEDOUT)
                self.assertTrue(relay.silent)
                relay.silent = False
            relay.cut_after = None
            settled(read, paths[self.uids[1]])
            check_bytes(self, mount.messages(), self.truth)

    def test_cut_while_a_folder_is_listed(self):
        with Relay(self.server.ports["imap"]) as relay:
            for extra in (10, 300, 600, 900, 1200):
                with self.subTest(extra=extra), self.mount(relay, "refresh=1") as mount:
                    relay.cut_from, relay.cut_after = b" FETCH ", extra
                    relay.cut()
                    found = attempt(mount.messages)
                    self.assertTrue(found in NO_SERVER if isinstance(found, int) else sorted(found) == self.uids, found)
                    relay.cut_after = None
                    relay.cut()
                    wait_for(lambda mount=mount: sorted(mount.messages()) == self.uids, "the listing")
                    check_bytes(self, mount.messages(), self.truth, self.uids[:2])


if __name__ == "__main__":
    unittest.main()
