"""Files that users make in an IMAP mount become messages: by the tools that people use, and
whatever becomes of the connection and of the mount. What a program was told to be stored is there
exactly once."""
import errno
import os
import resource
import shutil
import subprocess
import threading
import unittest

from faults import attempt, dovecot_settings, status
from relay import Relay
from removing import RemoveCase, fsync
from support import Mount, Server, run, temporary_folder, wait_for

DATE = 1234567890


def letter(name, lines=3, end=b"\r\n"):
    """A message that is like no other."""
    head = b"From: ann@example.org\nSubject: %s\nMessage-ID: <%s@example.org>\n\n" % (name.encode(), name.encode())
    return (head + b"".join(b"%s, line %d\n" % (name.encode(), n) for n in range(lines))).replace(b"\n", end)


def write(path, data, flags=os.O_WRONLY | os.O_CREAT | os.O_EXCL):
    """Makes a file; an error of any step, close too, is raised."""
    fd = os.open(path, flags, 0o600)
    try:
        os.write(fd, data)
    except BaseException:
        os.close(fd)
        raise
    os.close(fd)


def fails(*command):
    """Runs a command that must fail, and returns what it said."""
    done = subprocess.run([str(word) for word in command], check=False, capture_output=True, timeout=300)
    if done.returncode == 0:
        raise AssertionError(f"{command} did not fail")
    return done.stderr.decode()


class WriteCase(RemoveCase):
    """Each test has a folder of its own, and files to put there."""

    def setUp(self):
        super().setUp()
        self.folder = self.id().split(".")[-1]
        self.mailbox.create(self.folder)
        self.source = temporary_folder()
        self.addCleanup(shutil.rmtree, self.source)

    def file(self, name, data=None, when=DATE):
        """A file of the user's own."""
        path = self.source / name
        path.write_bytes(letter(name) if data is None else data)
        os.utime(path, (when, when))
        return path

    def stored(self, folder=None):
        """The bodies of all messages that the server has there, sorted."""
        return sorted(self.mailbox.fetch_all(folder or self.folder).values())

    def dates(self, folder=None):
        """Their INTERNALDATEs."""
        folder = folder or self.folder
        return sorted(int(self.mailbox.describe(folder, uid)["date"].timestamp()) for uid in self.mailbox.uids(folder))

    def check(self, place, *files, **others):
        """
        These files are there in the mount, with these bytes, and no others; and the server has each
        once. others: {name in the mount: bytes}.
        """
        expected = {file.name: file.read_bytes() for file in files} | others
        fsync(place)
        self.assertEqual(sorted(os.listdir(place)), sorted(expected))
        for name, data in expected.items():
            self.assertEqual((place / name).read_bytes(), data, name)
            self.assertEqual((place / name).stat().st_size, len(data), name)
        self.assertEqual(self.stored(), sorted(expected.values()))

    def appends(self, mark):
        """How many messages were sent."""
        return self.server.count("APPEND", mark)


