"""The tree: folders, names, attributes, and that nothing can be changed in it."""
import contextlib
import ctypes
import datetime
import errno
import imaplib
import os
import re
import stat
import struct
import subprocess
import unittest

from faults import attempt, dovecot_settings
from support import UTC, Mount, MountFailed, Server, file_name, run, temporary_folder, wait_for

DATE = datetime.datetime(2025, 6, 7, 8, 9, 10, tzinfo=UTC)

# Folders as the server has them, and what they are in the mount.
FOLDERS = {
    "INBOX": "INBOX",
    "A/B/C": "A/B/C",
    "R\u00e9unions/\u65e5\u672c": "R\u00e9unions/\u65e5\u672c",
    "\U0001f600": "\U0001f600",
    "100%": "100%",
    "50%41": "50%2541",  # else it would be taken for another name's encoding
    'say "hi"': 'say "hi"',
    "back\\slash": "back\\slash",
    "this & that": "this & that",
    "two  spaces": "two  spaces",
    " leading": " leading",
    "trailing ": "trailing ",
    ".dot": ".dot",
    "...": "...",
    "a.b": "a.b",
    "-rf": "-rf",
    "(p) {5}": "(p) {5}",
    "[Gmail]/All Mail": "[Gmail]/All Mail",
    ".pullmail": "%2Epullmail",
    "20250101-120000-1.eml": "%320250101-120000-1.eml",
    "x" * 250: "x" * 250,
}
LONGEST = "\u65e5" * 94  # 282 bytes of UTF-8, more than a file name has


@contextlib.contextmanager
def fails_with(test, *codes):
    """The block must fail with one of these errno values."""
    with test.assertRaises(OSError) as caught:
        yield
    test.assertIn(caught.exception.errno, codes, caught.exception)


