"""mv of messages in an IMAP mount: within a folder it is a name alone, to another folder the server
moves them, a little later; nothing is fetched again, nothing is lost, and nothing is there twice."""
import contextlib
import datetime
import errno
import os
import pathlib
import random
import signal
import subprocess
import threading
import unittest

from faults import DATE, NO_SERVER, attempt, family, status, wait_flushed
from relay import Relay
from removing import RemoveCase, fsync, letter, sync, sync_at_last, without
from support import Mount, run, wait_for
from test_folders import EXCHANGE, NOREPLACE, renameat2

SOMEWHERE = "a random moment"  # whatever the seed, all of it has to hold


class MoveCase(RemoveCase):
    """Folders full of letters; what the server has of them, as another client sees it."""

    def letters(self, *folders):
        """The numbers of all letters in the folders, at the server."""
        found = []
        for folder in folders:
            found += [int(text.split()[2]) for text in self.mailbox.fetch_all(folder).values()]
        return sorted(found)

    def described(self, folder):
        """{bytes: (flags, date, size)} of a folder's messages."""
        found = {self.mailbox.fetch(folder, uid): self.mailbox.describe(folder, uid) for uid in self.mailbox.uids(folder)}
        for about in found.values():
            about["flags"] = set(about["flags"]) - {"\\Recent"}
        return found

    def shown(self, mount, *folders):
        """The numbers of all letters that the mount shows there, whatever their names."""
        found = []
        for folder in folders:
            found += [int(path.read_bytes().split()[2]) for path in (mount / folder).iterdir() if path.is_file()]
        return sorted(found)


