"""rm with trash=: what is unlinked moves to the trash, whole and with its flags, and in the trash itself
it goes for good."""
import errno

from faults import attempt
from removing import RemoveCase, fsync, remove, sync, without
from support import Mount, temporary_folder


class TrashCase(RemoveCase):
    """A server with a folder for it."""

    def move_two(self, option, folder, trash="Trash"):
        """Two of six are removed, and are in the trash with bytes and flags; returns the commands for it."""
        truth = self.fill(folder, 6)
        gone = sorted(truth)[1:3]
        with Mount(self.server, option) as mount:
            contents = [mount.messages(folder)[uid].read_bytes() for uid in gone]
            mark = self.server.mark()
            remove(mount, folder, *gone)
            sync(mount, folder)
            changes = self.changes(mark)
            self.check(mount, folder, without(truth, *gone))
            found = self.mailbox.flags(trash)
            self.assertEqual([found[uid] for uid in sorted(found)], [truth[uid] for uid in gone])
            self.assertEqual([path.read_bytes() for _, path in sorted(mount.messages(trash).items())], contents)
        return changes


class TrashTest(TrashCase):
    """A server that can all."""

    def tearDown(self):
        self.mailbox.imap.select("INBOX")
        for name in self.mailbox.folders():
            if name.startswith("Trash"):
                self.mailbox.delete(name)

    def test_named(self):
        self.mailbox.create("Trash")
        changes = self.move_two("trash=Trash", "Named")
        self.assertEqual({line.split()[1] for line in changes}, {"MOVE"})

    def test_nested(self):
        self.mailbox.create("Trash/Deleted mail")
        self.move_two("trash=Trash/Deleted mail", "Nested", trash="Trash/Deleted mail")

    def test_in_the_trash(self):
        """There it goes for good."""
        truth = self.fill("Trash", 5)
        gone = sorted(truth)[3]
        with Mount(self.server, "trash=Trash") as mount:
            mark = self.server.mark()
            remove(mount, "Trash", gone)
            sync(mount, "Trash")
            self.check(mount, "Trash", without(truth, gone))
            self.assertEqual([line.split()[1] for line in self.changes(mark)], ["STORE", "EXPUNGE"])

    def test_there_is_none(self):
        """Then nothing is removed at all."""
        for option in "trash=Nowhere", "trash=auto":
            with self.subTest(option):
                folder = option.replace("=", "-")
                truth = self.fill(folder, 4)
                with Mount(self.server, option) as mount:
                    remove(mount, folder, sorted(truth)[0])
                    self.assertEqual(attempt(fsync, mount / folder), errno.EACCES)
                    self.check(mount, folder, truth)
                    self.assertIn("trash=", mount.log())

    def test_unmounted_at_once(self):
        self.mailbox.create("Trash")
        truth = self.fill("Hasty", 4)
        with Mount(self.server, "trash=Trash") as mount:
            remove(mount, "Hasty", *sorted(truth))
        self.assertEqual(self.mailbox.flags("Hasty"), {})
        self.assertEqual(len(self.mailbox.flags("Trash")), 4)

    def test_killed(self):
        """What was not told yet is moved by the next mount, and once."""
        self.mailbox.create("Trash")
        truth = self.fill("Killed", 60)
        with Mount(self.server, "trash=Trash") as mount:
            for begin in range(0, 60, 6):
                remove(mount, "Killed", *sorted(truth)[begin:begin + 6])
                mount.kill()
                mount.start()
            sync(mount, "Killed")
            self.check(mount, "Killed", {})
            self.assertEqual(len(mount.messages("Trash")), 60)
        self.assertEqual(len(self.mailbox.flags("Trash")), 60)


class SpecialUseTest(TrashCase):
    """The server says which folder is the trash."""

    @classmethod
    def setUpClass(cls):
        extra = temporary_folder() / "extra.conf"
        extra.write_text('namespace inbox {\n  mailbox Bin {\n    auto = create\n    special_use = "\\\\Trash"\n  }\n}\n')
        cls.OPTIONS = ("--extra", str(extra))
        super().setUpClass()

    def test_auto(self):
        self.move_two("trash=auto", "Auto", trash="Bin")


class CopyTest(TrashCase):
    """Without MOVE it is a copy, and a removal of what was copied."""

    OPTIONS = ("--without", "MOVE")

    def test_copied(self):
        self.mailbox.create("Trash")
        changes = self.move_two("trash=Trash", "Copied")
        self.assertEqual([line.split()[1] for line in changes], ["COPY", "STORE", "EXPUNGE"])
