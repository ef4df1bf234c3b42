"""Folders made, removed and renamed with mkdir, rmdir, rm and mv: the server has them as another
client sees it, what is refused has changed nothing, and nothing is fetched again."""
import concurrent.futures
import ctypes
import datetime
import errno
import os
import re
import subprocess
import unittest

from faults import NO_SERVER, attempt, check_bytes, fill
from imaptool import from_utf7, quoted
from relay import Relay
from support import UTC, Mount, Server, run, wait_for
from test_tree import dovecot_settings, fails_with

DATE = datetime.datetime(2025, 7, 8, 9, 10, 11, tzinfo=UTC)
NOREPLACE, EXCHANGE = 1, 2  # of renameat2
TEXT = b"Subject: here\r\n\r\ntext\r\n"

# What is made with mkdir, and the folder that the server has then.
NAMES = {
    "R\u00e9union": "R\u00e9union",
    "\u65e5\u672c": "\u65e5\u672c",
    "\U0001f600": "\U0001f600",
    "100%": "100%",
    "50%2541": "50%41",
    "star*": "star*",
    "this & that": "this & that",
    'say "hi"': 'say "hi"',
    "back\\slash": "back\\slash",
    "a.b": "a.b",
    ".dot": ".dot",
    " leading": " leading",
    "{5}": "{5}",
    "(p)": "(p)",
}


def renameat2(old, new, flags):
    """As the system call: mv has no option for these flags."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(-100, os.fsencode(old), -100, os.fsencode(new), flags) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def tree(point):
    """All that the mount lists, as paths: a folder's ends in '/'."""
    return sorted(os.path.relpath(os.path.join(path, name), point) + ("/" if name in folders else "")
                  for path, folders, files in os.walk(point) for name in folders + files)


def inodes(*paths):
    """The inode of each."""
    return [os.lstat(path).st_ino for path in paths]


class One(unittest.TestCase):
    """The server that all of them share."""

    server = None

    @classmethod
    def setUpClass(cls):
        if not One.server:
            One.server = Server(*(word for user in ("ann", "bob", "cat", "dan", "eve") for word in ("--user", f"{user}:pass")))
            unittest.addModuleCleanup(One.server.remove)


class Folders(One):
    """A mount for all the class's tests; each has folders of its own."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.mailbox = cls.server.mailbox()
        cls.addClassCleanup(cls.mailbox.close)
        if not cls.mailbox.uids("INBOX"):
            cls.mailbox.append("INBOX", TEXT, DATE)
        cls.mount = Mount(cls.server, "refresh=3600").__enter__()
        cls.addClassCleanup(cls.mount.__exit__, None, None, None)

    def subscribed(self):
        """The names that are subscribed to."""
        return {from_utf7(re.sub(rb'.*"/" "?(.*?)"?$', rb"\1", line).decode()) for line in self.mailbox.imap.lsub()[1] if line}

    def made(self, *levels):
        """Folders of this test's own, made and listed in the mount; returns the paths."""
        top = self.mount / self.id().split(".")[-1]
        paths = [top / level for level in levels]
        for path in paths:
            run("mkdir", "-p", path)
        return paths

    def name(self, path):
        """The server's name of a folder in the mount."""
        return str(path.relative_to(self.mount.point))

    def below(self, path):
        """The server's folders there, as imaplib sees them, with that one."""
        name = self.name(path)
        return [folder for folder in self.mailbox.folders() if folder == name or folder.startswith(name + "/")]


