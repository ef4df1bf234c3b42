"""The status: lines that a script can rely on, new ones at each look, for nobody but the owner."""
import datetime
import os
import re
import subprocess
import threading
import unittest

import faults
from faults import administrator, attempt, frozen, read, status
from support import UTC, Mount, Server, wait_for

# Keys that every status has, and what their values look like; in this order.
TIME = r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?Z"
KEYS = {
    "version": r"\S+", "account": r"\S+", "mounted": TIME, "time": TIME, "requests": r"\d+", "open-requests": r"(yes|no)\b.*",
    "server": r"localhost:\d+.*", "capabilities": r".*", "capabilities-in-use": r"[A-Z0-9=+ -]*",
    "tls": r"TLSv1\.[23] \S+|none", "certificate-expires": rf"{TIME}|none", "connections": r"\d+",
    "fetching-messages": r"\d+", "fetch-waiting": r"\d+",
    "prefetch-bound": r"\d+", "prefetch-window": r"\d+", "prefetch-ahead": r"\d+", "prefetched-messages": r"\d+",
    "fetch-rate": r"\d+", "deletions-pending": r"\d+", "files-to-be-stored": r"\d+", "moves-pending": r"\d+",
    "folders": r"\d+", "folders-synced": r"\d+", "folders-watched": r"\d+", "messages": r"\d+", "message-bytes": r"\d+",
    "sizes-right": r"\d+", "sizes-wrong": r"\d+",
    "cache": r"on disk|in memory only", "cached-bytes": r"\d+", "cache-bound": r"\d+", "cache-hits": r"\d+",
    "cache-misses": r"\d+", "cache-evicted-bytes": r"\d+", "cache-damaged-blocks": r"\d+",
    "last-error": rf"none|{TIME} \S.*",
}
PASSWORD = "Seventy-Seagulls"


def lines(text):
    """[(key, value)] of a status."""
    return [tuple(line.split(": ", 1)) for line in text.splitlines()]


class StatusTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.server = Server("--user", f"ann:{PASSWORD}")
        cls.addClassCleanup(cls.server.remove)
        with cls.server.mailbox(password=PASSWORD) as mailbox:
            mailbox.create("Archive")
            for number in range(400):
                mailbox.append("INBOX", b"Subject: %d\r\n\r\n" % number + b"to be read\r\n" * 2000,
                               datetime.datetime(2025, 5, 1, 12, number // 60, number % 60, tzinfo=UTC))

    def mount(self, *options, **keywords):
        """A mount of the server's."""
        return Mount(self.server, *options, password=PASSWORD, **keywords)

    def check_form(self, text):
        """Each line is a key and a value, each key is there once, and those that always are, in their order."""
        self.assertTrue(text.endswith("\n"))
        found = lines(text)
        self.assertEqual([line for line in found if len(line) != 2 or not re.fullmatch(r"[a-z][a-z0-9-]*", line[0])], [])
        keys = [key for key, _ in found]
        self.assertEqual(len(keys), len(set(keys)), keys)
        self.assertEqual([key for key in keys if key in KEYS], list(KEYS))
        for key, value in found:
            if key in KEYS:
                self.assertRegex(value, rf"\A({KEYS[key]})\Z", key)

    def test_form(self):
        with self.mount() as mount:
            self.check_form(mount.status())
            mount.messages()
            found = dict(lines(mount.status()))
            self.check_form(mount.status())
            self.assertEqual((found["folders"], found["folders-synced"], found["messages"]), ("2", "1", "400"))
            self.assertIn("QRESYNC", found["capabilities-in-use"].split())
            self.assertEqual(found["last-error"], "none")
            days = (datetime.datetime.fromisoformat(found["certificate-expires"].replace("Z", "+00:00")) -
                    datetime.datetime.now(UTC)).days
            self.assertTrue(0 <= days < 10000, days)
            connections = [value for key, value in found.items() if re.fullmatch(r"connection-\d+", key)]
            self.assertEqual(len(connections), int(found["connections"]))
            for connection in connections:
                self.assertRegex(connection, r'\Aready, folder "INBOX", \d+ commands under way, \d+ bytes received, '
                                             r"\d+ sent, tls TLSv1\.[23] \S+\Z")

    def test_form_without_tls(self):
        with self.mount("tls=off", url=self.server.url("imap")) as mount:
            self.check_form(mount.status())
            self.assertEqual((status(mount, "tls"), status(mount, "certificate-expires")), ("none", "none"))

    def test_form_of_pop3(self):
        with self.mount(url=self.server.url("pop3s")) as mount:
            mount_names = os.listdir(mount / "INBOX")
            self.assertEqual(len(mount_names), 400)
            self.check_form(mount.status())
            self.assertIn("TOP", status(mount, "capabilities-in-use").split())
            self.assertRegex(status(mount, "tls"), r"\ATLSv1\.[23] ")

    def test_no_secret(self):
        """Nor in what went wrong last."""
        with self.mount("timeout=2") as mount:
            mount.messages()
            self.assertNotIn(PASSWORD, mount.status())
            with frozen(self.server):
                self.assertIsInstance(attempt(read, mount.messages()[3]), int)
                self.assertNotIn(PASSWORD, mount.status())

    def test_new_at_each_look(self):
        """Also where one process looks again and again, at what the kernel might have kept."""
        with self.mount() as mount:
            path = mount / ".pullmail/status"
            paths = mount.messages()
            seen = set()
            for uid in sorted(paths)[:10]:
                read(paths[uid])
                text = path.read_text()
                seen.add((dict(lines(text))["time"], dict(lines(text))["requests"]))
            self.assertEqual(len(seen), 10)
            texts = {subprocess.run(["cat", path], check=True, capture_output=True).stdout for _ in range(3)}
            self.assertEqual(len(texts), 3)
            with open(path, "rb", buffering=0) as file:
                begun = file.read(20)
                read(paths[sorted(paths)[20]])
                whole = begun + b"".join(iter(lambda: file.read(7), b""))
            self.check_form(whole.decode())  # of one moment

    def test_progress(self):
        """A scan is seen to get on, and is not told of when it is over."""
        with self.mount() as mount:
            paths = mount.messages()
            seen = []
            for number, uid in enumerate(sorted(paths), 1):
                read(paths[uid])
                found = dict(lines(mount.status()))
                if "scan-1" in found:
                    match = re.fullmatch(r'(\d+) of 400 messages, (\d+) ahead, folder "INBOX"', found["scan-1"])
                    self.assertIsNotNone(match, found["scan-1"])
                    done, ahead = int(match[1]), int(match[2])
                    self.assertLessEqual(abs(done - number), 2)
                    self.assertLessEqual(done + ahead, 400)
                    seen.append(done)
            self.assertEqual(seen, sorted(seen))
            self.assertGreater(len(set(seen)), 100)
            wait_for(lambda: not any(key.startswith("scan-") for key, _ in lines(mount.status())), "the end of the scan")
            self.assertEqual(status(mount, "fetching-messages"), 0)

    def test_while_it_waits(self):
        """The status is there at once, however dead the server, and tells who waits and what went wrong."""
        with self.mount("timeout=5") as mount:
            path = mount.messages()[7]
            with frozen(self.server):
                ended = []
                reader = threading.Thread(target=lambda: ended.append(attempt(read, path)))
                reader.start()
                wait_for(lambda: status(mount, "fetch-waiting") == 1, "somebody who waits")
                self.assertEqual(status(mount, "fetching-messages"), 1)
                reader.join()
                self.assertIn(ended[0], faults.NO_SERVER)
                begun = datetime.datetime.now(UTC) - datetime.timedelta(minutes=2)
                when, text = status(mount, "last-error").split(" ", 1)
                self.assertGreater(datetime.datetime.fromisoformat(when.replace("Z", "+00:00")), begun)
                self.assertIn("localhost", text)
                self.check_form(mount.status())

    def test_for_its_owner_alone(self):
        """Whoever else is let in."""
        if administrator() != []:  # only root lets others in without a setting of the machine's
            with self.mount("umask=000") as mount:
                self.assertEqual((mount / ".pullmail").stat().st_mode & 0o777, 0o500)
                self.assertEqual((mount / ".pullmail/status").stat().st_mode & 0o777, 0o400)
            return
        with self.mount("allow_other", "umask=000") as mount:
            mount.folder.chmod(0o711)
            other = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
            self.assertEqual(subprocess.run([*other, "ls", mount.point], check=True, capture_output=True).stdout,
                             b"Archive\nINBOX\n")
            for name in (".pullmail/status", ".pullmail"):
                ended = subprocess.run([*other, "cat", mount / name], check=False, capture_output=True)
                self.assertEqual((ended.returncode, ended.stdout), (1, b""))
                self.assertIn(b"Permission denied", ended.stderr)


if __name__ == "__main__":
    unittest.main()