class MoveTest(MoveCase):
    """A server that can all."""

    def test_within(self):
        """A name is kept as long as the message is there; the server is asked for nothing."""
        truth = self.fill("Within", 4)
        uids = sorted(truth)
        with Mount(self.server) as mount:
            paths = mount.messages("Within")
            inode = paths[uids[1]].stat().st_ino
            mark = self.server.mark()
            run("mv", paths[uids[1]], mount / "Within/a letter.eml")
            run("mv", mount / "Within/a letter.eml", mount / "Within/Grüße.txt")
            self.assertEqual(attempt(os.rename, paths[uids[0]], mount / "Within/Grüße.txt"), errno.EEXIST)
            self.assertEqual(attempt(os.rename, paths[uids[0]], paths[uids[2]]), errno.EEXIST)
            self.assertEqual(attempt(renameat2, paths[uids[0]], paths[uids[2]], NOREPLACE), errno.EEXIST)
            self.assertEqual(attempt(renameat2, paths[uids[0]], paths[uids[2]], EXCHANGE), errno.EINVAL)
            self.assertEqual(attempt(os.rename, paths[uids[0]], mount / "x.eml"), errno.EPERM)
            self.assertIn(attempt(os.rename, paths[uids[0]], mount / ".pullmail/x.eml"), (errno.EPERM, errno.EACCES))
            self.assertEqual(attempt(os.rename, paths[uids[0]], mount / "Within/.search"), errno.EPERM)
            self.assertEqual(attempt(os.rename, paths[uids[0]], mount / "Within" / ("x" * 256)), errno.ENAMETOOLONG)
            os.rename(paths[uids[0]], paths[uids[0]])
            self.assertEqual(self.changes(mark), [])
            expected = sorted(["Grüße.txt", *(paths[uid].name for uid in without(truth, uids[1]))])
            for _ in range(2):
                self.assertEqual(sorted(os.listdir(mount / "Within")), expected)
                self.assertEqual((mount / "Within/Grüße.txt").read_bytes(), letter(1))
                self.assertEqual((mount / "Within/Grüße.txt").stat().st_ino, inode)
                self.assertEqual(attempt(os.stat, paths[uids[1]]), errno.ENOENT)
                mount.remount()
            run("mv", mount / "Within/Grüße.txt", paths[uids[1]])
            self.check(mount, "Within", truth)

    def test_gone_with_its_message(self):
        uid, *_ = self.fill("Gone", 2)
        with Mount(self.server, "refresh=1") as mount:
            paths = mount.messages("Gone")
            os.rename(paths[uid], mount / "Gone/x")
            self.mailbox.expunge("Gone", uid)
            wait_for(lambda: os.listdir(mount / "Gone") == [paths[uid + 1].name], "the end of the message")
            wait_for(lambda: attempt(os.stat, mount / "Gone/x") == errno.ENOENT, "the end of its name")
            os.rename(paths[uid + 1], mount / "Gone/x")
            self.assertEqual((mount / "Gone/x").read_bytes(), letter(1))

    def test_two_mounts(self):
        """Each keeps the other's names, though it shows them in its next life alone."""
        first, second, *_ = self.fill("Two mounts", 3)
        with Mount(self.server) as one, Mount(self.server) as other:
            other.stop()
            other.options = [option for option in other.options if "cachedir" not in option] + [f"cachedir={one.cache}"]
            other.start()
            os.rename(one.messages("Two mounts")[first], one / "Two mounts/of one")
            os.rename(other.messages("Two mounts")[second], other / "Two mounts/of the other")
            one.remount()
            other.remount()
            for mount in one, other:
                self.assertEqual((mount / "Two mounts/of one").read_bytes(), letter(0))
                self.assertEqual((mount / "Two mounts/of the other").read_bytes(), letter(1))

    def test_one(self):
        """All that was known and is held of it goes along, for those too who have it open."""
        truth = self.fill("From", 6)
        self.fill("To", 0)
        uid = sorted(truth)[4]
        before = self.described("From")
        with Mount(self.server) as mount:
            path = mount.messages("From")[uid]
            target = mount / "To" / path.name
            self.assertEqual(path.read_bytes(), letter(4))
            status = path.stat()
            mark = self.server.mark()
            with open(path, "rb", buffering=0) as file:
                self.assertEqual(file.read(10), letter(4)[:10])
                run("mv", path, mount / "To")
                self.assertEqual(file.read(), letter(4)[10:])
                sync(mount, "To")
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
                file.seek(0)
                self.assertEqual(file.read(), letter(4))
                self.assertEqual(os.fstat(file.fileno()).st_ino, target.stat().st_ino)
            self.assertEqual((target.stat().st_size, target.stat().st_mtime), (status.st_size, status.st_mtime))
            self.assertEqual(target.read_bytes(), letter(4))
            self.assertEqual(mount.xattr(target, "user.mail.flags"), "\\Draft \\Flagged \\Seen")
            self.assertEqual(attempt(os.stat, path), errno.ENOENT)
            self.assertEqual(self.changes(mark), [f"UID MOVE {uid} To"])
            self.assertEqual(self.server.fetched(mark), [])
            self.check(mount, "From", without(truth, uid))
            self.assertEqual(self.described("To"), {letter(4): before[letter(4)]})
            wait_flushed(mount, {self.mailbox.uids("To")[0]: letter(4)})
            mount.remount()
            mark = self.server.mark()
            self.assertEqual(os.listdir(mount / "To"), [path.name])
            self.assertEqual(target.read_bytes(), letter(4))
            self.assertEqual(self.server.fetched(mark), [])

    def test_all(self):
        """mv From/*.eml To/, of two folders, one into a folder whose name is no ASCII, and on."""
        numbers = {}
        for index, folder in enumerate(("All one", "All two")):
            self.fill(folder, 25, 100 * index)
            numbers[folder] = self.letters(folder)
        self.fill("Größe & mehr", 0)
        with Mount(self.server) as mount:
            names = sorted(os.listdir(mount / "All one") + os.listdir(mount / "All two"))
            for folder in numbers:
                run("sh", "-c", f"mv '{mount}/{folder}'/*.eml '{mount}/Größe & mehr/'".replace(str(mount), str(mount.point)))
            sync(mount)
            mark = self.server.mark()
            for _ in range(2):
                self.assertEqual(sorted(os.listdir(mount / "Größe & mehr")), sorted(set(names)))
                self.assertEqual(os.listdir(mount / "All one"), [])
                mount.remount()
            self.assertEqual(self.changes(mark), [])
            run("sh", "-c", f"cd '{mount.point}' && for f in Größe*/*1.eml; do mv \"$f\" 'All one/' && cat \"All one/${{f##*/}}\" >> '{mount.folder}/read'; done")
            sync(mount)
            moved = self.shown(mount, "All one")
            self.assertTrue(moved)
            self.assertEqual(sorted(int(line.split()[2]) for line in open(mount.folder / "read", "rb") if b"letter" in line), moved)
            self.assertEqual(self.letters("All one", "All two", "Größe & mehr"), sorted(numbers["All one"] + numbers["All two"]))
            self.assertEqual(self.shown(mount, "All one", "All two", "Größe & mehr"), sorted(numbers["All one"] + numbers["All two"]))

    def test_never_replaces(self):
        """Also one that came since, as long as one can know."""
        self.fill("Source", 2)
        self.fill("Target", 2)
        with Mount(self.server) as mount:
            source = sorted((mount / "Source").iterdir())
            target = sorted((mount / "Target").iterdir())
            self.assertEqual([path.name for path in source], [path.name for path in target])
            mark = self.server.mark()
            self.assertEqual(attempt(os.rename, source[0], target[0]), errno.EEXIST)
            self.assertNotEqual(subprocess.run(["mv", "-f", source[0], mount / "Target"], check=False, stderr=subprocess.DEVNULL).returncode, 0)
            self.assertEqual(self.changes(mark), [])
            run("mv", source[0], mount / "Target/another.eml")
            sync(mount)
            self.assertEqual(sorted(os.listdir(mount / "Target")), sorted([path.name for path in target] + ["another.eml"]))
            self.assertEqual(self.letters("Source", "Target"), [0, 0, 1, 1])

    def test_usual_name_is_taken(self):
        """A message comes to a folder where another one has its name."""
        self.fill("Names", 4)
        self.fill("Same names", 2)
        with Mount(self.server, "refresh=1") as mount:
            path = sorted((mount / "Names").iterdir())[3]
            run("mv", path, mount / "Same names")  # its UID is 3 there, and 4 in its name
            sync(mount)
            self.server.drop("Same names", letter(50), DATE + datetime.timedelta(minutes=3))
            self.assertEqual(self.letters("Same names"), [0, 1, 3, 50])
            wait_for(lambda: len(os.listdir(mount / "Same names")) == 4, "the message")
            other = path.name.replace(".eml", "~2.eml")
            self.assertEqual((mount / "Same names" / path.name).read_bytes(), letter(3))
            self.assertEqual((mount / "Same names" / other).read_bytes(), letter(50))
            os.unlink(mount / "Same names" / path.name)
            sync(mount, "Same names")
            self.assertEqual((mount / "Same names" / path.name).read_bytes(), letter(50))
            self.assertEqual(sorted(mount.messages("Same names")), [1, 2, 4])

    def test_target_is_gone(self):
        uid, *_ = truth = self.fill("Stays", 2)
        self.fill("Goes", 0)
        with Mount(self.server) as mount:
            os.listdir(mount / "Goes")
            path = mount.messages("Stays")[uid]
            self.mailbox.select("INBOX")
            self.mailbox.delete("Goes")
            os.rename(path, mount / "Goes/x")
            self.assertIn(attempt(fsync, mount / "Stays"), (errno.ENOENT, None))  # None: it was too late
            wait_for(lambda: attempt(os.stat, mount / "Goes/x") == errno.ENOENT, "the end of the name")
            self.assertIn("are not, and are shown where they were", mount.log())
            self.assertEqual(status(mount, "moves-pending"), 0)
            self.check(mount, "Stays", truth)
            self.assertEqual(path.read_bytes(), letter(0))

    def test_read_only(self):
        uid, *_ = truth = self.fill("Read only", 2)
        with Mount(self.server, "ro") as mount:
            for target in mount / "Read only/x", mount / "INBOX/x":
                self.assertEqual(attempt(os.rename, mount.messages("Read only")[uid], target), errno.EROFS)
            self.check(mount, "Read only", truth)


