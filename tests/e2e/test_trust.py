"""
A server whose sizes were all true, until one is not: the kernel opens files by itself then, and readers get the exact
bytes nevertheless.
"""
import os
import shutil
import subprocess
import unittest

import hostilecase
from hostile import Folder, Message, Server
from hostilecase import HostileTest, QuietMount, judge_end, read
from support import Mount, temporary_folder, wait_for
from support import Server as Dovecot
from test_liar import LENGTHS, READERS, SIZES, letter, read_one_way

setUpModule = hostilecase.set_up_module
tearDownModule = hostilecase.tear_down_module

ENOUGH = 256  # sizes that must have been true, as fs/trust.h says
FIRST_READERS = {name: READERS[name] for name in ("cat", "grep", "cp", "read")}  # they look for the end of file


def status_of(mount):
    """{key: value}"""
    return dict(line.split(": ", 1) for line in mount.status().splitlines())


def lie_cases():
    """{name: (length, function from the true size to the claimed one)}; for each the claim is wrong."""
    found = {}
    for kind, length in LENGTHS.items():
        true_size = len(letter(1000, length))
        for name, lie in SIZES.items():
            if lie(true_size) != true_size:
                found[f"{kind}, claimed: {name}"] = (length, lie)
    return found


class FirstLieTest(HostileTest):
    """One server for all cases; each case is a mount, whose cache says that the server was always right."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.messages = {uid: Message(uid, letter(uid, 100)) for uid in range(1, ENOUGH + 11)}
        cls.lies = {}
        for number, (name, (length, lie)) in enumerate(lie_cases().items()):
            data = letter(1000 + number, length)
            cls.lies[name] = Message(1000 + number, data, lie(len(data)))
        cls.server = Server([Folder(b"INBOX", [*cls.messages.values(), *cls.lies.values()])])
        cls.addClassCleanup(cls.server.stop)
        cls.earned = temporary_folder()
        cls.addClassCleanup(shutil.rmtree, cls.earned)
        with QuietMount(cls.server, "tls=off", "prefetch=off", f"cachedir={cls.earned}/cache") as mount:
            paths = mount.messages()
            for uid in range(1, ENOUGH + 1):
                assert read(paths[uid]) == cls.messages[uid].data
            status = status_of(mount)
            assert (status["open-requests"], status["sizes-right"]) == ("yes", str(ENOUGH))
            mount.stop()

    def trusting_mount(self):
        """A mount that lets the kernel open files, which has listed INBOX with all its lies."""
        mount = QuietMount(self.server, "tls=off", "prefetch=off", "refresh=60", "timeout=20")
        shutil.copytree(self.earned / "cache", mount.cache)
        try:
            mount.start()
            paths = mount.messages()
            for path in paths.values():
                os.stat(path)
            assert read(paths[ENOUGH + 1]) == self.messages[ENOUGH + 1].data
            assert status_of(mount)["open-requests"] == "no"
        except BaseException:
            mount.kill()
            mount.remove()
            raise
        return mount, paths

    def first_lie(self, message, reader):
        mount, paths = self.trusting_mount()
        try:
            problem = read_one_way(paths[message.uid], message, *reader)
            assert problem is None, problem
            status = status_of(mount)
            caught = message.size < 1 << 64  # what is no number is no claim
            assert status["sizes-wrong"] == str(int(caught)), status
            assert status["open-requests"].startswith("no, but") == caught, status
            judge_end(mount)
        finally:
            if mount.pid is not None:
                mount.kill()
            mount.remove()

    def test_who_reads_to_the_end_reads_all(self):
        self.run_cases({f"{name}, by {reader}": lambda message=message, how=how: self.first_lie(message, how)
                        for name, message in self.lies.items() for reader, how in FIRST_READERS.items()})

    def test_from_then_on_sizes_are_exact_before_they_are_told(self):
        mount, paths = self.trusting_mount()
        try:
            names = list(self.lies)
            caught, *others = names
            assert read(paths[self.lies[caught].uid]) == self.lies[caught].data
            # The kernel is made to forget what it was told; that may take a moment.
            last = self.lies[others[-1]]
            wait_for(lambda: paths[last.uid].stat().st_size == len(last.data), "the size of another")
            for number, name in enumerate(others):
                message = self.lies[name]
                if number % 2:
                    assert paths[message.uid].stat().st_size == len(message.data), name
                reader = list(READERS)[number % len(READERS)]
                problem = read_one_way(paths[message.uid], message, *READERS[reader])
                assert problem is None, f"{name}, by {reader}: {problem}"
            listed = subprocess.run(["ls", "-l", mount / "INBOX"], check=True, stdout=subprocess.PIPE).stdout
            sizes = {int(line.split()[4]) for line in listed.splitlines()[1:]}
            assert sizes == {len(message.data) for message in [*self.lies.values(), *self.messages.values()]}
            mount.remount()
            assert status_of(mount)["open-requests"] == "yes"
            for message in self.lies.values():
                assert read(mount.messages()[message.uid]) == message.data
            assert status_of(mount)["open-requests"] == "yes"
            judge_end(mount)
        finally:
            if mount.pid is not None:
                mount.kill()
            mount.remove()


class WarmTest(unittest.TestCase):
    """An honest server: what costs no request at all."""

    @classmethod
    def setUpClass(cls):
        cls.server = Dovecot(rawlog=False)
        cls.addClassCleanup(cls.server.remove)
        with cls.server.mailbox() as mailbox:
            for number in range(ENOUGH + 20):
                mailbox.append("INBOX", letter(number, 200 + 40 * number))

    def test_a_warm_scan_asks_nothing(self):
        """But where files can be written: there each file that is closed is told."""
        for options in (["ro"], []):
            with self.subTest(options):
                self.scan(*options)

    def scan(self, *options):
        """Scans twice, and counts what is asked the third time."""
        with Mount(self.server, "refresh=3600", *options) as mount:
            closed = 0 if options else len(mount.messages())
            scans = {"grep": ["grep", "-rc", "message", mount / "INBOX"],
                     "tar": ["tar", "-cf", mount.folder / "tar", "-C", mount / "INBOX", "."],
                     # With -l, ls of coreutils 9.6 on asks for each file's extended attributes.
                     "ls": ["ls", "-s", mount / "INBOX"], "find": ["find", mount / "INBOX", "-size", "+1k"],
                     "rsync": ["rsync", "-an", f"{mount.point}/INBOX/", mount.folder / "none/"],
                     "cat": ["sh", "-c", 'cat "$1"/INBOX/* >/dev/null', "sh", mount.point]}
            for _ in range(2):
                for scan in scans.values():
                    subprocess.run([str(word) for word in scan], check=True, stdout=subprocess.DEVNULL)
            self.assertEqual(status_of(mount)["open-requests"], "no")
            for name, scan in scans.items():
                before = int(status_of(mount)["requests"])
                subprocess.run([str(word) for word in scan], check=True, stdout=subprocess.DEVNULL)
                # The directories (opendir, releasedir, attributes) and this asking; nothing else for a file.
                self.assertLess(int(status_of(mount)["requests"]) - before, 20 + closed, name)

    def test_what_comes_and_goes_is_seen(self):
        with Mount(self.server, "refresh=1") as mount, self.server.mailbox() as mailbox:
            before = mount.messages()
            for path in before.values():
                path.read_bytes()
            self.assertEqual(status_of(mount)["open-requests"], "no")
            new = mailbox.append("INBOX", letter(7777, 900))
            wait_for(lambda: new in mount.messages(), "the new message", 20)
            path = mount.messages()[new]
            self.assertEqual(path.read_bytes(), letter(7777, 900))
            mailbox.store("INBOX", new, "+FLAGS", "\\Deleted")
            mailbox.expunge("INBOX", new)
            wait_for(lambda: new not in mount.messages(), "its end", 20)
            wait_for(lambda: not path.exists(), "the kernel's forgetting", 20)
            self.assertEqual(mount.messages().keys(), before.keys())

    def test_the_status_is_current(self):
        with Mount(self.server) as mount:
            def asked():
                text = subprocess.check_output(["cat", mount / ".pullmail/status"]).decode()
                self.assertIn("\ncache-damaged-blocks: 0\n", text)
                return int(text[text.index("requests: ") + 10:].split()[0])
            paths = list(mount.messages().values())
            for _ in range(2):
                seen = asked()
                os.getxattr(paths[0], "user.mail.uid")
                self.assertGreater(asked(), seen)
                grep = subprocess.check_output(["grep", "-c", ":", mount / ".pullmail/status"])
                tail = subprocess.check_output(["tail", "-n", "+1", mount / ".pullmail/status"])
                self.assertEqual(int(grep), tail.count(b"\n"))
                self.assertEqual((mount / ".pullmail/status").stat().st_size, len(tail))
                with open(mount / ".pullmail/status", "rb", buffering=0) as file:
                    begin = file.read(10)
                    asked()  # another's text is not this one's
                    self.assertEqual(begin + file.read(), os.pread(file.fileno(), 100000, 0))
                for path in paths:
                    path.read_bytes()
                self.assertEqual(status_of(mount)["open-requests"], "no")


if __name__ == "__main__":
    unittest.main()
