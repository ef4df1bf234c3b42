"""What the server is asked for, from its own log: no more than what a user does needs."""
import datetime
import os
import re
import subprocess
import unittest

from corpus import message
from support import TELLS_NOTHING, UTC, Mount, Server, run, sha256

DATE = datetime.datetime(2025, 1, 1, 12, 0, 0, tzinfo=UTC)
KIB64 = 65536
# What may be sent to find a folder or the account in step: nothing of this moves mail.
SELECTING = {"SELECT", "EXAMINE", "NOOP", "STATUS", "UNSELECT", "CLOSE"}
GREETING = {"ID", "ENABLE", "NAMESPACE", "LIST", "GETQUOTAROOT", "CAPABILITY"}


def read_all(mount):
    """{path in the mount: sha256} of all that is listed."""
    paths = run("find", mount.point, "-type", "f").splitlines()
    return {os.path.relpath(path, mount.point): sha256(path) for path in paths}


def metadata(commands):
    """The UID FETCH commands that ask for what a listing shows."""
    return [command.line for command in commands if command.name == "UID FETCH" and "RFC822.SIZE" in command.line]


class LazyTest(unittest.TestCase):
    """One server, that the tests only read."""

    @classmethod
    def setUpClass(cls):
        cls.server = Server(*TELLS_NOTHING)
        cls.addClassCleanup(cls.server.remove)
        with cls.server.mailbox() as mailbox:
            for folder, count in (("INBOX", 40), ("Archive", 25), ("Archive/2024", 10), ("Empty", 0)):
                if folder != "INBOX":
                    mailbox.create(folder)
                for number in range(count):
                    mailbox.append(folder, b"Subject: %s %d\r\n\r\ntext %d\r\n" % (folder.encode(), number, number),
                                   DATE + datetime.timedelta(minutes=number), ["\\Seen"] if number % 3 else [])
            mailbox.create("Long")
            cls.long = mailbox.append("Long", message(2000000, 700), DATE)
            cls.long_header = mailbox.append("Long", message(30000 + 200000, 30000), DATE)
            cls.small = mailbox.append("Long", message(9000, 1500), DATE)

    def sections(self, mark):
        """{"HEADER": bytes, "TEXT": bytes, "BODY": bytes} that came since."""
        found = {"HEADER": 0, "TEXT": 0, "BODY": 0}
        for item in self.server.fetched(mark):
            name = re.match(r"BODY\[(\w*)\]", item.section)[1] or "BODY"
            found[name] += item.length
        return found

    def test_a_listing_costs_one_fetch_a_folder(self):
        mark = self.server.mark()
        with Mount(self.server) as mount:
            listed = run("ls", "-lR", mount.point)
            self.assertEqual(listed.count(".eml"), 78)
            run("du", "-a", mount.point)
            run("find", mount.point, "-ls")
            run("find", mount.point, "-newermt", "2025-01-01", "-size", "+1k")
            for path in mount.messages("Archive").values():
                os.getxattr(path, "user.mail.flags")
            os.statvfs(mount.point)
            commands = self.server.commands(mark)
            fetched = self.server.fetched(mark)
        self.assertEqual(fetched, [])
        self.assertEqual([command.line.split(" ", 2)[2] for command in commands if "FETCH" in command.name],
                         ["FETCH 1:* (FLAGS INTERNALDATE RFC822.SIZE)"] * 5)  # also of the empty one: it is asked before that is known
        self.assertEqual(sum(command.name in ("SELECT", "EXAMINE") for command in commands), 5)
        self.assertLessEqual({command.name for command in commands}, SELECTING | GREETING | {"UID FETCH"})

    def test_only_what_is_looked_at_is_listed(self):
        mark = self.server.mark()
        with Mount(self.server) as mount:
            os.listdir(mount.point)
            self.assertEqual([command for command in self.server.commands(mark) if command.name not in GREETING], [])
            os.listdir(mount / "Archive/2024")
            self.assertEqual(len(metadata(self.server.commands(mark))), 1)
            opened = [command.line for command in self.server.commands(mark) if command.name == "EXAMINE"]
            self.assertEqual(len(opened), 1)
            self.assertIn("Archive/2024", opened[0])

    def test_reading_marks_nothing(self):
        def flags():
            with self.server.mailbox() as mailbox:
                return [set(mailbox.describe("INBOX", uid)["flags"]) - {"\\Recent"} for uid in mailbox.uids("INBOX")]
        before = flags()
        self.assertTrue(any("\\Seen" not in one for one in before))
        mark = self.server.mark()
        with Mount(self.server) as mount:
            subprocess.run(["grep", "-rc", "text", mount.point], check=True, stdout=subprocess.DEVNULL)
            run("tar", "-C", mount.point, "-cf", "/dev/null", ".")
            run("head", "-n", "1", *mount.messages().values())
        lines = [command.line for command in self.server.commands(mark)]
        self.assertFalse([line for line in lines if re.search(r"BODY\[|RFC822(?!\.SIZE)|\bSTORE\b", line)])
        self.assertFalse([line for line in lines if re.match(r"\S+ SELECT ", line)])
        self.assertEqual(flags(), before)

    def test_head_of_a_long_message(self):
        with Mount(self.server) as mount:
            path = mount.messages("Long")[self.long]
            mark = self.server.mark()
            self.assertEqual(subprocess.check_output(["head", "-n", "3", path]).count(b"\n"), 3)
            self.assertEqual(self.sections(mark)["HEADER"], 700)
            self.assertLessEqual(self.sections(mark)["TEXT"] + self.sections(mark)["BODY"], KIB64)

    def test_a_reader_of_the_header_alone(self):
        with Mount(self.server) as mount:
            path = mount.messages("Long")[self.long_header]
            mark = self.server.mark()
            with open(path, "rb", buffering=0) as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_RANDOM)
                self.assertTrue(os.pread(file.fileno(), 512, 0).startswith(b"Subject: exact\r\n"))
                self.assertTrue(os.pread(file.fileno(), 512, 20000))
            self.assertEqual(self.sections(mark)["HEADER"], 30000)
            self.assertEqual(self.sections(mark)["TEXT"], 0)
            self.assertLessEqual(self.sections(mark)["BODY"], 2)

    def test_header_and_text_of_a_small_message_come_together(self):
        with Mount(self.server) as mount:
            paths = mount.messages("Long")
            mark = self.server.mark()
            paths[self.small].read_bytes()
            self.assertEqual(self.server.count("UID FETCH", mark), 1)
            self.assertEqual(self.sections(mark), {"HEADER": 1500, "TEXT": 7500, "BODY": 0})

    def test_no_byte_comes_twice(self):
        with Mount(self.server) as mount:
            paths = mount.messages("Long")
            mark = self.server.mark()
            for uid, size in ((self.long, 2000000), (self.long_header, 230000)):
                self.assertEqual(len(paths[uid].read_bytes()), size)
            got = self.sections(mark)
            self.assertEqual(got["HEADER"], 30700)
            self.assertLessEqual(got["BODY"], 4)
            # But for the byte ahead of a stretch, where that is a CR.
            self.assertIn(got["TEXT"] - (2000000 + 230000 - 30700), range(20))
            # Long stretches, since each costs a round trip.
            self.assertLess(self.server.count("UID FETCH", mark), 20)

    def test_one_stretch_from_the_middle(self):
        with Mount(self.server) as mount:
            path = mount.messages("Long")[self.long]
            mark = self.server.mark()
            with open(path, "rb", buffering=0) as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_RANDOM)
                os.pread(file.fileno(), 100, 1500000)
            self.assertLessEqual(sum(self.sections(mark).values()), 4 * KIB64)

    def test_a_second_pass_asks_nothing(self):
        with Mount(self.server) as mount:
            first = read_all(mount)
            mark = self.server.mark()
            self.assertEqual(read_all(mount), first)
            subprocess.run(["grep", "-rc", "text", mount.point], check=True, stdout=subprocess.DEVNULL)
            run("rsync", "-ac", f"{mount.point}/", f"{mount.folder}/copy/")
            run("ls", "-lR", mount.point)
            # A further connection may still be logging in.
            self.assertLessEqual({command.name for command in self.server.commands(mark)}, GREETING)
            mount.remount()
            self.assertEqual(read_all(mount), first)
            names = [command.name for command in self.server.commands(mark)]
            self.assertLessEqual(set(names), SELECTING | GREETING | {"LOGOUT"})
            self.assertEqual(names.count("EXAMINE"), 5)
            self.assertEqual(self.server.fetched(mark), [])

    def test_readers_of_one_message_share_its_fetch(self):
        with Mount(self.server) as mount:
            path = mount.messages("Long")[self.long]
            mark = self.server.mark()
            readers = [subprocess.Popen(["sha256sum", path], stdout=subprocess.PIPE) for _ in range(8)]
            sums = {reader.communicate()[0].split()[0] for reader in readers}
            self.assertEqual(len(sums), 1)
            self.assertLessEqual(sum(self.sections(mark).values()), 2000000 + KIB64)


if __name__ == "__main__":
    unittest.main()
