"""What other clients change is seen without waiting for refresh=: by NOTIFY, by IDLE, and, where the
server has neither, by asking it."""
import ctypes
import os
import re
import select
import stat
import struct
import time
import unittest

from relay import Relay
from support import Mount, Server, wait_for
from test_tree import dovecot_settings

NEVER = "refresh=3600"  # what is seen within a test was told by the server
IN_DELETE_SELF = 0x400


def message(text):
    """A small message."""
    return f"Subject: {text}\r\n\r\n{text}\r\n".encode()


def is_there(path):
    """Whether the kernel says so: it keeps what it knows of messages for a day."""
    try:
        os.stat(path)
    except FileNotFoundError:
        return False
    return True


def watching(mount):
    """What the status says is watched."""
    return set(re.search("^watching: (.*)$", mount.status(), re.MULTILINE)[1].split(", "))


class Inotify:
    """Hears what happens to files."""

    def __init__(self, *paths):
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.descriptor = self.libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        self.watched = {self.libc.inotify_add_watch(self.descriptor, os.fsencode(path), 0xfff): path
                        for path in paths}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.descriptor)

    def heard(self, path, event):
        """Waits until the event has happened to the path."""
        found = set()

        def read():
            if select.select([self.descriptor], [], [], 0.1)[0]:
                data, at = os.read(self.descriptor, 65536), 0
                while at < len(data):
                    watch, mask, _, length = struct.unpack_from("iIII", data, at)
                    found.add((self.watched.get(watch), mask & 0xfff))
                    at += 16 + length
            return (path, event) in found
        wait_for(read, f"event {event:#x} of {path}")


class Changes:
    """What each way of watching has to show. A class says of what server, how, and what it covers."""

    OPTIONS = ()    # of the server
    MOUNT = (NEVER,)
    WATCHING = None  # what the status says,
    WATCHED = None  # and of how many folders that is

    @classmethod
    def setUpClass(cls):
        cls.server = Server(*cls.OPTIONS)
        cls.addClassCleanup(cls.server.remove)
        cls.other = cls.server.mailbox()
        cls.addClassCleanup(cls.other.close)
        cls.other.create("Work")
        for folder in ("INBOX", "Work"):
            cls.other.append(folder, message("first"))
        cls.mount = Mount(cls.server, *cls.MOUNT)
        cls.mount.__enter__()
        cls.addClassCleanup(cls.mount.__exit__, None, None, None)
        for folder in ("Work", "INBOX"):
            for path in cls.mount.messages(folder).values():
                os.stat(path)
        os.listdir(cls.mount.point)
        wait_for(lambda: watching(cls.mount) == cls.WATCHING, f"watching {cls.WATCHING}")
        watched = re.search("^folders-watched: (.*)$", cls.mount.status(), re.MULTILINE)[1]
        assert watched == cls.WATCHED, watched

    def deliver(self, folder):
        """Another client puts a message there; it is seen. Its UID and its path."""
        uid = self.other.append(folder, message("new"))
        path = wait_for(lambda: self.mount.messages(folder).get(uid), "the new message")
        self.assertEqual(path.read_bytes(), message("new"))
        return uid, path

    def test_delivery(self):
        for folder in ("INBOX", "Work", "INBOX"):
            self.deliver(folder)

    def test_deletion(self):
        for folder in ("INBOX", "Work"):
            uid, path = self.deliver(folder)
            inode = os.stat(path).st_ino
            self.other.store(folder, uid, "+FLAGS", "\\Deleted")
            wait_for(lambda: not is_there(path), "the end of what is marked")
            self.other.store(folder, uid, "-FLAGS", "\\Deleted")
            wait_for(lambda: is_there(path), "what is not marked any more")
            self.assertEqual(os.stat(path).st_ino, inode)
            self.other.store(folder, uid, "+FLAGS", "\\Deleted")
            self.other.expunge(folder, uid)
            wait_for(lambda: not is_there(path), "the end of the message")
            self.assertNotIn(uid, self.mount.messages(folder))

    def test_watchers_of_a_file_hear_of_its_end(self):
        uid, path = self.deliver("INBOX")
        with Inotify(path) as inotify:
            self.other.store("INBOX", uid, "+FLAGS", "\\Deleted")
            self.other.expunge("INBOX", uid)
            inotify.heard(path, IN_DELETE_SELF)

    def test_flags(self):
        uid, path = self.deliver("INBOX")
        self.other.store("INBOX", uid, "+FLAGS", "\\Flagged", "hello")
        wait_for(lambda: {"\\Flagged", "hello"} <= set(self.mount.xattr(path, "user.mail.flags").split()), "the flags")
        self.other.store("INBOX", uid, "-FLAGS", "\\Flagged")
        wait_for(lambda: "\\Flagged" not in self.mount.xattr(path, "user.mail.flags"), "the flag's end")


class FolderChanges(Changes):
    """Changes of the list of folders too."""

    def test_folders(self):
        # In between: Dovecot's index of mailboxes goes by the second in which a folder was changed.
        self.other.create("Work/Plans")
        wait_for(lambda: "Plans" in os.listdir(self.mount / "Work"), "the new folder")
        self.assertTrue(stat.S_ISDIR(os.stat(self.mount / "Work/Plans").st_mode))
        self.assertEqual(os.stat(self.mount / "Work").st_nlink, 3)
        self.deliver("Work/Plans")
        time.sleep(1.1)
        self.other.rename("Work/Plans", "Ideas")
        wait_for(lambda: is_there(self.mount / "Ideas") and not is_there(self.mount / "Work/Plans"), "the new name")
        self.assertEqual(os.stat(self.mount / "Work").st_nlink, 2)
        self.assertEqual(len(self.mount.messages("Ideas")), 1)
        time.sleep(1.1)
        self.other.delete("Ideas")
        wait_for(lambda: not is_there(self.mount / "Ideas"), "the folder's end")
        self.assertNotIn("Ideas", os.listdir(self.mount.point))


