"""A message that is written over: the new one is there before the old one goes, under its name, with its flags."""
import errno
import os
import random
import subprocess
import threading
import unittest

from faults import attempt
from removing import fsync
from support import Mount, run, wait_for
from test_write import DATE, WriteCase, letter, write

ROUNDS = 8  # kills


class OverwriteCase(WriteCase):
    """One message, a.eml, that somebody has flagged, and another one beside it."""

    def setUp(self):
        super().setUp()
        self.mount = Mount(self.server, "refresh=3600").start()
        self.addCleanup(self.mount.__exit__, None, None, None)
        self.place = self.mount / self.folder
        for name in "a.eml", "b.eml":
            run("cp", self.file(name), self.place)
        os.setxattr(self.place / "a.eml", "user.mail.flags", b"\\Flagged")
        self.other = letter("b.eml")

    def check_over(self, data, name="a.eml"):
        """The message is this one now, here and at the server, and there is no other one."""
        fsync(self.place)
        self.check(self.place, **{name: data, "b.eml": self.other})
        self.assertEqual(os.getxattr(self.place / name, "user.mail.flags"), b"\\Flagged")


class ToolsTest(OverwriteCase):
    """Each tool by its own way."""

    def test_cp(self):
        for number in range(3):
            file = self.file("a.eml", letter(f"cp {number}", 10 + number), DATE + number)
            run("cp", *(["-p"] if number else []), file, self.place)
            self.check_over(file.read_bytes())
            if number:
                self.assertEqual((self.place / "a.eml").stat().st_mtime, DATE + number)

    def test_rsync(self):
        file = self.file("a.eml", letter("rsync", 20))
        run("rsync", "-a", file, f"{self.place}/")
        self.check_over(file.read_bytes())
        listed = subprocess.run(["rsync", "-ai", file, f"{self.place}/"], check=True, capture_output=True, text=True)
        self.assertNotIn(">f", listed.stdout)

    def test_sed(self):
        run("sed", "-i", "s/ann@/bob@/", self.place / "a.eml")
        self.check_over(letter("a.eml").replace(b"ann@", b"bob@"))

    def test_tar(self):
        file = self.file("a.eml", letter("tar", 20))
        run("tar", "-C", self.source, "-cf", self.source / "tar", file.name)
        run("tar", "-C", self.place, "-xf", self.source / "tar")
        self.check(self.place, **{"a.eml": file.read_bytes(), "b.eml": self.other})

    def test_mv_and_install(self):
        for command in (["mv", "-f"], ["install", "-p"], ["cp", "--remove-destination"]):
            file = self.file("a.eml", letter(" ".join(command), 20))
            data = file.read_bytes()
            run(*command, file, self.place)
            self.check(self.place, **{"a.eml": data, "b.eml": self.other})

    def test_editors(self):
        """One that moves the old one aside, and removes it; and one that renames what is new."""
        path, backup, data = self.place / "a.eml", self.place / "a.eml~", letter("vim", 20)
        os.rename(path, backup)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        os.write(fd, data)
        os.fsync(fd)
        os.close(fd)
        os.unlink(backup)
        self.check(self.place, **{"a.eml": data, "b.eml": self.other})
        data = letter("gedit", 20)
        write(self.place / ".goutputstream-ABCDEF", data)
        os.rename(self.place / ".goutputstream-ABCDEF", path)
        self.check(self.place, **{"a.eml": data, "b.eml": self.other})

    def test_while_it_is_written(self):
        """Who reads it meanwhile reads what is new; another client has the old one."""
        data = letter("new", 3000)
        fd = os.open(self.place / "a.eml", os.O_WRONLY | os.O_TRUNC)
        self.assertEqual((self.place / "a.eml").stat().st_size, 0)
        os.write(fd, data)
        self.assertEqual((self.place / "a.eml").stat().st_size, len(data))
        self.assertEqual(self.stored(), sorted([letter("a.eml"), self.other]))
        os.close(fd)
        self.check_over(data)


class RefusedTest(OverwriteCase):
    """The old one is as it was."""

    def check_unharmed(self):
        """It is."""
        self.check_over(letter("a.eml"))

    def test_no_message(self):
        for data in (b"", b"words", b"From: a\0b\r\n\r\n"):
            self.assertEqual(attempt(write, self.place / "a.eml", data, os.O_WRONLY | os.O_TRUNC), errno.EINVAL)
            self.check_unharmed()
        write(self.place / ".x", b"words")
        self.assertEqual(attempt(os.rename, self.place / ".x", self.place / "a.eml"), errno.EINVAL)
        os.unlink(self.place / ".x")
        self.check_unharmed()

    def test_no_message_by_a_shell(self):
        """Whose first close comes before anything is written."""
        run("sh", "-c", ': >"$0"; echo words >"$0"; :', self.place / "a.eml")
        self.check_unharmed()
        run("sh", "-c", 'printf "Subject: x\r\n\r\nsh\r\n" >"$0"', self.place / "a.eml")
        self.check_over(b"Subject: x\r\n\r\nsh\r\n")

    def test_only_a_part(self):
        for flags in (os.O_WRONLY, os.O_RDWR, os.O_WRONLY | os.O_APPEND):
            self.assertEqual(attempt(write, self.place / "a.eml", b"From: x", flags), errno.EPERM)
        self.assertEqual(attempt(os.truncate, self.place / "a.eml", 10), errno.EPERM)
        self.check_unharmed()

    def test_messages_are_not_exchanged(self):
        self.assertEqual(attempt(os.rename, self.place / "b.eml", self.place / "a.eml"), errno.EEXIST)
        self.check_unharmed()


class KillTest(OverwriteCase):
    """kill -9 at any moment: what was closed is there, and what it replaced, or that alone; nothing else."""

    def test_killed(self):
        moments, versions = random.Random("over"), [letter("a.eml")]
        for cut in range(ROUNDS):
            over, told = threading.Event(), []

            def write_over(over=over, told=told, cut=cut):
                number = 0
                while not over.is_set():
                    number += 1
                    versions.append(letter(f"cut {cut}, {number}", 5))
                    if attempt(write, self.place / "a.eml", versions[-1], os.O_WRONLY | os.O_TRUNC):
                        return
                    told.append(versions[-1])
            writer = threading.Thread(target=write_over)
            writer.start()
            threading.Event().wait(0.05 + 0.2 * moments.random())
            self.mount.kill()
            over.set()
            writer.join(60)
            self.assertFalse(writer.is_alive(), "a call hangs")
            self.mount.start()
            wait_for(lambda: attempt(fsync, self.place) is None, "the server")
            stored = [data for data in self.stored() if data != self.other]
            with self.subTest(cut=cut):
                self.assertLessEqual(set(stored), set(versions))
                self.assertIn(len(stored), (1, 2))
                self.assertEqual(len(stored), len(set(stored)))
                self.assertTrue(not told or set(stored) & set(versions[versions.index(told[-1]):]))
                self.assertIn((self.place / "a.eml").read_bytes() if (self.place / "a.eml").exists() else stored[0], stored)
            for path in self.place.iterdir():  # one is enough
                if path.name != "b.eml":
                    os.unlink(path)
            fsync(self.place)
            versions.append(letter(f"after {cut}"))
            write(self.place / "a.eml", versions[-1])


if __name__ == "__main__":
    unittest.main()
