"""Changes while the server is away: messages are removed, moved and flagged and files are copied in at once, and all of
it is done later, once, if need be by the next mount. What can't be is said by the log and the status."""
import errno
import os
import pathlib
import shutil
import unittest

from faults import DATE, NO_SERVER, attempt, dovecot_settings, read, status
from support import Mount, Server, run, wait_for

FLAGS, TAGS = "user.mail.flags", "user.xdg.tags"
PENDING = ("deletions-pending", "moves-pending", "flag-changes-pending", "files-to-be-stored")
BACK = "the server is there again"
# Two of one size, without anything that tells them apart.
PLAIN = b"Subject: a letter\r\n\r\ntext\r\n"


def letter(number):
    """One of many."""
    return b"Subject: number %d\r\nMessage-ID: <n%d@example.org>\r\n\r\ntext\r\n" % (number, number)


def pending(mount):
    """How many of each kind are yet to be done."""
    return tuple(status(mount, name) for name in PENDING)


def set_flags(path, value, name=FLAGS):
    """setxattr."""
    os.setxattr(path, name, value.encode())


class Offline:
    """A server with a folder "From" of six messages, and a folder "To" of one."""

    options = ()

    def setUp(self):
        self.server = Server(*self.options, rawlog=False)
        self.addCleanup(self.server.remove)
        with self.server.mailbox() as mailbox:
            for folder in ("From", "To", "Never looked at"):
                mailbox.create(folder)
            self.uids = [mailbox.append("From", letter(number), DATE, ["\\Seen", "work"]) for number in range(6)]
            self.there = mailbox.append("To", letter(99), DATE)

    def mounted(self, *options):
        """A mount that has seen both folders and read all, and whose server is away now."""
        mount = Mount(self.server, "refresh=3600", "timeout=20", *options)
        self.addCleanup(mount.remove)
        mount.start()
        self.assertEqual(sorted(mount.messages("To")), [self.there])
        self.paths = mount.messages("From")
        self.assertEqual([read(self.paths[uid]) for uid in self.uids], [letter(number) for number in range(6)])
        self.server.stop()
        self.assertIn(attempt(os.listdir, mount / "Never looked at"), NO_SERVER)
        wait_for(lambda: "the server is away" in mount.log(), "the loss of the server")
        return mount

    def back(self, mount):
        """The server is there, and everything had its turn."""
        self.server.start()
        wait_for(lambda: BACK in mount.log(), "the server")
        wait_for(lambda: pending(mount)[:3] == (0, 0, 0), "the end of the changes")

    def file(self, name, data):
        """A file of the user's own."""
        folder = pathlib.Path(self.server.folder) / "files"
        folder.mkdir(exist_ok=True)
        (folder / name).write_bytes(data)
        return folder / name

    def server_has(self, folder):
        """{UID: bytes}, {UID: flags}"""
        with self.server.mailbox() as mailbox:
            mailbox.select(folder)
            uids = mailbox.fetch_all(folder)
            return uids, {uid: set(mailbox.describe(folder, uid)["flags"]) - {"\\Recent"} for uid in uids}