class NotifyTest(FolderChanges, unittest.TestCase):
    """A Dovecot with its index of mailboxes tells of all folders on one connection."""

    WATCHING = {"all folders"}
    WATCHED = "2"

    @classmethod
    def setUpClass(cls):
        cls.OPTIONS = ("--extra", dovecot_settings("mailbox_list_index = yes\n", "mailbox_list_index = yes\n"))
        super().setUpClass()

    def test_one_connection(self):
        self.assertEqual(self.server.count("NOTIFY"), 1)
        self.assertEqual(self.server.count("IDLE"), 0)


class IdleTest(Changes, unittest.TestCase):
    """Without that index it tells of a folder for each connection."""

    WATCHING = {'"INBOX"', '"Work"'}
    WATCHED = "2"

    def test_two_connections(self):
        self.assertEqual(self.server.count("NOTIFY"), 0)
        idling = {command.session for command in self.server.commands() if command.name == "IDLE"}
        self.assertEqual(len(idling), 2)


class NeitherTest(FolderChanges, unittest.TestCase):
    """It is asked each second, and by a STATUS: only what changed is looked at."""

    OPTIONS = ("--without", "IDLE", "--without", "NOTIFY")
    MOUNT = ("refresh=1",)
    WATCHING = {"nothing"}
    WATCHED = "0"

    def test_nothing_is_looked_at_while_nothing_changes(self):
        self.deliver("Work")
        self.await_asked(self.server.mark(), 2)  # what the delivery led to is over then
        mark = self.server.mark()
        self.await_asked(mark, 2)
        self.assertEqual(self.server.count("EXAMINE", mark), 0)

    def await_asked(self, mark, times):
        """Until the server was asked so often where a folder stands."""
        wait_for(lambda: self.server.count("STATUS", mark) + self.server.count("NOOP", mark) >= 2 * times,
                 "being asked")


class OneConnectionTest(unittest.TestCase):
    """With connections=1 the connection idles in the folder used last, when there is nothing to do."""

    def test_it_works_and_idles(self):
        with Server() as server, server.mailbox() as other:
            other.append("INBOX", message("first"))
            with Mount(server, NEVER, "connections=1") as mount:
                for turn in range(3):
                    paths = mount.messages()
                    wait_for(lambda: watching(mount) == {'"INBOX"'}, "watching")
                    uid = other.append("INBOX", message(f"turn {turn}"))
                    path = wait_for(lambda: mount.messages().get(uid), "the new message")
                    self.assertNotIn(path, paths.values())
                    self.assertEqual(path.read_bytes(), message(f"turn {turn}"))
            self.assertEqual(len({command.session for command in server.commands()}), 1)


class FaultTest(unittest.TestCase):
    """Connections that end, floods, and what others do with a folder that is watched."""

    def test_connections_that_end(self):
        """They are made again; and what came meanwhile is found."""
        with Server() as server, server.mailbox() as other, Relay(server.ports["imap"]) as relay:
            gone = other.append("INBOX", message("first"))
            with Mount(server, NEVER, "tls=off", url=relay.url()) as mount:
                path = mount.messages()[gone]
                self.assertTrue(is_there(path))
                wait_for(lambda: watching(mount) == {'"INBOX"'}, "watching")
                relay.cut()
                wait_for(lambda: watching(mount) == {"nothing"}, "the connections' end")
                other.store("INBOX", gone, "+FLAGS", "\\Deleted")
                other.expunge("INBOX", gone)
                wait_for(lambda: not is_there(path), "the message's end")
                wait_for(lambda: watching(mount) == {'"INBOX"'}, "watching again")

    def test_many_changes_at_once(self):
        """Hundreds of events are a few looks."""
        with Server() as server, server.mailbox() as other:
            for number in range(300):
                other.append("INBOX", message(f"number {number}"))
            with Mount(server, NEVER) as mount:
                uids = sorted(mount.messages())
                wait_for(lambda: watching(mount) == {'"INBOX"'}, "watching")
                mark = server.mark()
                other.store("INBOX", f"1:{uids[-1]}", "+FLAGS", "\\Seen")
                other.store("INBOX", f"1:{uids[-2]}", "+FLAGS", "\\Deleted")
                other.imap.uid("EXPUNGE", f"1:{uids[-2]}")
                wait_for(lambda: list(mount.messages()) == uids[-1:], "the end of all but one")
                events = sum(line.startswith(b"* ") for lines in server.transcript(mark, "out").values()
                             for line in lines)
                self.assertGreater(events, 300)
                self.assertLess(server.count("EXAMINE", mark), events / 10)

    def test_a_folder_that_is_watched_can_be_removed(self):
        with Server() as server, server.mailbox() as other:
            other.create("Work")
            with Mount(server, NEVER) as mount:
                mount.messages("Work")
                wait_for(lambda: watching(mount) == {'"Work"'}, "watching")
                os.rmdir(mount / "Work")
                self.assertNotIn("Work", other.folders())
                self.assertNotIn("Work", os.listdir(mount.point))


if __name__ == "__main__":
    unittest.main()
