"""mailutils: GNU mailutils' pop3d as a private server: of another family than Dovecot. It locks the
maildrop for as long as a session lasts, writes its unique-ids into the messages' headers, and tells
wrong sizes of messages whose last line has no end."""
import itertools
import os
import pwd
import shutil
import socket
import subprocess
import threading

from poptool import Maildrop
from support import run, temporary_folder

PROGRAM = "/usr/sbin/pop3d"
CONFIGURATION = """
auth {{ authentication generic; authorization virtdomain; }}
virtdomain {{ passwd-dir {home}/domains; }}
mandatory-locking {{ lock-directory {home}/locks; }}
logging {{ syslog no; }}
"""


class Mailutils:
    """
    The server, of one user, whose name is USER, at .port on loopback: one process for each connection,
    as inetd would start it. In the clear, since Debian 13's dies of its TLS settings. Use it in a with
    statement or call remove().
    """

    USER = "ann@example.org"
    ca = None

    def __init__(self):
        if not os.path.exists(PROGRAM):
            raise AssertionError("mailutils' pop3d is missing; 'make deps-test' installs it (package mailutils-pop3d)")
        self.home = temporary_folder()
        self._sequence = itertools.count(1)
        self._processes = []
        for name in ("domains", "locks", "ann/INBOX/cur", "ann/INBOX/new", "ann/INBOX/tmp"):
            (self.home / name).mkdir(parents=True)
        (self.home / "pop3d.conf").write_text(CONFIGURATION.format(home=self.home))
        password = run("openssl", "passwd", "-5", "pass").strip()
        (self.home / "domains/example.org").write_text(
            f"ann:{password}:{os.geteuid()}:{os.getegid()}:Ann:{self.home}/ann:/bin/sh\n")
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.remove()

    def _command(self):
        """
        It insists on becoming the group mail: so that is what our own is called, if we are not root;
        or, where there are no user namespaces to be had (in a chroot), what sudo makes it.
        """
        name = [PROGRAM, "-i", f"--config-file={self.home}/pop3d.conf"]
        user, group = os.geteuid(), pwd.getpwnam("mail").pw_gid
        if user == 0:
            return name
        unshare = ["unshare", "--user", f"--map-user={user}", f"--map-group={group}"]
        if subprocess.run([*unshare, "true"], stderr=subprocess.DEVNULL, check=False).returncode == 0:
            return [*unshare, *name]
        return ["sudo", "-n", "setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups", *name]

    def _accept(self):
        with open(self.home / "log", "ab") as log:
            while True:
                try:
                    connection, _ = self._listener.accept()
                except OSError:
                    return
                with connection:
                    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    self._processes.append(subprocess.Popen(self._command(), stdin=connection, stdout=connection, stderr=log))

    def log(self):
        """What it printed."""
        return (self.home / "log").read_text(errors="replace")

    def drop(self, message):
        """Delivers a message, whose lines end with LF."""
        path = self.home / f"ann/INBOX/cur/{next(self._sequence):05}.test:2,"
        path.write_bytes(message)
        return path

    def held(self):
        """How many messages there are, in its Maildir."""
        return sum(len(os.listdir(self.home / "ann/INBOX" / name)) for name in ("cur", "new"))

    def maildrop(self):
        """A session of the test's own."""
        return Maildrop(self.port, self.USER)

    def url(self, scheme="pop3"):
        """The URL that mounts it, with tls=off."""
        return f"{scheme}://{self.USER.replace('@', '%40')}@localhost:{self.port}/"

    def remove(self):
        """Ends it, and removes all it made."""
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._listener.close()
        for process in self._processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(self.home, ignore_errors=True)


def lf(message):
    """A message as it lies in a Maildir."""
    return message.replace(b"\r\n", b"\n")
