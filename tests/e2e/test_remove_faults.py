"""rm in an IMAP mount, and whoever dies in between, is away or is at it too: what was unlinked goes,
sooner or later, and nothing else does."""
import contextlib
import errno
import os
import pathlib
import random
import signal
import subprocess
import sys
import threading
import unittest

from faults import attempt, family, frozen, status
from relay import Relay
from removing import RemoveCase, fsync, letter, remove, settled, sync, sync_at_last, without
from support import Mount, wait_for

SOMEWHERE = "a random moment"  # whatever the seed, all of it has to hold


class Remover(threading.Thread):
    """Unlinks messages one by one, and syncs now and then, until that fails."""

    def __init__(self, folder, paths):
        super().__init__()
        self.folder = folder
        self.paths = paths
        self.gone = set()   # whose unlink returned 0
        self.tried = set()  # and those whose did not
        self.start()

    def run(self):
        with contextlib.suppress(OSError):
            directory = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                for number, (uid, path) in enumerate(self.paths.items()):
                    self.tried.add(uid)
                    os.unlink(path)
                    self.gone.add(uid)
                    if number % 7 == 6:
                        os.fsync(directory)
            finally:
                os.close(directory)


class KillTest(RemoveCase):
    """kill -9 of the mount, or of the server's processes, at any moment."""

    def kill_sessions(self):
        """What a server's crash does: the sessions are gone, in the midst of what they do."""
        for one in family(int((self.server.directory / "home/run/master.pid").read_text())):
            with contextlib.suppress(OSError):
                if pathlib.Path(f"/proc/{one}/comm").read_text() == "imap\n":
                    os.kill(one, signal.SIGKILL)

    def cut(self, mount, moments):
        """Kills the mount in the midst of removals, and looks what another one makes of them."""
        truth = self.mailbox.flags("Killed")
        paths = mount.messages("Killed")
        self.assertEqual(sorted(paths), sorted(truth))
        remover = Remover(mount / "Killed", dict(moments.sample(sorted(paths.items()), 35)))
        threading.Event().wait(moments.choice((0.01, 0.06, 0.2)) * moments.random())
        mount.kill()
        remover.join(60)
        self.assertFalse(remover.is_alive(), "unlink hangs in a mount whose daemon died")
        mount.start()
        again = remover.gone & set(mount.messages("Killed"))
        self.assertFalse(again, f"what was unlinked is there again; {mount.log()}{mount.status()}")
        sync(mount, "Killed")
        left = self.mailbox.flags("Killed")
        self.assertFalse(remover.gone & set(left), f"what was unlinked is at the server; {mount.log()}")
        self.assertLessEqual(set(truth) - set(left), remover.tried, "what was not unlinked is gone")
        self.check(mount, "Killed", without(truth, *(set(truth) - set(left))))

    def test_mount_killed(self):
        self.fill("Killed", 1300)
        moments = random.Random(SOMEWHERE)
        with Mount(self.server) as mount:
            for cut in range(32):
                with self.subTest(cut=cut):
                    try:
                        self.cut(mount, moments)
                    finally:
                        if mount.pid is None:  # the next cut is another test
                            mount.start()
            self.assertLess(len(self.mailbox.flags("Killed")), 1200)

    def test_server_killed(self):
        truth = self.fill("Served", 400)
        gone = sorted(truth)[::2]
        moments = random.Random(SOMEWHERE)
        with Mount(self.server) as mount:
            paths = mount.messages("Served")
            ended = threading.Event()

            def attack():
                while not ended.wait(0.02 + 0.1 * moments.random()):
                    self.kill_sessions()
            attacker = threading.Thread(target=attack)
            attacker.start()
            try:
                for number, uid in enumerate(gone):
                    os.unlink(paths[uid])
                    if number % 9 == 8:
                        attempt(fsync, mount / "Served")
            finally:
                ended.set()
                attacker.join()
            self.connect()
            sync_at_last(mount, "Served")
            self.check(mount, "Served", without(truth, *gone))

    def test_server_stopped(self):
        """It is away when it should be told, and for a mount more."""
        truth = self.fill("Stopped", 6)
        gone = sorted(truth)[1:4]
        with Mount(self.server) as mount:
            paths = mount.messages("Stopped")
            self.server.stop()
            for uid in gone:
                os.unlink(paths[uid])
            self.assertIn(attempt(fsync, mount / "Stopped"), (errno.ENOTCONN, errno.ECONNREFUSED))
            self.assertEqual(sorted(mount.messages("Stopped")), sorted(without(truth, *gone)))
            self.assertEqual(status(mount, "deletions-pending"), 3)
            mount.stop()
            self.assertIn("3 messages are still to be deleted", mount.log())
            self.server.start()
            self.connect()
            self.assertEqual(self.mailbox.flags("Stopped"), truth)
            with self.subTest("a mount that may not write"):
                mount.options.append("ro")
                mount.start()
                sync(mount, "Stopped")
                self.check(mount, "Stopped", truth, without(truth, *gone))
                mount.stop()
                mount.options.remove("ro")
            mount.start()
            sync(mount, "Stopped")
            self.check(mount, "Stopped", without(truth, *gone))

    def test_server_silent(self):
        """unlink waits for no server; who syncs, for the timeout."""
        truth = self.fill("Frozen", 4)
        uid = sorted(truth)[1]
        with Mount(self.server, "timeout=2") as mount:
            path = mount.messages("Frozen")[uid]
            with frozen(self.server):
                os.unlink(path)
                self.assertEqual(attempt(fsync, mount / "Frozen"), errno.ETIMEDOUT)
            sync_at_last(mount, "Frozen")
            self.check(mount, "Frozen", without(truth, uid))


