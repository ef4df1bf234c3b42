"""Mail through COMPRESS=DEFLATE: the same bytes, from fewer on the wire; and a server that has none."""
import unittest

from corpus import MAIL
from support import Mount, Server


class CompressTest(unittest.TestCase):
    def check(self, option, *server_options):
        """All messages, read through a mount; the status' lines on connections."""
        with Server(*server_options, rawlog=False) as server:
            with server.mailbox() as mailbox:
                mailbox.create("Edge")
                for text in MAIL.values():
                    mailbox.append("Edge", text)
                expected = mailbox.fetch_all("Edge")
            with Mount(server, f"compress={option}") as mount:
                for uid, path in mount.messages("Edge").items():
                    self.assertEqual(path.read_bytes(), expected[uid])
                status = (mount / ".pullmail/status").read_text()
        self.assertEqual(len(expected), len(MAIL))
        return [line for line in status.splitlines() if line.startswith("connection-")]

    def test_on(self):
        for line in self.check("on", "--compress"):
            self.assertTrue(line.endswith(", compressed"), line)

    def test_off(self):
        for line in self.check("off", "--compress"):
            self.assertNotIn("compressed", line)

    def test_server_has_none(self):
        for line in self.check("on"):
            self.assertNotIn("compressed", line)


if __name__ == "__main__":
    unittest.main()
