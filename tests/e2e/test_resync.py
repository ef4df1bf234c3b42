"""What changed on the server, while the mount was away or there: seen, and at no more than its cost."""
import datetime
import os
import shutil
import unittest

from support import TELLS_NOTHING, UTC, Mount, Server, run, sha256, wait_for

DATE = datetime.datetime(2025, 1, 1, 12, 0, 0, tzinfo=UTC)


def metadata(commands):
    """The UID FETCH commands that ask for what a listing shows."""
    return [command.line for command in commands if command.name == "UID FETCH" and "RFC822.SIZE" in command.line]


def numbers(text):
    """The UIDs of a set such as "5,7:9"."""
    ranges = [[int(end) for end in part.split(":")] for part in text.split(",")]
    return [uid for ends in ranges for uid in range(ends[0], ends[-1] + 1)]


class Resync:
    """
    What changed while the mount was away, or is there: the same outcome with every set of
    capabilities, and no more asked for than the server's capabilities make necessary.
    """
    without = ()
    all_flags = False  # whether the server has to be asked for all flags, to see which changed

    @classmethod
    def setUpClass(cls):
        cls.server = Server(*TELLS_NOTHING, *(word for name in cls.without for word in ("--without", name)))
        cls.addClassCleanup(cls.server.remove)
        with cls.server.mailbox() as mailbox:
            words = mailbox.imap.capability()[1][-1].decode().upper().split()
            assert not set(words) & set(cls.without), words
            mailbox.create("Quiet")
            for number in range(5):
                mailbox.append("Quiet", b"Subject: quiet %d\r\n\r\nkept\r\n" % number, DATE)

    def setUp(self):
        with self.server.mailbox() as mailbox:
            mailbox.create(self.id())
            self.uids = [mailbox.append(self.id(), self.text(number), DATE + datetime.timedelta(minutes=number))
                         for number in range(30)]

    @staticmethod
    def text(number):
        """Of message number so."""
        return b"Subject: number %d\r\n\r\n%s" % (number, b"line of text\r\n" * number)

    def state(self, mount):
        """{UID: (flags, size, sha256)} as the mount shows it."""
        return {uid: (set(mount.xattr(path, "user.mail.flags").split()) - {"\\Recent"}, path.stat().st_size, sha256(path))
                for uid, path in mount.messages(self.id()).items()}

    def truth(self):
        """The same by imaplib."""
        with self.server.mailbox() as mailbox:
            texts = mailbox.fetch_all(self.id())
            return {uid: (set(mailbox.describe(self.id(), uid)["flags"]) - {"\\Recent"}, len(text), sha256(text))
                    for uid, text in texts.items()}

    def change(self):
        """Another client delivers 3, deletes 2 and changes the flags of 4; returns the new UIDs."""
        with self.server.mailbox() as mailbox:
            new = [mailbox.append(self.id(), self.text(100 + number), DATE, ["\\Flagged"]) for number in range(3)]
            mailbox.expunge(self.id(), self.uids[3])
            mailbox.expunge(self.id(), self.uids[20])
            mailbox.store(self.id(), self.uids[5], "+FLAGS", "\\Answered", "work")
            mailbox.store(self.id(), self.uids[6], "FLAGS", "\\Seen")
            mailbox.store(self.id(), self.uids[7], "+FLAGS", "\\Flagged")
            mailbox.store(self.id(), self.uids[7], "-FLAGS", "\\Flagged")
            mailbox.store(self.id(), new[0], "+FLAGS", "\\Seen")
        return new

    def check_cost(self, mark, new):
        """Only the new messages were listed and fetched, and nothing else was."""
        commands = self.server.commands(mark)
        self.assertEqual([line.split(" ", 3)[3] for line in metadata(commands)],
                         [f"{new[0]}:* (FLAGS INTERNALDATE RFC822.SIZE)"])
        texts = [uid for command in commands if "BODY" in command.line for uid in numbers(command.line.split()[3])]
        self.assertEqual(sorted(texts), sorted(new))
        others = [command.line for command in commands if command.name == "UID FETCH" and
                  "BODY" not in command.line and "RFC822.SIZE" not in command.line]
        if not self.all_flags:
            self.assertFalse([line for line in others if "FLAGS" in line and "CHANGEDSINCE" not in line], others)
        if not self.without:
            self.assertEqual(others, [])

    def test_changes_while_it_was_away(self):
        with Mount(self.server) as mount:
            self.assertEqual(self.state(mount), self.truth())
            mount.stop()
            new = self.change()
            mark = self.server.mark()
            mount.start()
            self.assertEqual(self.state(mount), self.truth())
            self.check_cost(mark, new)

    def test_changes_while_it_is_there(self):
        with Mount(self.server, "refresh=1") as mount:
            self.assertEqual(self.state(mount), self.truth())
            mark = self.server.mark()
            new = self.change()
            wait_for(lambda: new[-1] in mount.messages(self.id()), "the new messages")
            wait_for(lambda: self.state(mount) == self.truth(), "all changes")
            self.check_cost(mark, new)

    def test_nothing_changed(self):
        with Mount(self.server) as mount:
            names = {name: sorted(os.listdir(mount / name)) for name in ("Quiet", self.id())}
            mount.stop()
            mark = self.server.mark()
            mount.start()
            self.assertEqual({name: sorted(os.listdir(mount / name)) for name in ("Quiet", self.id())}, names)
            commands = self.server.commands(mark)
            self.assertEqual(metadata(commands), [])
            self.assertEqual(self.server.fetched(mark), [])
            if not self.all_flags:
                self.assertEqual([command for command in commands if "FETCH" in command.name], [])

    def test_all_deleted(self):
        with Mount(self.server) as mount:
            self.assertEqual(len(self.state(mount)), 30)
            mount.stop()
            with self.server.mailbox() as mailbox:
                for uid in self.uids:
                    mailbox.expunge(self.id(), uid)
            mount.start()
            self.assertEqual(mount.messages(self.id()), {})
            mount.stop()
            with self.server.mailbox() as mailbox:
                new = mailbox.append(self.id(), self.text(7), DATE)
            mount.start()
            self.assertEqual(list(mount.messages(self.id())), [new])

    def test_a_folder_made_anew(self):
        """Other mail under the same UIDs and names: another UIDVALIDITY."""
        with Mount(self.server, "refresh=1") as mount:
            paths = mount.messages(self.id())
            path = paths[self.uids[0]]
            self.assertEqual(path.read_bytes(), self.text(0))
            inode = path.stat().st_ino
            validity = mount.xattr(mount / self.id(), "user.mail.uidvalidity")
            with open(path, "rb", buffering=0) as old:
                self.make_anew(b"of the second folder")
                wait_for(lambda: mount.xattr(mount / self.id(), "user.mail.uidvalidity") != validity or
                         not os.listdir(mount / self.id()), "the new folder")
                self.assertEqual(mount.messages(self.id()), paths)
                for number, file in enumerate(paths.values()):
                    self.assertIn(b"of the second folder, %d" % number, file.read_bytes())
                self.assertNotEqual(path.stat().st_ino, inode)
                try:
                    self.assertIn(os.pread(old.fileno(), 1000, 0), (self.text(0), b""))
                except OSError:
                    pass  # whoever had the old message open may not read the new one's bytes
            mount.stop()
            self.make_anew(b"of the third folder")
            mount.start()
            self.assertEqual(mount.messages(self.id()), paths)
            for number, file in enumerate(paths.values()):
                self.assertIn(b"of the third folder, %d" % number, file.read_bytes())

    def make_anew(self, text):
        """Deletes the folder and makes it again, with other mail at the same times."""
        with self.server.mailbox() as mailbox:
            mailbox.delete(self.id())
            mailbox.create(self.id())
            uids = [mailbox.append(self.id(), b"Subject: anew\r\n\r\n%s, %d\r\n" % (text, number),
                                   DATE + datetime.timedelta(minutes=number)) for number in range(30)]
        self.assertEqual(uids, self.uids)


