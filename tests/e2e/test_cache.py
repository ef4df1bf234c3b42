"""The cache, and what may happen to it: two mounts that share it, damage, disks that are full or can't
be written, directories that are not one's own. Whatever happens, each byte that is read is right."""
import contextlib
import os
import re
import resource
import shutil
import signal
import sqlite3
import subprocess
import threading
import time
import unittest

from faults import SmallDisk, account, administrator, check_bytes, check_databases, fill, on_disk, read, status, wait_flushed
from support import Mount, Server, wait_for

BLOCK = 65536


def warnings(mount):
    """What the log says beyond that it is mounted."""
    return [line for line in mount.log().splitlines() if "is mounted on" not in line]


class CacheTest(unittest.TestCase):
    """One server, that the tests only read."""

    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.addClassCleanup(cls.server.remove)
        cls.truth = fill(cls.server, "INBOX", small=60, long=5)
        cls.uids = sorted(cls.truth)

    def filled(self, *options):
        """A mount that has all in its cache, on disk; it is not mounted any more."""
        mount = Mount(self.server, *options)
        self.addCleanup(mount.__exit__, None)
        mount.start()
        check_bytes(self, mount.messages(), self.truth)
        mount.stop()
        return mount

    def fetched_uids(self, mark):
        """Of which messages bytes were asked for."""
        lines = [command.line for command in self.server.commands(mark) if "BODY" in command.line]
        return {int(re.search(r"UID FETCH (\d+)", line)[1]) for line in lines}

    # --- two mounts ---------------------------------------------------------------------------

    def beside(self, mount, *options):
        """One more mount that has the same cache."""
        return Mount(self.server, f"cachedir={mount.cache}", *options)

    def test_what_one_holds_the_other_does_not_fetch(self):
        with Mount(self.server) as one:
            check_bytes(self, one.messages(), self.truth)
            wait_flushed(one, self.truth)
            mark = self.server.mark()
            with self.beside(one) as other:
                check_bytes(self, other.messages(), self.truth)
                self.assertEqual(self.server.fetched(mark), [])
                self.assertEqual({uid: path.stat().st_ino for uid, path in one.messages().items()},
                                 {uid: path.stat().st_ino for uid, path in other.messages().items()})
            check_bytes(self, one.messages(), self.truth)
            self.assertEqual(self.server.fetched(mark), [])
            self.assertEqual(warnings(one), [])

    def test_what_one_reads_the_other_does_not_fetch(self):
        """Both are mounted, and have listed all, before either reads."""
        with Mount(self.server) as one:
            check_bytes(self, one.messages(), self.truth, self.uids[:1])
            one.remount()
            with self.beside(one) as other:
                self.check_beside(one, other)

    def check_beside(self, one, other):
        check_bytes(self, other.messages(), self.truth, self.uids[:1])
        check_bytes(self, one.messages(), self.truth)
        wait_flushed(one, self.truth)
        time.sleep(1.1)  # so often is looked whether others write
        mark = self.server.mark()
        check_bytes(self, other.messages(), self.truth)
        self.assertEqual(self.server.fetched(mark), [])
        self.assertEqual(status(other, "sizes-wrong"), 0)
        self.assertEqual(warnings(one) + warnings(other), [])

    def test_two_at_once(self):
        """Both begin with nothing, and read all, one from either end; then one dies."""
        with Mount(self.server) as one, self.beside(one) as other:
            wrong = []

            def scan(mount, uids):
                paths = mount.messages()
                wrong.extend(uid for uid in uids if read(paths[uid]) != self.truth[uid])
            threads = [threading.Thread(target=scan, args=(one, self.uids)),
                       threading.Thread(target=scan, args=(other, self.uids[::-1]))]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertEqual(wrong, [])
            other.kill()
            check_bytes(self, one.messages(), self.truth)
            self.assertEqual(status(one, "cache-damaged-blocks"), 0)
            one.stop()
            check_databases(self, one.cache)
            one.start()
            check_bytes(self, one.messages(), self.truth)  # who waited for the other for long has let some go
            mark = self.server.mark()
            one.remount()
            check_bytes(self, one.messages(), self.truth)
            self.assertEqual(self.server.fetched(mark), [])
            self.assertEqual(warnings(one), [])

    def test_two_at_once_within_a_small_bound(self):
        with Mount(self.server, "cachesize=1M") as one, self.beside(one, "cachesize=1M") as other:
            for _ in range(2):
                check_bytes(self, one.messages(), self.truth)
                check_bytes(self, other.messages(), self.truth)
            self.assertEqual(warnings(one) + warnings(other), [])

    def test_other_accounts_are_apart(self):
        mount = self.filled()
        with Server("--user", "bob:pass") as server, \
                Mount(server, f"cachedir={mount.cache}", url=server.url(user="bob")) as other:
            self.assertEqual(other.messages(), {})
            self.assertEqual(len(list(mount.cache.iterdir())), 2)

    # --- the bound ------------------------------------------------------------------------------

    def test_the_bound_is_held(self):
        bound = 1 << 20
        self.assertGreater(sum(map(len, self.truth.values())), 1.4 * bound)

        def size():
            total = 0
            for name in ("content.db", "content.db-wal"):
                with contextlib.suppress(FileNotFoundError):
                    total += (account(mount.cache) / name).stat().st_size
            return total
        with Mount(self.server, "cachesize=1M") as mount:
            ended, most = threading.Event(), []

            def watch():
                while not ended.wait(0.005):
                    most.append(size())
            watcher = threading.Thread(target=watch)
            watcher.start()
            for _ in range(3):
                check_bytes(self, mount.messages(), self.truth)
            wait_for(lambda: status(mount, "cache-evicted-bytes") > 0, "something dropped")
            ended.set()
            watcher.join()
            # Readers may keep the log from being emptied for a moment.
            self.assertLessEqual(max(most), bound * 9 // 8)
            # What was read last is there.
            last = self.uids[10:14]
            check_bytes(self, mount.messages(), self.truth, last)

            def held():
                # As long as somebody reads in it all the time, the log is not emptied, and nothing more is taken.
                time.sleep(0.3)
                found = on_disk(mount)
                return {uid: found[uid] for uid in last if uid in found}
            wait_for(lambda: held() == {uid: self.truth[uid] for uid in last}, "the last on disk")
            mount.stop()
            self.assertLessEqual(size(), bound)

    def test_a_scan_of_ten_times_the_bound(self):
        """Neither what was fetched ahead is dropped before it is read, nor what is being read meanwhile."""
        truth = fill(self.server, "Scan", small=0, long=200, length=115000)
        slow, *uids = sorted(truth)
        total, bound = sum(map(len, truth.values())), 4 << 20
        self.assertGreater(total, 10 * bound)
        with Mount(self.server, "cachesize=4M") as mount:
            paths = mount.messages("Scan")
            mark = self.server.mark()
            most = 0
            with open(paths[slow], "rb", buffering=0) as file:
                file.read(65536)
                for number, uid in enumerate(uids):
                    self.assertTrue(read(paths[uid]) == truth[uid], uid)
                    most = max(most, sum((account(mount.cache) / name).stat().st_size for name in ("content.db", "content.db-wal")))
                    if number % 10 == 0:
                        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
                        self.assertTrue(os.pread(file.fileno(), 65536, 0) == truth[slow][:65536])
            self.assertLessEqual(most, bound * 1.05)
            self.assertGreater(status(mount, "cache-evicted-bytes"), 8 * bound)
            # A little is asked for twice: what proves a size, or where two commands meet.
            self.assertLess(sum(part.length for part in self.server.fetched(mark)), total * 1.1)

    def test_a_bound_that_was_made_smaller(self):
        mount = self.filled()
        content = account(mount.cache) / "content.db"
        self.assertGreater(content.stat().st_size, 1 << 20)
        mount.options.append("cachesize=1M")
        mount.start()
        read(mount.messages()[self.uids[0]])
        wait_for(lambda: content.stat().st_size <= 1 << 20, "the cache within its bound")
        check_bytes(self, mount.messages(), self.truth)

    # --- damage ---------------------------------------------------------------------------------

    def check_damaged(self, mount, expect_warning=None):
        """All is right in spite of the damage; and all is held again afterwards."""
        mount.start()
        check_bytes(self, mount.messages(), self.truth)
        log = "\n".join(warnings(mount))
        if expect_warning:
            self.assertEqual(len(re.findall(expect_warning, log)), 1, log)
        mount.stop()
        check_databases(self, mount.cache)
        mark = self.server.mark()
        mount.start()
        check_bytes(self, mount.messages(), self.truth)
        self.assertEqual(self.server.fetched(mark), [])
        self.assertEqual(warnings(mount), [])
        mount.stop()

    def test_damaged_files(self):
        mount = self.filled()
        path = account(mount.cache)
        whole = mount.folder / "whole"
        shutil.copytree(path, whole)

        def truncate(name, part):
            os.truncate(path / name, int((path / name).stat().st_size * part))

        def overwrite(name, offset, data):
            with open(path / name, "r+b") as file:
                file.seek(offset)
                file.write(data)

        anew = r"could not be used .*is begun anew"
        cases = {
            "content.db is cut to a half": (lambda: truncate("content.db", 0.5), None),
            "content.db is cut to nothing": (lambda: truncate("content.db", 0), None),
            "content.db is garbage": (lambda: (path / "content.db").write_bytes(os.urandom(300000)), anew),
            "content.db is gone": (lambda: (path / "content.db").unlink(), None),
            "content.db has a broken middle": (lambda: overwrite("content.db", 16384 * 3, os.urandom(300000)), None),
            "index.db is cut to a half": (lambda: truncate("index.db", 0.5), None),
            "index.db is cut to nothing": (lambda: truncate("index.db", 0), None),
            "index.db is garbage": (lambda: (path / "index.db").write_bytes(os.urandom(100000)), anew),
            "index.db is gone": (lambda: (path / "index.db").unlink(), None),
            "index.db has a broken middle": (lambda: overwrite("index.db", 4096, os.urandom(8192)), None),
            "both are another kind of database": (lambda: self.make_strange(path), None),
            "logs of garbage": (lambda: [(path / f"{name}.db-wal").write_bytes(os.urandom(50000))
                                         for name in ("index", "content")], None),
            "shared memory of garbage": (lambda: [(path / f"{name}.db-shm").write_bytes(os.urandom(32768))
                                                  for name in ("index", "content")], None),
            "strange files beside": (lambda: ((path / "README").write_text("hello"), (path / "index.db-journal").write_bytes(b"x" * 600),
                                              (path / "content.db.damaged-1").mkdir()), None),
        }
        for name, (damage, warning) in cases.items():
            with self.subTest(name):
                shutil.rmtree(path)
                shutil.copytree(whole, path)
                damage()
                self.check_damaged(mount, warning)

    def make_strange(self, path):
        """Databases of somebody else's."""
        for name in ("index.db", "content.db"):
            (path / name).unlink()
            with contextlib.closing(sqlite3.connect(path / name)) as database:
                database.executescript("CREATE TABLE message(a TEXT); PRAGMA user_version = 1;")

    def test_damaged_blocks(self):
        """A block whose bytes were changed is found out by its checksum, and it alone is fetched again."""
        mount = self.filled()
        victims = [self.uids[3], self.uids[-1]]
        with contextlib.closing(sqlite3.connect(account(mount.cache) / "content.db")) as database, database:
            for uid in victims:
                database.execute("UPDATE block SET bytes = zeroblob(length(bytes)) WHERE id >> 20 ="
                                 " (SELECT id FROM message WHERE uid = ?) AND id & 1048575 = 0", (uid,))
            # One that is shorter than it was, with the checksum that it had.
            database.execute("UPDATE block SET bytes = substr(bytes, 1, 100) WHERE id >> 20 ="
                             " (SELECT id FROM message WHERE uid = ?)", (self.uids[5],))
            # Another message's, whole, with its checksum.
            database.execute("UPDATE block SET (bytes, crc) = (SELECT bytes, crc FROM block WHERE id >> 20 ="
                             " (SELECT id FROM message WHERE uid = ?)) WHERE id >> 20 ="
                             " (SELECT id FROM message WHERE uid = ?)", (self.uids[8], self.uids[7]))
        mark = self.server.mark()
        mount.options.append("prefetch=off")  # one message a command
        mount.start()
        check_bytes(self, mount.messages(), self.truth)
        self.assertEqual(self.fetched_uids(mark), {*victims, self.uids[5], self.uids[7]})
        self.assertGreaterEqual(status(mount, "cache-damaged-blocks"), 3)
        mount.stop()
        self.check_damaged(mount)

    def test_removed_while_mounted(self):
        """Though nobody should."""
        with Mount(self.server) as mount:
            check_bytes(self, mount.messages(), self.truth, self.uids[:20])
            wait_flushed(mount, {uid: self.truth[uid] for uid in self.uids[:20]})
            for name in os.listdir(account(mount.cache)):
                os.unlink(account(mount.cache) / name)
            check_bytes(self, mount.messages(), self.truth)
            mount.stop()
            mount.start()
            check_bytes(self, mount.messages(), self.truth)

    # --- disks --------------------------------------------------------------------------------

    def check_without_disk(self, mount, words):
        """All can be read; it is said once what is wrong."""
        for _ in range(2):
            check_bytes(self, mount.messages(), self.truth)
        said = [line for line in warnings(mount) if re.search(words, line)]
        self.assertEqual(len(said), len(set(said)), said)
        self.assertTrue(1 <= len(said) <= 2, mount.log())
        self.assertEqual(len(warnings(mount)), len(said), mount.log())
        self.assertEqual(status(mount, "cache"), "in memory only")

    def test_files_may_not_grow(self):
        """By a limit of the process (ulimit -f), which acts on any disk as if that were full."""
        with Mount(self.server) as mount:
            check_bytes(self, mount.messages(), self.truth, self.uids[:3])
            wait_flushed(mount, {uid: self.truth[uid] for uid in self.uids[:3]})
            resource.prlimit(mount.pid, resource.RLIMIT_FSIZE, (200000, 200000))
            check_bytes(self, mount.messages(), self.truth)
            wait_for(lambda: status(mount, "cache") == "in memory only", "the trouble")
            self.check_without_disk(mount, "can't be used .File too large")
            mount.stop()
            mount.start()
            mark = self.server.mark()
            check_bytes(self, mount.messages(), self.truth, self.uids[:3])
            self.assertEqual(self.server.fetched(mark), [])
            check_bytes(self, mount.messages(), self.truth)

    def test_full_disk(self):
        if administrator() is None:
            return self.test_files_may_not_grow()  # it takes an administrator to make a small disk
        with SmallDisk("1M") as disk:
            with Mount(self.server, f"cachedir={disk.path}") as mount:
                check_bytes(self, mount.messages(), self.truth)
                wait_for(lambda: status(mount, "cache") == "in memory only", "the full disk")
                self.check_without_disk(mount, "No space left|disk is full")
                mount.stop()
                mount.start()
                check_bytes(self, mount.messages(), self.truth)
                mount.stop()
                disk.remount("size=20M")
                mount.start()
                check_bytes(self, mount.messages(), self.truth)
                mount.stop()
                mark = self.server.mark()
                mount.start()
                check_bytes(self, mount.messages(), self.truth)
                self.assertEqual(self.server.fetched(mark), [])
                self.assertEqual(warnings(mount), [])

    def test_full_from_the_beginning(self):
        if administrator() is None:
            return self.test_files_may_not_grow()
        with SmallDisk("64k") as disk:
            (disk.path / "ballast").write_bytes(b"x" * 61440)
            with Mount(self.server, f"cachedir={disk.path}") as mount:
                self.check_without_disk(mount, "No space left|disk is full")

    def test_a_disk_that_can_only_be_read(self):
        mount = self.filled()
        if administrator() is None:
            for name in ("index.db", "content.db"):
                (account(mount.cache) / name).chmod(0o400)
            mount.start()
            self.check_without_disk(mount, "can't be used")
            return None
        with SmallDisk("20M") as disk:
            shutil.copytree(mount.cache, disk.path / "cache")
            disk.remount("ro")
            with Mount(self.server, f"cachedir={disk.path / 'cache'}") as other:
                self.check_without_disk(other, "can't be used")
        return None

    # --- whose it is ----------------------------------------------------------------------------

    def check_refused(self, mount, words):
        """It goes on without that directory, says why, and leaves nothing in it."""
        before = sorted(os.listdir(mount.cache)) if mount.cache.is_dir() else None
        mount.start()
        check_bytes(self, mount.messages(), self.truth, self.uids[:5])
        self.assertRegex(mount.log(), "going on without a cache on disk: .*" + words)
        self.assertEqual(status(mount, "cache"), "in memory only")
        mount.stop()
        self.assertEqual(sorted(os.listdir(mount.cache)) if mount.cache.is_dir() else None, before)

    def test_directories_of_others(self):
        mount = Mount(self.server)
        self.addCleanup(mount.__exit__, None)
        mount.cache.mkdir()
        mount.cache.chmod(0o777)
        self.check_refused(mount, "can be changed by other users")
        mount.cache.rmdir()
        mount.cache.write_bytes(b"a file")
        self.check_refused(mount, "is not a directory")
        mount.cache.unlink()
        if administrator() is not None:
            mount.cache.mkdir()
            subprocess.run([*administrator(), "chown", "nobody", mount.cache], check=True)
            self.check_refused(mount, "belongs to another user")
            subprocess.run([*administrator(), "rmdir", mount.cache], check=True)
        mount.start()
        name = account(mount.cache).name
        mount.stop()
        shutil.rmtree(mount.cache)
        mount.cache.mkdir()
        (mount.cache / name).symlink_to("/tmp")
        self.check_refused(mount, "is not a directory")
        self.assertFalse(os.path.exists("/tmp/index.db"))

    def test_a_directory_that_can_not_be_made(self):
        with Mount(self.server, "cachedir=/proc/pullmail") as mount:
            check_bytes(self, mount.messages(), self.truth)
            self.assertRegex(mount.log(), "going on without a cache on disk: .*/proc/pullmail can't be made")

    def test_nobody_else_can_read_it(self):
        mount = self.filled()
        path = account(mount.cache)
        path.chmod(0o755)
        for name in os.listdir(path):
            (path / name).chmod(0o644)
        mount.start()
        check_bytes(self, mount.messages(), self.truth)
        self.assertEqual(path.stat().st_mode & 0o7777, 0o700)
        modes = {name: (path / name).stat().st_mode & 0o7777 for name in os.listdir(path) if ".db" in name}
        self.assertEqual(set(modes.values()), {0o600}, modes)

    # --- killed in the midst ----------------------------------------------------------------------

    def test_cut_off_in_the_log(self):
        """A crash of the machine: of the write-ahead log, any beginning may have got to the disk."""
        with Mount(self.server) as mount:
            check_bytes(self, mount.messages(), self.truth)
            wait_flushed(mount, self.truth)
            mount.signal(signal.SIGSTOP)
            whole = mount.folder / "whole"
            shutil.copytree(account(mount.cache), whole)
            mount.kill()
            path = account(mount.cache)
            for part in (0, 0.3, 0.77, 0.999):
                for name in os.listdir(path):
                    os.unlink(path / name)
                for file in whole.iterdir():
                    if not file.name.endswith("-shm"):
                        shutil.copy(file, path)
                    if file.name.endswith("-wal"):
                        os.truncate(path / file.name, int(file.stat().st_size * part))
                with self.subTest(part=part):
                    self.check_damaged(mount)
            mount.start()


if __name__ == "__main__":
    unittest.main()
