"""Mail through COMPRESS=DEFLATE: the same bytes, from fewer on the wire; and a server that has none."""
import unittest

from corpus import MAIL
from support import Mount, Server, wait_for


def is_compressed(line):
    return line.endswith(", compressed")


class CompressTest(unittest.TestCase):
    def check(self, expect, option, *server_options):
        """All messages, read through a mount; each line of the status on a connection, once it is
        there, is as expected."""

        def lines():
            status = (mount / ".pullmail/status").read_text()
            return [line for line in status.splitlines() if line.startswith("connection-")]

        with Server(*server_options, rawlog=False) as server:
            with server.mailbox() as mailbox:
                mailbox.create("Edge")
                for text in MAIL.values():
                    mailbox.append("Edge", text)
                expected = mailbox.fetch_all("Edge")
            with Mount(server, f"compress={option}") as mount:
                for uid, path in mount.messages("Edge").items():
                    self.assertEqual(path.read_bytes(), expected[uid])
                wait_for(lambda: lines() and not any("connecting" in line for line in lines()), "connections")
                wait_for(lambda: all(is_compressed(line) == expect for line in lines()),
                         f"compressed: {expect}")
        self.assertEqual(len(expected), len(MAIL))

    def test_on(self):
        self.check(True, "on", "--compress")

    def test_off(self):
        self.check(False, "off", "--compress")

    def test_server_has_none(self):
        self.check(False, "on")


if __name__ == "__main__":
    unittest.main()
