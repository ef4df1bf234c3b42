"""rm in a folder of an IMAP server: what is unlinked goes from the server, by few commands, and
nothing else does; what the server does not allow comes back."""
import errno
import os
import re
import shutil
import unittest

from faults import attempt, status
from relay import Relay
from removing import RemoveCase, fsync, letter, remove, sync, sync_at_last, without
from support import Mount, run, temporary_folder, wait_for


def gone_from(test, path):
    """Nobody finds it by any way."""
    test.assertNotIn(path.name, os.listdir(path.parent))
    for call in (os.stat, os.unlink, lambda name: os.open(name, os.O_RDONLY)):
        test.assertEqual(attempt(call, path), errno.ENOENT)


class RemoveTest(RemoveCase):
    """A server that can all."""

    def test_one(self):
        truth = self.fill("One", 6)
        uid = sorted(truth)[2]
        self.mailbox.store("One", sorted(truth)[3], "+FLAGS", "$Label1")
        truth[sorted(truth)[3]].add("$Label1")
        with Mount(self.server) as mount:
            path = mount.messages("One")[uid]
            self.assertEqual(path.read_bytes(), letter(2))
            mark = self.server.mark()
            os.unlink(path)
            gone_from(self, path)
            sync(mount, "One")
            gone_from(self, path)
            truth = without(truth, uid)
            self.check(mount, "One", truth)
            self.assertEqual(self.changes(mark), [f"UID STORE {uid} +FLAGS.SILENT (\\Deleted)", f"UID EXPUNGE {uid}"])
            self.assertEqual(status(mount, "deletions-pending"), 0)
            mount.remount()
            self.check(mount, "One", truth)
            for number, path in enumerate(mount.messages("One").values()):
                self.assertEqual(path.read_bytes(), letter(number + (number > 1)))
        self.assertEqual(self.mailbox.flags("One"), truth)

    def test_one_that_is_open(self):
        """Who has it open reads all of it or is told that it is gone."""
        uid, *_ = self.fill("Open", 2)
        with Mount(self.server, "prefetch=off") as mount:
            path = mount.messages("Open")[uid]
            with open(path, "rb", buffering=0) as file:
                os.unlink(path)
                sync(mount, "Open")
                self.assertIn(attempt(file.read), (letter(0), errno.ENOENT, errno.ESTALE))

    def test_hundreds(self):
        """Every other one of many, by a few commands."""
        truth = self.fill("Hundreds", 600)
        kept = dict(list(truth.items())[1::2])
        with Mount(self.server) as mount:
            paths = mount.messages("Hundreds")
            mark = self.server.mark()
            run("rm", *(paths[uid] for uid in truth if uid not in kept))
            self.assertEqual(sorted(mount.messages("Hundreds")), sorted(kept))
            sync(mount, "Hundreds")
            self.check(mount, "Hundreds", kept)
            changes = self.changes(mark)
            removed = {int(uid) for line in changes if "EXPUNGE" in line for uid in line.split()[2].split(",")}
            self.assertEqual(removed, set(truth) - set(kept))  # some twice, where the server was slow to say so
            self.assertLessEqual(len(changes), 8)  # two; if rm was slow, some more
            self.assertLessEqual(len(self.server.commands(mark)), 20)
            mount.remount()
            self.check(mount, "Hundreds", kept)

    def test_pipelined(self):
        """What is too much for a line goes out in several, before anything is answered."""
        truth = self.fill("Pipelined", 2100)
        kept = dict(list(truth.items())[::2])
        with Relay(self.server.ports["imap"]) as relay, Mount(self.server, "tls=off", url=relay.url()) as mount:
            paths = mount.messages("Pipelined")
            relay.hold = b"UID STORE"
            run("rm", *(paths[uid] for uid in truth if uid not in kept))
            self.assertTrue(relay.held.wait(60))
            relay.cut()  # what was unlinked late is with the others the next time
            wait_for(lambda: [said for said in relay.said if said.count(b"UID EXPUNGE") == 2], "two batches")
            said = next(said for said in relay.said if said.count(b"UID EXPUNGE") == 2)
            lines = [line for line in said.split(b"\r\n") if re.search(rb"UID (STORE|EXPUNGE)", line)]
            self.assertEqual([line.split()[2] for line in lines], [b"STORE", b"EXPUNGE"] * 2)
            self.assertTrue(all(len(line) <= 8192 for line in lines))
            self.assertEqual(self.mailbox.flags("Pipelined"), truth)
            relay.hold = None
            relay.cut()
            sync_at_last(mount, "Pipelined")
            self.check(mount, "Pipelined", kept)

    def test_trees(self):
        """rm -r of some files, find -delete of others: of several folders, each by its own name."""
        folders = ["Tree", "Tree/Leaf", "Tree/Größe & mehr", "Tree/Leaf/Bud"]
        truth = {folder: self.fill(folder, 12) for folder in folders}
        with Mount(self.server) as mount:
            run("rm", "-r", *mount.messages("Tree").values(), *mount.messages("Tree/Leaf").values())
            run("find", mount / "Tree/Größe & mehr", mount / "Tree/Leaf/Bud", "-name", "*1.eml", "-delete")
            sync(mount, "Tree")
            for folder in folders[:2]:
                self.check(mount, folder, {})
            for folder in folders[2:]:
                self.check(mount, folder, without(truth[folder], 1, 11))
            run("find", mount / "Tree", "-type", "f", "-delete")
            self.assertEqual(run("find", mount / "Tree", "-type", "f"), "")
            sync(mount)
            for folder in folders:
                self.check(mount, folder, {})
            self.assertEqual(sorted(set(self.mailbox.folders()) & set(folders)), sorted(folders))

    def test_unmounted_at_once(self):
        truth = self.fill("Unmounted", 5)
        uid = sorted(truth)[1]
        with Mount(self.server) as mount:
            remove(mount, "Unmounted", uid)
            mount.stop()
            self.assertEqual(self.mailbox.flags("Unmounted"), without(truth, uid))

    def test_others_marks_are_left_alone(self):
        truth = self.fill("Others", 12)
        uids = sorted(truth)
        with Mount(self.server) as mount:
            paths = mount.messages("Others")
            for uid in uids[3:6]:
                self.mailbox.store("Others", uid, "+FLAGS", "\\Deleted")
                truth[uid].add("\\Deleted")
            for uid in uids[1:3] + uids[6:8]:
                os.unlink(paths[uid])
            sync(mount, "Others")
            truth = without(truth, *uids[1:3], *uids[6:8])
            self.assertEqual(self.mailbox.flags("Others"), truth)
            mount.remount()
            self.check(mount, "Others", truth, [uids[0], *uids[8:]])

    def test_what_others_do_is_seen(self):
        truth = self.fill("Seen", 5)
        first, second, third, *_ = uids = sorted(truth)
        with Mount(self.server, "refresh=1") as mount:
            self.wait_shown(mount, "Seen", uids)
            self.mailbox.store("Seen", second, "+FLAGS", "\\Deleted")
            self.wait_shown(mount, "Seen", set(uids) - {second})
            self.mailbox.store("Seen", second, "-FLAGS", "\\Deleted")
            self.wait_shown(mount, "Seen", uids)
            self.assertEqual(mount.messages("Seen")[second].read_bytes(), letter(1))
            self.mailbox.store("Seen", first, "+FLAGS", "\\Deleted")
            self.mailbox.expunge("Seen", third)
            self.wait_shown(mount, "Seen", set(uids) - {first, third})
            self.assertEqual(sorted(self.mailbox.flags("Seen")), sorted(set(uids) - {third}))

    def test_somebody_else_was_first(self):
        truth = self.fill("First", 5)
        uids = sorted(truth)
        with Mount(self.server) as mount:
            paths = mount.messages("First")
            self.mailbox.expunge("First", uids[1])
            self.mailbox.store("First", uids[2], "+FLAGS", "\\Deleted")
            for uid in uids[1:4]:
                os.unlink(paths[uid])
            sync(mount, "First")
            self.check(mount, "First", without(truth, *uids[1:4]))
            self.assertNotIn("not deleted", mount.log())

    def test_read_only(self):
        truth = self.fill("ReadOnly", 3)
        mark = self.server.mark()
        with Mount(self.server, "ro") as mount:
            for path in mount.messages("ReadOnly").values():
                self.assertEqual(attempt(os.unlink, path), errno.EROFS)
                path.read_bytes()
            sync(mount, "ReadOnly")
            self.check(mount, "ReadOnly", truth)
        self.assertEqual(self.changes(mark) + self.sent(mark, "SELECT"), [])
        self.assertIn("EXAMINE", {command.name for command in self.server.commands(mark)})


