"""The session with a maildrop, which only one client has at a time: when it begins, ends, and is waited for."""
import errno
import os
import poplib
import threading
import time
import unittest

from faults import attempt, read
from hostile import Certificates
from mailutils import Mailutils
from pop3mount import Dovecot, Pop3Mount, commands
from popserver import Letter, Server
from poptool import Maildrop
from relay import Relay
from support import MountFailed, wait_for

LETTERS = {b"uid-%d" % number: b"Subject: %d\r\n\r\n%d\r\n" % (number, number) * 300 for number in range(40)}


class SessionTest(unittest.TestCase):
    """A scripted server, except where two families of servers are compared."""

    @classmethod
    def setUpClass(cls):
        cls.addClassCleanup(Certificates.remove)

    def setUp(self):
        self.server = Server(LETTERS)
        self.addCleanup(self.server.stop)

    def mount(self, *options):
        """In the clear."""
        return Pop3Mount(self.server, "tls=off", *options)

    def somebody(self):
        """Another client, who has the maildrop."""
        return Maildrop(self.server.port)

    def log_in(self):
        """Whether another client gets in."""
        try:
            self.somebody().__exit__(None)
            return True
        except poplib.error_proto as error:
            self.assertIn("IN-USE", str(error))
            return False

    def test_others_get_in_after_a_while(self):
        with self.mount("idle=1") as mount:
            for path in mount.messages().values():
                path.read_bytes()
            wait_for(self.log_in, "another client's turn")
        with self.mount("idle=3600") as mount:
            for path in mount.messages().values():
                path.read_bytes()
            self.assertFalse(self.log_in())

    def test_a_scan_is_one_session(self):
        with self.mount() as mount:
            for path in mount.messages().values():
                path.read_bytes()
            used = {command.session for command in self.server.commands if command.name == "RETR"}
            self.assertEqual(len(used), 1)
            self.assertEqual(self.server.count("RETR"), len(LETTERS))

    def leave_after(self, other, attempts):
        """The other client goes once the mount was turned away so often."""
        wanted = self.server.count("PASS") + attempts

        def leave():
            wait_for(lambda: self.server.count("PASS") >= wanted, "the mount's attempts to log in")
            other.__exit__(None)
        thread = threading.Thread(target=leave)
        thread.start()
        self.addCleanup(thread.join)

    def test_a_maildrop_in_use_is_waited_for(self):
        """At the mount, and later."""
        self.leave_after(self.somebody(), 2)
        with self.mount("idle=0") as mount:
            path = mount.messages()["uid-3"]
            self.server.released()
            self.leave_after(self.somebody(), 2)
            self.assertEqual(read(path), LETTERS[b"uid-3"])

    def test_a_maildrop_that_stays_in_use(self):
        with self.somebody():
            with self.assertRaises(MountFailed) as failed, self.mount("timeout=2"):
                pass
            self.assertEqual(failed.exception.status, 32)
            self.assertIn("in use", failed.exception.log)
        with self.mount("timeout=2", "idle=0") as mount:
            path = mount.messages()["uid-3"]
            self.server.released()
            with self.somebody():
                self.assertIn(attempt(read, path), (errno.EAGAIN, errno.ETIMEDOUT))
                self.assertIn("in use", mount.log())
            self.assertEqual(read(path), LETTERS[b"uid-3"])

    def refuse_mount(self, words, *options):
        """It is not mounted, and the program says why."""
        with self.assertRaises(MountFailed) as failed, Pop3Mount(self.server, *options):
            pass
        self.assertEqual(failed.exception.status, 32)
        self.assertIn(words, failed.exception.log)

    def test_a_login_that_is_refused(self):
        self.server.on["PASS"] = lambda *_: b"-ERR [AUTH] wrong password\r\n"
        self.refuse_mount("wrong password", "tls=off")
        self.server.stop()
        self.refuse_mount("connection refused", "tls=off")

    def test_nothing_is_confided_to_who_is_not_trusted(self):
        """By a certificate that nobody vouches for; by a server without STLS."""
        self.server.tls, self.server.certificate = "implicit", "unknown"
        self.refuse_mount("certificate")
        self.assertEqual(bytes(self.server.private), b"")
        self.server.tls = "off"
        self.refuse_mount("STLS")
        self.assertEqual(set(self.server.names()) - {"CAPA", "STLS", "QUIT"}, set())

    def test_new_mail_and_mail_that_went(self):
        with self.mount("idle=0", "refresh=1") as mount:
            before = {name: path.stat().st_ino for name, path in mount.messages().items()}
            self.server.letters = self.server.letters[2:] + [Letter(b"new", b"Subject: new\r\n\r\nnew\r\n")]
            wait_for(lambda: "new" in mount.messages(), "the new message")
            self.assertEqual(mount.messages()["new"].read_bytes(), b"Subject: new\r\n\r\nnew\r\n")
            after = {name: path.stat().st_ino for name, path in mount.messages().items()}
            self.assertEqual({**after, **before}, {**before, "new": after["new"]})
            self.assertEqual(set(before) - set(after), {"uid-0", "uid-1"})

    def test_new_mail_while_the_session_is_kept(self):
        """A session shows no new mail: it is left for another one, to look."""
        with self.mount("idle=3600", "refresh=1") as mount:
            self.assertEqual(len(mount.messages()), len(LETTERS))
            self.server.letters.append(Letter(b"new", b"Subject: new\r\n\r\nnew\r\n"))
            wait_for(lambda: "new" in mount.messages(), "the new message")

    def test_mail_is_dated_by_when_it_was_first_seen(self):
        begin = time.time()
        with self.mount("idle=0") as mount:
            times = {name: path.stat().st_mtime for name, path in mount.messages().items()}
            self.assertTrue(all(begin - 1 <= one <= time.time() for one in times.values()), times)
            mount.stop()
            self.server.letters.append(Letter(b"new", b"Subject: new\r\n\r\nnew\r\n"))
            later = time.time()
            mount.start()
            self.assertGreaterEqual(mount.messages()["new"].stat().st_mtime, later - 1)
            self.assertEqual({name: path.stat().st_mtime for name, path in mount.messages().items() if name != "new"}, times)

    def test_a_listing_fetches_nothing(self):
        with self.mount() as mount:
            sizes = {name.encode(): path.stat().st_size for name, path in mount.messages().items()}
            self.assertEqual(sizes, {name: len(data) for name, data in LETTERS.items()})
            self.assertEqual((self.server.count("RETR"), self.server.count("TOP")), (0, 0))

    def test_a_second_mount_fetches_nothing(self):
        """Of Dovecot, by what was said to it."""
        with Dovecot() as server, Relay(server.ports["pop3"]) as relay:
            with server.mailbox() as mailbox:
                for text in LETTERS.values():
                    mailbox.append("INBOX", text)
            with Pop3Mount(server, "tls=off", url=relay.url(scheme="pop3")) as mount:
                first = {name: path.read_bytes() for name, path in mount.messages().items()}
                self.assertEqual(sorted(first.values()), sorted(LETTERS.values()))
                self.assertEqual(sum(commands(said).count("RETR") for said in relay.said), len(LETTERS))
                mount.stop()
                del relay.said[:]
                mount.start()
                self.assertEqual({name: path.read_bytes() for name, path in mount.messages().items()}, first)
                self.assertEqual({name for said in relay.said for name in commands(said)} & {"RETR", "TOP"}, set())
                self.assertTrue(relay.said)

    def test_mailutils_locks_its_maildrop(self):
        with Mailutils() as server:
            server.drop(b"Subject: one\n\none\n")
            with Pop3Mount(server, "tls=off", "idle=1") as mount:
                self.assertTrue(list(mount.messages().values())[0].read_bytes().endswith(b"\r\n\r\none\r\n"))

                def log_in():
                    try:
                        with server.maildrop():
                            return True
                    except poplib.error_proto:
                        return False
                wait_for(log_in, "another client's turn")
                os.unlink(list(mount.messages().values())[0])
                wait_for(lambda: server.held() == 0, "the deletion")


if __name__ == "__main__":
    unittest.main()