class ChangesTest(Offline, unittest.TestCase):
    """What can be done later."""

    def change(self, mount):
        """Some of all."""
        gone, moved, flagged, tagged, both, _ = (self.paths[uid] for uid in self.uids)
        os.unlink(gone)
        os.rename(moved, mount / "To/moved.eml")
        set_flags(flagged, "\\Flagged home")
        set_flags(flagged, "\\Flagged home \\Answered")
        set_flags(tagged, "one,two", TAGS)
        os.removexattr(tagged, TAGS)
        set_flags(both, "work \\Draft")
        os.rename(both, mount / "To/both.eml")
        set_flags(mount / "To/both.eml", "\\Draft")
        for number in range(3):
            shutil.copyfile(self.file("plain", PLAIN), mount / f"To/plain {number}.eml")
        run("cp", "-p", self.file("kept", letter(7)), mount / "To/kept.eml")
        run("cp", self.paths[self.uids[5]], mount / "To/copy.eml")
        (mount / "To/.temporary").write_bytes(letter(8))
        os.rename(mount / "To/.temporary", mount / "To/lasting.eml")
        shutil.copyfile(self.file("plain", PLAIN), mount / "To/removed.eml")
        os.unlink(mount / "To/removed.eml")
        os.rename(mount / "To/plain 2.eml", mount / "To/renamed.eml")

    def check_refusals(self, mount):
        """What has to be asked of the server, and what it has to confirm, fails at once."""
        path = self.paths[self.uids[5]]
        self.assertIn(attempt(os.mkdir, mount / "New"), NO_SERVER)
        self.assertIn(attempt(os.rmdir, mount / "Never looked at"), NO_SERVER)
        self.assertIn(attempt(os.rename, mount / "Never looked at", mount / "New"), NO_SERVER)
        self.assertIn(attempt(shutil.copyfile, self.file("plain", PLAIN), mount / "Never looked at/a.eml"), NO_SERVER)
        self.assertIn(attempt(path.write_bytes, PLAIN), NO_SERVER)
        self.assertEqual(read(path), letter(5))
        for value in ("\\Foo", "a(b"):
            self.assertEqual(attempt(set_flags, path, value), errno.EINVAL)
        for name in ("To/kept.eml", "To"):
            descriptor = os.open(mount / name, os.O_RDONLY)
            self.assertIn(attempt(os.fsync, descriptor), NO_SERVER)
            os.close(descriptor)
        descriptor = os.open(mount / "To/synced.eml", os.O_WRONLY | os.O_CREAT)
        os.write(descriptor, PLAIN)
        self.assertIn(attempt(os.fsync, descriptor), NO_SERVER)
        os.close(descriptor)
        self.assertEqual(read(mount / "To/synced.eml"), PLAIN)
        os.unlink(mount / "To/synced.eml")

    def check_here(self, mount):
        """All is seen as it is to be."""
        self.assertEqual(sorted(mount.messages("From")), [self.uids[2], self.uids[3], self.uids[5]])
        named = {name for name in os.listdir(mount / "To") if not name.startswith("20")}
        self.assertEqual(named, {"moved.eml", "both.eml", "plain 0.eml", "plain 1.eml", "renamed.eml", "kept.eml",
                                 "copy.eml", "lasting.eml"})
        for name, data in (("moved", letter(1)), ("both", letter(4)), ("plain 0", PLAIN), ("kept", letter(7)),
                           ("copy", letter(5)), ("lasting", letter(8)), ("renamed", PLAIN)):
            self.assertEqual(read(mount / f"To/{name}.eml"), data, name)
        flags = {name: set(mount.xattr(path, FLAGS).split()) for name, path in
                 (("flagged", self.paths[self.uids[2]]), ("tagged", self.paths[self.uids[3]]),
                  ("both", mount / "To/both.eml"))}
        self.assertEqual(flags, {"flagged": {"\\Flagged", "\\Answered", "home"}, "tagged": {"\\Seen"},
                                 "both": {"\\Draft"}})

    def check_there(self):
        """The server has each, once."""
        messages, flags = self.server_has("From")
        self.assertEqual(flags, {self.uids[2]: {"\\Flagged", "\\Answered", "home", "other"},
                                 self.uids[3]: {"\\Seen"}, self.uids[5]: {"\\Seen", "work"}})
        messages, flags = self.server_has("To")
        self.assertEqual(sorted(messages.values()),
                         sorted([PLAIN] * 3 + [letter(number) for number in (1, 4, 5, 7, 8, 99)]))
        of_letter = {data: flags[uid] for uid, data in messages.items()}
        self.assertEqual(of_letter[letter(1)], {"\\Seen", "work"})
        self.assertEqual(of_letter[letter(4)], {"\\Draft"})

    def change_elsewhere(self):
        """Another client's, ahead of ours: of a message that was flagged here."""
        self.server.start()
        with self.server.mailbox() as mailbox:
            mailbox.store("From", self.uids[2], "+FLAGS", "other")

    def end(self, mount):
        """All is done, and is seen as before, here and after a remount."""
        self.back_again(mount)
        self.check_there()
        self.check_done(mount)
        mount.remount()
        self.assertEqual(pending(mount), (0, 0, 0, 0))
        self.check_done(mount)
        mount.stop()

    def back_again(self, mount):
        """Waits for the end of all changes."""
        wait_for(lambda: BACK in mount.log(), "the server")
        wait_for(lambda: pending(mount) == (0, 0, 0, 0), "the end of the changes")
        self.assertEqual((status(mount, "changes-not-done"), status(mount, "last-not-done")), (0, "none"))

    def check_done(self, mount):
        """As check_here, with what another client did."""
        os.listdir(mount / "From")
        self.assertEqual(set(mount.xattr(self.paths[self.uids[2]], FLAGS).split()) - {"other"},
                         {"\\Flagged", "\\Answered", "home"})
        self.assertEqual(set(mount.xattr(mount / "To/both.eml", FLAGS).split()), {"\\Draft"})
        self.assertEqual(len(os.listdir(mount / "To")), 9)

    def test_done_later(self):
        mount = self.mounted()
        self.change(mount)
        self.check_here(mount)
        self.check_refusals(mount)
        self.check_here(mount)
        self.assertEqual(pending(mount), (1, 2, 3, 6))
        self.change_elsewhere()
        self.end(mount)

    def test_done_by_the_next_mount(self):
        """The daemon was killed; the next one begins without the server too."""
        mount = self.mounted()
        self.change(mount)
        mount.kill()
        for _ in range(2):
            mount.start()
            wait_for(lambda: "mounted offline" in mount.log(), "the word that there is no server")
            self.check_here(mount)
            self.assertEqual(pending(mount), (1, 2, 3, 6))
            set_flags(self.paths[self.uids[3]], "\\Seen more")
            set_flags(self.paths[self.uids[3]], "\\Seen")
            mount.kill()
        mount.start()
        self.change_elsewhere()
        self.end(mount)

    def test_done_by_a_mount_with_a_server(self):
        mount = self.mounted()
        self.change(mount)
        mount.stop()
        self.assertIn("6 files are still to be stored", mount.log())
        self.change_elsewhere()
        mount.start()
        wait_for(lambda: pending(mount) == (0, 0, 0, 0), "the end of the changes")
        self.check_there()
        self.check_done(mount)
        mount.stop()

    def test_always(self):
        """A mount that never speaks to the server leaves all to one that does."""
        mount = self.mounted()
        mount.stop()
        mount.options.append("offline=always")
        mount.start()
        self.change(mount)
        self.check_here(mount)
        self.assertEqual(attempt(os.mkdir, mount / "New"), errno.ENETUNREACH)
        mount.stop()
        mount.options.remove("offline=always")
        self.change_elsewhere()
        mount.start()
        wait_for(lambda: pending(mount) == (0, 0, 0, 0), "the end of the changes")
        self.check_there()
        mount.stop()

    def test_never(self):
        mount = self.mounted("offline=never")
        path = self.paths[self.uids[0]]
        for function, *arguments in ((os.unlink, path), (os.rename, path, mount / "To/x.eml"),
                                     (set_flags, path, "\\Flagged"), (set_flags, path, "one", TAGS),
                                     (os.removexattr, path, TAGS), (os.rename, path, mount / "From/x.eml"),
                                     (shutil.copyfile, self.file("plain", PLAIN), mount / "To/x.eml")):
            self.assertEqual(attempt(function, *arguments), errno.EROFS, function)
        self.assertEqual(pending(mount), (0, 0, 0, 0))
        mount.stop()

    def test_as_many_as_can_be_kept(self):
        mount = self.mounted()
        outcomes = [attempt(shutil.copyfile, self.file("plain", PLAIN), mount / f"To/{number}.eml")
                    for number in range(70)]
        self.assertEqual(len([one for one in outcomes if not isinstance(one, int)]), 64)
        self.assertTrue(set(outcomes[64:]) <= NO_SERVER, outcomes)
        self.assertEqual(len(os.listdir(mount / "To")), 65)
        self.server.start()
        wait_for(lambda: status(mount, "files-to-be-stored") == 0, "the files")
        self.assertEqual(len(self.server_has("To")[0]), 65)
        mount.stop()