class FoldersTest(unittest.TestCase):
    """Folders of all names, with a message in each that says where it is."""

    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.addClassCleanup(cls.server.remove)
        with cls.server.mailbox() as mailbox:
            for folder in [*FOLDERS, LONGEST]:
                if folder != "INBOX":
                    mailbox.create(folder)
                mailbox.append(folder, cls.text(folder), DATE)

    @staticmethod
    def text(folder):
        """The message of that folder."""
        return b"Subject: here\r\n\r\n" + folder.encode() + b"\r\n"

    def test_each_folder_is_where_its_name_says(self):
        with Mount(self.server) as mount:
            for folder, path in FOLDERS.items():
                self.assertEqual((mount / path / file_name(DATE, 1)).read_bytes(), self.text(folder))
            found = {os.path.relpath(path, mount.point) for path, _, files in os.walk(mount.point) if files}
            cut = found - set(FOLDERS.values())
            self.assertEqual(len(found), len(FOLDERS) + 1)
            self.assertEqual(len(cut), 1)
            self.assertLessEqual(len(os.fsencode(cut.copy().pop())), 255)
            self.assertEqual((mount / cut.pop() / file_name(DATE, 1)).read_bytes(), self.text(LONGEST))

    def test_levels_that_hold_no_mail(self):
        mark = self.server.mark()
        with Mount(self.server) as mount:
            self.assertEqual(os.listdir(mount / "A"), ["B"])
            self.assertEqual(os.listdir(mount / "A/B"), ["C"])
            self.assertEqual(os.listdir(mount / "[Gmail]"), ["All Mail"])
            self.assertEqual([command for command in self.server.commands(mark) if command.name == "EXAMINE"], [])
            self.assertEqual((mount / "A").stat().st_nlink, 3)

    def test_what_is_not_there(self):
        with Mount(self.server) as mount:
            for name in ("nothing", "INBOX/nothing", "A/C", "INBOX/" + file_name(DATE, 2), "n" * 255, "\u65e5", "100%25",
                         "INBOX/" + file_name(DATE + datetime.timedelta(seconds=1), 1), "INBOX/.pullmail", ".pullmail/x",
                         "INBOX/20250607-080910-01.eml", "INBOX/20250607-080910-1.emlx", "inbox/x", ".headers"):
                with fails_with(self, errno.ENOENT):
                    (mount / name).stat()
            with fails_with(self, errno.ENAMETOOLONG, errno.ENOENT):
                (mount / ("n" * 256)).stat()
            with fails_with(self, errno.ENOTDIR):
                os.listdir(mount / "INBOX" / file_name(DATE, 1))
            with fails_with(self, errno.EISDIR):
                (mount / "INBOX").read_bytes()
            self.assertEqual(os.path.realpath(mount / "A/B/../../INBOX"), str(mount / "INBOX"))

    def test_below_one_folder(self):
        for folder, where in (("A", ["B"]), ("A/B/", ["C"]), ("A/B/C", [file_name(DATE, 1)]),
                              ("R%C3%A9unions", ["\u65e5\u672c"]), ("this%20%26%20that", [file_name(DATE, 1)]),
                              ("100%25", [file_name(DATE, 1)])):
            with Mount(self.server, url=self.server.url(folder=folder)) as mount:
                self.assertEqual(os.listdir(mount.point), where)
                self.assertEqual(set(run("ls", "-a", mount.point).split()), {".", "..", *where})
                self.assertTrue((mount / ".pullmail/status").read_text())
        with Mount(self.server, url=self.server.url(folder="100%25")) as mount:
            self.assertEqual((mount / file_name(DATE, 1)).read_bytes(), self.text("100%"))

    def test_the_status_is_hidden(self):
        with Mount(self.server) as mount:
            self.assertNotIn(".pullmail", os.listdir(mount.point))
            self.assertNotIn(".pullmail", run("find", mount.point))
            self.assertEqual(os.listdir(mount / ".pullmail"), [])
            status = mount.status()
            self.assertIn("ann@localhost", status)
            self.assertEqual(status.count("\n"), len([line for line in status.splitlines() if ": " in line]))
            self.assertEqual(stat.filemode((mount / ".pullmail").stat().st_mode), "dr-x------")
            self.assertEqual(stat.filemode((mount / ".pullmail/status").stat().st_mode), "-r--------")
            with open(mount / ".pullmail/status", "rb", buffering=0) as file:
                self.assertEqual(os.pread(file.fileno(), 5, 2), file.read()[2:7])

    def test_folders_come_and_go(self):
        with Mount(self.server, "refresh=1") as mount, self.server.mailbox() as mailbox:
            self.assertNotIn("New", os.listdir(mount.point))
            mailbox.create("New/\u00fcber")
            mailbox.append("New/\u00fcber", self.text("New"), DATE)
            wait_for(lambda: "New" in os.listdir(mount.point), "the new folder")
            self.assertEqual((mount / "New/\u00fcber" / file_name(DATE, 1)).read_bytes(), self.text("New"))
            mailbox.rename("New/\u00fcber", "New/unter")
            wait_for(lambda: attempt(os.listdir, mount / "New") == ["unter"], "the new name")
            self.assertEqual((mount / "New/unter" / file_name(DATE, 1)).read_bytes(), self.text("New"))
            with fails_with(self, errno.ENOENT):
                os.listdir(mount / "New/\u00fcber")
            mailbox.delete("New/unter")
            wait_for(lambda: attempt(os.listdir, mount / "New") in (errno.ENOENT, []), "the folder's end")
            with fails_with(self, errno.ENOENT):
                os.listdir(mount / "New/unter")


