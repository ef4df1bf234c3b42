"""Flags set with setfattr: the server has them as another client sees it, and what another client
has changed meanwhile is not overwritten unseen."""
import errno
import os
import re
import subprocess
import unittest

from faults import DATE, NO_SERVER, attempt
from relay import Relay
from support import Mount, Server, run, wait_for
from test_tree import fails_with

FLAGS, TAGS = "user.mail.flags", "user.xdg.tags"
TEXT = b"Subject: here\r\n\r\ntext\r\n"


class Flags:
    """
    A server that tells nothing by itself, and a mount that looks when it has to; each test has a
    folder and a message of its own.
    """

    without = ()
    users = ("ann", "bob", "cat")

    @classmethod
    def setUpClass(cls):
        cls.server = Server(*(word for name in ("IDLE", "NOTIFY", *cls.without) for word in ("--without", name)),
                            *(word for user in cls.users for word in ("--user", f"{user}:pass")))
        cls.addClassCleanup(cls.server.remove)
        cls.mailbox = cls.server.mailbox()
        cls.addClassCleanup(cls.mailbox.close)
        cls.tests = unittest.defaultTestLoader.getTestCaseNames(cls)
        cls.uids = {}
        for name in cls.tests:
            cls.mailbox.create(name)
            cls.uids[name] = cls.mailbox.append(name, TEXT, DATE, ["\\Seen", "work"])
        cls.mount = Mount(cls.server, "refresh=3600").__enter__()
        cls.addClassCleanup(cls.mount.__exit__, None, None, None)

    def setUp(self):
        self.folder = self.id().split(".")[-1]
        self.uid = self.uids[self.folder]
        self.path = self.mount.messages(self.folder)[self.uid]
        self.begun = self.server.mark()

    def set(self, value, name=FLAGS, flags=0, path=None):
        """setxattr."""
        os.setxattr(path or self.path, name, value.encode(), flags)

    def here(self, name=FLAGS):
        """What the mount says."""
        return set(self.mount.xattr(self.path, name).split("," if name == TAGS else " ")) - {""}

    def there(self):
        """What the server says to another client."""
        return self.told(self.uid)

    def told(self, uid):
        """The server's flags of a message in the test's folder."""
        self.mailbox.select(self.folder)  # afresh: nothing but the answer comes
        return set(self.mailbox.describe(self.folder, uid)["flags"]) - {"\\Recent"}

    def check(self, *flags):
        """Both say so, and still do after a look."""
        self.assertEqual((self.here(), self.there()), (set(flags), set(flags)))
        self.look()
        self.assertEqual(self.here(), set(flags))

    def look(self):
        """What the mount keeps of the folder is looked at again: it was not, where that failed."""
        os.listdir(self.mount / self.folder)

    def stores(self):
        """How many STORE commands the test has sent so far."""
        return self.server.count("UID STORE", self.begun)

    def test_set_and_read(self):
        self.assertEqual(self.here(), {"\\Seen", "work"})
        for value in ("\\Seen \\Flagged", "$Label1", "\\Answered \\Draft $Label1 other", "", "\\Seen"):
            self.set(value)
            self.check(*value.split())
        run("setfattr", "-n", FLAGS, "-v", "\\\\Flagged\t$x  $y\n", self.path)
        self.check("\\Flagged", "$x", "$y")
        self.set("\\sEEN \\seen $x")
        self.check("\\Seen", "$x")
        self.assertEqual(self.path.read_bytes(), TEXT)
        self.assertEqual(self.mount.messages(self.folder), {self.uid: self.path})

    def test_two_in_a_row(self):
        for number in range(3):
            self.set(f"\\Seen $n{number}")
            self.set(f"\\Flagged $n{number} $m")
        self.check("\\Flagged", "$n2", "$m")

    def test_many_at_once(self):
        """Each of its own message's, and all of the same."""
        uids = [self.mailbox.append(self.folder, TEXT, DATE) for _ in range(20)]
        with Mount(self.server) as mount:
            paths = mount.messages(self.folder)
            workers = [subprocess.Popen(["setfattr", "-n", FLAGS, "-v", f"$n{uid}", paths[uid]]) for uid in uids]
            self.assertEqual([worker.wait() for worker in workers], [0] * 20)
            for uid in uids:
                self.assertEqual(self.told(uid), {f"$n{uid}"})
                self.assertEqual(mount.xattr(paths[uid], FLAGS), f"$n{uid}")
            workers = [subprocess.Popen(["setfattr", "-n", FLAGS, "-v", f"$o{number}", paths[uids[0]]],
                                        stderr=subprocess.DEVNULL) for number in range(8)]
            done = [number for number, worker in enumerate(workers) if worker.wait() == 0]
            flags = self.told(uids[0])
            self.assertIn(flags, [{f"$o{number}"} for number in done])

    def test_what_is_no_flag(self):
        for value in ("\\Foo", "\\Recent", "\\Seen \\", "a(b", "a%", "caf\u00e9", "\\*", '"', "x" * 5000, "a\0b"):
            with self.subTest(value[:20]), fails_with(self, errno.EINVAL):
                self.set(value)
        for value in ("\\Seen", "a b", "caf\u00e9", "a,(b"):
            with self.subTest(value), fails_with(self, errno.EINVAL):
                self.set(value, TAGS)
        self.assertEqual(self.stores(), 0)
        self.check("\\Seen", "work")

    def test_tags(self):
        self.assertEqual(self.mount.xattr(self.path, TAGS), "work")
        self.assertIn(TAGS, os.listxattr(self.path))
        self.set("home, $Label2,", TAGS)
        self.assertEqual(self.here(TAGS), {"home", "$Label2"})
        self.check("\\Seen", "home", "$Label2")
        self.set("", TAGS)
        self.check("\\Seen")
        with fails_with(self, errno.ENODATA):
            os.getxattr(self.path, TAGS)
        self.assertNotIn(TAGS, os.listxattr(self.path))
        run("setfattr", "-n", TAGS, "-v", "one,two", self.path)
        self.check("\\Seen", "one", "two")

    def test_taken_away(self):
        run("setfattr", "-x", TAGS, self.path)
        self.check("\\Seen")
        with fails_with(self, errno.ENODATA):
            os.removexattr(self.path, TAGS)
        run("setfattr", "-x", FLAGS, self.path)
        self.check()

    def test_only_new_ones_and_only_old_ones(self):
        for name in (FLAGS, TAGS):
            with fails_with(self, errno.EEXIST):
                self.set("$x", name, os.XATTR_CREATE)
        self.set("$x", TAGS, os.XATTR_REPLACE)
        self.check("\\Seen", "$x")
        os.removexattr(self.path, TAGS)
        with fails_with(self, errno.ENODATA):
            self.set("$y", TAGS, os.XATTR_REPLACE)
        self.set("$y", TAGS, os.XATTR_CREATE)
        self.check("\\Seen", "$y")

    def test_other_attributes(self):
        control = self.mount / ".pullmail"  # which an ordinary user may not write to anyway
        for path, name in ((self.path, "user.other"), (self.path, "user.mail.uid"), (self.path, "user.mime_type"),
                           (self.path.parent, FLAGS), (self.mount.point, FLAGS), (self.path.parent, "user.mail.uidvalidity"),
                           (control, FLAGS)):
            closed = [errno.EACCES] if path == control else []
            with self.subTest((path, name)), fails_with(self, errno.ENOTSUP, *closed):
                os.setxattr(path, name, b"x")
            with self.subTest((path, name)), fails_with(self, errno.ENOTSUP, errno.ENODATA, *closed):
                os.removexattr(path, name)
        self.assertEqual(self.stores(), 0)

    def test_a_message_that_is_gone(self):
        self.mailbox.expunge(self.folder, self.uid)
        code = attempt(self.set, "\\Flagged")
        self.assertIn(code, (None, errno.ENOENT))  # a server does not say of a STORE that it had nothing to do
        wait_for(lambda: attempt(os.listdir, self.mount / self.folder) == [], "the message's end")
        with fails_with(self, errno.ENOENT):
            self.set("\\Flagged")

    def test_marked_by_hand(self):
        """It is as if another client had marked it."""
        self.set("\\Deleted")
        self.assertEqual(self.there(), {"\\Deleted"})
        wait_for(lambda: os.listdir(self.mount / self.folder) == [], "its end")
        self.assertEqual(self.mailbox.uids(self.folder), [self.uid])
        self.mailbox.store(self.folder, self.uid, "-FLAGS", "\\Deleted")

    def test_read_only(self):
        with Mount(self.server, "ro") as mount:
            path = mount.messages(self.folder)[self.uid]
            with fails_with(self, errno.EROFS):
                self.set("\\Flagged", path=path)
            with fails_with(self, errno.EROFS):
                os.removexattr(path, TAGS)
        self.assertEqual(self.stores(), 0)
        self.assertEqual(self.server.count("SELECT", self.begun), 0)
        self.check("\\Seen", "work")


