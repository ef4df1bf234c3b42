"""Many files are written by a daemon that may have few descriptors."""
import os
import subprocess
import unittest

from support import Mount, Server, wait_for

FEW = 300
FILES = 500


def letter(number):
    """A message that is unlike the others."""
    return b"Subject: %d\r\nMessage-ID: <%d@example.org>\r\n\r\n%d\r\n" % (number, number, number)


class LimitedMount(Mount):
    """Under a limit that the daemon can't raise."""

    def command(self):
        return ["prlimit", f"--nofile={FEW}:{FEW}", *super().command()]


class DescriptorsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server(rawlog=False)
        cls.addClassCleanup(cls.server.remove)
        with cls.server.mailbox() as mailbox:
            mailbox.create("Many")
            mailbox.create("Wrong")

    @staticmethod
    def write(folder, number):
        """A file that becomes a message."""
        with open(folder / f"{number}.eml", "wb", buffering=0) as file:
            file.write(letter(number))

    def test_many_are_stored(self):
        """Who has one of the first open has its bytes still."""
        with LimitedMount(self.server) as mount:
            folder = mount / "Many"
            fd = os.open(folder / "first.eml", os.O_RDWR | os.O_CREAT)
            os.write(fd, letter(0))
            os.fsync(fd)
            for number in range(1, FILES):
                self.write(folder, number)
            self.assertEqual(os.fstat(fd).st_size, len(letter(0)))
            self.assertEqual(os.pread(fd, 1000, 0), letter(0))
            os.close(fd)
            wait_for(lambda: "\nfiles-to-be-stored: 0\n" in mount.status(), "all of them")
            self.assertEqual(len(os.listdir(folder)), FILES)
        with self.server.mailbox() as mailbox:
            self.assertEqual(sorted(mailbox.fetch_all("Many").values()), sorted(map(letter, range(FILES))))

    def test_many_are_refused(self):
        with LimitedMount(self.server) as mount:
            folder = mount / "Wrong"
            for number in range(FILES):
                done = subprocess.run(["cp", "/dev/null", folder / f"{number}.eml"], capture_output=True, check=False)
                self.assertIn(b"Invalid argument", done.stderr)
            self.write(folder, 1)
            self.assertEqual(os.listdir(folder), ["1.eml"])


if __name__ == "__main__":
    unittest.main()
