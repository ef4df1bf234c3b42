"""A server that is wrong about how long its messages are, and about what makes up the whole of them."""
import itertools
import os
import shutil
import subprocess
import sys

import hostilecase
from hostile import Folder, Message, Server
from hostilecase import HostileTest, hostile_mount, read
from support import run, temporary_folder

setUpModule = hostilecase.set_up_module
tearDownModule = hostilecase.tear_down_module

# --- the bytes, whoever reads ---------------------------------------------------------------------


def read_by_cat(path, _):
    return subprocess.run(["cat", path], check=True, stdout=subprocess.PIPE).stdout


def read_by_cp(path, scratch):
    run("cp", path, scratch / "copy")
    return (scratch / "copy").read_bytes()


def read_by_tar(path, scratch):
    run("sh", "-c", 'tar -cf - -C "$1" "$2" | tar -xf - -C "$3"', "sh", path.parent, path.name, scratch)
    return (scratch / path.name).read_bytes()


def read_by_rsync(path, scratch):
    run("rsync", "-a", path, scratch / "")
    return (scratch / path.name).read_bytes()


MMAP = """import mmap, os, sys
file = os.open(sys.argv[1], os.O_RDONLY)
length = os.fstat(file).st_size
os.write(1, mmap.mmap(file, length, prot=mmap.PROT_READ)[:] if length else b"")"""


def read_by_mmap(path, _):
    """In a process of its own: one that maps more than there is gets SIGBUS."""
    return subprocess.run([sys.executable, "-IS", "-c", MMAP, path], check=True, stdout=subprocess.PIPE).stdout


def read_by_fstat(path, _):
    """As programs do that believe st_size."""
    with open(path, "rb", buffering=0) as file:
        length = os.fstat(file.fileno()).st_size
        data = b""
        while len(data) < length and (piece := file.read(min(length - len(data), 1 << 20))):
            data += piece
        return data


def read_by_grep(path, _):
    return subprocess.run(["grep", "-a", "", path], check=True, stdout=subprocess.PIPE).stdout


def expected_all(data):
    return data


def read_by_tail(path, _):
    return subprocess.run(["tail", "-c", "100", path], check=True, stdout=subprocess.PIPE).stdout


def read_by_wc(path, _):
    return run("wc", "-c", path).split()[0].encode()


