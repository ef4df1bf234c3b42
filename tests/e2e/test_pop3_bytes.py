"""Every byte is the POP3 server's, of servers of two families: mail of all shapes, read as programs read."""
import concurrent.futures
import re
import unittest

from corpus import DROPPED, MAIL
from mailutils import Mailutils, lf
from pop3mount import Dovecot, Pop3Mount
from support import run, sha256, temporary_folder


def by_tar(mount):
    """{name: bytes} of an archive."""
    folder = temporary_folder()
    # tar says "file changed as we read it" with status 1 if a size or time moves under it.
    run("tar", "-C", mount.point, "-cf", folder / "mail.tar", "INBOX")
    run("tar", "-C", mount.point, "-df", folder / "mail.tar")
    run("tar", "-C", folder, "-xf", folder / "mail.tar")
    return {path.name: path.read_bytes() for path in (folder / "INBOX").iterdir()}


def facts(mount):
    """What must be the same for ever."""
    return {name: (path.stat().st_ino, path.stat().st_mtime_ns, path.stat().st_size)
            for name, path in mount.messages().items()}


class Bytes:
    """What holds for any server. truth: {unique-id: bytes}, as poplib has them of it."""

    server = truth = None
    options = ()

    def mount(self):
        """As this server is mounted."""
        return Pop3Mount(self.server, *self.options)

    def assert_same(self, found, truth):
        """Says where they differ, instead of printing megabytes."""
        self.assertEqual(sorted(found), sorted(truth))
        for name, want in truth.items():
            if found[name] != want:
                at = next((i for i, (a, b) in enumerate(zip(found[name], want)) if a != b),
                          min(len(found[name]), len(want)))
                self.fail(f"{name}: {len(found[name])} bytes, should be {len(want)}; they differ at {at}: "
                          f"{found[name][at:at + 40]!r} for {want[at:at + 40]!r}")

    def test_every_file_is_the_message(self):
        with self.mount() as mount:
            files = mount.messages()
            self.assert_same({name: path.read_bytes() for name, path in files.items()}, self.truth)
            for name, path in files.items():
                self.assertEqual(sha256(path), sha256(self.truth[name]))
                self.assertEqual(path.stat().st_size, len(self.truth[name]), name)

    def test_many_readers_at_once(self):
        def read(item):
            with open(item[1], "rb", buffering=0) as file:
                return item[0], b"".join(iter(lambda: file.read(10007), b""))
        with self.mount() as mount, concurrent.futures.ThreadPoolExecutor(16) as pool:
            found = list(pool.map(read, list(mount.messages().items()) * 2))
            self.assert_same(dict(found[:len(found) // 2]), self.truth)
            self.assert_same(dict(found[len(found) // 2:]), self.truth)

    def test_tar(self):
        with self.mount() as mount:
            names = {path.name: name for name, path in mount.messages().items()}
            self.assert_same({names[name]: data for name, data in by_tar(mount).items()}, self.truth)

    def test_rsync(self):
        def transferred(*options):
            text = run("rsync", "-a", "--stats", *options, f"{mount.point}/", f"{folder}/")
            return int(re.search(r"regular files transferred: ([\d,.]+)", text)[1])
        folder = temporary_folder() / "backup"
        with self.mount() as mount:
            self.assertEqual(transferred(), len(self.truth))
            names = {path.name: name for name, path in mount.messages().items()}
            self.assert_same({names[path.name]: path.read_bytes() for path in (folder / "INBOX").iterdir()}, self.truth)
            before = facts(mount)
            self.assertEqual(transferred(), 0)
            mount.remount()
            self.assertEqual(facts(mount), before)
            self.assertEqual(transferred(), 0)
            self.assertEqual(transferred("-c"), 0)

    def test_grep(self):
        with self.mount() as mount:
            output = run("grep", "-rac", "no play", mount / "INBOX")
            found = {line.rsplit(":", 1)[0]: int(line.rsplit(":", 1)[1]) for line in output.splitlines()}
            self.assertEqual(found, {str(path): sum(b"no play" in line for line in self.truth[name].split(b"\n"))
                                     for name, path in mount.messages().items()})
            self.assertGreater(sum(found.values()), 10000)


class DovecotTest(Bytes, unittest.TestCase):
    """By TLS from the first byte."""

    @classmethod
    def setUpClass(cls):
        cls.server = Dovecot()
        cls.addClassCleanup(cls.server.remove)
        with cls.server.mailbox() as mailbox:
            for text in MAIL.values():
                mailbox.append("INBOX", text)
        for text in DROPPED.values():
            cls.server.drop("INBOX", text)
        cls.truth = cls.server.held()

    def test_the_mail_is_what_it_should_be(self):
        self.assertEqual(len(self.truth), len(MAIL) + len(DROPPED))
        for name in ("plain", "8-bit", "5 MB", "64 KiB", "header of 200 KB", ">From first", "100,000 characters"):
            self.assertIn(MAIL[name], self.truth.values(), name)

    def test_by_stls(self):
        with Pop3Mount(self.server, url=self.server.url("pop3")) as mount:
            self.assert_same({name: path.read_bytes() for name, path in mount.messages().items()}, self.truth)


class MailutilsTest(Bytes, unittest.TestCase):
    """In the clear."""

    options = ("tls=off",)
    # It changes a header that is none in each of its sessions.
    mail = {name: text for name, text in MAIL.items() if name != "From first"}

    @classmethod
    def setUpClass(cls):
        cls.server = Mailutils()
        cls.addClassCleanup(cls.server.remove)
        for text in cls.mail.values():
            cls.server.drop(lf(text))
        with cls.server.maildrop():
            pass  # it writes its unique-ids into the headers at the end of its first session
        with cls.server.maildrop() as maildrop:
            cls.truth = maildrop.fetch_all()

    def test_the_mail_is_what_it_should_be(self):
        self.assertEqual(len(self.truth), len(self.mail))
        for name in ("plain", "8-bit", "5 MB", "64 KiB", "header of 200 KB", "100,000 characters"):
            text = MAIL[name].partition(b"\r\n\r\n")[2]
            self.assertTrue(any(message.endswith(b"\r\n\r\n" + text) for message in self.truth.values()), name)


if __name__ == "__main__":
    unittest.main()