class CutTest(RemoveCase):
    """Connections that break where it hurts."""

    def setUp(self):
        super().setUp()
        self.relay = Relay(self.server.ports["imap"])
        self.addCleanup(self.relay.__exit__)

    def mount(self, *options):
        """By way of the relay."""
        return Mount(self.server, "tls=off", *options, url=self.relay.url())

    def test_between_store_and_expunge(self):
        """The messages are marked; what another client marks meanwhile stays."""
        truth = self.fill("Between", 8)
        uids = sorted(truth)
        with self.mount() as mount:
            self.relay.hold = b"UID EXPUNGE"
            remove(mount, "Between", *uids[2:5])
            self.assertTrue(self.relay.held.wait(30))
            wait_for(lambda: sum("\\Deleted" in flags for flags in self.mailbox.flags("Between").values()) == 3, "the marks")
            self.mailbox.store("Between", uids[6], "+FLAGS", "\\Deleted")
            truth[uids[6]].add("\\Deleted")
            self.relay.hold = None
            self.relay.cut()
            sync_at_last(mount, "Between")
            self.assertEqual(self.mailbox.flags("Between"), without(truth, *uids[2:5]))

    def test_killed_between_store_and_expunge(self):
        truth = self.fill("KilledBetween", 8)
        uids = sorted(truth)
        with self.mount() as mount:
            self.relay.hold = b"UID EXPUNGE"
            remove(mount, "KilledBetween", *uids[2:5])
            self.assertTrue(self.relay.held.wait(30))
            mount.kill()
            self.relay.hold = None
            self.assertEqual(sorted(self.mailbox.flags("KilledBetween")), uids)
            mount.start()
            sync(mount, "KilledBetween")
            self.check(mount, "KilledBetween", without(truth, *uids[2:5]))

    def test_ahead_of_the_answer(self):
        """It is done, but nobody knows: neither the messages nor others are missed afterwards."""
        for number, line in enumerate((b"VANISHED", b"OK Store completed", b"OK [HIGHESTMODSEQ")):
            with self.subTest(line):
                folder = f"Answer{number}"
                truth = self.fill(folder, 8)
                uids = sorted(truth)
                with self.mount() as mount:
                    paths = mount.messages(folder)
                    self.relay.cut_from, self.relay.cut_after = line, 0
                    for uid in uids[2:5]:
                        os.unlink(paths[uid])
                    connections = self.relay.connections
                    attempt(fsync, mount / folder)
                    wait_for(lambda connections=connections: self.relay.connections > connections, "another connection")
                    self.relay.cut_after = None
                    sync_at_last(mount, folder)
                    self.check(mount, folder, without(truth, *uids[2:5]))

    def test_folder_made_again(self):
        """Messages of the new folder have the UIDs of those that were to go, and stay."""
        old = self.fill("Again", 5)
        with self.mount("refresh=1") as mount:
            remove_offline(self.relay, mount, "Again", sorted(old)[:3])
            self.mailbox.select("INBOX")
            self.mailbox.delete("Again")
            truth = self.fill("Again", 5, 100)
            self.assertEqual(sorted(truth), sorted(old))
            self.relay.cut()
            self.relay.silent = False
            settled(mount)
            self.check(mount, "Again", truth)
            for number, path in enumerate(path for _, path in sorted(mount.messages("Again").items())):
                self.assertEqual(path.read_bytes(), letter(100 + number))

    def test_folder_made_again_between_mounts(self):
        old = self.fill("Between mounts", 5)
        with self.mount() as mount:
            remove_offline(self.relay, mount, "Between mounts", sorted(old)[:3])
            mount.kill()
            self.relay.silent = False
            self.mailbox.select("INBOX")
            self.mailbox.delete("Between mounts")
            truth = self.fill("Between mounts", 5, 100)
            mount.start()
            settled(mount)
            self.check(mount, "Between mounts", truth)

    def test_folder_gone(self):
        """What was to go with it is forgotten; what is pending elsewhere is done."""
        gone = sorted(self.fill("Gone", 3))
        truth = self.fill("Elsewhere", 3)
        uid = sorted(truth)[1]
        with self.mount("refresh=1") as mount:
            paths = mount.messages("Elsewhere")
            remove_offline(self.relay, mount, "Gone", gone[:2])
            os.unlink(paths[uid])
            self.mailbox.select("INBOX")
            self.mailbox.delete("Gone")
            self.relay.cut()
            self.relay.silent = False
            settled(mount)
            self.check(mount, "Elsewhere", without(truth, uid))
            wait_for(lambda: "Gone" not in os.listdir(mount.point), "the end of the folder")