class ToolsTest(WriteCase):
    """What people copy with."""

    def setUp(self):
        super().setUp()
        self.mount = Mount(self.server, "refresh=3600").start()
        self.addCleanup(self.mount.__exit__, None, None, None)
        self.place = self.mount / self.folder

    def test_cp(self):
        """The very next look finds the message, by the same name; so does a later mount."""
        file = self.file("a.eml")
        run("sh", "-c", 'cp "$0" "$1" && stat "$1/a.eml" && cat "$1/a.eml" && cmp "$0" "$1/a.eml"', file, self.place)
        self.check(self.place, file)
        uid, = self.mailbox.uids(self.folder)
        self.assertEqual(os.getxattr(self.place / "a.eml", "user.mail.uid"), b"%d" % uid)
        self.assertEqual((self.place / "a.eml").stat().st_mode & 0o777, 0o600)
        inode = (self.place / "a.eml").stat().st_ino
        self.mount.remount()
        self.check(self.place, file)
        self.assertEqual((self.place / "a.eml").stat().st_ino, inode)

    def test_cp_with_dates(self):
        files = [self.file("a.eml"), self.file("b.eml", when=DATE + 86400)]
        run("cp", "-p", *files, self.place)
        self.check(self.place, *files)
        self.assertEqual(self.dates(), [DATE, DATE + 86400])
        self.assertEqual((self.place / "a.eml").stat().st_mtime, DATE)

    def test_install(self):
        file = self.file("a.eml")
        run("install", file, self.place)
        run("install", "-m", "600", file, self.place / "b.eml")
        self.check(self.place, file, **{"b.eml": file.read_bytes()})

    def test_tar(self):
        files = [self.file("a.eml"), self.file("b.eml")]
        run("sh", "-c", 'tar -C "$0" -cf - . | tar -C "$1" -xf -', self.source, self.place)
        self.check(self.place, *files)
        self.assertEqual(self.dates(), [DATE, DATE])

    def test_rsync_twice(self):
        files = [self.file(f"{n}.eml", when=DATE + n) for n in range(5)]
        mark = self.server.mark()
        run("rsync", "-a", f"{self.source}/", f"{self.place}/")
        self.check(self.place, *files)
        self.assertEqual(self.dates(), [DATE + n for n in range(5)])
        self.assertEqual(self.appends(mark), 5)
        said = run("rsync", "-a", "--info=name", f"{self.source}/", f"{self.place}/")
        self.assertNotIn(".eml\n", run("rsync", "-rtn", "--info=name", f"{self.source}/", f"{self.place}/"), said)
        self.mount.remount()
        run("rsync", "-a", f"{self.source}/", f"{self.place}/")
        self.assertEqual(self.appends(mark), 5)
        self.check(self.place, *files)

    def test_mv(self):
        """From another file system."""
        file = self.file("a.eml")
        data = file.read_bytes()
        run("mv", file, self.place)
        self.assertFalse(file.exists())
        self.check(self.place, **{"a.eml": data})
        self.assertEqual(self.dates(), [DATE])

    def test_cp_within(self):
        """By the server; of the messages, no byte is sent."""
        data = {f"{n}.eml": letter(f"{n}.eml", 3000 * n) for n in range(1, 5)}
        for name, text in data.items():
            run("cp", "-p", self.file(name, text, DATE + len(name)), self.place)
        other = self.folder + "-copy"
        self.check(self.place, **data)  # each was read once
        mark = self.server.mark()
        run("cp", "-r", self.place, self.mount / other)
        self.assertEqual(self.server.count("UID COPY", mark), 4)
        self.assertEqual(self.appends(mark), 0)
        # What is read ahead of whoever reads a folder may be the next folder's.
        texts = {len(text.partition(b"\r\n\r\n")[2]) for text in data.values()}
        self.assertEqual([each for each in self.server.fetched(mark) if each.length in texts], [])
        self.assertEqual(self.stored(other), sorted(data.values()))
        self.assertEqual(self.dates(other), self.dates())
        self.assertEqual(sorted(os.listdir(self.mount / other)), sorted(data))
        for name, text in data.items():
            self.assertEqual((self.mount / other / name).read_bytes(), text)
        run("cp", "-a", self.place / "1.eml", self.place / "again.eml")
        self.check(self.place, **data, **{"again.eml": data["1.eml"]})

    def test_cp_of_part(self):
        """That is read and written."""
        run("cp", self.file("a.eml", letter("a.eml", 2000)), self.place)
        mark = self.server.mark()
        run("dd", f"if={self.place}/a.eml", f"of={self.place}/b.eml", "bs=1000", "count=3", "status=none")
        source = os.open(self.place / "a.eml", os.O_RDONLY)
        target = os.open(self.place / "c.eml", os.O_WRONLY | os.O_CREAT)
        self.assertEqual(os.copy_file_range(source, target, 1000), 1000)
        os.close(target)
        os.close(source)
        self.assertEqual(self.server.count("UID COPY", mark), 0)
        text = letter("a.eml", 2000)
        self.check(self.place, **{"a.eml": text, "b.eml": text[:3000], "c.eml": text[:1000]})

    def test_an_editor(self):
        """Writes another file, and renames that."""
        for temporary in (".new.eml.swp", "new.eml~"):
            with self.subTest(temporary):
                fd = os.open(self.place / temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
                os.write(fd, letter("new.eml"))
                os.fsync(fd)
                os.close(fd)
                os.rename(self.place / temporary, self.place / "new.eml")
                self.check(self.place, **{"new.eml": letter("new.eml")})
                os.unlink(self.place / "new.eml")
                fsync(self.place)

    def test_temporary_names(self):
        """What is never renamed is stored when the mount ends, if it is a message."""
        write(self.place / ".a.eml", letter("a"))
        write(self.place / ".b.swp", b"\0\1\2")
        self.assertEqual(sorted(os.listdir(self.place)), [".a.eml", ".b.swp"])
        self.assertEqual(self.stored(), [])
        self.mount.remount()
        self.check(self.place, **{".a.eml": letter("a")})

    def test_a_shell(self):
        """A file that several programs have open, and close; some before anything is in it."""
        run("sh", "-c", '(printf "From: x\\r\\n"; printf "\\r\\n"; cat "$0"; cat "$0") >"$1/a.eml"', self.file("x"), self.place)
        fsync(self.place)
        self.check(self.place, **{"a.eml": b"From: x\r\n\r\n" + letter("x") * 2})
        run("sh", "-c", 'cat "$0" >"$1/b.eml"', self.file("x"), self.place)
        os.unlink(self.place / "a.eml")
        fsync(self.place)
        self.check(self.place, **{"b.eml": letter("x")})

    def test_line_ends(self):
        """A file with LF is stored with CRLF, and read so."""
        run("cp", self.file("a.eml", letter("a.eml", 100000, b"\n")), self.place)
        self.check(self.place, **{"a.eml": letter("a.eml", 100000)})

    def test_what_is_no_message(self):
        mark = self.server.mark()
        self.assertIn("Invalid argument", fails("cp", self.file("a", b"words\n"), self.place))
        self.assertIn("Invalid argument", fails("cp", self.file("b", b""), self.place))
        self.assertIn("Invalid argument", fails("touch", self.place / "c"))
        self.assertEqual(attempt(write, self.place / "d", b"Subject: a\0b\n\n"), errno.EINVAL)
        self.assertEqual(self.appends(mark), 0)
        self.check(self.place)

    def test_names(self):
        mark = self.server.mark()
        self.assertEqual(attempt(write, self.mount / "a.eml", letter("a")), errno.EPERM)
        self.assertEqual(attempt(write, self.place / ("x" * 256), letter("a")), errno.ENAMETOOLONG)
        self.assertEqual(attempt(write, self.place / ".parts", letter("a")), errno.EPERM)
        self.assertEqual(self.appends(mark), 0)
        name = "\u00e9" * 127
        write(self.place / name, letter("a"))
        self.check(self.place, **{name: letter("a")})

    def test_messages_do_not_change(self):
        file = self.file("a.eml")
        run("cp", file, self.place)
        path, mark = self.place / "a.eml", self.server.mark()
        self.assertEqual(attempt(write, path, b"x"), errno.EEXIST)
        for flags in (os.O_WRONLY, os.O_RDWR, os.O_WRONLY | os.O_APPEND):
            self.assertEqual(attempt(write, path, b"x", flags), errno.EPERM)
        self.assertEqual(attempt(write, path, b"x", os.O_WRONLY | os.O_TRUNC), errno.EINVAL)
        self.assertEqual(attempt(os.truncate, path, 10), errno.EPERM)
        self.assertEqual(attempt(os.utime, path, (1, 1)), errno.EPERM)
        self.assertEqual(attempt(os.link, path, self.place / "b.eml"), errno.EPERM)
        os.chmod(path, 0o600)
        os.chown(path, os.geteuid(), os.getegid())
        self.assertEqual(attempt(os.chown, path, 4711, -1), errno.EPERM)
        self.assertEqual(self.appends(mark), 0)
        self.check(self.place, file)

    def test_removed_before_it_is_closed(self):
        mark = self.server.mark()
        fd = os.open(self.place / "a.eml", os.O_RDWR | os.O_CREAT)
        os.write(fd, letter("a"))
        os.unlink(self.place / "a.eml")
        self.assertEqual(os.pread(fd, 1000, 0), letter("a"))
        os.close(fd)
        self.assertEqual(self.appends(mark), 0)
        self.check(self.place)

    def test_while_it_is_written(self):
        fd = os.open(self.place / "a.eml", os.O_RDWR | os.O_CREAT)
        os.write(fd, letter("a"))
        self.assertEqual(os.listdir(self.place), ["a.eml"])
        self.assertEqual((self.place / "a.eml").stat().st_size, len(letter("a")))
        self.assertEqual((self.place / "a.eml").read_bytes(), letter("a"))
        self.assertEqual(self.stored(), [])
        os.fsync(fd)
        self.assertEqual(self.stored(), [letter("a")])
        self.assertEqual(os.fstat(fd).st_size, len(letter("a")))
        os.write(fd, b"more\r\n")
        os.close(fd)
        fsync(self.place)
        self.check(self.place, **{"a.eml": letter("a") + b"more\r\n"})

    def test_many_at_once(self):
        """From several programs; and the mount keeps none of the files open."""
        for number in range(300):
            self.file(f"{number}.eml")
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (512, hard))
        try:
            mount = Mount(self.server, "refresh=3600").start()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        self.addCleanup(mount.__exit__, None, None, None)
        run("sh", "-c", 'cd "$0" && ls | xargs -P 4 -n 10 cp -t "$1"', self.source, mount / self.folder)
        self.check(mount / self.folder, *self.source.iterdir())


