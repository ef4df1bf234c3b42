"""Scans: who reads one message after the other is fetched for ahead, by few commands and each message once."""
import datetime
import os
import re
import subprocess
import threading
import time
import unittest

from corpus import message
from support import UTC, Mount, Server, run, sha256, wait_for

DATE = datetime.datetime(2025, 1, 1, 12, 0, 0, tzinfo=UTC)
MESSAGES = 240


def length(number):
    """Most are short, some so long that a beginning can be told from the whole."""
    return 60000 + number * 500 if number % 8 == 5 else 700 + number * 37 % 4000


class ScanTest(unittest.TestCase):
    """One server, that the tests only read; each has a cache of its own."""

    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.addClassCleanup(cls.server.remove)
        cls.sums = {}
        with cls.server.mailbox() as mailbox:
            for number in range(1, MESSAGES + 1):
                text = message(length(number))
                # Names come in another order than UIDs.
                date = DATE + datetime.timedelta(minutes=number * 101 % MESSAGES)
                cls.sums[mailbox.append("INBOX", text, date)] = sha256(text)
            for folder in ("Archive", "Archive/2024", "Lists"):
                mailbox.create(folder)
                for number in range(40):
                    mailbox.append(folder, message(20000 + number), DATE)

    def whole_fetches(self, mark):
        """How many messages' texts were sent, and by how many commands that ask for messages."""
        texts = [item for item in self.server.fetched(mark) if item.section.startswith("BODY[TEXT]")]
        commands = [command for command in self.server.commands(mark)
                    if command.name == "UID FETCH" and "BODY.PEEK" in command.line]
        return len(texts), len(commands)

    def assert_scanned(self, mark, messages=MESSAGES):
        texts, commands = self.whole_fetches(mark)
        # A few that the reader asks for before he is followed may come twice, in part.
        self.assertLessEqual(texts, messages + 12)
        self.assertLess(commands, messages / 3)

    def scan(self, *command, folder="INBOX", check=(0,)):
        """Runs the command with {} for the folder, over an empty cache."""
        with Mount(self.server) as mount:
            os.listdir(mount / folder)
            mark = self.server.mark()
            words = [word.replace("{}", str(mount / folder)).replace("{out}", str(mount.folder)) for word in command]
            done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False, timeout=200)
            self.assertIn(done.returncode, check)
            self.assertEqual({uid: sha256(path) for uid, path in mount.messages().items()}, self.sums)
            self.assert_scanned(mark)
            self.assertIn("sizes-wrong: 0\n", mount.status())
            return done.stdout

    def test_grep(self):
        self.assertEqual(len(self.scan("grep", "-rc", "^Subject: ", "{}").splitlines()), MESSAGES)

    def test_tar(self):
        self.scan("tar", "-cf", "{out}/copy.tar", "{}")

    def test_rsync(self):
        self.scan("rsync", "-a", "{}/", "{out}/copy/")

    def test_cp(self):
        self.scan("cp", "-r", "{}", "{out}/copy")

    def test_rg(self):
        self.scan("rg", "-c", "^Subject: ", "{}")

    def test_down(self):
        self.scan("sh", "-c", "ls -r {} | sed 's,^,{}/,' | xargs cat")

    def test_several_at_once(self):
        self.scan("sh", "-c", "find {} -type f | xargs -P 4 -n 20 cat")

    def test_from_folder_to_folder(self):
        """The reader never waits for a listing, nor for the first messages of a folder."""
        with Mount(self.server) as mount:
            mark = self.server.mark()
            counts = run("grep", "-rc", "^Subject: ", mount.point).splitlines()
            self.assertEqual(len(counts), MESSAGES + 3 * 40)
            self.assert_scanned(mark, MESSAGES + 3 * 40)

    def test_one_message_sets_nothing_off(self):
        with Mount(self.server) as mount:
            paths = mount.messages()
            mark = self.server.mark()
            for uid in (100, 101, 100, 101):
                self.assertEqual(sha256(paths[uid]), self.sums[uid])
            self.assertEqual(self.whole_fetches(mark)[0], 2)
            self.assertIn("prefetched-messages: 0\n", mount.status())

    def test_a_screen_of_files(self):
        """As file managers do: the first bytes of each file on the screen, and no more than that."""
        with Mount(self.server) as mount:
            paths = [path for _, path in sorted(mount.messages().items())]
            mark = self.server.mark()
            for path in paths[:30]:
                with open(path, "rb", buffering=0) as file:
                    self.assertEqual(len(file.read(512)), 512)
            fetched = int(re.search(r"prefetched-messages: (\d+)", mount.status())[1])
            self.assertLessEqual(fetched, 45)  # of these, 30 at most were read
            self.assertLess(sum(item.length for item in self.server.fetched(mark)), 60 * 20000)

    def test_beginnings(self):
        """head over everything: no text beyond what a page cache has to be given."""
        with Mount(self.server) as mount:
            paths = [str(path) for _, path in sorted(mount.messages().items())]
            mark = self.server.mark()
            run("head", "-qn", "1", *paths)
            bound = sum(min(length(number), 16384 + 4096) for number in range(1, MESSAGES + 1))
            self.assertLess(sum(item.length for item in self.server.fetched(mark)), bound + 12 * 65536)

    def test_off(self):
        with Mount(self.server, "prefetch=off") as mount:
            mark = self.server.mark()
            run("grep", "-rc", "^Subject: ", mount / "Lists")
            self.assertGreaterEqual(self.whole_fetches(mark)[1], 40)
            self.assertIn("prefetched-messages: 0\n", mount.status())

    def test_a_reader_that_stops(self):
        """What was asked for arrives, and nothing more is."""
        with Mount(self.server, "prefetch=256K") as mount:
            paths = [path for _, path in sorted(mount.messages().items())]
            for path in paths[:20]:
                sha256(path)

            def is_quiet():
                before = self.server.mark()
                time.sleep(1)
                return self.server.mark() == before
            wait_for(is_quiet, "the end of what is on the wire")
            mark = self.server.mark()
            fetched = int(re.search(r"prefetched-messages: (\d+)", mount.status())[1])
            self.assertLess(fetched, MESSAGES - 20)
            self.assertEqual(self.whole_fetches(mark)[0], 0)

    def test_another_reader_meanwhile(self):
        """Somebody reads from another folder while a scan goes on: both see what is right."""
        with Mount(self.server) as mount:
            others = list(mount.messages("Lists").values())
            scan = threading.Thread(target=run, args=("grep", "-rc", "^Subject: ", mount / "INBOX"))
            scan.start()
            sums = {path: sha256(path) for path in others}
            scan.join()
            self.assertEqual({path: sha256(path) for path in others}, sums)
            self.assertEqual({uid: sha256(path) for uid, path in mount.messages().items()}, self.sums)


if __name__ == "__main__":
    unittest.main()
