"""The private POP3 servers themselves: what the tests of POP3 rely on must hold, as poplib sees it."""
import poplib
import socket
import unittest

from hostile import Certificates
from mailutils import Mailutils, lf
from pop3mount import Dovecot
from poptool import Maildrop
from popserver import Server

TEXT = b"Subject: exact\r\n\r\n.one dot\r\n..\r\n8-bit \xe9\r\n" + b"x" * 3000 + b"\r\nend\r\n"


class ServersTest(unittest.TestCase):
    """One server each."""

    @classmethod
    def setUpClass(cls):
        cls.addClassCleanup(Certificates.remove)

    def test_dovecot(self):
        with Dovecot() as server:
            with server.mailbox() as mailbox:
                mailbox.append("INBOX", TEXT)
                mailbox.append("INBOX", TEXT + b"2\r\n")
            self.assertEqual(list(server.held().values()), [TEXT, TEXT + b"2\r\n"])
            with Maildrop(server.ports["pop3"], ca=server.ca, stls=True) as maildrop:
                self.assertEqual(maildrop.sizes(), {1: len(TEXT), 2: len(TEXT) + 3})
                self.assertIn("PIPELINING", maildrop.pop.capa())
                maildrop.remove(maildrop.unique_ids()[1])
            self.assertEqual(list(server.held().values()), [TEXT + b"2\r\n"])

    def test_mailutils(self):
        with Mailutils() as server:
            for number in range(3):
                server.drop(lf(TEXT) + b"%d\n" % number)
            with server.maildrop() as maildrop:
                names = maildrop.unique_ids()
                with self.assertRaisesRegex(poplib.error_proto, "IN-USE"):
                    server.maildrop()
            with server.maildrop() as maildrop:
                self.assertEqual(maildrop.unique_ids(), names)
                for number, message in zip(names, maildrop.fetch_all().values()):
                    self.assertTrue(message.endswith(TEXT.partition(b"\r\n")[2] + b"%d\r\n" % (number - 1)), message)
                maildrop.remove(names[2])
            with server.maildrop() as maildrop:
                self.assertEqual(list(maildrop.unique_ids().values()), [names[1], names[3]])
            self.assertEqual(server.held(), 2)

    def test_popserver(self):
        letters = {b"a": TEXT, b"b": b"Subject: b\r\n\r\nno end", b"c": TEXT}
        with Server(letters, tls="implicit") as server:
            with Maildrop(server.port, ca=server.ca) as maildrop:
                self.assertEqual(maildrop.fetch_all(), {"a": TEXT, "b": letters[b"b"] + b"\r\n", "c": TEXT})
                self.assertEqual(maildrop.pop.top(2, 0)[1], [b"Subject: b", b""])
                with self.assertRaisesRegex(poplib.error_proto, "IN-USE"):
                    Maildrop(server.port, ca=server.ca)
                maildrop.remove("b", "c")
                self.assertEqual(server.removed, [])
            self.assertEqual(server.removed, [b"b", b"c"])
            self.assertEqual(server.count("DELE"), 2)
            server.released()
            with socket.create_connection(("127.0.0.1", server.port)):
                pass


if __name__ == "__main__":
    unittest.main()