class JournalTest(MoveCase):
    """What mv was told is done is so for the user at once, and at the server whatever comes in between."""

    def assert_moved(self, mount, source, target, numbers):
        """These letters are in the target, once, for the user."""
        self.assertEqual(self.shown(mount, target), numbers)
        self.assertEqual(os.listdir(mount / source), [])

    def mv(self, mount, source, target):
        """mv of all of a folder."""
        run("sh", "-c", 'mv "$1"/* "$2"/', "mv", str(mount / source), str(mount / target))

    def test_many(self):
        """A thousand go by a few commands, and are seen meanwhile, under the names that they had."""
        mail = [(letter(number), DATE + datetime.timedelta(minutes=number)) for number in range(1000)]
        for folder in "Many", "Many more":
            self.mailbox.create(folder)
        for text, date in mail:
            self.server.drop("Many", text, date)
        self.mailbox.select("Many")
        with Mount(self.server) as mount:
            names = sorted(os.listdir(mount / "Many"))
            self.assertEqual(len(names), 1000)
            mark = self.server.mark()
            self.mv(mount, "Many", "Many more")
            self.assertEqual(sorted(os.listdir(mount / "Many more")), names)
            self.assertEqual(os.listdir(mount / "Many"), [])
            sync(mount)
            self.assertEqual(status(mount, "moves-pending"), 0)
            commands = self.server.commands(mark)
            self.assertLess(len(commands), 20)
            self.assertEqual({name for name in (command.name for command in commands) if "MOVE" in name}, {"UID MOVE"})
            for _ in range(2):
                self.assertEqual(sorted(os.listdir(mount / "Many more")), names)
                self.assertEqual(os.listdir(mount / "Many"), [])
                mount.remount()
            self.assertEqual(self.mailbox.uids("Many"), [])
            self.assertEqual(len(self.mailbox.uids("Many more")), 1000)
            self.assertEqual((mount / "Many more" / names[700]).read_bytes(), letter(700))

    def test_killed(self):
        """Right after mv, and once more in the midst of what the next mount does."""
        self.fill("Killed", 12)
        self.fill("Killed more", 0)
        with Mount(self.server) as mount:
            names = sorted(os.listdir(mount / "Killed"))
            os.listdir(mount / "Killed more")
            self.mv(mount, "Killed", "Killed more")
            mount.kill()
            self.assertEqual(self.letters("Killed", "Killed more"), list(range(12)))
            mount.start()
            mount.kill()
            mount.start()
            self.assertEqual(sorted(os.listdir(mount / "Killed more")), names)
            self.assert_moved(mount, "Killed", "Killed more", list(range(12)))
            sync(mount)
            self.assertEqual(self.letters("Killed"), [])
            self.assertEqual(self.letters("Killed more"), list(range(12)))
            mount.remount()
            self.assertEqual(sorted(os.listdir(mount / "Killed more")), names)

    def test_moved_unseen(self):
        """The server had moved them when the mount was killed, and nobody had been told."""
        self.fill("Unseen", 6)
        self.fill("Unseen more", 2, 50)
        with contextlib.ExitStack() as stack:
            relay = stack.enter_context(Relay(self.server.ports["imap"]))
            relay.cut_from = b"COPYUID"
            mount = stack.enter_context(Mount(self.server, "tls=off", url=relay.url()))
            names = sorted(os.listdir(mount / "Unseen"))
            others = sorted(os.listdir(mount / "Unseen more"))
            relay.cut_after, relay.hang = 0, True
            for index, name in enumerate(names):
                os.rename(mount / "Unseen" / name, mount / "Unseen more" / f"{index}.eml")
            wait_for(lambda: self.letters("Unseen") == [], "the move")
            mount.kill()
            relay.cut_after, relay.silent, relay.hang = None, False, False
            relay.cut()
            mount.start()
            expected = sorted(others + [f"{index}.eml" for index in range(6)])
            self.assertEqual(sorted(os.listdir(mount / "Unseen more")), expected)
            self.assertEqual(self.shown(mount, "Unseen", "Unseen more"), [0, 1, 2, 3, 4, 5, 50, 51])
            sync(mount)
            self.assertEqual(sorted(os.listdir(mount / "Unseen more")), expected)
            self.assertEqual(self.letters("Unseen more"), [0, 1, 2, 3, 4, 5, 50, 51])
            for index in range(6):
                self.assertEqual((mount / "Unseen more" / f"{index}.eml").read_bytes(), letter(index))

    def test_outage(self):
        """Without a server mv goes on; the next mount knows of it, and does it when there is one."""
        self.fill("Outage", 5)
        self.fill("Outage more", 0)
        with Mount(self.server, "timeout=3") as mount:
            names = sorted(os.listdir(mount / "Outage"))
            for name in names:
                (mount / "Outage" / name).read_bytes()
            os.listdir(mount / "Outage more")
            self.server.stop()
            self.mv(mount, "Outage", "Outage more")
            self.assertEqual(sorted(os.listdir(mount / "Outage more")), names)
            self.assertEqual(os.listdir(mount / "Outage"), [])
            self.assertEqual((mount / "Outage more" / names[3]).read_bytes(), letter(3))
            self.assertEqual(status(mount, "moves-pending"), 5)
            self.assertIn(attempt(fsync, mount / "Outage"), NO_SERVER)
            self.assertIn(attempt(os.unlink, mount / "Outage more" / names[3]), NO_SERVER)
            self.server.start()
            self.connect()
            sync_at_last(mount)
            self.assertEqual(self.letters("Outage more"), list(range(5)))
            self.assert_moved(mount, "Outage", "Outage more", list(range(5)))

    def test_unmounted(self):
        """umount has it done, or says how many are left."""
        self.fill("Unmounted", 5)
        self.fill("Unmounted more", 0)
        with Mount(self.server, "timeout=3") as mount:
            os.listdir(mount / "Unmounted")
            self.mv(mount, "Unmounted", "Unmounted more")
            mount.stop()
            self.assertEqual(self.letters("Unmounted more"), list(range(5)))
            mount.start()
            names = sorted(os.listdir(mount / "Unmounted more"))
            self.server.stop()
            self.mv(mount, "Unmounted more", "Unmounted")
            mount.stop()
            self.assertIn("5 messages are still to be moved at the server", mount.log())
            self.server.start()
            self.connect()
            mount.start()
            self.assertEqual(sorted(os.listdir(mount / "Unmounted")), names)
            sync(mount)
            self.assertEqual(self.letters("Unmounted"), list(range(5)))

    def test_on_its_way(self):
        """What is done with it before the server has been told."""
        self.fill("One", 6)
        for folder in "Two", "Three":
            self.fill(folder, 0)
        with Mount(self.server) as mount:
            names = sorted(os.listdir(mount / "One"))
            for folder in "Two", "Three":
                os.listdir(mount / folder)
            for name in names:
                os.rename(mount / "One" / name, mount / "Two" / name)
                self.assertEqual(attempt(os.stat, mount / "One" / name), errno.ENOENT)
                os.rename(mount / "Two" / name, mount / "Three" / f"x{name}")
            self.assertEqual(attempt(os.open, mount / "Three" / f"x{names[0]}", os.O_CREAT | os.O_EXCL | os.O_WRONLY), errno.EEXIST)
            self.assertEqual(attempt(os.mkdir, mount / "Three" / f"x{names[0]}"), errno.EEXIST)
            os.rmdir(mount / "One")
            self.assertEqual(self.letters("Two", "Three"), list(range(6)))
            os.unlink(mount / "Three" / f"x{names[0]}")
            os.setxattr(mount / "Three" / f"x{names[1]}", "user.mail.flags", b"\\Answered")
            run("cp", mount / "Three" / f"x{names[2]}", mount / "Two" / "copy.eml")
            self.assertEqual((mount / "Two/copy.eml").read_bytes(), letter(2))
            os.rename(mount / "Three" / f"x{names[5]}", mount / "Three" / "last")
            sync(mount)
            self.assertEqual(self.letters("Three"), [1, 2, 3, 4, 5])
            self.assertEqual(self.described("Three")[letter(1)]["flags"], {"\\Answered"})
            self.assertEqual(self.letters("Two"), [2])
            self.assertEqual(sorted(os.listdir(mount / "Three")), sorted(["last", *(f"x{name}" for name in names[1:5])]))

    def test_folder_renamed(self):
        """One that has to give, or to get, messages."""
        self.fill("Giver", 3)
        self.fill("Taker", 0)
        with Mount(self.server) as mount:
            os.listdir(mount / "Giver")
            self.mv(mount, "Giver", "Taker")
            os.rename(mount / "Taker", mount / "Taken")
            self.assertEqual(self.letters("Taken"), [0, 1, 2])
            self.assertEqual(self.shown(mount, "Taken"), [0, 1, 2])
            self.mv(mount, "Taken", "Giver")
            os.rmdir(mount / "Taken")
            self.assertEqual(self.letters("Giver"), [0, 1, 2])

    def test_made_anew(self):
        """The target is another folder of that name by now: what was to go there is where it was, and the log says so."""
        self.fill("Keeps", 2)
        self.fill("Anew", 1, 5)
        with Mount(self.server, "refresh=1") as mount:
            names = sorted(os.listdir(mount / "Keeps"))
            os.listdir(mount / "Anew")
            self.server.stop()
            os.rename(mount / "Keeps" / names[0], mount / "Anew/x")
            mount.stop()
            self.server.start()
            self.connect()
            self.mailbox.select("INBOX")
            self.mailbox.delete("Anew")
            mount.start()
            wait_for(lambda: status(mount, "moves-pending") == 0, "the end of the move", 60)
            wait_for(lambda: sorted(os.listdir(mount / "Keeps")) == names, "the message")
            self.assertRegex(mount.log(), "is not moved|are not, and are shown where they were")
            self.assertEqual(self.letters("Keeps"), [0, 1])


