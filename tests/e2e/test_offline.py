"""Without a network: what is cached is there, at once, and the rest fails at once, with few attempts to reach the
server; it comes back by itself. A mount can begin so. Logins that are refused are not hammered, and a server that lets
few in is used by few connections."""
import concurrent.futures
import errno
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
import unittest

from faults import NO_SERVER, attempt, check_bytes, dovecot_settings, fill, frozen, read, settled
from support import Mount, MountFailed, Server, mounted, run, wait_for

AGES = 60  # seconds that nothing here may take, however busy the machine is
BACK = "the server is there again"


class Counter:
    """Listens at a port and counts who comes; each is sent away, or (silent) waits for ever."""

    def __init__(self, port, silent=False):
        self.count = 0
        self._silent = silent
        self._kept = []
        self._listener = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for one in self._kept:
            one.close()

    def _accept(self):
        while True:
            try:
                one, _ = self._listener.accept()
            except OSError:
                return
            self.count += 1
            if self._silent:
                self._kept.append(one)
            else:
                one.close()


def start_again(server):
    """Also where it runs."""
    try:
        server.start()
    except AssertionError as error:
        if "runs already" not in str(error):
            raise


class OfflineTest(unittest.TestCase):
    """One server, whose mail the tests only read."""

    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.addClassCleanup(cls.server.remove)
        cls.truth = fill(cls.server, "INBOX", small=80, long=1)
        cls.other = fill(cls.server, "Other", small=3)
        cls.never = fill(cls.server, "Never looked at", small=1)
        cls.uids = sorted(cls.truth)
        cls.held, cls.cold = cls.uids[:10], cls.uids[10:]

    def setUp(self):
        self.addCleanup(start_again, self.server)

    def look(self, mount):
        """Lists two folders and reads some of their messages; returns the paths."""
        paths = mount.messages()
        check_bytes(self, paths, self.truth, self.held)
        check_bytes(self, mount.messages("Other"), self.other)
        return paths

    def check_known(self, mount):
        """What is cached is as the server has it, by programs too."""
        check_bytes(self, mount.messages(), self.truth, self.held)
        check_bytes(self, mount.messages("Other"), self.other)
        self.assertEqual(sorted(os.listdir(mount.point)), ["INBOX", "Never looked at", "Other"])
        sizes = {uid: path.stat().st_size for uid, path in mount.messages().items()}
        self.assertEqual(sizes, {uid: len(data) for uid, data in self.truth.items()})
        run("df", mount.point)
        self.assertEqual(run("grep", "-rc", "", mount / "Other").count("\n"), len(self.other))

    def check_rest(self, mount, expected):
        """What is not cached fails with this errno; a name that is not there is not there."""
        paths = mount.messages()
        self.assertEqual({attempt(read, paths[uid]) for uid in self.cold}, {expected})
        self.assertEqual(attempt(os.listdir, mount / "Never looked at"), expected)
        self.assertEqual(attempt(os.stat, mount / "INBOX/20250501-120000-99999.eml"), errno.ENOENT)
        self.assertEqual(attempt(os.stat, mount / "None"), errno.ENOENT)

    def test_away_and_back(self):
        for silent, error in ((False, errno.ENOTCONN), (True, errno.ETIMEDOUT)):
            with self.subTest(silent=silent), Mount(self.server, "timeout=2", "refresh=1", "prefetch=off") as mount:
                paths = self.look(mount)
                self.server.stop()
                with Counter(self.server.ports["imaps"], silent) as counter:
                    # It may have looked when there was nothing yet.
                    wait_for(lambda path=paths[self.cold[0]], error=error: attempt(read, path) == error, "the error")
                    begin, count = time.monotonic(), counter.count
                    for _ in range(3):
                        self.check_rest(mount, error)
                        self.check_known(mount)
                    # One a second, for who comes; and one that nobody asked for.
                    self.assertLessEqual(counter.count - count, time.monotonic() - begin + 2)
                self.assertEqual(mount.log().count("the server is away"), 1, mount.log())
                self.server.start()
                wait_for(lambda mount=mount: BACK in mount.log(), "the server, though nobody asks")
                check_bytes(self, mount.messages(), self.truth)
                check_bytes(self, mount.messages("Never looked at"), self.never)
                with self.server.mailbox() as mailbox:
                    uid = mailbox.append("Other", b"Subject: new\r\n\r\n")
                    wait_for(lambda mount=mount, uid=uid: uid in mount.messages("Other"), "the new message")
                    mailbox.expunge("Other", uid)
                    wait_for(lambda mount=mount, uid=uid: uid not in mount.messages("Other"), "the end of it")

    def test_grep_of_all(self):
        """Of a thousand files nobody waits for more than some."""
        with Mount(self.server, "timeout=3600", "refresh=3600", "prefetch=off") as mount:
            self.look(mount)
            self.server.stop()
            done = subprocess.run(["grep", "-rc", "", mount.point], check=False, capture_output=True, timeout=AGES)
            self.assertEqual(done.returncode, 2)
            counted = dict(line.rsplit(":", 1) for line in done.stdout.decode().splitlines())
            expected = {str(path): str(self.truth[uid].count(b"\n")) for uid, path in mount.messages().items()
                        if uid in self.held}
            expected |= {str(path): str(self.other[uid].count(b"\n")) for uid, path in mount.messages("Other").items()}
            self.assertEqual(counted, expected)
            errors = done.stderr.decode().splitlines()
            self.assertEqual(len(errors), len(self.cold) + 1)
            said = tuple(map(os.strerror, NO_SERVER))
            self.assertTrue(all(line.endswith(said) for line in errors), errors)

    def filled(self, *options, **keywords):
        """A mount that ended, with what look() reads in its cache."""
        mount = Mount(self.server, "timeout=5", "prefetch=off", *options, **keywords)
        self.addCleanup(mount.remove)
        mount.start()
        self.look(mount)
        mount.stop()
        return mount

    def test_killed_at_once_and_begun_without_a_server(self):
        """What the server can do is known as soon as its folders are."""
        with Mount(self.server, "timeout=5") as mount:
            mount.kill()
            self.server.stop()
            mount.start()
            self.assertFalse(os.statvfs(mount.point).f_flag & os.ST_RDONLY)
            self.assertEqual(attempt(os.mkdir, mount / "New"), errno.ECONNREFUSED)
            self.server.start()
            wait_for(lambda: attempt(os.mkdir, mount / "New") is None, "a change")
            os.rmdir(mount / "New")

    def test_begun_without_a_server(self):
        for background in (False, True):
            with self.subTest(background=background):
                mount = self.filled(background=background)
                self.server.stop()
                mount.start()
                self.assertRegex(mount.log(), r"\Amount\.pullmail: mounted offline, by what is cached: localhost:\d+: "
                                              r"connection refused; is the port right\?\n")
                self.check_known(mount)
                self.check_rest(mount, errno.ECONNREFUSED)
                self.server.start()
                self.assertTrue(settled(read, mount.messages()[self.cold[0]]) == self.truth[self.cold[0]])
                check_bytes(self, mount.messages(), self.truth)
                with self.server.mailbox() as mailbox:
                    uid = mailbox.append("Other", b"Subject: new\r\n\r\n")
                # What the cache says that the server can do, it does.
                path = wait_for(lambda mount=mount, uid=uid: mount.messages("Other").get(uid), "the new message", 90)
                path.unlink()
                mount.stop()
                with self.server.mailbox() as mailbox:
                    self.assertEqual(sorted(mailbox.fetch_all("Other")), sorted(self.other))

    def test_begun_with_a_silent_server(self):
        mount = self.filled()
        mount.options.append("timeout=1")
        with frozen(self.server):
            mount.start()
            self.assertIn("mounted offline", mount.log())
            self.check_known(mount)
            self.check_rest(mount, errno.ETIMEDOUT)
        wait_for(lambda: BACK in mount.log(), "the server, though nobody asks")
        check_bytes(self, mount.messages(), self.truth)
        mount.stop()

    def test_not_begun(self):
        """Where that was not wanted, or nothing is cached, or the server refuses."""
        mount = self.filled("offline=never")
        self.server.stop()
        with self.assertRaises(MountFailed) as failed:
            mount.start()
        self.assertEqual(failed.exception.status, 32)
        self.assertRegex(failed.exception.log, r"\Amount\.pullmail: localhost:\d+: connection refused[^\n]*\n\Z")
        for options, says in (((), r"localhost:\d+: connection refused[^\n]*"),
                              (("offline=always",), "nothing of this account is cached")):
            empty = Mount(self.server, *options)
            self.addCleanup(empty.remove)
            with self.subTest(options), self.assertRaises(MountFailed) as failed:
                empty.start()
            self.assertRegex(failed.exception.log, rf"\Amount\.pullmail: {says}\n\Z")
        self.server.start()
        mount.options[mount.options.index("offline=never")] = "offline=auto"
        mount.passfile.write_text("wrong\n")
        with self.assertRaises(MountFailed) as failed:
            mount.start()
        self.assertIn("login refused", failed.exception.log)

    def test_always(self):
        mount = self.filled()
        with self.server.mailbox() as mailbox:
            uid = mailbox.append("Other", b"Subject: to be removed\r\n\r\n")
        mount.start()
        wait_for(lambda: uid in mount.messages("Other"), "the message")
        mount.stop()
        mount.options.append("offline=always")
        mount.options.remove(f"passfile={mount.passfile}")
        logins = self.server.log().count("Login:")
        mount.start()
        paths = mount.messages("Other")
        os.unlink(paths.pop(uid))
        self.check_known(mount)
        self.check_rest(mount, errno.ENETUNREACH)
        self.assertEqual(attempt(os.mkdir, mount / "New"), errno.ENETUNREACH)
        self.assertEqual(sorted(mount.messages("Other")), sorted(self.other))
        mount.stop()
        self.assertEqual(self.server.log().count("Login:"), logins)
        mount.options.remove("offline=always")
        mount.options.append(f"passfile={mount.passfile}")
        mount.start()
        self.assertEqual(sorted(mount.messages("Other")), sorted(self.other))
        mount.stop()
        with self.server.mailbox() as mailbox:
            self.assertEqual(sorted(mailbox.fetch_all("Other")), sorted(self.other))

    def test_changes_while_away(self):
        """A removal is done later; what has to be asked for fails, and leaves nothing (see test_offline_changes)."""
        with self.server.mailbox() as mailbox:
            uids = [mailbox.append("Other", b"Subject: to be removed %d\r\n\r\n" % number) for number in range(3)]
        with Mount(self.server, "timeout=20", "refresh=3600") as mount:
            paths = mount.messages("Other")
            self.server.stop()
            self.assertIn(attempt(os.listdir, mount / "Never looked at"), NO_SERVER)
            for uid in uids:
                os.unlink(paths[uid])
            self.assertEqual(sorted(mount.messages("Other")), sorted(self.other))
            kept = paths[min(self.other)]
            for function, *arguments in ((os.mkdir, mount / "New"), (os.rmdir, mount / "Never looked at"),
                                         (os.rename, kept, mount / "INBOX" / kept.name)):
                self.assertIn(attempt(function, *arguments), NO_SERVER, function)
            self.assertTrue(kept.exists())
            self.server.start()
            wait_for(lambda: self.server_has("Other") == sorted(self.other), "the removals")

    def server_has(self, folder):
        """UIDs."""
        with self.server.mailbox() as mailbox:
            return sorted(mailbox.fetch_all(folder))

    def test_changes_are_refused(self):
        with Mount(self.server, "offline=never", "refresh=3600", "timeout=20") as mount:
            paths = mount.messages("Other")
            check_bytes(self, paths, self.other)
            mount.messages()
            self.server.stop()
            self.assertIn(attempt(os.listdir, mount / "Never looked at"), NO_SERVER)
            path = paths[min(self.other)]
            for function, *arguments in ((os.unlink, path), (os.mkdir, mount / "New"), (os.rmdir, mount / "Other"),
                                         (os.rename, path, mount / "INBOX" / path.name),
                                         (os.setxattr, path, "user.mail.flags", b"\\Seen"),
                                         (shutil.copyfile, path, mount / "Other/copy.eml")):
                self.assertEqual(attempt(function, *arguments), errno.EROFS, function)
            check_bytes(self, mount.messages("Other"), self.other)
            self.server.start()
            wait_for(lambda: BACK in mount.log(), "the server")
            with self.server.mailbox() as mailbox:
                uid = mailbox.append("INBOX", b"Subject: x\r\n\r\n")
                self.addCleanup(self.expunge, uid)
            wait_for(lambda: attempt(os.mkdir, mount / "New") is None, "a change")
            os.rmdir(mount / "New")

    def expunge(self, uid):
        """Undoes an append."""
        with self.server.mailbox() as mailbox:
            mailbox.expunge("INBOX", uid)

    def test_unmounting_with_removals_and_a_frozen_server(self):
        with self.server.mailbox() as mailbox:
            uid = mailbox.append("Other", b"Subject: to be removed\r\n\r\n")
        mount = Mount(self.server, "timeout=3600")
        self.addCleanup(mount.remove)
        mount.start()
        path = mount.messages("Other")[uid]
        with frozen(self.server):
            path.unlink()
            run("fusermount3", "-u", mount.point)
            self.assertEqual(mount.wait_end(AGES), 0)
        mount.start()
        self.assertEqual(sorted(mount.messages("Other")), sorted(self.other))
        mount.stop()
        self.assertEqual(self.server_has("Other"), sorted(self.other))