class Restored:
    """A folder that is brought back from a backup: then its UIDs are given a second time."""

    def put_back(self, backup, messages):
        """The folder is again as it was when the backup was made; then other messages come."""
        folder = self.server.directory / "mail/ann" / self.id()
        self.server.stop()
        shutil.rmtree(folder)
        run("cp", "-a", backup, folder)
        self.server.start()
        with self.server.mailbox() as mailbox:
            for number in range(messages):
                # As long as what came before the backup was put back, and of the same date.
                mailbox.append(self.id(), self.text(number).replace(b"line", b"late"), DATE)

    def backed_up(self):
        """A backup of the folder, after which ten messages came, of which the first are flagged."""
        self.server.stop()
        backup = self.server.folder / f"backup-{self.id()}"
        run("cp", "-a", self.server.directory / "mail/ann" / self.id(), backup)
        self.server.start()
        with self.server.mailbox() as mailbox:
            for number in range(10):
                uid = mailbox.append(self.id(), self.text(number), DATE)
                mailbox.store(self.id(), uid, "+FLAGS", "\\Flagged")
        return backup

    def check_restored(self, messages, while_mounted):
        backup = self.backed_up()
        with Mount(self.server, "refresh=1", "timeout=10") as mount:
            before = self.state(mount)
            self.assertEqual(before, self.truth())
            if not while_mounted:
                mount.stop()
            self.put_back(backup, messages)
            if not while_mounted:
                mount.start()
            truth = self.truth()
            self.assertTrue(any(truth[uid] != before[uid] for uid in truth if uid in before and messages))
            wait_for(lambda: sorted(mount.messages(self.id())) == sorted(truth) and "earlier state" in mount.log(),
                     "the folder as it is now")
            self.assertEqual(self.state(mount), truth)
            mark = self.server.mark()
            mount.remount()
            self.assertEqual(self.state(mount), truth)
            self.assertEqual(self.server.fetched(mark), [])
            self.assertNotIn("earlier state", mount.log())

    def test_restored_while_it_was_away(self):
        self.check_restored(messages=4, while_mounted=False)

    def test_restored_while_it_is_there(self):
        self.check_restored(messages=4, while_mounted=True)