class MakingTest(Folders):
    """mkdir."""

    def test_names(self):
        (top,) = self.made("")
        for name, folder in NAMES.items():
            (top / name).mkdir()
            self.assertIn(self.name(top) + "/" + folder, self.mailbox.folders())
        self.assertEqual(set(os.listdir(top)), set(NAMES))
        self.assertIn(self.name(top) + "/R\u00e9union", self.subscribed())
        for name in NAMES:
            (top / name).rmdir()
        self.assertEqual(self.below(top), [self.name(top)])

    def test_nested(self):
        mark = self.server.mark()
        run("mkdir", "-p", self.mount / "x/y/z")
        self.assertEqual([name for name in self.mailbox.folders() if name.startswith("x")], ["x", "x/y", "x/y/z"])
        self.assertLessEqual({"x", "x/y", "x/y/z"}, self.subscribed())
        self.mailbox.append("x/y/z", TEXT, DATE)
        self.assertEqual(os.listdir(self.mount / "x"), ["y"])
        self.assertEqual(self.server.count("CREATE", mark), 3)
        self.assertEqual((self.mount / "x").stat().st_nlink, 3)
        self.assertEqual(len(self.mount.messages("x/y/z")), 1)

    def test_what_is_there_already(self):
        (path,) = self.made("there")
        name = os.listdir(self.mount / "INBOX")[0]
        mark = self.server.mark()
        for there in (path, self.mount / "INBOX", self.mount / "INBOX" / name, self.mount.point):
            with fails_with(self, errno.EEXIST):
                there.mkdir()
        self.assertEqual(self.server.count("CREATE", mark), 0)
        run("mkdir", "-p", path)

    def test_names_that_cannot_be(self):
        (top,) = self.made("")
        before = self.mailbox.folders()
        for name in ("a%2Fb", "%2E%2E", "%00", "a%0Ab", "\udcff", "%41", ".pullmail", "20250101-120000-1.eml"):
            with self.subTest(name):
                code = attempt(os.mkdir, top / name)
                self.assertIn(code, (errno.EINVAL, errno.EEXIST))
        self.assertEqual(self.mailbox.folders(), before)
        for name in ("inbox", "INBOX", ".pullmail"):
            with fails_with(self, errno.EEXIST, errno.EINVAL, errno.EPERM):
                (self.mount / name).mkdir()
        with fails_with(self, errno.EPERM, errno.EACCES):  # the latter to an ordinary user
            (self.mount / ".pullmail/x").mkdir()
        self.assertEqual(self.mailbox.folders(), before)

    def test_one_that_only_was_a_level(self):
        self.mailbox.create("level/below")
        with Mount(self.server) as mount:
            self.assertEqual(os.listdir(mount / "level"), ["below"])
            with fails_with(self, errno.EEXIST):
                (mount / "level").mkdir()
            (mount / "level/other").mkdir()
            (mount / "level/below").rmdir()
            (mount / "level/other").rmdir()
            self.assertFalse([name for name in self.mailbox.folders() if name.startswith("level/")])


class RemovingTest(Folders):
    """rmdir, and rm -r."""

    def refuse(self, path):
        """It is not empty, and nothing happens."""
        before, mark = self.mailbox.folders(), self.server.mark()
        with fails_with(self, errno.ENOTEMPTY):
            path.rmdir()
        self.assertEqual(self.server.count("DELETE", mark), 0)
        self.assertEqual(self.mailbox.folders(), before)
        self.assertTrue(path.is_dir())

    def test_an_empty_one(self):
        (path,) = self.made("empty")
        path.rmdir()
        self.assertEqual(self.below(path), [])
        self.assertNotIn(self.name(path), self.subscribed())
        with fails_with(self, errno.ENOENT):
            os.listdir(path)
        with fails_with(self, errno.ENOENT):
            path.rmdir()
        path.mkdir()
        self.assertEqual(self.below(path), [self.name(path)])
        self.assertEqual(os.listdir(path), [])

    def test_one_with_messages(self):
        (path,) = self.made("full")
        uid = self.mailbox.append(self.name(path), TEXT, DATE)
        self.refuse(path)
        self.assertEqual(self.mailbox.uids(self.name(path)), [uid])

    def test_one_with_hidden_messages(self):
        """What is marked is not listed, but it is somebody's, and he may take the mark back."""
        (path,) = self.made("hidden")
        uid = self.mailbox.append(self.name(path), TEXT, DATE, ["\\Deleted"])
        self.refuse(path)
        self.assertEqual(self.mailbox.uids(self.name(path)), [uid])

    def test_one_with_children(self):
        path, below = self.made("parent", "parent/child")
        self.refuse(path)
        below.rmdir()
        path.rmdir()
        self.assertEqual(self.below(path), [])

    def test_one_with_children_of_another_client(self):
        (path,) = self.made("parent")
        self.mailbox.create(self.name(path) + "/unseen")
        self.refuse(path)
        self.assertEqual(os.listdir(path), ["unseen"])

    def test_all_at_once(self):
        top, path, below = self.made("top", "top/a", "top/a/b")
        for folder in (top, path, below):
            for _ in range(5):
                self.mailbox.append(self.name(folder), TEXT, DATE)
        with Mount(self.server) as mount:
            self.assertEqual(len(mount.messages(self.name(below))), 5)
            run("rm", "-r", mount / self.name(top))
            self.assertEqual(self.below(top), [])
            with fails_with(self, errno.ENOENT):
                (mount / self.name(top)).stat()
        self.assertTrue(self.below(top.parent))

    def test_what_is_no_folder_to_remove(self):
        before = self.mailbox.folders()
        for path, codes in ((self.mount / "INBOX", (errno.EPERM, errno.ENOTEMPTY)), (self.mount / ".pullmail", (errno.EPERM,)),
                            (self.mount / "INBOX" / os.listdir(self.mount / "INBOX")[0], (errno.ENOTDIR,)),
                            (self.mount.point, (errno.EBUSY,))):
            with fails_with(self, *codes):
                path.rmdir()
        self.assertEqual(self.mailbox.folders(), before)


