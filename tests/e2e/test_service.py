"""The program as a unit of a service manager: what it tells that, what it logs, how it is stopped; by
the unit that is installed, which a manager of the test's own reads."""
import os
import pathlib
import re
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import unittest

from faults import frozen
from support import PROGRAM, ROOT, Mount, MountFailed, Server, mounted, need_fuse, temporary_folder, wait_for

UNIT = ROOT / "fs/systemd/pullmail@.service"


def setUpModule():
    global SERVER
    SERVER = Server()
    unittest.addModuleCleanup(SERVER.remove)
    with SERVER.mailbox() as mailbox:
        for number in range(5):
            mailbox.append("INBOX", b"Subject: %d\r\n\r\nto be read\r\n" % number)


class Manager:
    """What a service manager listens at; a path, or an abstract name that begins with @."""

    def __init__(self, name):
        self.name = name
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.bind(name if name[0] == "/" else "\0" + name[1:])
        self.told = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def hears(self):
        """All that it was told up to now, message by message, as {key: value}."""
        while True:
            try:
                message = self.socket.recv(4096).decode()
            except BlockingIOError:
                return self.told
            self.told.append(dict(line.split("=", 1) for line in message.split("\n")))


class NotifyTest(unittest.TestCase):
    """sd_notify(3), by hand."""

    def check(self, name):
        with Manager(name) as manager, Mount(SERVER, environment={"NOTIFY_SOCKET": name}) as mount:
            wait_for(manager.hears, "READY=1")
            self.assertEqual(manager.hears(), [{"READY": "1", "STATUS": f"{SERVER.url().rstrip('/')} is mounted on {mount.point}"}])
            self.assertEqual(os.listdir(mount.point), ["INBOX"])  # it is true
            mount.signal()
            self.assertEqual(mount.wait_end(), 0)
            self.assertEqual(manager.hears()[1:], [{"STOPPING": "1", "STATUS": f"{SERVER.url().rstrip('/')} is being unmounted from {mount.point}"}])

    def test_path(self):
        folder = temporary_folder()
        self.addCleanup(shutil.rmtree, folder)
        self.check(f"{folder}/notify")

    def test_abstract(self):
        self.check(f"@pullmail-test-{os.getpid()}")

    def test_mount_that_fails(self):
        """It is never ready; the exit status tells."""
        name = f"@pullmail-test-{os.getpid()}-fails"
        mount = Mount(SERVER, environment={"NOTIFY_SOCKET": name}, password="wrong")
        self.addCleanup(mount.remove)
        with Manager(name) as manager:
            with self.assertRaises(MountFailed):
                mount.start()
            self.assertEqual(manager.hears(), [])

    def test_commands_do_not_speak_for_it(self):
        """passcmd is not told where the manager listens."""
        name = f"@pullmail-test-{os.getpid()}-command"
        folder = temporary_folder()
        self.addCleanup(shutil.rmtree, folder)
        command = f"env >{folder}/environment; echo pass"
        with Manager(name), Mount(SERVER, f"passcmd={command}", environment={"NOTIFY_SOCKET": name}):
            self.assertNotIn("NOTIFY_SOCKET", (folder / "environment").read_text())

    def test_background(self):
        """What was started is gone then: nobody waits for it, and nothing is told."""
        name = f"@pullmail-test-{os.getpid()}-background"
        with Manager(name) as manager:
            with Mount(SERVER, background=True, environment={"NOTIFY_SOCKET": name}) as mount:
                self.assertEqual(len(mount.messages()), 5)
            self.assertEqual(manager.hears(), [])


class JournalTest(unittest.TestCase):
    """Lines with their priorities, where stderr is the journal's."""

    def run_with(self, same, *options):
        """What it prints with $JOURNAL_STREAM, which is that of its stderr or not."""
        with tempfile.NamedTemporaryFile() as log:
            about = os.stat(log.name)
            stream = f"{about.st_dev}:{about.st_ino + (0 if same else 1)}"
            ended = subprocess.run([*PROGRAM, *options], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log,
                                   env={**os.environ, "JOURNAL_STREAM": stream}, check=False, timeout=60)
            return ended.returncode, pathlib.Path(log.name).read_text()

    def test_failures(self):
        line = "unknown option 'bogus'; see mount.pullmail(8)\n"
        words = (SERVER.url(), "/tmp", "-f", "-o", "bogus")
        self.assertEqual(self.run_with(True, *words), (1, "<3>" + line))
        self.assertEqual(self.run_with(False, *words), (1, "mount.pullmail: " + line))