class DelimiterTest(unittest.TestCase):
    """A server as many are: folders below "INBOX." and with dots between the levels."""

    def test_dots(self):
        settings = dovecot_settings(
            "mail_location = maildir:~/\nnamespace inbox {\n  separator = .\n  prefix = INBOX.\n}\n",
            "mailbox_list_layout = maildir++\nnamespace inbox {\n  separator = .\n  prefix = INBOX.\n}\n")
        with Server("--extra", settings) as server, server.mailbox() as mailbox:
            for folder in ("INBOX", "INBOX.Sub", "INBOX.Deep.er.still"):
                if folder != "INBOX":
                    mailbox.create(folder)
                mailbox.append(folder, FoldersTest.text(folder), DATE)
            with Mount(server) as mount:
                self.assertEqual(os.listdir(mount.point), ["INBOX"])
                self.assertEqual(set(os.listdir(mount / "INBOX")), {"Sub", "Deep", file_name(DATE, 1)})
                for path, folder in (("INBOX", "INBOX"), ("INBOX/Sub", "INBOX.Sub"),
                                     ("INBOX/Deep/er/still", "INBOX.Deep.er.still")):
                    self.assertEqual((mount / path / file_name(DATE, 1)).read_bytes(), FoldersTest.text(folder))
            with Mount(server, url=server.url(folder="INBOX.Deep")) as mount:
                self.assertEqual(os.listdir(mount / "er"), ["still"])