class ExpungeTest(RemoveCase):
    """expunge=unmount and expunge=never: what is removed is only marked at first."""

    def remove_two(self, folder, option):
        """Of six; returns the mount, the server's state, and the two UIDs."""
        truth = self.fill(folder, 6)
        gone = sorted(truth)[2:4]
        mount = Mount(self.server, option)
        mount.__enter__()
        self.addCleanup(mount.remove)
        remove(mount, folder, *gone)
        sync(mount, folder)
        for uid in gone:
            truth[uid].add("\\Deleted")
        self.check(mount, folder, truth, without(truth, *gone))
        self.assertEqual(status(mount, "deletions-pending"), 0)
        return mount, truth, gone

    def test_at_the_unmount(self):
        mount, truth, gone = self.remove_two("Later", "expunge=unmount")
        other = sorted(truth)[0]
        self.mailbox.store("Later", other, "+FLAGS", "\\Deleted")
        truth[other].add("\\Deleted")
        mark = self.server.mark()
        mount.stop()
        self.assertEqual(self.mailbox.flags("Later"), without(truth, *gone))
        self.assertEqual([line.split()[:2] for line in self.changes(mark)], [["UID", "EXPUNGE"]])

    def test_killed(self):
        """Then a later mount expunges it, but not one that does not expunge at all."""
        mount, truth, gone = self.remove_two("Killed", "expunge=unmount")
        mount.kill()
        for option in "expunge=never", "ro":
            mount.options.append(option)
            mount.start()
            self.check(mount, "Killed", truth, without(truth, *gone))
            mount.stop()
            mount.options.remove(option)
            self.assertEqual(self.mailbox.flags("Killed"), truth)
        mount.start()
        mount.stop()
        self.assertEqual(self.mailbox.flags("Killed"), without(truth, *gone))
        mark = self.server.mark()
        mount.start()
        mount.stop()
        self.assertEqual(self.changes(mark), [])

    def test_taken_back_by_another(self):
        """Whose mark another client has taken away is not expunged, and is shown again."""
        mount, truth, gone = self.remove_two("Back", "expunge=unmount")
        self.mailbox.store("Back", gone[0], "-FLAGS", "\\Deleted")
        truth[gone[0]].discard("\\Deleted")
        mount.stop()
        self.assertEqual(self.mailbox.flags("Back"), without(truth, gone[1]))

    def test_removed_and_unmounted_at_once(self):
        truth = self.fill("Once", 4)
        uid = sorted(truth)[1]
        with Mount(self.server, "expunge=unmount") as mount:
            remove(mount, "Once", uid)
        self.assertEqual(self.mailbox.flags("Once"), without(truth, uid))

    def test_never(self):
        mark = self.server.mark()
        mount, truth, gone = self.remove_two("Never", "expunge=never")
        mount.remount()
        self.check(mount, "Never", truth, without(truth, *gone))
        mount.stop()
        self.assertEqual(self.mailbox.flags("Never"), truth)
        self.assertEqual([line.split()[:2] for line in self.changes(mark)], [["UID", "STORE"]])