class TrustTest(WriteCase):
    """Once the kernel opens files without asking: see trust.h."""

    def test_files_are_stored_all_the_same(self):
        for number in range(260):
            self.server.drop(self.folder, letter(str(number)))
        mount = Mount(self.server, "refresh=3600").start()
        self.addCleanup(mount.__exit__, None, None, None)
        place = mount / self.folder
        for _ in range(2):
            run("sh", "-c", 'cat "$0"/* >/dev/null', place)
        self.assertEqual(status(mount, "open-requests"), "no")
        file = self.file("a.eml")
        run("cp", "-p", file, place)
        self.assertEqual((place / "a.eml").read_bytes(), file.read_bytes())
        self.assertIn("Invalid argument", fails("cp", self.file("b", b"words"), place))
        with self.assertRaises(OSError) as caught:
            with open(place / "a.eml", "wb"):
                pass
        self.assertEqual(caught.exception.errno, errno.EINVAL)
        self.assertEqual((place / "a.eml").read_bytes(), file.read_bytes())
        file = self.file("a.eml", letter("another", 100))
        run("cp", file, place)  # over it
        self.assertEqual((place / "a.eml").read_bytes(), file.read_bytes())
        with self.assertRaises(OSError) as caught:
            with open(place / "a.eml", "ab") as target:
                target.write(b"more")
        self.assertEqual(caught.exception.errno, errno.EPERM)
        run("cp", place / "a.eml", place / "c.eml")
        self.assertEqual((place / "c.eml").read_bytes(), file.read_bytes())
        fsync(place)
        self.assertEqual(len(self.mailbox.uids(self.folder)), 262)