class OldServerTest(MoveCase):
    """Without MOVE it takes a copy and a removal; without UIDPLUS nobody says which is the copy."""

    OPTIONS = ("--without", "MOVE", "--without", "UIDPLUS")

    def test_move(self):
        truth = self.fill("Old", 5)
        self.fill("New", 2, 50)
        uids = sorted(truth)
        with Mount(self.server) as mount:
            paths = mount.messages("Old")
            contents = {uid: path.read_bytes() for uid, path in paths.items()}
            mark = self.server.mark()
            for uid in uids[1:4]:
                run("mv", paths[uid], mount / "New" / f"was {uid}")
                sync(mount)
            for uid in uids[1:4]:
                self.assertEqual((mount / "New" / f"was {uid}").read_bytes(), contents[uid])
                self.assertEqual(attempt(os.stat, paths[uid]), errno.ENOENT)
            self.assertEqual(self.server.fetched(mark), [])
            self.assertEqual(sorted(mount.messages("Old")), [uids[0], uids[4]])
            self.assertEqual(self.shown(mount, "Old", "New"), [0, 1, 2, 3, 4, 50, 51])
            mount.remount()
            self.assertEqual(self.shown(mount, "Old", "New"), [0, 1, 2, 3, 4, 50, 51])
            self.assertEqual((mount / "New" / f"was {uids[2]}").read_bytes(), contents[uids[2]])
        self.assertEqual(self.letters("Old", "New"), [0, 1, 2, 3, 4, 50, 51])