class OldServerTest(RemoveCase):
    """Without UIDPLUS there is but EXPUNGE, which takes all that is marked."""

    OPTIONS = ("--without", "UIDPLUS")

    def test_nobody_else_marks(self):
        truth = self.fill("Alone", 6)
        gone = sorted(truth)[1:4]
        with Mount(self.server) as mount:
            remove(mount, "Alone", *gone)
            sync(mount, "Alone")
            marked = {uid: flags | ({"\\Deleted"} if uid in gone else set()) for uid, flags in truth.items()}
            self.check(mount, "Alone", marked, without(truth, *gone))
            mount.stop()
            self.assertEqual(self.mailbox.flags("Alone"), without(truth, *gone))

    def test_another_marks(self):
        """Then all stay, and the log says so; the next mount does not show them either."""
        truth = self.fill("Both", 6)
        first, second, *_ = sorted(truth)
        with Mount(self.server) as mount:
            remove(mount, "Both", first)
            sync(mount, "Both")
            self.mailbox.store("Both", second, "+FLAGS", "\\Deleted")
            mount.stop()
            for uid in first, second:
                truth[uid].add("\\Deleted")
            self.assertEqual(self.mailbox.flags("Both"), truth)
            self.assertIn("stay marked \\Deleted", mount.log())
            mount.start()
            self.check(mount, "Both", truth, without(truth, first, second))


class RefusalTest(RemoveCase):
    """Folders in which a user may not do all: the message is back, and the log says so."""

    @classmethod
    def setUpClass(cls):
        folder = temporary_folder()
        cls.addClassCleanup(shutil.rmtree, folder)
        extra = folder / "acl.conf"
        cls.OPTIONS = ("--extra", str(extra))
        new = not run("dovecot", "--version", env={**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin"}).startswith("2.3")
        extra.write_text("mail_plugins {\n  acl = yes\n}\nacl_driver = vfile\n" if new else
                         "protocol imap {\n  mail_plugins = acl\n}\nplugin {\n  acl = vfile\n}\n")
        super().setUpClass()

    def allow(self, folder, rights):
        """What its owner may do from now on."""
        path = self.server.directory / "mail/ann" / folder / "dovecot-acl"
        path.write_text(f"owner {rights}\n")
        path.chmod(0o644)

    def refuse(self, folder, rights, code=errno.EACCES):
        """Removes one of several, in vain; another folder's go all the same."""
        truth = self.fill(folder, 4)
        other = self.fill(folder + "Other", 4)
        uid = sorted(truth)[1]
        self.allow(folder, rights)
        with Mount(self.server, "refresh=1") as mount:
            remove(mount, folder, uid)
            remove(mount, folder + "Other", *sorted(other)[:2])
            self.assertEqual(attempt(fsync, mount / folder), code)
            self.check(mount, folder, truth)
            self.assertEqual(mount.messages(folder)[uid].read_bytes(), letter(1))
            self.check(mount, folder + "Other", without(other, *sorted(other)[:2]))
            self.assertEqual(mount.log().count("shown again"), 1)
            self.assertEqual(status(mount, "deletions-pending"), 0)

    def test_read_only(self):
        self.refuse("LookOnly", "lr", errno.EROFS)

    def test_no_deleted(self):
        self.refuse("NoMark", "lrws")

    def test_no_expunge(self):
        """Dovecot says OK then."""
        self.refuse("NoExpunge", "lrwst")


if __name__ == "__main__":
    unittest.main()