class RefusedTest(Offline, unittest.TestCase):
    """What can't be done later."""

    def said(self, mount, count, *lines):
        """So many, by the status; these, by the log; and the last of them is dated."""
        wait_for(lambda: status(mount, "changes-not-done") == count, "the refusals")
        for line in lines:
            self.assertRegex(mount.log(), line)
        self.assertRegex(status(mount, "last-not-done"), r"^20\d\d-\d\d-\d\dT[\d:.]+Z .*(is not|are not)")

    def test_message_is_gone(self):
        mount = self.mounted()
        flagged, moved, removed = self.uids[:3]
        set_flags(self.paths[flagged], "\\Flagged")
        os.rename(self.paths[moved], mount / "To/moved.eml")
        os.unlink(self.paths[removed])
        self.server.start()
        with self.server.mailbox() as mailbox:
            for uid in (flagged, moved, removed):
                mailbox.expunge("From", uid)
        wait_for(lambda: pending(mount) == (0, 0, 0, 0), "the end of the changes")
        self.said(mount, 2, rf"the flags of message {flagged} are not set .*it is gone",
                  rf"message {moved} of folder \"From\" is (neither|not) there any more")
        self.assertEqual(sorted(mount.messages("From")), self.uids[3:])
        mount.stop()

    def test_folder_is_another(self):
        """Nothing of it is done to the new one's messages; but a file that was never sent is stored there."""
        for killed in (False, True):
            with self.subTest(killed=killed):
                self.setUp()
                mount = self.mounted()
                set_flags(self.paths[self.uids[0]], "\\Flagged")
                os.rename(self.paths[self.uids[1]], mount / "To/moved.eml")
                os.unlink(self.paths[self.uids[2]])
                if killed:
                    mount.kill()
                self.server.start()
                with self.server.mailbox() as mailbox:
                    mailbox.delete("From")
                    mailbox.create("From")
                    for number in range(6):
                        mailbox.append("From", letter(number), DATE)
                if killed:
                    mount.start()
                    os.listdir(mount / "From")
                wait_for(lambda mount=mount: pending(mount)[:3] == (0, 0, 0), "the end of the changes")
                self.said(mount, 2, r"the flags of message \d+ are not set .*made anew",
                          r"message \d+, which was to become \"moved.eml\", is not moved")
                messages, flags = self.server_has("From")
                self.assertEqual(len(messages), 6)
                self.assertEqual(set().union(*flags.values()), set())
                self.assertEqual(len(self.server_has("To")[0]), 1)
                mount.stop()