class QresyncTest(Restored, Resync, unittest.TestCase):
    """With all that Dovecot has."""

    def test_removals_before_it_was_restored(self):
        """They were kept while the server was away: what has their UIDs now is not meant."""
        backup = self.backed_up()
        with Mount(self.server, "refresh=1", "timeout=5") as mount:
            newest = [path for uid, path in mount.messages(self.id()).items() if uid > self.uids[-1]]
            self.assertEqual(len(newest), 10)
            self.server.stop()
            for path in newest:
                path.unlink()
            self.assertEqual(len(mount.messages(self.id())), len(self.uids))
            mount.kill()
            self.server.start()
            self.put_back(backup, messages=14)
            mount.start()
            wait_for(lambda: "earlier state" in mount.log(), "what is restored")
            truth = self.truth()
            self.assertEqual(len(truth), len(self.uids) + 14)
            wait_for(lambda: self.state(mount) == truth, "the folder as it is now")
            wait_for(lambda: "\ndeletions-pending: 0\n" in mount.status(), "what was kept")
            mount.stop()
        self.assertEqual(self.truth(), truth)

    def test_restored_and_filled_again(self):
        """UIDNEXT is beyond what it was: HIGHESTMODSEQ tells."""
        self.check_restored(messages=14, while_mounted=False)


class CondstoreTest(Restored, Resync, unittest.TestCase):
    """Flags by MODSEQ, and what is gone by the count."""
    without = ("QRESYNC",)


class PlainTest(Restored, Resync, unittest.TestCase):
    """All UIDs and flags are compared."""
    without = ("CONDSTORE", "QRESYNC")
    all_flags = True


class BareTest(Resync, unittest.TestCase):
    """Little more than IMAP4rev1."""
    without = ("CONDSTORE", "QRESYNC", "ENABLE", "ESEARCH", "LITERAL+", "SASL-IR", "NAMESPACE", "ID", "UIDPLUS",
               "UNSELECT", "LIST-EXTENDED", "LIST-STATUS")
    all_flags = True


class CondstoreWithoutEsearchTest(Resync, unittest.TestCase):
    """What is gone is found by FETCH, as there is no ESEARCH."""
    without = ("QRESYNC", "ESEARCH")


if __name__ == "__main__":
    unittest.main()