class OptionsTest(WriteCase):
    """-o any, and -o ro."""

    def test_any(self):
        with Mount(self.server, "any") as mount:
            run("cp", self.file("a", b"words\r\n"), mount / self.folder)
            self.assertIn("Invalid argument", fails("cp", self.file("b", b""), mount / self.folder))
            self.check(mount / self.folder, a=b"words\r\n")

    def test_read_only(self):
        with Mount(self.server, "ro") as mount:
            self.assertIn("Read-only", fails("cp", self.file("a"), mount / self.folder))
            self.assertEqual(attempt(write, mount / self.folder / "a", b"x"), errno.EROFS)
        self.assertEqual(self.stored(), [])


class RefusalsTest(WriteCase):
    """A server that does not take it."""

    def test_over_quota(self):
        settings = dovecot_settings(
            "mail_plugins = quota\nprotocol imap {\n  mail_plugins = quota imap_quota\n}\n"
            "plugin {\n  quota = count:User quota\n  quota_vsizes = yes\n  quota_rule = *:storage=1M\n}\n",
            "mail_plugins {\n  quota = yes\n}\nprotocol imap {\n  mail_plugins {\n    imap_quota = yes\n  }\n}\n"
            'quota "User quota" {\n  driver = count\n  storage_size = 1M\n}\n')
        with Server("--extra", settings) as server, Mount(server) as mount, server.mailbox() as mailbox:
            os.listdir(mount / "INBOX")
            self.assertIn("quota", fails("cp", self.file("a.eml", letter("a.eml", 800000)), mount / "INBOX"))  # also beyond any grace
            self.assertEqual(os.listdir(mount / "INBOX"), [])
            run("cp", self.file("b.eml"), mount / "INBOX")
            self.assertEqual(os.listdir(mount / "INBOX"), ["b.eml"])
            self.assertEqual(list(mailbox.fetch_all("INBOX").values()), [letter("b.eml")])

    def test_a_folder_that_is_gone(self):
        with Mount(self.server) as mount:
            self.assertEqual(os.listdir(mount / self.folder), [])
            os.listdir(mount / "INBOX")  # which the mount's session has open, then
            self.mailbox.delete(self.folder)
            self.assertIn("No such file", fails("cp", self.file("a.eml"), mount / self.folder))

    def test_no_permission(self):
        settings = dovecot_settings("protocol imap {\n  mail_plugins = acl\n}\nplugin {\n  acl = vfile\n}\n",
                                    "mail_plugins {\n  acl = yes\n}\nacl_driver = vfile\n")
        with Server("--extra", settings) as server, server.mailbox() as mailbox:
            mailbox.create("Shut")
            rights = server.directory / "mail/ann/Shut/dovecot-acl"
            rights.write_text("owner lr\n")
            rights.chmod(0o644)
            with Mount(server) as mount:
                self.assertIn("ermission denied", fails("cp", self.file("a.eml"), mount / "Shut"))
                self.assertEqual(os.listdir(mount / "Shut"), [])
                self.assertEqual(mailbox.uids("Shut"), [])