def remove_offline(relay, mount, folder, uids):
    """Unlinks messages while nothing passes, so that the server is not told."""
    paths = mount.messages(folder)
    relay.silent = True
    for uid in uids:
        os.unlink(paths[uid])


class ManyTest(RemoveCase):
    """Several at once."""

    def test_two_mounts(self):
        """Some messages are removed by both: who comes second is told ENOENT, or has his way too."""
        truth = self.fill("Both", 120)
        uids = sorted(truth)
        parts = uids[:70], uids[50:110]
        with Mount(self.server) as one, Mount(self.server) as other:
            mounts = one, other
            paths = [mount.messages("Both") for mount in mounts]
            results = [[], []]

            def run_one(index):
                for uid in parts[index]:
                    results[index].append(attempt(os.unlink, paths[index][uid]))
                    if uid % 16 == 0:
                        fsync(mounts[index] / "Both")
            threads = [threading.Thread(target=run_one, args=(index,)) for index in (0, 1)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            for mount in mounts:
                sync(mount, "Both")
            self.assertLessEqual(set(results[0] + results[1]), {None, errno.ENOENT})
            truth = without(truth, *uids[:110])
            self.assertEqual(self.mailbox.flags("Both"), truth)
            for mount in mounts:
                mount.remount()
                self.check(mount, "Both", truth)

    def test_many_processes(self):
        truth = self.fill("Many", 240)
        uids = sorted(truth)
        with Mount(self.server) as mount:
            paths = mount.messages("Many")
            crowd = [subprocess.Popen(["rm", *(paths[uid] for uid in uids[number:200:20])]) for number in range(20)]
            self.assertEqual([process.wait(60) for process in crowd], [0] * 20)
            sync(mount, "Many")
            self.check(mount, "Many", without(truth, *uids[:200]))

    def test_one_message_by_many(self):
        """One of them succeeds."""
        truth = self.fill("Wanted", 2)
        uid = sorted(truth)[0]
        with Mount(self.server) as mount:
            path = str(mount.messages("Wanted")[uid])
            code = "import os, sys\ntry: os.unlink(sys.argv[1])\nexcept OSError as e: sys.exit(e.errno)"
            crowd = [subprocess.Popen([sys.executable, "-S", "-c", code, path]) for _ in range(8)]
            self.assertEqual(sorted(process.wait(60) for process in crowd), [0] + [errno.ENOENT] * 7)
            sync(mount, "Wanted")
            self.check(mount, "Wanted", without(truth, uid))


if __name__ == "__main__":
    unittest.main()
