"""What POP3 can't do is refused at once, nothing is changed by it, and the server never hears of it."""
import errno
import os
import unittest

from faults import attempt
from pop3mount import Pop3Mount
from popserver import Server

LETTERS = {b"uid-%d" % number: b"Subject: %d\r\n\r\n%d\r\n" % (number, number) for number in range(3)}


def opened(flags):
    """A function that opens a file in a way."""
    def act(path):
        os.close(os.open(path, flags, 0o600))
    return act


class RefusalsTest(unittest.TestCase):
    """One mount for all."""

    @classmethod
    def setUpClass(cls):
        cls.server = Server(LETTERS)
        cls.addClassCleanup(cls.server.stop)
        cls.mount = Pop3Mount(cls.server, "tls=off", "idle=3600", "refresh=3600")
        cls.mount.__enter__()
        cls.addClassCleanup(cls.mount.__exit__, None)

    def setUp(self):
        self.files = self.mount.messages()
        self.first, self.second = self.files["uid-0"], self.files["uid-1"]
        self.inbox = self.mount / "INBOX"
        self.said = list(self.server.commands)

    def tearDown(self):
        self.assertEqual(self.mount.messages(), self.files)
        self.assertEqual(os.listdir(self.mount.point), ["INBOX"])
        self.assertEqual([command.name for command in self.server.commands[len(self.said):]], [])
        self.assertEqual(self.server.removed, [])

    def refused(self, number, function, *arguments):
        """It fails with this."""
        found = attempt(function, *arguments)
        self.assertEqual(found, number, f"{function.__name__}{arguments}: {errno.errorcode.get(found, found)}")

    def test_folders(self):
        self.refused(errno.EPERM, os.mkdir, self.mount / "Archive")
        self.refused(errno.EPERM, os.mkdir, self.inbox / "Archive")
        self.refused(errno.EPERM, os.rmdir, self.inbox)
        self.refused(errno.EPERM, os.rename, self.inbox, self.mount / "Other")

    def test_names(self):
        self.refused(errno.EPERM, os.rename, self.first, self.inbox / "other.eml")
        self.refused(errno.EPERM, os.rename, self.first, self.mount / "other.eml")
        self.refused(errno.EPERM, os.link, self.first, self.inbox / "other.eml")
        self.refused(errno.EPERM, os.symlink, "uid-0.eml", self.inbox / "other.eml")

    def test_rename_onto_another(self):
        self.assertIn(attempt(os.rename, self.first, self.second), (errno.EPERM, errno.EEXIST))

    def test_new_files(self):
        self.refused(errno.EPERM, opened(os.O_WRONLY | os.O_CREAT), self.inbox / "new.eml")
        self.refused(errno.EPERM, opened(os.O_WRONLY | os.O_CREAT | os.O_EXCL), self.mount / "new.eml")
        self.refused(errno.EPERM, os.mkfifo, self.inbox / "pipe")

    def test_changes(self):
        for flags in (os.O_WRONLY, os.O_RDWR, os.O_WRONLY | os.O_APPEND, os.O_WRONLY | os.O_TRUNC):
            self.refused(errno.EPERM, opened(flags), self.first)
        self.refused(errno.EPERM, os.truncate, self.first, 0)
        self.refused(errno.EPERM, os.chmod, self.first, 0o644)
        self.refused(errno.EPERM, os.utime, self.first, (1, 1))
        self.refused(errno.ENOTSUP, os.setxattr, self.first, "user.mail.flags", b"\\Seen")


if __name__ == "__main__":
    unittest.main()