class UnitTest(unittest.TestCase):
    """pullmail@.service, as far as a manager's part can be played here."""

    def setUp(self):
        need_fuse()
        self.folder = temporary_folder()
        self.addCleanup(shutil.rmtree, self.folder, True)
        self.point = self.folder / "home/mail"
        self.log = self.folder / "log"
        (self.folder / "pass").touch(mode=0o600)
        (self.folder / "pass").write_text("pass\n")
        self.variables = {
            "URL": SERVER.url(), "MOUNTPOINT": str(self.point),
            "OPTIONS": f"passfile={self.folder}/pass,cafile={SERVER.ca},cachedir={self.folder}/cache,timeout=60"}
        self.manager = Manager(f"@pullmail-test-{os.getpid()}-unit")
        self.addCleanup(self.manager.socket.close)
        self.addCleanup(self.clear_away)

    def clear_away(self):
        if mounted(self.point):
            subprocess.run(["fusermount3", "-u", "-z", self.point], check=False)

    @staticmethod
    def settings():
        """{key: value} of the unit's service."""
        text = UNIT.read_text().split("[Service]")[1].split("[Install]")[0]
        return dict(re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE))

    def command(self, key):
        """A command of the unit's: ${NAME} is one word, whatever is in it."""
        words = shlex.split(self.settings()[key].lstrip("-"))
        words = [re.sub(r"\$\{(\w+)\}", lambda match: self.variables[match[1]], word) for word in words]
        return [*PROGRAM, *words[1:]] if words[0] == "/sbin/mount.pullmail" else words

    def begin(self):
        """Runs it until it is ready; returns the process."""
        before = len(self.manager.hears())
        subprocess.run(self.command("ExecStartPre"), check=True)
        with open(self.log, "ab") as log:
            about = os.fstat(log.fileno())
            process = subprocess.Popen(self.command("ExecStart"), stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={
                **os.environ, "NOTIFY_SOCKET": self.manager.name, "JOURNAL_STREAM": f"{about.st_dev}:{about.st_ino}"})
        self.addCleanup(self.finish, process)
        wait_for(lambda: len(self.manager.hears()) > before or process.poll() is not None, "READY=1", 120)
        self.assertEqual(self.manager.hears()[before:][0]["READY"], "1", self.log.read_text())
        return process

    @staticmethod
    def finish(process):
        """After a failure."""
        if process.poll() is None:
            process.kill()
            process.wait()

    def end(self, process, number):
        """Ends it as systemctl stop does."""
        process.send_signal(number)
        process.wait(60)
        subprocess.run(self.command("ExecStopPost"), check=False, stderr=subprocess.DEVNULL)
        self.assertFalse(mounted(self.point))

    def test_start_and_stop(self):
        self.assertEqual(self.settings()["Type"], "notify")
        process = self.begin()
        self.assertEqual(os.listdir(self.point), ["INBOX"])
        self.end(process, signal.SIGTERM)
        self.assertEqual(process.returncode, 0)
        self.assertEqual([sorted(told) for told in self.manager.hears()], [["READY", "STATUS"], ["STATUS", "STOPPING"]])
        self.assertEqual(self.log.read_text(), f"<5>{SERVER.url().rstrip('/')} is mounted on {self.point}\n")

    def test_killed_and_restarted(self):
        """What ExecStopPost leaves is good to be mounted on again."""
        self.end(self.begin(), signal.SIGKILL)
        process = self.begin()
        self.assertEqual(os.listdir(self.point), ["INBOX"])
        self.end(process, signal.SIGTERM)

    def test_stop_with_a_dead_server(self):
        """Also with deletions that it can't be told of: they are in the journal."""
        process = self.begin()
        names = sorted(os.listdir(self.point / "INBOX"))
        with frozen(SERVER):
            os.unlink(self.point / "INBOX" / names[0])
            process.send_signal(signal.SIGTERM)
            process.wait(20)  # the manager's own patience is TimeoutStopSec
        self.assertEqual(process.returncode, 0)
        self.assertFalse(mounted(self.point))
        process = self.begin()
        wait_for(lambda: re.search(r"^deletions-pending: 0$", (self.point / ".pullmail/status").read_text(), re.MULTILINE),
                 "the deletion")
        self.assertEqual(sorted(os.listdir(self.point / "INBOX")), names[1:])
        self.end(process, signal.SIGTERM)

    def test_systemd_reads_them(self):
        """By its own opinion of the files, with a program that is there."""
        place = self.folder / "units"
        place.mkdir()
        shutil.copy(UNIT, place / "pullmail@ann.service")
        for name in ("srv-mail.mount", "srv-mail.automount"):
            shutil.copy(UNIT.with_name(name), place)
        text = (place / "pullmail@ann.service").read_text().replace("/sbin/mount.pullmail", "/bin/true")
        (place / "pullmail@ann.service").write_text(text)
        for words in (["--user", "pullmail@ann.service"], ["srv-mail.mount", "srv-mail.automount"]):
            files = [place / word for word in words if word[0] != "-"]
            ended = subprocess.run(["systemd-analyze", *words[:-len(files)], "--man=no", "verify", *files], check=False,
                                   stdin=subprocess.DEVNULL, capture_output=True,
                                   env={**os.environ, "XDG_RUNTIME_DIR": str(self.folder), "HOME": str(self.folder)})
            complaints = [line for line in ended.stderr.decode().splitlines() if "mail" in line]
            self.assertEqual((ended.returncode, complaints), (0, []), ended.stderr)


if __name__ == "__main__":
    unittest.main()