class RenamingTest(Folders):
    """mv."""

    def setUp(self):
        self.mount = Mount(self.server, "refresh=3600")
        self.addCleanup(self.mount.remove)

    def filled(self, *levels):
        """
        Folders with three messages each, mounted, all of which were read; returns paths and
        {path: {UID: bytes}}.
        """
        paths, truth = [self.mount / self.id().split(".")[-1] / level for level in levels], {}
        for path in paths:
            self.mailbox.create(self.name(path))
            self.mailbox.imap.subscribe(quoted(self.name(path)))
            for number in range(3):
                self.mailbox.append(self.name(path), TEXT + b"%d\r\n" % number, DATE)
            truth[path] = self.mailbox.fetch_all(self.name(path))
        self.mailbox.select("INBOX")  # none of them is open
        self.enter(self.mount)
        for path in paths:
            check_bytes(self, self.mount.messages(self.name(path)), truth[path])
        return paths, truth

    def enter(self, mount):
        """Mounts it until the test ends."""
        mount.start()
        self.addCleanup(mount.__exit__, None, None, None)

    def check(self, path, truth, mark, mount=None):
        """These messages are there, and were not fetched again."""
        mount = mount or self.mount
        check_bytes(self, mount.messages(self.name(path)), truth)
        self.assertEqual(self.mailbox.fetch_all(self.name(path)), truth)
        self.mailbox.select("INBOX")
        self.assertEqual(self.server.fetched(mark), [])

    def test_in_its_place(self):
        (path,), truth = self.filled("old")
        new, mark = path.with_name("n\u00e9w"), self.server.mark()
        before = inodes(path, *self.mount.messages(self.name(path)).values())
        run("mv", path, new)
        self.assertEqual((self.below(path), self.below(new)), ([], [self.name(new)]))
        self.assertEqual(os.listdir(path.parent), [new.name])
        with fails_with(self, errno.ENOENT):
            path.stat()
        self.check(new, truth[path], mark)
        self.assertEqual(inodes(new, *self.mount.messages(self.name(new)).values()), before)
        self.assertEqual(self.server.count("RENAME", mark), 1)
        self.assertIn(self.name(new), self.subscribed())
        self.assertNotIn(self.name(path), self.subscribed())

    def test_with_children_into_another_and_out_to_the_root(self):
        (top, child, deep, topless, other), truth = self.filled("top", "top/child", "top/child/deep", "topless", "other")
        mark = self.server.mark()
        before = inodes(top, child, deep, *self.mount.messages(self.name(deep)).values())
        old = top
        for new in (other / "top", self.mount / "out", other / "again"):
            run("mv", "-T", old, new)
            old = new
            paths = [new, new / "child", new / "child/deep"]
            self.assertEqual(self.below(new), [self.name(path) for path in paths])
            self.assertEqual(inodes(*paths, *self.mount.messages(self.name(paths[2])).values()), before)
            for path, was in zip(paths, (top, child, deep)):
                self.check(path, truth[was], mark)
        for path in (topless, other):
            self.check(path, truth[path], mark)

    def test_what_is_known_outlives_the_mount(self):
        (path, below, alike), truth = self.filled("path", "path/below", "pathless")
        new = path.with_name("moved")
        before = inodes(path, below, *self.mount.messages(self.name(below)).values(), alike)
        mark = self.server.mark()
        path.rename(new)
        self.mount.remount()
        for folder, was in ((new, path), (new / "below", below), (alike, alike)):
            self.check(folder, truth[was], mark)
        self.assertEqual(inodes(new, new / "below", *self.mount.messages(self.name(new / "below")).values(), alike), before)
        with fails_with(self, errno.ENOENT):
            os.listdir(path)
        path.mkdir()
        self.assertEqual(os.listdir(path), [])

    def test_onto_what_is_there(self):
        (path, there), truth = self.filled("path", "there")
        message = next(iter(self.mount.messages(self.name(there)).values()))
        before, mark = self.mailbox.folders(), self.server.mark()
        with fails_with(self, errno.EEXIST):
            path.rename(there)
        with fails_with(self, errno.EEXIST):
            renameat2(path, there, NOREPLACE)
        for flags, new in ((0, message), (NOREPLACE, message), (EXCHANGE, there), (EXCHANGE, message)):
            with fails_with(self, errno.EEXIST if flags == NOREPLACE else errno.EINVAL if flags else errno.ENOTDIR):
                renameat2(path, new, flags)
        self.assertEqual(subprocess.run(["mv", "-T", path, there], check=False, stderr=subprocess.DEVNULL).returncode, 1)
        self.assertEqual((self.mailbox.folders(), self.server.count("RENAME", mark)), (before, 0))
        for folder in (path, there):
            self.check(folder, truth[folder], mark)

    def test_where_it_cannot_be(self):
        (path, below), _ = self.filled("path", "path/below")
        before, mark = self.mailbox.folders(), self.server.mark()
        for new, codes in ((below / "path", (errno.EINVAL,)), (path / "x", (errno.EINVAL,)),
                           (path.parent / "a%2Fb", (errno.EINVAL,)), (path.parent / "\udcff", (errno.EINVAL,)),
                           (self.mount / ".pullmail", (errno.EPERM, errno.EINVAL, errno.EEXIST)),
                           (self.mount / ".pullmail/x", (errno.EPERM, errno.EACCES)), (path.parent / "none/x", (errno.ENOENT,))):
            with self.subTest(new), fails_with(self, *codes):
                path.rename(new)
        for old in (self.mount / "INBOX", self.mount / ".pullmail"):
            with self.subTest(old), fails_with(self, errno.EPERM):
                old.rename(self.mount / "other")
        self.assertEqual((self.mailbox.folders(), self.server.count("RENAME", mark)), (before, 0))
        path.rename(path)
        self.assertTrue(below.is_dir())

    def test_removals_that_wait(self):
        (path,), truth = self.filled("path")
        kept = sorted(truth[path])[1:]
        os.unlink(self.mount.messages(self.name(path))[kept[0] - 1])
        path.rename(path.with_name("other"))
        self.assertEqual(sorted(self.mount.messages(self.name(path.with_name("other")))), kept)
        fd = os.open(path.with_name("other"), os.O_RDONLY)
        os.fsync(fd)
        os.close(fd)
        self.assertEqual(self.mailbox.uids(self.name(path.with_name("other"))), kept)

    def test_made_anew(self):
        """Under the old name there is another folder, whose UIDs mean other messages."""
        (path,), _ = self.filled("path")
        self.mailbox.delete(self.name(path))
        self.mailbox.create(self.name(path))
        self.mailbox.append(self.name(path), TEXT + b"anew\r\n", DATE)
        self.mailbox.select("INBOX")
        new = path.with_name("other")
        path.rename(new)
        self.assertEqual(self.below(new), [self.name(new)])
        self.mount.remount()
        (message,) = self.mount.messages(self.name(new)).values()
        self.assertEqual(message.read_bytes(), TEXT + b"anew\r\n")