def read_by_cmp(path, scratch):
    done = subprocess.run(["cmp", path, scratch / "reference"], check=False, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    return b"%d %s" % (done.returncode, done.stdout)


def read_backwards(path, _):
    """The end first, then the rest in pieces."""
    with open(path, "rb", buffering=0) as file:
        end = file.seek(0, os.SEEK_END)
        pieces = []
        while end > 0:
            start = max(0, end - 50000)
            file.seek(start)
            pieces.insert(0, file.read(end - start))
            end = start
        return b"".join(pieces)


READERS = {  # what it gives, and what that should be
    "read": (lambda path, _: read(path), expected_all),
    "cat": (read_by_cat, expected_all),
    "cp": (read_by_cp, expected_all),
    "cmp": (read_by_cmp, lambda data: b"0 "),
    "tar": (read_by_tar, expected_all),
    "rsync": (read_by_rsync, expected_all),
    "mmap": (read_by_mmap, expected_all),
    "fstat": (read_by_fstat, expected_all),
    "grep": (read_by_grep, expected_all),
    "tail": (read_by_tail, lambda data: data[-100:]),
    "wc": (read_by_wc, lambda data: b"%d" % len(data)),
    "backwards": (read_backwards, expected_all),
}


def letter(uid, length):
    """A message of about that length, unlike all others."""
    lines = b"".join(b"%08d of message %d\r\n" % (line, uid) for line in range(length // 25 + 1))
    return b"Subject: letter %d\r\nX-Filler: %s\r\n\r\n%s" % (uid, b"f" * (uid % 50), lines)


SIZES = {
    "nothing": lambda n: 0, "one": lambda n: 1, "one less": lambda n: n - 1, "one more": lambda n: n + 1,
    "half": lambda n: n // 2,
    "double": lambda n: 2 * n, "a block more": lambda n: n + 70000, "a block less": lambda n: max(n - 70000, 2),
    "1 GiB": lambda n: 1 << 30, "2^32": lambda n: 1 << 32, "2^63-1": lambda n: (1 << 63) - 1, "2^63": lambda n: 1 << 63,
    "2^64-1": lambda n: (1 << 64) - 1, "2^64": lambda n: 1 << 64, "the truth": lambda n: n,
}
LENGTHS = {"short": 500, "of a block": 65300, "long": 300000}

# How HEADER and TEXT of a message may differ from BODY[]: (header, text) from the true ones.
SECTIONS = {
    "a longer header": lambda header, text: (header[:-2] + b"X-More: 1\r\n\r\n", text),
    "a shorter header": lambda header, text: (header[:-2][header.index(b"\r\n") + 2:] + b"\r\n", text),
    "no header": lambda header, text: (b"", text),
    "all in the header": lambda header, text: (header + text, b""),
    "all twice": lambda header, text: (header + text, header + text),
    "a longer text": lambda header, text: (header, text + b"more\r\n"),
    "a shorter text": lambda header, text: (header, text[:-7]),
    "no text": lambda header, text: (header, b""),
    "neither": lambda header, text: (b"", b""),
}


def read_all_ways(cases, trusted=0):
    """
    {name: function that makes a Message from a UID}: each message is read in one way only, so that
    each way meets it unread; a later reader, and a stat, sees the true size. trusted: so many
    messages are read before, whose sizes are right.
    """
    messages, names = [], {}
    for (name, make), reader in itertools.product(cases.items(), READERS):
        message = make(1000 + len(messages))
        messages.append(message)
        names[message.uid] = (name, reader)
    honest = [Message(uid, letter(uid, 100)) for uid in range(1, trusted + 1)]
    problems = []
    with Server([Folder(b"INBOX", honest + messages)]) as server, \
            hostile_mount(server, "refresh=60", "timeout=20", "connections=1") as mount:
        paths = mount.messages()
        for message in honest:
            assert read(paths[message.uid]) == message.data
        for message in messages:
            name, reader = names[message.uid]
            problem = read_one_way(paths[message.uid], message, *READERS[reader])
            if problem:
                problems.append(f"{name}, by {reader}: {problem}")
        mount.remount()
        problems += [f"{names[message.uid][0]}, after a remount" for message in messages
                     if read(paths[message.uid]) != message.data]
    if problems:
        raise AssertionError("\n".join(problem[:300] for problem in problems))


def read_one_way(path, message, reader, expected):
    """What is wrong, or None."""
    scratch = temporary_folder()
    try:
        (scratch / "reference").write_bytes(message.data)
        try:
            found = reader(path, scratch)
        except (OSError, AssertionError, subprocess.CalledProcessError) as error:
            return str(error)
        if found != expected(message.data):
            right = expected(message.data)
            return f"{len(found)} bytes {found[:60]!r}, not {len(right)} {right[:60]!r}"
        if path.stat().st_size != len(message.data):
            return f"st_size is {path.stat().st_size} afterwards, not {len(message.data)}"
        return None if read(path) == message.data else "a second read has other bytes"
    finally:
        shutil.rmtree(scratch)


class SizeTest(HostileTest):
    """Readers get exactly BODY[], whatever RFC822.SIZE claims."""

    def sizes(self, trusted):
        def make(length, lie):
            def message(uid):
                data = letter(uid, length)
                return Message(uid, data, lie(len(data)))
            return message

        for kind, length in LENGTHS.items():
            for name, lie in SIZES.items():
                yield f"{kind}, claimed: {name}, {trusted} before", {f"{kind}, {name}": make(length, lie)}, trusted

    def test_sizes(self):
        self.run_cases({name: lambda case=case: read_all_ways(case) for name, case, _ in self.sizes(0)})

    def test_sizes_of_a_server_that_was_right_before(self):
        self.run_cases({name: lambda case=case, trusted=trusted: read_all_ways(case, trusted)
                        for name, case, trusted in self.sizes(20)})

    def test_sections(self):
        def make(length, change):
            def message(uid):
                data = letter(uid, length)
                end = data.index(b"\r\n\r\n") + 4
                header, text = change(data[:end], data[end:])
                return Message(uid, data, header=header, text=text)
            return message

        self.run_cases({f"{kind}, {name}": lambda case={name: make(length, change)}: read_all_ways(case)
                        for kind, length in LENGTHS.items() for name, change in SECTIONS.items()})