class AttributesTest(unittest.TestCase):
    """What stat, statfs and getfattr say."""

    DATES = ["1980-01-02 03:04:05 +0000", "2000-02-29 23:59:59 -1130", "2025-03-01 00:30:00 +1400",
             "2038-01-19 03:14:08 +0000", "2100-12-31 23:59:59 +0100"]

    @classmethod
    def setUpClass(cls):
        cls.server = Server(rawlog=False)
        cls.addClassCleanup(cls.server.remove)
        cls.flags = [["\\Seen"], [], ["\\Flagged", "$Forwarded"], ["\\Answered", "\\Seen", "work"], ["\\Draft"]]
        with cls.server.mailbox() as mailbox:
            mailbox.create("Dates")
            mailbox.create("Empty/Below")
            for number, text in enumerate(cls.DATES):
                mailbox.append("Dates", b"Subject: %d\r\n\r\n" % number + b"x" * 100 * number,
                               datetime.datetime.strptime(text, "%Y-%m-%d %H:%M:%S %z"), cls.flags[number])
            cls.said = {uid: mailbox.describe("Dates", uid) for uid in mailbox.uids("Dates")}
            cls.validity = re.search(rb"UIDVALIDITY (\d+)", mailbox.imap.status("Dates", "(UIDVALIDITY)")[1][0])[1].decode()

    def test_names_and_times(self):
        with Mount(self.server) as mount:
            self.assertEqual(set(os.listdir(mount / "Dates")), {file_name(said["date"], uid) for uid, said in self.said.items()})
            self.assertIn("20000301-112959-2.eml", os.listdir(mount / "Dates"))
            self.assertIn("20250228-103000-3.eml", os.listdir(mount / "Dates"))
            for uid, path in mount.messages("Dates").items():
                status = path.stat()
                self.assertEqual(status.st_mtime, self.said[uid]["date"].timestamp())
                self.assertEqual(status.st_size, self.said[uid]["size"])
                self.assertEqual(status.st_nlink, 1)

    def test_modes_and_owners(self):
        with Mount(self.server) as mount:
            self.assertEqual(stat.filemode(mount.point.stat().st_mode), "drwx------")
            self.assertEqual(stat.filemode((mount / "Dates").stat().st_mode), "drwx------")
            for path in mount.messages("Dates").values():
                self.assertEqual(stat.filemode(path.stat().st_mode), "-rw-------")
                self.assertEqual((path.stat().st_uid, path.stat().st_gid), (os.geteuid(), os.getegid()))
        with Mount(self.server, "uid=12345", "gid=54321", "umask=027") as mount:
            status = mount.point.stat()
            self.assertEqual((stat.filemode(status.st_mode), status.st_uid, status.st_gid), ("drwxr-x---", 12345, 54321))
        with Mount(self.server, f"uid={os.geteuid()}", "gid=54321", "umask=037") as mount:
            status = (mount / "Dates").lstat()
            self.assertEqual((stat.filemode(status.st_mode), status.st_gid), ("drwxr-----", 54321))

    def test_others_are_kept_out(self):
        def others_see(*options):
            with Mount(self.server, *options) as mount:
                return subprocess.run(["ls", "Dates"], cwd=mount.point, user=65534, group=65534, extra_groups=[], check=False,
                                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0
        if os.geteuid() == 0:
            self.assertFalse(others_see())
            self.assertFalse(others_see("umask=0"))
            self.assertFalse(others_see("allow_other"))
            self.assertTrue(others_see("allow_other", "umask=022"))
            self.assertTrue(others_see("allow_other", "uid=65534", "gid=65534"))
        else:
            # Whether a user may let others in is the administrator's decision.
            allowed = re.search(r"^\s*user_allow_other", open("/etc/fuse.conf", encoding="utf-8").read(), re.MULTILINE)
            try:
                with Mount(self.server, "allow_other"):
                    self.assertTrue(allowed)
            except MountFailed as failure:
                self.assertFalse(allowed)
                self.assertIn("allow_other", failure.log)

    def test_extended_attributes(self):
        with Mount(self.server) as mount:
            for uid, path in mount.messages("Dates").items():
                keywords = [flag for flag in self.flags[uid - 1] if not flag.startswith("\\")]
                self.assertEqual(set(os.listxattr(path)), {"user.mail.flags", "user.mail.uid", "user.mail.uidvalidity",
                                                           "user.mime_type", *(["user.xdg.tags"] if keywords else [])})
                self.assertEqual(set(mount.xattr(path, "user.mail.flags").split()) - {"\\Recent"}, set(self.flags[uid - 1]))
                self.assertEqual(mount.xattr(path, "user.mail.uid"), str(uid))
                self.assertEqual(mount.xattr(path, "user.mail.uidvalidity"), self.validity)
                self.assertEqual(mount.xattr(path, "user.mime_type"), "message/rfc822")
                with fails_with(self, errno.ENODATA):
                    os.getxattr(path, "user.other")
            self.assertEqual(os.listxattr(mount / "Dates"), ["user.mail.uidvalidity"])
            self.assertEqual(mount.xattr(mount / "Dates", "user.mail.uidvalidity"), self.validity)
            self.assertEqual(os.listxattr(mount.point), [])
            self.assertEqual(os.listxattr(mount / "Empty"), [])
            self.assertIn('user.mime_type="message/rfc822"', run("getfattr", "-d", *mount.messages("Dates").values()))

    def test_inodes_stay(self):
        def inodes(mount):
            return {os.path.join(path, name): os.lstat(os.path.join(path, name)).st_ino
                    for path, folders, files in os.walk(mount.point) for name in folders + files + ["."]}

        def listed(mount):
            return {entry.path: entry.inode() for entry in os.scandir(mount / "Dates")}
        with Mount(self.server) as mount:
            first, entries = inodes(mount), listed(mount)
            self.assertEqual(entries, {path: inode for path, inode in first.items() if path in entries})
            without_dots = [inode for path, inode in first.items() if not path.endswith("/.")]
            self.assertEqual(len(set(without_dots)), len(without_dots))
            mount.remount()
            self.assertEqual((inodes(mount), listed(mount)), (first, entries))
            mount.kill()
            mount.start()
            self.assertEqual(inodes(mount), first)

    def test_free_space(self):
        with Mount(self.server) as mount:
            os.listdir(mount / "Dates")
            free = os.statvfs(mount.point)
            self.assertGreaterEqual(free.f_files, len(self.said))
            self.assertGreater(free.f_bavail, 0)
            self.assertEqual(free.f_namemax, 255)
            self.assertIn("pullmail", run("df", "-T", mount.point))


class QuotaTest(unittest.TestCase):
    """Free space where the server has a quota."""

    def test_free_space_is_what_the_quota_leaves(self):
        settings = dovecot_settings(
            "mail_plugins = quota\nprotocol imap {\n  mail_plugins = quota imap_quota\n}\n"
            "plugin {\n  quota = count:User quota\n  quota_vsizes = yes\n  quota_rule = *:storage=10M\n}\n",
            "mail_plugins {\n  quota = yes\n}\nprotocol imap {\n  mail_plugins {\n    imap_quota = yes\n  }\n}\n"
            'quota "User quota" {\n  driver = count\n  storage_size = 10M\n}\n')
        with Server("--extra", settings, rawlog=False) as server:
            with server.mailbox() as mailbox:
                mailbox.append("INBOX", b"Subject: much\r\n\r\n" + (b"x" * 98 + b"\r\n") * 20000)
            client = imaplib.IMAP4("127.0.0.1", server.ports["imap"])
            client.login("ann", "pass")
            announced = b" QUOTA" in client.capability()[1][0]
            client.logout()
            with Mount(server) as mount:
                if not announced:  # as Dovecot 2.4 does not: then there is room for more than anybody has
                    os.listdir(mount / "INBOX")
                    self.assertGreater(os.statvfs(mount.point).f_bavail * 4096, 100 << 30)
                    return
                # The mount does not wait for the quota, nor does statfs.
                wait_for(lambda: os.listdir(mount / "INBOX") and os.statvfs(mount.point).f_blocks * 4096 == 10 << 20,
                         "the quota")
                free = os.statvfs(mount.point)
                self.assertAlmostEqual((free.f_blocks - free.f_bfree) * 4096, 2000000, delta=60000)


class DirectoryReader:
    """Reads a directory in small pieces."""

    def __init__(self, path):
        self.fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        self.buffer = ctypes.create_string_buffer(600)
        self.libc = ctypes.CDLL(None, use_errno=True)

    def some(self):
        """The next few names; none at the end."""
        length = self.libc.getdents64(self.fd, self.buffer, len(self.buffer))
        if length < 0:
            raise OSError(ctypes.get_errno(), "getdents64")
        names, at = [], 0
        while at < length:
            size = struct.unpack_from("=QqHB", self.buffer, at)[2]
            names.append(os.fsdecode(self.buffer[at + 19:at + size].split(b"\0")[0]))
            at += size
        return names

    def close(self):
        """Closes it."""
        os.close(self.fd)


class ChangingTest(unittest.TestCase):
    """While mail comes and goes."""

    def setUp(self):
        self.server = Server(rawlog=False)
        self.addCleanup(self.server.remove)
        self.mailbox = self.server.mailbox()
        self.addCleanup(self.mailbox.close)
        self.mailbox.create("Busy")

    def test_nothing_that_stays_is_skipped_or_listed_twice(self):
        for number in range(400):
            self.server.drop("Busy", b"Subject: %d\r\n\r\n" % number, DATE)
        uids = self.mailbox.uids("Busy")
        self.assertEqual(len(uids), 400)
        doomed = uids[3::40]
        with Mount(self.server, "refresh=1") as mount:
            self.assertEqual(len(mount.messages("Busy")), 400)
            gone, seen = set(), []
            reader = DirectoryReader(mount / "Busy")
            while names := reader.some():
                seen += names
                if len(seen) > 40 * len(gone) and len(gone) < len(doomed):
                    uid = doomed[len(gone)]
                    gone.add(uid)
                    self.mailbox.expunge("Busy", uid)
                    self.mailbox.append("Busy", b"Subject: new\r\n\r\n", DATE)
                    wait_for(lambda uid=uid: uid not in mount.messages("Busy"), "the change")
            reader.close()
            self.assertEqual(len(gone), len(doomed))
            self.assertEqual(len(seen), len(set(seen)))
            self.assertLessEqual({file_name(DATE, uid) for uid in uids if uid not in gone}, set(seen))
            uids = set(self.mailbox.uids("Busy"))
            wait_for(lambda: set(mount.messages("Busy")) == uids, "what came last")

    def test_a_message_deleted_while_it_is_open(self):
        read, unread = (self.mailbox.append("Busy", b"Subject: doomed\r\n\r\n" + b"x" * 70 + b"\r\n") for _ in range(2))
        with Mount(self.server, "refresh=1") as mount:
            paths = mount.messages("Busy")
            with open(paths[read], "rb", buffering=0) as file, open(paths[unread], "rb", buffering=0) as other:
                text = file.read()
                self.mailbox.expunge("Busy", read)
                self.mailbox.expunge("Busy", unread)
                wait_for(lambda: not mount.messages("Busy"), "the change")
                for one in (file, other):
                    try:
                        self.assertEqual(os.pread(one.fileno(), 1000, 0), text)
                    except OSError as error:
                        self.assertIn(error.errno, (errno.ENOENT, errno.ESTALE))
            with fails_with(self, errno.ENOENT):
                paths[read].read_bytes()

    def test_flags_change(self):
        uid = self.mailbox.append("Busy", b"Subject: flags\r\n\r\n", DATE)
        with Mount(self.server, "refresh=1") as mount:
            path = mount.messages("Busy")[uid]
            for flags in (["\\Seen"], ["\\Seen", "$Junk"], []):
                self.mailbox.store("Busy", uid, "FLAGS", *flags)
                wait_for(lambda flags=flags: os.listdir(mount / "Busy") and
                         set(mount.xattr(path, "user.mail.flags").split()) - {"\\Recent"} == set(flags), "the flags")


class ReadOnlyTest(unittest.TestCase):
    """With ro, whatever would change the mailbox is refused as on every read-only file system."""

    def test_writing(self):
        with Server(rawlog=False) as server:
            with server.mailbox() as mailbox:
                mailbox.create("Folder")
                mailbox.append("INBOX", b"Subject: kept\r\n\r\n", DATE)
            with Mount(server, "ro") as mount:
                self.attempt(mount, mount / "INBOX" / file_name(DATE, 1))
            with server.mailbox() as mailbox:
                self.assertEqual(mailbox.folders(), ["Folder", "INBOX"])
                self.assertEqual(mailbox.uids("INBOX"), [1])

    def attempt(self, mount, path):
        """All ways of writing."""
        attempts = {
            "unlink": lambda: os.unlink(path),
            "rename": lambda: os.rename(path, mount / "Folder/a.eml"),
            "rename a folder": lambda: os.rename(mount / "Folder", mount / "Other"),
            "mkdir": lambda: os.mkdir(mount / "New"),
            "rmdir": lambda: os.rmdir(mount / "Folder"),
            "create": lambda: open(mount / "INBOX/new.eml", "x", encoding="utf-8"),
            "append": lambda: open(path, "a", encoding="utf-8"),
            "write": lambda: os.open(path, os.O_RDWR),
            "truncate": lambda: os.truncate(path, 0),
            "open to truncate": lambda: os.open(path, os.O_WRONLY | os.O_TRUNC),
            "chmod": lambda: os.chmod(path, 0o644),
            "chown": lambda: os.chown(path, os.geteuid(), os.getegid()),
            "utime": lambda: os.utime(path),
            "link": lambda: os.link(path, mount / "Folder/b.eml"),
            "symlink": lambda: os.symlink("x", mount / "INBOX/link"),
            "mknod": lambda: os.mkfifo(mount / "INBOX/fifo"),
            "setxattr": lambda: os.setxattr(path, "user.mail.flags", b"\\Seen"),
            "removexattr": lambda: os.removexattr(path, "user.mail.flags"),
            "write the status": lambda: os.open(mount / ".pullmail/status", os.O_WRONLY),
        }
        for name, attempt in attempts.items():
            with self.subTest(name), fails_with(self, errno.EROFS):
                attempt()
        for command in (["touch", path], ["rm", "-f", path], ["mkdir", mount / "New"], ["mv", path, mount / "Folder"],
                        ["setfattr", "-n", "user.mail.flags", "-v", "x", path], ["truncate", "-s", "0", path],
                        ["cp", "/etc/hostname", mount / "INBOX/"]):
            done = subprocess.run(command, check=False, stderr=subprocess.PIPE, text=True, env={**os.environ, "LC_ALL": "C"})
            self.assertNotEqual(done.returncode, 0)
            self.assertIn("Read-only file system", done.stderr)
        self.assertEqual(path.read_bytes(), b"Subject: kept\r\n\r\n")


if __name__ == "__main__":
    unittest.main()