class NoMoveTest(MoveCase):
    """With UIDPLUS the copy's UID is told, and the message itself goes alone."""

    OPTIONS = ("--without", "MOVE")

    def test_move(self):
        truth = self.fill("Old", 3)
        self.fill("New", 0)
        uid = sorted(truth)[1]
        self.mailbox.store("Old", sorted(truth)[0], "+FLAGS", "\\Deleted")
        with Mount(self.server) as mount:
            path = mount.messages("Old")[uid]
            run("mv", path, mount / "New")
            sync(mount)
            self.assertEqual((mount / "New" / path.name).read_bytes(), letter(1))
            self.assertEqual(self.letters("Old"), [0, 2])
            self.assertEqual(self.letters("New"), [1])

    def test_cut_behind_the_copy(self):
        """The removal is done by another connection, so that it is not in both."""
        truth = self.fill("Cut", 3)
        self.fill("Into", 0)
        uid = sorted(truth)[1]
        with Relay(self.server.ports["imap"]) as relay, Mount(self.server, "tls=off", url=relay.url()) as mount:
            path = mount.messages("Cut")[uid]
            os.listdir(mount / "Into")
            relay.hold = b"UID STORE"
            os.rename(path, mount / "Into/x")
            results = []
            syncer = threading.Thread(target=lambda: results.append(attempt(fsync, mount / "Into")))
            syncer.start()
            self.assertTrue(relay.held.wait(30))
            relay.hold = None
            relay.cut()
            syncer.join(60)
            self.assertEqual(results, [None])
            self.assertEqual((mount / "Into/x").read_bytes(), letter(1))
            self.assertEqual(self.letters("Cut"), [0, 2])
            self.assertEqual(self.letters("Into"), [1])


