"""removing: what the tests of rm in IMAP mounts share: a server whose folders they fill, and what
another client sees of them."""
import datetime
import os
import subprocess
import unittest

from faults import DATE, status
from support import Server, run, wait_for

FLAGS = ("", "S", "F", "RS", "DFS")  # of Maildir, in turn; D is \Draft
NAMES = {"S": "\\Seen", "F": "\\Flagged", "R": "\\Answered", "D": "\\Draft"}


def letter(number):
    """A message that is like no other."""
    return b"Subject: letter %d\r\n\r\n" % number + b"%d\r\n" % number * (50 + number % 90)


def sync(mount, folder="INBOX"):
    """Waits until the server has been told of all that was removed."""
    run("sync", mount / folder)


def fsync(folder):
    """fsync of a directory."""
    directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def sync_at_last(mount, folder="INBOX"):
    """The same, where that fails for as long as the server is away."""
    wait_for(lambda: subprocess.run(["sync", mount / folder], check=False, stderr=subprocess.DEVNULL).returncode == 0,
             "the server", 60)


def settled(mount):
    """Waits until nothing is to be removed any more; whether or not it could be."""
    wait_for(lambda: status(mount, "deletions-pending") == 0, "the deletions", 60)


class RemoveCase(unittest.TestCase):
    """One server, and another client of it; each test has folders of its own."""

    OPTIONS = ()

    @classmethod
    def setUpClass(cls):
        cls.server = Server(*cls.OPTIONS)
        cls.addClassCleanup(cls.server.remove)

    def setUp(self):
        self.connect()

    def connect(self):
        """The other client's connection; another one, where it was lost."""
        self.mailbox = self.server.mailbox()
        self.addCleanup(self.mailbox.imap.shutdown)

    def fill(self, folder, count, begin=0):
        """Makes a folder of so many messages, with various flags; returns {UID: set of flags}."""
        if folder not in self.mailbox.folders():
            self.mailbox.create(folder)
        for number in range(begin, begin + count):
            self.server.drop(folder, letter(number), DATE + datetime.timedelta(minutes=number), FLAGS[number % 5])
        self.mailbox.select(folder)
        found = self.mailbox.flags(folder)
        expected = [{NAMES[flag] for flag in FLAGS[number % 5]} for number in range(count)]
        self.assertEqual([found[uid] for uid in sorted(found)], expected)
        return found

    def sent(self, since, *names):
        """What the mount sent of commands with these names, in order, without their tags."""
        return [command.line.split(" ", 1)[1] for command in self.server.commands(since) if command.name in names]

    def changes(self, since):
        """The commands by which it changed something, or could have."""
        return self.sent(since, "UID STORE", "UID EXPUNGE", "STORE", "EXPUNGE", "CLOSE", "UID MOVE", "UID COPY")

    def check(self, mount, folder, kept, shown=None):
        """Just these messages are there, {UID: flags}; the mount shows them all, or those that are told."""
        self.assertEqual(self.mailbox.flags(folder), kept)
        self.assertEqual(sorted(mount.messages(folder)), sorted(kept if shown is None else shown))

    def wait_shown(self, mount, folder, uids):
        """Until the mount shows just these."""
        wait_for(lambda: sorted(mount.messages(folder)) == sorted(uids), "the messages in the mount")


def without(state, *uids):
    """A folder's state, when these are gone."""
    return {uid: flags for uid, flags in state.items() if uid not in uids}


def remove(mount, folder, *uids):
    """Unlinks some messages."""
    paths = mount.messages(folder)
    for uid in uids:
        os.unlink(paths[uid])

