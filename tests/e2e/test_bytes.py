"""Every byte is the server's: mail of all shapes, read in all the ways that programs read."""
import concurrent.futures
import datetime
import mmap
import os
import random
import re
import subprocess
import unittest

from corpus import BLOCK, DROPPED, MAIL
from support import UTC, Mount, Server, run, sha256, temporary_folder


class BytesTest(unittest.TestCase):
    """A folder with MAIL and DROPPED; each test has a mount of its own, with an empty cache."""

    @classmethod
    def setUpClass(cls):
        cls.server = Server(rawlog=False)
        cls.addClassCleanup(cls.server.remove)
        cls.date = datetime.datetime(2024, 2, 29, 23, 59, 0, tzinfo=UTC)
        with cls.server.mailbox() as mailbox:
            mailbox.create("Edge")
            for number, text in enumerate(MAIL.values()):
                mailbox.append("Edge", text, cls.date + datetime.timedelta(days=number))
            for text in DROPPED.values():
                cls.server.drop("Edge", text, cls.date)
                mailbox.select("Edge")
            # What the files must be: UID -> bytes.
            cls.expected = mailbox.fetch_all("Edge")
        cls.names = dict(zip(sorted(cls.expected), [*MAIL, *DROPPED]))

    def uid(self, name):
        """Of the message of that name."""
        return next(uid for uid, other in self.names.items() if other == name)

    def copy_by_imaplib(self, mount):
        """A folder with the same names, and what imaplib fetched in them."""
        folder = temporary_folder() / "Edge"
        folder.mkdir()
        for uid, path in mount.messages("Edge").items():
            (folder / path.name).write_bytes(self.expected[uid])
        return folder

    def assert_bytes(self, uid, data, how):
        """Says where they differ, instead of printing megabytes."""
        want = self.expected[uid]
        if data != want:
            at = next((i for i, (a, b) in enumerate(zip(data, want)) if a != b), min(len(data), len(want)))
            self.fail(f"{self.names[uid]} ({how}): {len(data)} bytes, should be {len(want)}; they differ at {at}: "
                      f"{data[at:at + 40]!r} for {want[at:at + 40]!r}")

    def test_the_mail_is_what_it_should_be(self):
        self.assertEqual(len(self.expected), len(MAIL) + len(DROPPED))
        for name in ("plain", "8-bit", "5 MB", "64 KiB", "header of 200 KB", ">From first", "one byte"):
            self.assertEqual(sha256(self.expected[self.uid(name)]), sha256(MAIL[name]), name)
        for name in ("64 KiB - 1", "64 KiB", "64 KiB + 1", "header of 64 KiB"):
            self.assertLessEqual(abs(len(self.expected[self.uid(name)]) - BLOCK), 500, name)
        self.assertEqual(self.expected[self.uid("bare LF")], MAIL["bare LF"].replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))
        self.assertIn(b"one\rtwo", self.expected[self.uid("bare CR")])

    def test_every_file_is_the_message(self):
        with Mount(self.server) as mount:
            files = mount.messages("Edge")
            self.assertEqual(set(files), set(self.expected))
            for uid, path in files.items():
                size = path.stat().st_size
                self.assert_bytes(uid, path.read_bytes(), "read")
                self.assertEqual(sha256(path), sha256(self.expected[uid]))
                self.assertEqual((size, path.stat().st_size), (len(self.expected[uid]),) * 2, self.names[uid])

    def test_reads_at_random_offsets(self):
        dice = random.Random(11)
        with Mount(self.server) as mount:
            for uid, path in mount.messages("Edge").items():
                want = self.expected[uid]
                with open(path, "rb", buffering=0) as file:
                    for _ in range(25):
                        offset = dice.randrange(len(want) + 2)
                        length = dice.choice([1, 7, 512, 4096, 5000, BLOCK, 300000])
                        data = os.pread(file.fileno(), length, offset)
                        self.assertEqual(data, want[offset:offset + length][:len(data)], self.names[uid])
                        self.assertEqual(len(data), len(want[offset:offset + length]), self.names[uid])
                    self.assertEqual(os.pread(file.fileno(), 10, len(want)), b"")
                    self.assertEqual(os.pread(file.fileno(), 10, len(want) + (1 << 40)), b"")

    def test_reads_backwards(self):
        with Mount(self.server) as mount:
            path = mount.messages("Edge")[self.uid("header of 200 KB, long text")]
            want = self.expected[self.uid("header of 200 KB, long text")]
            with open(path, "rb", buffering=0) as file:
                for end in range(len(want), 0, -70001):
                    start = max(end - 70001, 0)
                    self.assertEqual(os.pread(file.fileno(), end - start, start), want[start:end])

    def test_many_readers_at_once(self):
        def read(uid_and_path):
            uid, path = uid_and_path
            with open(path, "rb", buffering=0) as file:
                pieces = []
                while piece := file.read(10007):
                    pieces.append(piece)
            return uid, b"".join(pieces)
        with Mount(self.server) as mount, concurrent.futures.ThreadPoolExecutor(16) as pool:
            work = list(mount.messages("Edge").items()) * 3
            random.Random(3).shuffle(work)
            for uid, data in pool.map(read, work):
                self.assert_bytes(uid, data, "16 readers")

    def test_mapped(self):
        with Mount(self.server) as mount:
            for uid, path in mount.messages("Edge").items():
                if not self.expected[uid]:
                    continue
                with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapped:
                    self.assert_bytes(uid, bytes(mapped), "mmap")
            last = max(mount.messages("Edge").values(), key=os.path.getsize)
            self.assertEqual(run("rg", "--mmap", "--count-matches", "-a", "dull mailbox", last).strip(),
                             str(last.read_bytes().count(b"dull mailbox")))

    def test_rg_over_a_cold_folder(self):
        with Mount(self.server) as mount:
            output = run("rg", "--mmap", "-a", "--count-matches", "--no-messages", "dull mailbox", mount / "Edge")
            found = dict(line.rsplit(":", 1) for line in output.splitlines())
            want = {str(path): str(self.expected[uid].count(b"dull mailbox"))
                    for uid, path in mount.messages("Edge").items() if b"dull mailbox" in self.expected[uid]}
            self.assertEqual(found, want)

    def test_grep(self):
        with Mount(self.server) as mount:
            output = run("grep", "-rac", "no play", mount / "Edge")
            found = {line.rsplit(":", 1)[0]: int(line.rsplit(":", 1)[1]) for line in output.splitlines()}
            want = {str(path): sum(b"no play" in line for line in self.expected[uid].split(b"\n"))
                    for uid, path in mount.messages("Edge").items()}
            self.assertEqual(found, want)

    def test_cat_head_tail_and_dd(self):
        want = self.expected[self.uid("2 MB")]
        with Mount(self.server) as mount:
            path = mount.messages("Edge")[self.uid("2 MB")]
            self.assertEqual(subprocess.check_output(["tail", "-c", "100001", path]), want[-100001:])
            self.assertEqual(subprocess.check_output(["head", "-c", "70001", path]), want[:70001])
            self.assertEqual(subprocess.check_output(["dd", f"if={path}", "bs=777", "status=none"]), want)
            self.assertEqual(subprocess.check_output(["cat", path]), want)
            self.assertEqual(run("wc", "-c", path).split()[0], str(len(want)))
            self.assertEqual(run("sha256sum", path).split()[0], sha256(want))

    def test_cp_and_cmp(self):
        with Mount(self.server) as mount:
            mine = self.copy_by_imaplib(mount)
            copy = temporary_folder() / "copy"
            run("cp", "-r", "--preserve=timestamps,mode", mount / "Edge", copy)
            for path in mount.messages("Edge").values():
                run("cmp", path, mine / path.name)
                run("cmp", copy / path.name, mine / path.name)
                self.assertEqual((copy / path.name).stat().st_mtime_ns, path.stat().st_mtime_ns)

    def test_sendfile(self):
        with Mount(self.server) as mount:
            for uid, path in mount.messages("Edge").items():
                target = temporary_folder() / "sent"
                with open(path, "rb") as source, open(target, "wb") as sink:
                    while os.sendfile(sink.fileno(), source.fileno(), None, 1 << 20):
                        pass
                self.assert_bytes(uid, target.read_bytes(), "sendfile")

    def test_tar(self):
        with Mount(self.server) as mount:
            mine = self.copy_by_imaplib(mount)
            folder = temporary_folder()
            # tar says "file changed as we read it" with status 1 if a size or time moves under it.
            run("tar", "-C", mount.point, "-cf", folder / "mail.tar", "Edge")
            run("tar", "-C", mount.point, "-df", folder / "mail.tar")
            run("tar", "-C", folder, "-xf", folder / "mail.tar")
            run("diff", "-r", folder / "Edge", mine)

    def test_diff(self):
        with Mount(self.server) as mount:
            run("diff", "-r", mount / "Edge", self.copy_by_imaplib(mount))

    def test_rsync(self):
        def transferred(*options):
            text = run("rsync", "-a", "--stats", *options, f"{mount.point}/", f"{folder}/")
            return int(re.search(r"regular files transferred: ([\d,.]+)", text)[1])
        folder = temporary_folder() / "backup"
        with Mount(self.server) as mount:
            self.assertEqual(transferred(), len(self.expected))
            for uid, path in mount.messages("Edge").items():
                self.assert_bytes(uid, (folder / "Edge" / path.name).read_bytes(), "rsync")
            self.assertEqual(transferred(), 0)
            self.assertEqual(transferred("-c"), 0)
            mount.remount()
            self.assertEqual(transferred(), 0)
            self.assertEqual(transferred("-c"), 0)

    def test_find_and_du(self):
        sizes = {uid: len(text) for uid, text in self.expected.items()}
        with Mount(self.server) as mount:
            files = mount.messages("Edge")

            def found(*test):
                paths = run("find", mount / "Edge", "-type", "f", *test).split()
                return {uid for uid, path in files.items() if str(path) in paths}
            self.assertEqual(found("-size", "+100k"), {uid for uid in files if sizes[uid] > 100 * 1024})
            self.assertEqual(found("-size", "1c"), {self.uid("one byte")})
            self.assertEqual(found("-empty"), {self.uid("empty")})
            self.assertEqual(found("-newermt", "2024-03-05 00:00:00 UTC"),
                             {uid for number, uid in enumerate(sorted(sizes)) if 5 <= number < len(MAIL)})
            total = int(run("du", "-sb", mount / "Edge").split()[0])
            self.assertEqual(total - (mount / "Edge").stat().st_size, sum(sizes.values()))
            blocks = int(run("du", "-s", "-B512", mount / "Edge").split()[0])
            self.assertEqual(blocks, sum((size + 511) // 512 for size in sizes.values()))


if __name__ == "__main__":
    unittest.main()