class RefusalTest(unittest.TestCase):
    """A server of its own for each, whose users change."""

    def server_of(self, *options):
        """A server with some mail."""
        server = Server(*options, rawlog=False)
        self.addCleanup(server.remove)
        self.truth = fill(server, "INBOX", small=12)
        self.uids = sorted(self.truth)
        return server

    def set_password(self, server, password):
        """What the server takes from now on; who is logged in is thrown out."""
        users = server.directory / "home/users"
        users.write_text(f"ann:{{PLAIN}}{password}::::::\n")
        server.stop()
        server.start()

    @staticmethod
    def refusals(server):
        """How often somebody was refused."""
        return len(re.findall(r"auth failed", server.log()))

    def check_refusals(self, server, count):
        """So often; the server writes its log a little later."""
        wait_for(lambda: self.refusals(server) >= count, "the server's log")
        self.assertEqual(self.refusals(server), count, server.log())

    def test_password_changed(self):
        server = self.server_of()
        with Mount(server, "prefetch=off", "refresh=3600") as mount:
            paths = mount.messages()
            check_bytes(self, paths, self.truth, self.uids[:3])
            self.set_password(server, "another")
            for _ in range(3):
                self.assertEqual({attempt(read, paths[uid]) for uid in self.uids[3:]}, {errno.EACCES})
                check_bytes(self, mount.messages(), self.truth, self.uids[:3])
            self.assertEqual(mount.log().count("lets us in no more"), 1, mount.log())
            self.check_refusals(server, 1)
            mount.passfile.write_text("wrong too\n")
            wait_for(lambda: attempt(read, paths[self.uids[3]]) and self.refusals(server) > 1, "another attempt")
            self.assertEqual(attempt(read, paths[self.uids[3]]), errno.EACCES)
            self.check_refusals(server, 2)
            mount.passfile.write_text("another\n")
            self.assertTrue(settled(read, paths[self.uids[3]]) == self.truth[self.uids[3]])
            check_bytes(self, mount.messages(), self.truth)
            self.check_refusals(server, 2)

    def test_password_changed_in_time(self):
        """Nobody notices: the file, or the command, is asked once more before anybody is told. So with tokens."""
        server = self.server_of()
        for source in ("passfile", "passcmd"):
            with self.subTest(source):
                self.set_password(server, "pass")
                count = Mount(server).folder
                self.addCleanup(shutil.rmtree, count)
                secret = count / "secret"
                secret.touch(mode=0o600)
                secret.write_text("pass\n")
                given = f"passfile={secret}" if source == "passfile" else f"passcmd=echo x >>{count}/runs; cat {secret}"
                refused = self.refusals(server)
                with Mount(server, "prefetch=off", given) as mount:
                    paths = mount.messages()
                    secret.write_text("another\n")
                    self.set_password(server, "another")
                    check_bytes(self, paths, self.truth)
                    self.check_refusals(server, refused + 1)
                if source == "passcmd":
                    self.assertEqual((count / "runs").read_text(), "x\nx\n")

    def test_few_connections(self):
        """A server that lets one in gets along with connections=4."""
        setting = "mail_max_userip_connections = 1\n"
        server = self.server_of("--extra", dovecot_settings(setting, setting))
        other = fill(server, "Other", small=12)
        with Mount(server, "connections=4", "prefetch=off") as mount:
            paths = list(mount.messages().items()) + list(mount.messages("Other").items())
            with concurrent.futures.ThreadPoolExecutor(8) as pool:
                found = [pool.submit(attempt, read, path) for _, path in paths]
            truth = [*(self.truth[uid] for uid, _ in paths[:12]), *(other[uid] for uid, _ in paths[12:])]
            self.assertTrue([one.result() for one in found] == truth, [one.result() for one in found if
                                                                       isinstance(one.result(), int)])
            # Each attempt that is turned away is one for a minute and more.
            self.assertLessEqual(server.log().count("Maximum number of connections"), 2, server.log())


class DeadDaemonTest(unittest.TestCase):
    """A daemon was killed: the next start clears away what it left."""

    def test_cleared_away(self):
        server = Server(rawlog=False)
        self.addCleanup(server.remove)
        for background in (False, True):
            mount = Mount(server, background=background)
            self.addCleanup(mount.remove)
            mount.start()
            inside = subprocess.Popen(["sleep", "600"], cwd=mount / "INBOX")
            self.addCleanup(inside.wait)
            self.addCleanup(inside.kill)
            mount.signal(signal.SIGKILL)
            mount.wait_end()
            self.assertEqual(attempt(os.listdir, mount.point), errno.ENOTCONN)
            mount.start()
            wait_for(lambda mount=mount: attempt(os.listdir, mount.point) == ["INBOX"], "the mount")
            self.assertIn(f"mount.pullmail: a pullmail that died was still mounted on {mount.point}; that is "
                          "cleared away\n", mount.log())
            mount.stop()
            self.assertFalse(mounted(mount.point))


if __name__ == "__main__":
    unittest.main()
