"""rm is DELE, which QUIT alone commits: what is unlinked goes from the server, and nothing else does,
whoever dies in between."""
import errno
import os
import unittest

from faults import attempt, status
from pop3mount import Dovecot, Pop3Mount, commands
from popserver import Server
from relay import Relay
from support import run, wait_for


def letter(number, length=1000):
    """A message that is like no other."""
    return b"Subject: letter %d\r\n\r\n" % number + b"%d\r\n" % number * (length // 6)


def settled(mount):
    """Waits until nothing is to be deleted any more."""
    wait_for(lambda: status(mount, "deletions-pending") == 0, "the deletions", 60)


class RealTest(unittest.TestCase):
    """Dovecot, through a relay that keeps what is said; a user for each test."""

    @classmethod
    def setUpClass(cls):
        cls.users = [f"user{number}" for number in range(7)]
        cls.server = Dovecot(*(word for user in cls.users for word in ("--user", f"{user}:pass")))
        cls.addClassCleanup(cls.server.remove)

    def setUp(self):
        self.user = self.users.pop()
        self.relay = Relay(self.server.ports["pop3"])
        self.addCleanup(self.relay.__exit__)

    def held(self):
        """{unique-id: bytes} of what the server has."""
        return self.server.held(self.user)

    def fill(self, count):
        """So many messages; returns {unique-id: bytes}."""
        with self.server.mailbox(self.user) as mailbox:
            for number in range(count):
                mailbox.append("INBOX", letter(number))
        return self.held()

    def mount(self, *options):
        """By way of the relay."""
        return Pop3Mount(self.server, "tls=off", *options, url=self.relay.url(self.user, "pop3"))

    def sessions(self, name):
        """The sessions in which a command was said, each as its commands."""
        return [found for found in map(commands, self.relay.said) if name in found]

    def check(self, mount, truth):
        """The mount and the server have exactly this."""
        self.assertEqual({name: path.read_bytes() for name, path in mount.messages().items()}, truth)
        self.assertEqual(self.held(), truth)

    def test_one(self):
        truth = self.fill(5)
        gone = sorted(truth)[2]
        with self.mount() as mount:
            path = mount.messages()[gone]
            os.unlink(path)
            self.assertNotIn(path.name, os.listdir(mount / "INBOX"))
            self.assertEqual(attempt(os.stat, path), errno.ENOENT)
            del truth[gone]
            settled(mount)
            self.check(mount, truth)
            mount.remount()
            self.check(mount, truth)
        self.assertEqual([found.count("DELE") for found in self.sessions("DELE")], [1])
        self.assertEqual(self.sessions("DELE")[0][-1], "QUIT")

    def test_hundreds_in_one_session(self):
        truth = self.fill(400)
        kept = dict(list(truth.items())[:7])
        with self.mount() as mount:
            paths = mount.messages()
            run("rm", *(paths[name] for name in truth if name not in kept))
            self.assertEqual(sorted(mount.messages()), sorted(kept))
            settled(mount)
            self.check(mount, kept)
        sessions = self.sessions("DELE")
        self.assertEqual(sum(found.count("DELE") for found in sessions), 393)
        self.assertTrue(all(found[-1] == "QUIT" for found in sessions))
        self.assertLessEqual(len(sessions), 3)  # one; if rm was slow, some more

    def test_unmounted_at_once(self):
        truth = self.fill(3)
        with self.mount() as mount:
            os.unlink(mount.messages()[sorted(truth)[0]])
            mount.stop()
            del truth[sorted(truth)[0]]
            self.assertEqual(self.held(), truth)

    def test_killed_between_dele_and_quit(self):
        truth = self.fill(6)
        gone = sorted(truth)[1:3]
        with self.mount() as mount:
            self.relay.hold = b"QUIT"
            for name in gone:
                os.unlink(mount.messages()[name])
            self.assertTrue(self.relay.held.wait(30))
            self.assertEqual(sum(found.count("DELE") for found in self.sessions("DELE")), 2)
            mount.kill()
            self.relay.hold = None
            self.assertEqual(self.held(), truth)
            mount.start()
            self.assertFalse(set(gone) & set(mount.messages()))
            settled(mount)
            self.check(mount, {name: data for name, data in truth.items() if name not in gone})

    def test_killed_at_once(self):
        """unlink() has returned, and so it is in the journal; or the server has it by now."""
        truth = self.fill(6)
        gone = sorted(truth)[:2]
        with self.mount() as mount:
            for name in gone:
                os.unlink(mount.messages()[name])
            mount.kill()
            mount.start()
            self.assertFalse(set(gone) & set(mount.messages()))
            settled(mount)
            self.check(mount, {name: data for name, data in truth.items() if name not in gone})

    def test_read_only(self):
        truth = self.fill(2)
        with self.mount("ro") as mount:
            for path in mount.messages().values():
                self.assertEqual(attempt(os.unlink, path), errno.EROFS)
            self.check(mount, truth)
        self.assertEqual(self.sessions("DELE"), [])


class ToldTest(unittest.TestCase):
    """A server that does what is needed for it."""

    LETTERS = {b"uid-%d" % number: letter(number) for number in range(60)}

    def setUp(self):
        self.server = Server(self.LETTERS)
        self.addCleanup(self.server.stop)

    def remove(self, mount, *names):
        """Unlinks messages; waits until that is done."""
        for name in names:
            os.unlink(mount.messages()[name])
        settled(mount)

    def check(self, mount, *gone):
        """Just these are gone."""
        kept = {name: data for name, data in self.LETTERS.items() if name.decode() not in gone}
        self.assertEqual(sorted(name.decode() for name in self.server.removed), sorted(gone))
        self.assertEqual({name.encode(): path.read_bytes() for name, path in mount.messages().items()}, kept)

    def test_pipelined(self):
        """The first DELE is not answered until many more are there."""
        def hook(session, _command):
            while session.pending.count(b"DELE") < 39:
                session._receive()
            del self.server.on["DELE"]
        self.server.on["DELE"] = hook
        gone = [f"uid-{number}" for number in range(5, 45)]
        with Pop3Mount(self.server, "tls=off") as mount:
            run("rm", *(mount.messages()[name] for name in gone))
            settled(mount)
            self.check(mount, *gone)
        self.assertEqual(self.server.count("DELE"), 40)

    def test_server_dies_ahead_of_the_commit(self):
        self._dies(lambda session, _command: session.close(), 2)

    def test_server_dies_behind_the_commit(self):
        def hook(session, _command):
            session.commit()
            session.close()
        self._dies(hook, 1)

    def _dies(self, hook, times):
        """At QUIT, in a session that has deleted something; DELE is sent so many times in all."""
        def once(session, command):
            if session.deleted:
                del self.server.on["QUIT"]
                return hook(session, command)
            return None
        self.server.on["QUIT"] = once
        with Pop3Mount(self.server, "tls=off") as mount:
            self.remove(mount, "uid-7")
            self.check(mount, "uid-7")
        self.assertEqual(self.server.count("DELE"), times)

    def test_renumbered_meanwhile(self):
        """DELE is for the unique-id, not for the number that it once had."""
        with Pop3Mount(self.server, "tls=off", "idle=0") as mount:
            paths = mount.messages()
            self.server.released()
            self.server.letters.reverse()
            os.unlink(paths["uid-3"])
            settled(mount)
            self.check(mount, "uid-3")

    def test_somebody_else_was_first(self):
        with Pop3Mount(self.server, "tls=off", "idle=0") as mount:
            paths = mount.messages()
            self.server.released()
            self.server.letters = [one for one in self.server.letters if one.name != b"uid-3"]
            os.unlink(paths["uid-3"])
            settled(mount)
            self.assertEqual(self.server.removed, [])
            self.assertEqual(len(mount.messages()), len(self.LETTERS) - 1)

    def test_server_refuses_one(self):
        """In the midst of many: the others are done, that one is shown again, and the log says so."""
        def refuse(session, command):
            number = int(command.line.split()[1])
            return b"-ERR not this one\r\n" if session.letters[number - 1].name == b"uid-4" else None
        self.server.on["DELE"] = refuse
        with Pop3Mount(self.server, "tls=off") as mount:
            self.remove(mount, "uid-3", "uid-4", "uid-5")
            self.check(mount, "uid-3", "uid-5")
            self.assertIn("does not delete it", mount.log())
            self.server.honest()
            self.remove(mount, "uid-4")
            self.check(mount, "uid-3", "uid-4", "uid-5")


if __name__ == "__main__":
    unittest.main()
