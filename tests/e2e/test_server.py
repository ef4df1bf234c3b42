"""The private Dovecot itself: what the other end-to-end tests rely on must hold."""
import datetime
import os
import pathlib
import socket
import subprocess
import unittest

from support import ROOT, UTC, Server, file_name


class ServerTest(unittest.TestCase):
    """tests/dovecot, and what support.py makes of it."""

    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.addClassCleanup(cls.server.remove)

    def test_listens_on_loopback_alone(self):
        ports = {f"{port:04X}" for port in self.server.ports.values()}
        table = pathlib.Path("/proc/net/tcp").read_text() + pathlib.Path("/proc/net/tcp6").read_text()
        listening = [fields[1].split(":") for fields in map(str.split, table.splitlines()[1:])
                     if len(fields) > 3 and fields[3] == "0A"]
        ours = [address for address, port in listening if port in ports]
        self.assertEqual(len(ours), len(self.server.ports))
        self.assertEqual(set(ours), {"0100007F"})

    def test_serves_what_was_delivered(self):
        message = b"Subject: exact\r\n\r\n8-bit \x80\xff\r\n" + b"x" * 2000 + b"\r\n"
        date = datetime.datetime(2025, 3, 4, 5, 6, 7, tzinfo=datetime.timezone(datetime.timedelta(hours=2)))
        with self.server.mailbox() as mailbox:
            mailbox.create("R\u00e9unions/\u65e5\u672c")
            uid = mailbox.append("R\u00e9unions/\u65e5\u672c", message, date, ["\\Seen", "work"])
            self.assertIn("R\u00e9unions/\u65e5\u672c", mailbox.folders())
            self.assertEqual(mailbox.fetch("R\u00e9unions/\u65e5\u672c", uid), message)
            self.assertEqual(mailbox.fetch_all("R\u00e9unions/\u65e5\u672c"), {uid: message})
            said = mailbox.describe("R\u00e9unions/\u65e5\u672c", uid)
        self.assertEqual(said["date"], date)
        self.assertEqual(said["size"], len(message))
        self.assertLessEqual({"\\Seen", "work"}, set(said["flags"]))
        self.assertEqual(file_name(date, uid), f"20250304-030607-{uid}.eml")

    def test_takes_files_put_into_the_maildir(self):
        with self.server.mailbox() as mailbox:
            mailbox.create("Dropped")
            self.server.drop("Dropped", b"no header at all", datetime.datetime(2020, 1, 2, tzinfo=UTC), "S")
            self.assertEqual(mailbox.uids("Dropped"), [1])
            self.assertEqual(mailbox.describe("Dropped", 1)["date"], datetime.datetime(2020, 1, 2, tzinfo=UTC))

    def test_logs_the_commands_of_each_session(self):
        with self.server.mailbox() as mailbox:
            uid = mailbox.append("INBOX", b"Subject: log\r\n\r\n12345678\r\n")
            mark = self.server.mark()
            mailbox.fetch("INBOX", uid)
            mailbox.fetch("INBOX", uid, "TEXT")
            names = [command.name for command in self.server.commands(mark, mounts_only=False)]
            fetched = self.server.fetched(mark, mounts_only=False)
        self.assertEqual(names, ["SELECT", "UID FETCH", "NOOP", "UID FETCH"])
        self.assertEqual([(item.section, item.length) for item in fetched], [("BODY[]", 26), ("BODY[TEXT]", 10)])
        self.assertEqual(self.server.commands(mark), [])

    def test_starts_again_at_the_same_ports(self):
        before = self.server.ports
        with self.server.mailbox() as mailbox:
            mailbox.create("Kept")
        self.server.stop()
        with self.assertRaises(OSError):
            socket.create_connection(("127.0.0.1", before["imap"]), timeout=5).close()
        self.server.start()
        self.assertEqual(self.server.ports, before)
        with self.server.mailbox() as mailbox:
            self.assertIn("Kept", mailbox.folders())

    def test_removes_all_that_it_made(self):
        server = Server("--user", "bob@example.org:other", rawlog=False)
        home = (server.directory / "home").resolve()
        pid = int((home / "run/master.pid").read_text())
        server.mailbox("bob@example.org", "other").close()
        server.remove()
        self.assertFalse(home.exists() or server.folder.exists())
        self.assertFalse(os.path.exists(f"/proc/{pid}/exe") and os.readlink(f"/proc/{pid}/exe").endswith("dovecot"))


class CapabilityTest(unittest.TestCase):
    """Capabilities that are taken away."""

    def test_announces_no_more_than_it_should(self):
        with Server("--without", "QRESYNC", "--without", "CONDSTORE", "--without", "MOVE") as server:
            with server.mailbox() as mailbox:
                words = mailbox.imap.capability()[1][-1].decode().upper().split()
        self.assertIn("UIDPLUS", words)
        self.assertFalse({"QRESYNC", "CONDSTORE", "MOVE", "COMPRESS=DEFLATE"} & set(words))


class UsageTest(unittest.TestCase):
    """Mistakes of the caller."""

    def test_says_that_it_runs_already(self):
        with Server() as server:
            done = subprocess.run([ROOT / "tests/dovecot", "start", server.directory], check=False,
                                  capture_output=True, text=True)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("runs already", done.stderr)