class LostTest(WriteCase):
    """Connections that are cut, and a mount that is killed."""

    def test_answer_is_cut(self):
        """Anywhere in it: the message is there once, and cp says so."""
        with Relay(self.server.ports["imap"]) as relay, \
                Mount(self.server, "tls=off", "refresh=3600", url=relay.url()) as mount:
            relay.cut_from = b"APPENDUID"
            files = []
            for cut in (0, 3, 20):
                os.listdir(mount / self.folder)
                relay.cut_after = cut
                files.append(self.file(f"{cut}.eml"))
                mark = self.server.mark()
                copy = subprocess.Popen(["cp", files[-1], mount / self.folder])
                wait_for(lambda: self.appends(mark), "an APPEND")
                wait_for(lambda: self.stored().count(files[-1].read_bytes()), "the message")
                relay.cut_after = None
                self.assertEqual(copy.wait(60), 0)
                self.assertEqual(self.appends(mark), 1)
                self.check(mount / self.folder, *files)

    def test_message_is_cut(self):
        """The connection goes while the message is sent: it is sent again."""
        with Relay(self.server.ports["imap"]) as relay, \
                Mount(self.server, "tls=off", "refresh=3600", url=relay.url()) as mount:
            self.assertEqual(os.listdir(mount / self.folder), [])
            file = self.file("a.eml", letter("a.eml", 300))
            relay.hold = b"a.eml, line 200"
            copy = subprocess.Popen(["cp", file, mount / self.folder])
            self.assertTrue(relay.held.wait(30))
            relay.hold = None
            relay.cut()
            self.assertEqual(copy.wait(60), 0)
            self.check(mount / self.folder, file)

    def test_copy_is_cut(self):
        with Relay(self.server.ports["imap"]) as relay, \
                Mount(self.server, "tls=off", "refresh=3600", url=relay.url()) as mount:
            file = self.file("a.eml")
            run("cp", file, mount / self.folder)
            self.assertEqual((mount / self.folder / "a.eml").read_bytes(), file.read_bytes())
            relay.cut_from, relay.cut_after = b"COPYUID", 0
            mark = self.server.mark()
            copy = subprocess.Popen(["cp", mount / self.folder / "a.eml", mount / self.folder / "b.eml"])
            wait_for(lambda: len(self.stored()) == 2, "the copy")
            relay.cut_after = None
            self.assertEqual(copy.wait(60), 0)
            self.assertEqual((self.server.count("UID COPY", mark), self.appends(mark)), (1, 0))
            self.check(mount / self.folder, file, **{"b.eml": file.read_bytes()})

    def silenced(self, *options):
        """A mount whose server is silent while a file is closed; how that went, and the mount."""
        with Relay(self.server.ports["imap"]) as relay, \
                Mount(self.server, "tls=off", "refresh=3600", "timeout=3", *options, url=relay.url()) as mount:
            self.assertEqual(os.listdir(mount / self.folder), [])
            relay.silent = True
            outcome = attempt(write, mount / self.folder / "a.eml", letter("a.eml"))
            relay.silent = False
            relay.cut()
            yield outcome, mount

    def test_no_server(self):
        """Who closes a file does not wait for it: the file is kept, and stored once."""
        for outcome, mount in self.silenced():
            self.assertIsNone(outcome)
            self.assertIn("a.eml", os.listdir(mount / self.folder))
            wait_for(lambda: "\nfiles-to-be-stored: 0\n" in mount.status(), "the file")
            self.assertEqual(len(self.stored()), 1)
            self.assertIn("a.eml", os.listdir(mount / self.folder))

    def test_no_server_and_nothing_is_to_be_kept(self):
        for outcome, mount in self.silenced("offline=never"):
            self.assertEqual(outcome, errno.ETIMEDOUT)
            self.assertNotIn("a.eml", os.listdir(mount / self.folder))
            self.assertLessEqual(len(self.stored()), 1)

    def test_mount_is_killed(self):
        """Between a write and its close: what was closed before is there, and nothing else."""
        with Mount(self.server) as mount:
            files = [self.file("a.eml"), self.file("b.eml")]
            run("cp", *files, mount / self.folder)
            fd = os.open(mount / self.folder / "c.eml", os.O_WRONLY | os.O_CREAT)
            os.write(fd, letter("c.eml"))
            mount.kill()
            self.assertIn(attempt(os.close, fd), (errno.ENOTCONN, errno.ECONNABORTED))
            self.assertEqual([path.name for path in mount.cache.rglob("draft-*")], [])
            mount.start()
            self.check(mount / self.folder, *files)

    def test_killed_while_it_copies(self):
        """Every cp that returned 0 is there once."""
        with Mount(self.server) as mount:
            done, files = [], [self.file(f"{n}.eml") for n in range(200)]

            def copy():
                for file in files:
                    if subprocess.run(["cp", "-t", mount / self.folder, file], check=False, stderr=subprocess.DEVNULL).returncode:
                        return
                    done.append(file.read_bytes())
            copier = threading.Thread(target=copy)
            copier.start()
            wait_for(lambda: len(done) > 20, "some copies")
            mount.kill()
            copier.join(60)
            mount.start()  # what was kept is stored now
            wait_for(lambda: "files-to-be-stored: 0\n" in mount.status(), "all stored")
            stored = self.stored()
            for data in done:
                self.assertEqual(stored.count(data), 1)
            self.assertLessEqual(len(stored), len(done) + 1)


if __name__ == "__main__":
    unittest.main()