class OthersTest(Folders):
    """Another client's changes, of which the mount does not know yet."""

    def test_renamed(self):
        path, below = self.made("path", "path/below")
        self.mailbox.rename(self.name(path), self.name(path) + "2")
        before, mark = self.mailbox.folders(), self.server.mark()
        for change in (lambda: (path / "x").mkdir(), below.rmdir, lambda: path.rename(path.with_name("y"))):
            with fails_with(self, errno.ENOENT, errno.ESTALE):  # the latter once the mount knows
                change()
        self.assertEqual(self.mailbox.folders(), before)
        self.assertEqual([self.server.count(verb, mark) for verb in ("CREATE", "DELETE", "RENAME")], [0, 0, 0])
        self.assertEqual(tree(path.parent), ["path2/", "path2/below/"])

    def test_deleted(self):
        paths = self.made("a", "b", "c")
        for path in paths:
            self.mailbox.delete(self.name(path))
        before = self.mailbox.folders()
        for change in (paths[0].rmdir, (paths[1] / "x").mkdir, lambda: paths[2].rename(paths[2].with_name("y"))):
            with fails_with(self, errno.ENOENT, errno.ESTALE):  # the latter once the mount knows
                change()
        self.assertEqual(self.mailbox.folders(), before)
        self.assertEqual(os.listdir(paths[0].parent), [])

    def test_made(self):
        path, other = self.made("path", "other")
        self.mailbox.create(self.name(path) + "/made")
        self.mailbox.append(self.name(path) + "/made", TEXT, DATE)
        before = self.mailbox.folders()
        with fails_with(self, errno.EEXIST):
            (path / "made").mkdir()
        self.assertEqual(os.listdir(path), ["made"])
        self.mailbox.create(self.name(path) + "/later")
        with fails_with(self, errno.EEXIST):
            other.rename(path / "later")
        self.assertEqual(self.mailbox.folders(), sorted([*before, self.name(path) + "/later"]))
        self.assertEqual(len(self.mount.messages(self.name(path) + "/made")), 1)
        run("mkdir", "-p", path / "later/latest")
        self.assertTrue((path / "later/latest").is_dir())

    def test_shown_in_time(self):
        with Mount(self.server, "refresh=1") as mount:
            top = mount / "shown"
            top.mkdir()
            self.mailbox.create("shown/a")
            wait_for(lambda: os.listdir(top) == ["a"], "the new folder")
            self.mailbox.rename("shown/a", "shown/b")
            wait_for(lambda: os.listdir(top) == ["b"], "the new name")
            self.mailbox.delete("shown/b")
            wait_for(lambda: os.listdir(top) == [], "the folder's end")
            top.rmdir()