class QuotaTest(Offline, unittest.TestCase):
    """A mailbox that is full."""

    def setUp(self):
        self.options = ("--extra", dovecot_settings(
            "mail_plugins = quota\nprotocol imap {\n  mail_plugins = quota imap_quota\n}\n"
            "plugin {\n  quota = count:User quota\n  quota_vsizes = yes\n  quota_rule = *:storage=1M\n}\n",
            "mail_plugins {\n  quota = yes\n}\nprotocol imap {\n  mail_plugins {\n    imap_quota = yes\n  }\n}\n"
            'quota "User quota" {\n  driver = count\n  storage_size = 1M\n}\n'))
        super().setUp()

    def test_file_is_refused(self):
        mount = self.mounted()
        large = letter(1) + b"x" * 1500000 + b"\r\n"
        shutil.copyfile(self.file("large", large), mount / "To/large.eml")
        shutil.copyfile(self.file("small", letter(2)), mount / "To/small.eml")
        self.server.start()
        wait_for(lambda: status(mount, "changes-not-done") == 1, "the refusal")
        wait_for(lambda: status(mount, "files-to-be-stored") == 1, "the other one")
        self.assertRegex(status(mount, "last-not-done"), r'Z the file "large.eml" is not stored at the server yet')
        self.assertEqual(read(mount / "To/large.eml"), large)
        self.assertEqual(sorted(self.server_has("To")[0].values()), sorted([letter(2), letter(99)]))
        os.unlink(mount / "To/large.eml")
        self.assertEqual(status(mount, "files-to-be-stored"), 0)
        mount.stop()


if __name__ == "__main__":
    unittest.main()