class Mover(threading.Thread):
    """Moves messages to and fro between two folders, and notes what fails by other than the network."""

    def __init__(self, mount, folders, moments):
        super().__init__()
        self.folders = [mount / folder for folder in folders]
        self.moments = moments
        self.over = threading.Event()
        self.done = 0
        self.wrong = set()
        self.start()

    def run(self):
        while not self.over.is_set():
            source, target = self.moments.sample(self.folders, 2)
            names = attempt(os.listdir, source)
            if not isinstance(names, list):
                self.over.wait(0.01)  # the folder, or the mount, can't be had now
                continue
            for name in self.moments.sample(sorted(names), min(2, len(names))):
                code = attempt(os.rename, source / name, target / f"{self.done}-{self.moments.random()}")
                self.done += code is None
                self.wrong |= {code} - NO_SERVER - {None, errno.ENOENT}  # where an earlier one was moved after all


class KillTest(MoveCase):
    """kill -9 of the mount, or of the server's processes, at any moment: each letter is there once."""

    def kill_sessions(self):
        """What a server's crash does: the sessions are gone, in the midst of what they do."""
        for one in family(int((self.server.directory / "home/run/master.pid").read_text())):
            with contextlib.suppress(OSError):
                if pathlib.Path(f"/proc/{one}/comm").read_text() == "imap\n":
                    os.kill(one, signal.SIGKILL)
        for lock in (self.server.directory / "mail").rglob("*.lock"):  # else it is honoured for two minutes
            lock.unlink(missing_ok=True)

    def test_mount_killed(self):
        folders = "Killed", "Other"
        for begin, folder in enumerate(folders):
            self.fill(folder, 15, 15 * begin)
        moments = random.Random(SOMEWHERE)
        done = 0
        with Mount(self.server) as mount:
            for cut in range(20):
                with self.subTest(cut=cut):
                    self.assertEqual(self.shown(mount, *folders), list(range(30)))
                    mover = Mover(mount, folders, moments)
                    threading.Event().wait(0.25 * moments.random())
                    mount.kill()
                    mover.over.set()
                    mover.join(60)
                    self.assertFalse(mover.is_alive(), "rename hangs in a mount whose daemon died")
                    done += mover.done
                    mount.start()
                    wait_for(lambda: self.letters(*folders) == list(range(30)), "each letter, once")
            self.assertEqual(self.shown(mount, *folders), list(range(30)))
        self.assertGreater(done, 20)

    def test_server_killed(self):
        folders = "Served", "Other served"
        for begin, folder in enumerate(folders):
            self.fill(folder, 15, 15 * begin)
        moments = random.Random(SOMEWHERE)
        with Mount(self.server, "refresh=1", "timeout=3") as mount:
            mover = Mover(mount, folders, moments)
            for _ in range(22):
                threading.Event().wait(0.05 + 0.3 * moments.random())
                self.kill_sessions()
            mover.over.set()
            mover.join(120)
            self.assertFalse(mover.is_alive())
            self.assertEqual(mover.wrong, set())
            self.connect()
            for folder in folders:  # without waiting for when it is tried again
                wait_for(lambda folder=folder: attempt(fsync, mount / folder) is None, "the server", 60)
            wait_for(lambda: self.letters(*folders) == list(range(30)), "each letter, once")
            wait_for(lambda: self.shown(mount, *folders) == list(range(30)), "each letter in the mount")
            self.assertGreater(mover.done, 5)


if __name__ == "__main__":
    unittest.main()