class ElsewhereTest(One):
    """Mounts of one folder, of a server with dots, through bad networks, and ones that change nothing."""

    def test_below_one_folder(self):
        with self.server.mailbox("eve") as mailbox:
            for name in ("Projects", "Projects/old"):
                mailbox.create(name)
            with Mount(self.server, url=self.server.url(user="eve", folder="Projects")) as mount:
                (mount / "more/er").mkdir(parents=True)
                (mount / "more").rename(mount / "old/more")
                self.assertEqual(mailbox.folders(), ["INBOX", "Projects", "Projects/old", "Projects/old/more",
                                                     "Projects/old/more/er"])
                (mount / "old/more/er").rename(mount / "out")
                (mount / "old/more").rmdir()
                self.assertEqual(mailbox.folders(), ["INBOX", "Projects", "Projects/old", "Projects/out"])
                self.assertEqual(tree(mount.point), ["old/", "out/"])
                mount.remount()
                self.assertEqual(tree(mount.point), ["old/", "out/"])

    def test_dots(self):
        settings = dovecot_settings(
            "mail_location = maildir:~/\nnamespace inbox {\n  separator = .\n}\n",
            "mailbox_list_layout = maildir++\nnamespace inbox {\n  separator = .\n}\n")
        with Server("--extra", settings) as server, server.mailbox() as mailbox, Mount(server) as mount:
            (mount / "a/b").mkdir(parents=True)
            for name in ("x.y", ".x", "x."):
                with self.subTest(name), fails_with(self, errno.EINVAL):
                    (mount / "a" / name).mkdir()
            with fails_with(self, errno.EINVAL):
                (mount / "a").rename(mount / "c.d")
            self.assertEqual(mailbox.folders(), ["INBOX", "a", "a.b"])
            uid = mailbox.append("a.b", TEXT, DATE)
            inode = inodes(mount / "a/b", mount.messages("a/b")[uid])
            (mount / "a").rename(mount / "INBOX/a")
            self.assertEqual(mailbox.folders(), ["INBOX", "INBOX.a", "INBOX.a.b"])
            self.assertEqual(inodes(mount / "INBOX/a/b", mount.messages("INBOX/a/b")[uid]), inode)

    def test_read_only(self):
        with self.server.mailbox("bob") as mailbox:
            mailbox.create("a")
            mark = self.server.mark()
            with Mount(self.server, "ro", url=self.server.url(user="bob")) as mount:
                for change in ((mount / "x").mkdir, (mount / "a").rmdir, lambda: (mount / "a").rename(mount / "b")):
                    with fails_with(self, errno.EROFS):
                        change()
            sent = {command.name for command in self.server.commands(mark)}
            self.assertFalse(sent & {"CREATE", "DELETE", "RENAME", "SUBSCRIBE", "UNSUBSCRIBE"}, sent)
            self.assertEqual(mailbox.folders(), ["INBOX", "a"])

    def test_the_server_is_away(self):
        with self.server.mailbox("cat") as mailbox, Relay(self.server.ports["imap"]) as relay:
            mailbox.create("a")
            mailbox.create("b")
            with Mount(self.server, "tls=off", "timeout=1", "refresh=3600", url=relay.url(user="cat")) as mount:
                self.assertEqual(tree(mount.point), ["INBOX/", "a/", "b/"])
                relay.silent = True
                changes = ((mount / "x").mkdir, (mount / "a").rmdir, lambda: (mount / "b").rename(mount / "c"))
                with concurrent.futures.ThreadPoolExecutor() as executor:
                    for outcome in executor.map(attempt, changes):
                        self.assertIn(outcome, NO_SERVER)
                self.assertEqual(tree(mount.point), ["INBOX/", "a/", "b/"])
                relay.cut()
                relay.silent = False
                wait_for(lambda: "\nlink: online\n" in (mount / ".pullmail/status").read_text(), "the server")
                self.assertEqual(mailbox.folders(), ["INBOX", "a", "b"])
                (mount / "x").mkdir()
                (mount / "b").rename(mount / "x/c")
                (mount / "a").rmdir()
                self.assertEqual(mailbox.folders(), ["INBOX", "x", "x/c"])
                self.assertEqual(tree(mount.point), ["INBOX/", "x/", "x/c/"])

    def test_an_answer_that_is_lost(self):
        """The server has done it; so it is done once, and said."""
        steps = (("CREATE", lambda mount: (mount / "x").mkdir(), ["INBOX", "a", "b", "x"]),
                 ("DELETE", lambda mount: (mount / "a").rmdir(), ["INBOX", "b", "x"]),
                 ("RENAME", lambda mount: (mount / "b").rename(mount / "c"), ["INBOX", "c", "x"]))
        verb, cut = None, []

        def edit(line):
            """Breaks the connection where the change is answered."""
            said = re.findall(rb"^(\S+) %s " % verb, bytes(relay.said[-1]), re.MULTILINE) if verb else []
            if said and not cut and line.startswith(said[0] + b" "):
                cut.append(line)
                relay.cut()
            return line
        with self.server.mailbox("dan") as mailbox, Relay(self.server.ports["imap"], edit) as relay:
            mailbox.create("a")
            mailbox.create("b")
            with Mount(self.server, "tls=off", "connections=1", url=relay.url(user="dan")) as mount:
                for name, change, folders in steps:
                    cut.clear()
                    verb = name.encode()
                    change(mount)
                    self.assertEqual(len(cut), 1)
                    self.assertEqual(mailbox.folders(), folders)
                    self.assertEqual(sorted(os.listdir(mount.point)), folders)


if __name__ == "__main__":
    unittest.main()