class ConditionalTest(Flags, unittest.TestCase):
    """With CONDSTORE."""

    def test_changed_by_another_client(self):
        self.mailbox.store(self.folder, self.uid, "+FLAGS", "\\Flagged", "theirs")
        with fails_with(self, errno.EBUSY):
            self.set("\\Seen")
        self.assertEqual(self.there(), {"\\Seen", "\\Flagged", "work", "theirs"})
        self.assertEqual(self.here(), self.there())
        self.mailbox.store(self.folder, self.uid, "+FLAGS", "\\Answered")
        with fails_with(self, errno.EBUSY):
            self.set("$x", TAGS)
        self.assertEqual(self.here(), {"\\Seen", "\\Flagged", "\\Answered", "work", "theirs"})
        self.set("\\Seen")
        self.check("\\Seen")

    def test_another_message_changed_by_another_client(self):
        """That is no reason to refuse."""
        other = self.mailbox.append(self.folder, TEXT, DATE)
        self.mailbox.store(self.folder, other, "+FLAGS", "\\Flagged")
        self.set("\\Answered")
        self.check("\\Answered")

    def test_each_is_conditional(self):
        self.set("\\Answered")
        self.set("\\Flagged")
        lines = [command.line for command in self.server.commands(self.begun) if command.name == "UID STORE"]
        self.assertTrue(lines)
        self.assertFalse([line for line in lines if "UNCHANGEDSINCE" not in line], lines)

    def through(self, relay, user, *options):
        """A mount through a relay of a mailbox with one message; returns its path too."""
        with self.server.mailbox(user) as mailbox:
            uid = mailbox.append("INBOX", TEXT, DATE, ["\\Seen"])
        mount = Mount(self.server, "tls=off", *options, url=relay.url(user=user)).__enter__()
        self.addCleanup(mount.__exit__, None, None, None)
        return mount, mount.messages()[uid]

    def test_what_the_folder_can_keep(self):
        def edit(line):
            return re.sub(rb"\[PERMANENTFLAGS \([^)]*\)\]", rb"[PERMANENTFLAGS (\\Answered \\Seen work)]", line)
        with Relay(self.server.ports["imap"], edit) as relay:
            mount, path = self.through(relay, "bob")
            mark = self.server.mark()
            for value in ("\\Flagged", "\\Seen other"):
                with fails_with(self, errno.EINVAL):
                    self.set(value, path=path)
            self.assertEqual(self.server.count("UID STORE", mark), 0)
            self.assertEqual(mount.xattr(path, FLAGS), "\\Seen")
            self.set("\\Answered work", path=path)
            self.assertEqual(mount.xattr(path, FLAGS), "\\Answered work")

    def test_the_server_is_away(self):
        with Relay(self.server.ports["imap"]) as relay:
            mount, path = self.through(relay, "cat", "timeout=1")
            relay.silent = True
            self.assertIn(attempt(lambda: self.set("\\Flagged", path=path)), NO_SERVER)
            self.assertEqual(mount.xattr(path, FLAGS), "\\Seen")
            relay.cut()
            relay.silent = False
            self.set("\\Answered", path=path)
            self.assertEqual(mount.xattr(path, FLAGS), "\\Answered")
            with self.server.mailbox("cat") as mailbox:
                (uid,) = mailbox.uids("INBOX")
                self.assertEqual(set(mailbox.describe("INBOX", uid)["flags"]) - {"\\Recent"}, {"\\Answered"})

    def test_a_folder_that_is_read_only(self):
        with Relay(self.server.ports["imap"], lambda line: line.replace(b"[READ-WRITE]", b"[READ-ONLY]")) as relay:
            mount, path = self.through(relay, "ann")
            mark = self.server.mark()
            with fails_with(self, errno.EROFS):
                self.set("\\Flagged", path=path)
            self.assertEqual(self.server.count("UID STORE", mark), 0)
            self.assertEqual(mount.xattr(path, FLAGS), "\\Seen")


class PlainTest(Flags, unittest.TestCase):
    """Without CONDSTORE."""

    without = ("CONDSTORE", "QRESYNC")

    def test_changed_by_another_client(self):
        """What was not seen here stays."""
        self.mailbox.store(self.folder, self.uid, "+FLAGS", "\\Flagged", "theirs")
        self.set("\\Answered mine", FLAGS)
        self.assertEqual(self.there(), {"\\Answered", "\\Flagged", "theirs", "mine"})
        self.look()
        self.assertEqual(self.here(), self.there())

    def test_tags_leave_the_rest_alone(self):
        self.mailbox.store(self.folder, self.uid, "FLAGS", "\\Flagged", "work")
        self.set("home", TAGS)
        self.assertEqual(self.there(), {"\\Flagged", "home"})


if __name__ == "__main__":
    unittest.main()
