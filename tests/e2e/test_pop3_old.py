"""A POP3 server of the old days, which knows no more than USER, PASS, STAT, LIST, RETR, DELE and QUIT, in
the clear: no names for its messages, no way to see a header alone, one command at a time."""
import hashlib
import os
import unittest

from faults import status
from pop3mount import Pop3Mount
from popserver import Letter, Server
from support import ROOT, run, wait_for

MESSAGE = (ROOT / "tests/data/pop3-message.bin").read_bytes()
LACKING = ("CAPA", "UIDL", "TOP", "AUTH", "APOP", "STLS", "NOOP", "RSET")
OTHER = MESSAGE.replace(b"a test message", b"another message")


def name_of(data, which=1):
    """The name of a file that can't be named by the server."""
    return f"full-{hashlib.sha256(data).hexdigest()}" + (f"%~{which}" if which > 1 else "") + ".eml"


class OldTest(unittest.TestCase):
    """The files are named by their content, so that they stay what they are."""

    def serve(self, *messages):
        """A server with these."""
        def one_at_a_time(session, _command):
            self.assertEqual(session.pending, b"")
        server = Server([Letter(b"", data) for data in messages], unknown=LACKING)
        server.on.update({name: one_at_a_time for name in ("CAPA", "USER", "PASS", "UIDL", "LIST", "TOP", "RETR", "DELE", "QUIT")})
        self.addCleanup(server.stop)
        return server

    def test_ls_cat_grep_and_rm(self):
        self.assertEqual((len(MESSAGE), MESSAGE[-2:]), (531, b"\r\n"))
        server = self.serve(MESSAGE)
        with Pop3Mount(server, "tls=off", url=server.url(user="rodsmith"), password="password") as mount:
            self.assertEqual(run("ls", mount / "INBOX"), name_of(MESSAGE) + "\n")
            self.assertEqual(run("cat", mount / "INBOX" / name_of(MESSAGE)).encode(), MESSAGE)
            self.assertEqual(run("stat", "-c", "%s", mount / "INBOX" / name_of(MESSAGE)), "531\n")
            self.assertEqual(run("grep", "-rl", "a test message", mount.point), f"{mount.point}/INBOX/{name_of(MESSAGE)}\n")
            self.assertEqual(server.removed, [])
            run("rm", mount / "INBOX" / name_of(MESSAGE))
            self.assertEqual(os.listdir(mount / "INBOX"), [])
            wait_for(lambda: server.removed, "the deletion")
        self.assertEqual(len(server.letters), 0)
        said = [command.line for command in server.commands]
        self.assertIn(b"USER rodsmith", said)
        self.assertIn(b"PASS password", said)

    def test_renumbered_between_sessions(self):
        server = self.serve(OTHER, MESSAGE, b"Subject: third\r\n\r\n3\r\n")
        with Pop3Mount(server, "tls=off", "idle=0") as mount:
            inodes = {name: os.stat(mount / "INBOX" / name).st_ino for name in os.listdir(mount / "INBOX")}
            server.released()
            server.letters.reverse()
            for data in (MESSAGE, OTHER):
                self.assertEqual((mount / "INBOX" / name_of(data)).read_bytes(), data)
            mount.stop()
            server.letters.append(Letter(b"", b"Subject: fourth\r\n\r\n4\r\n"))
            server.letters.reverse()
            mount.start()
            for name, inode in inodes.items():
                self.assertEqual(os.stat(mount / "INBOX" / name).st_ino, inode)
            run("rm", mount / "INBOX" / name_of(OTHER))
            wait_for(lambda: status(mount, "deletions-pending") == 0, "the deletion")
            self.assertNotIn(OTHER, [letter.data for letter in server.letters])
            self.assertEqual(len(server.letters), 3)

    def test_two_of_the_same(self):
        server = self.serve(MESSAGE, OTHER, MESSAGE)
        with Pop3Mount(server, "tls=off") as mount:
            names = [name_of(MESSAGE), name_of(MESSAGE, 2), name_of(OTHER)]
            self.assertEqual(sorted(os.listdir(mount / "INBOX")), sorted(names))
            for name, data in zip(names, (MESSAGE, MESSAGE, OTHER)):
                self.assertEqual((mount / "INBOX" / name).read_bytes(), data)
            run("rm", mount / "INBOX" / names[0])
            wait_for(lambda: status(mount, "deletions-pending") == 0, "the deletion")
            self.assertEqual(sorted(letter.data for letter in server.letters), sorted((MESSAGE, OTHER)))
            self.assertEqual(len(os.listdir(mount / "INBOX")), 2)


if __name__ == "__main__":
    unittest.main()
