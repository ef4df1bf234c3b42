"""A POP3 server that says what makes no sense, breaks off, or never ends: each read gives a message's
exact bytes or an error, and nothing is lost or shown under another's name."""
import itertools
import os

import hostilecase
from hostilecase import HostileTest, MountFailed, QuietMount, attempt, expect_recovery, hostile_mount, read, read_exact, try_all
from pop3mount import messages_at
from popserver import CAPABILITIES, Letter, Server
from support import wait_for

setUpModule = hostilecase.set_up_module
tearDownModule = hostilecase.tear_down_module

SMALL = b"Subject: honest\r\n\r\nan honest text\r\n"
EXPECTED = {f"u{number}": SMALL + b"%d\r\n" % number + b"x" * (100000 if number == 3 else 10) + b"\r\n"
            for number in range(1, 8)}
STAGES = ("greeting", "CAPA", "USER", "PASS", "UIDL", "LIST", "RETR", "QUIT")
MEGABYTE = b"y" * (1 << 20)


class QuietPop3Mount(QuietMount):
    """Its messages are known by their unique-ids."""

    def messages(self, folder="INBOX"):
        return messages_at(self.point)


def mounted(server, *options):
    """A mount that is judged at its end."""
    return hostile_mount(server, *options, kind=QuietPop3Mount, url=server.url())


def honest_server(**keywords):
    """A server with EXPECTED."""
    return Server({name.encode(): data for name, data in EXPECTED.items()}, **keywords)


def run_stage(stage, hook):
    """One case: a hook at a stage, of one server."""
    with honest_server() as server:
        server.on[stage] = hook
        with mounted(server, "idle=0") as mount:
            if not isinstance(mount, MountFailed):
                try_all(mount, EXPECTED)
                expect_recovery(server, mount, EXPECTED)


def ahead(garbage):
    """A hook that says something ahead of the honest answer."""
    def hook(session, command):
        return garbage + (session.answer(command) if command else b"+OK ready\r\n")
    return hook


def shows(mount, *contents):
    """INBOX has files of these contents, and no others."""
    found = sorted(read(path) for path in map((mount / "INBOX").joinpath, os.listdir(mount / "INBOX")))
    if found != sorted(contents):
        raise AssertionError(f"{len(found)} files of {list(map(len, found))} bytes\n{mount.log()}")


GARBAGE = {
    "an empty line": b"\r\n",
    "a bare LF": b"\n",
    "a dot": b".\r\n",
    "NULs": b"\0" * 4096 + b"\r\n",
    "8-bit": b"+OK \xff\xfe \x1b[2J\xc2\x9b31m\r\n",
    "another protocol": b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
    "IMAP": b"* OK IMAP4rev1 ready\r\n",
    "one answer too many": b"+OK\r\n",
    "a refusal too many": b"-ERR [SYS/TEMP] later\r\n",
    "a continuation": b"+ go on\r\n",
    "a small +ok": b"+ok fine\r\n",
    "an unknown code": b"-ERR [X-\x01\xff[[ no\r\n",
    "a line of 1 MB": b"+OK " + MEGABYTE + b"\r\n",
}


def is_answer(garbage):
    """Whether it would do as an answer: ahead of a message, nobody could tell that it is none."""
    return garbage[:3].upper() in (b"+OK", b"-ER") and len(garbage) < 10000


class GarbageTest(HostileTest):
    """At every stage."""

    def test_ahead_of_the_answer(self):
        self.run_cases({f"{name} at {stage}": lambda garbage=garbage, stage=stage: run_stage(stage, ahead(garbage))
                        for name, garbage in GARBAGE.items() for stage in ("greeting", "UIDL", "RETR")
                        if stage != "RETR" or not is_answer(garbage)}, 12)

    def test_refused(self):
        self.run_cases({f"-ERR to {stage}": lambda stage=stage, text=text: run_stage(stage, lambda *_: text)
                        for stage, text in itertools.product(STAGES, (b"-ERR no\r\n", b"-ERR [SYS/PERM] never\r\n"))}, 12)

    def test_broken_off(self):
        """With all kinds of last words."""
        def hook(last):
            return lambda session, command: session.close(last)
        self.run_cases({f"{last!r} at {stage}": lambda last=last, stage=stage: run_stage(stage, hook(last))
                        for stage in STAGES for last in (b"", b"+O", b"+OK\r\n1 u1\r\n")}, 12)

    def test_silent(self):
        """It costs each read its timeout: there is one message."""
        def case(stage):
            with Server({b"u1": EXPECTED["u1"]}) as server:
                server.on[stage] = lambda session, _: session.hang()
                with mounted(server, "idle=0", "timeout=2") as mount:
                    if not isinstance(mount, MountFailed):
                        try_all(mount, EXPECTED)
                        expect_recovery(server, mount, {"u1": EXPECTED["u1"]})
        self.run_cases({f"silence at {stage}": lambda stage=stage: case(stage)
                        for stage in ("greeting", "PASS", "UIDL", "LIST", "RETR", "QUIT")}, 6)

    def test_without_end(self):
        """64 MB of a line, or of lines."""
        def endless(piece):
            return lambda *_: itertools.chain([b"+OK\r\n"], itertools.repeat(piece, 64))
        lines = {"CAPA": b"CAPABILITY\r\n" * 80000, "UIDL": b"1 abcdefgh\r\n" * 80000, "LIST": b"1 12345678\r\n" * 80000}
        cases = {f"a line at {stage}": lambda stage=stage: run_stage(stage, endless(MEGABYTE))
                 for stage in ("CAPA", "UIDL", "LIST")}
        cases |= {f"lines at {stage}": lambda stage=stage, piece=piece: run_stage(stage, endless(piece))
                  for stage, piece in lines.items()}
        cases["a greeting"] = lambda: run_stage("greeting", lambda *_: itertools.repeat(MEGABYTE, 64))
        cases["a message"] = lambda: run_stage("RETR", lambda session, _: session.close(b"+OK\r\n" + MEGABYTE * 8))
        self.run_cases(cases, 3)


class ContentTest(HostileTest):
    """What is shown of messages, and as what."""

    def test_refused_in_the_midst(self):
        """One RETR of a pipelined run fails: the others are what they are."""
        with honest_server() as server:
            server.on["RETR"] = lambda session, command: b"-ERR no\r\n" if command.line == b"RETR 3" else None
            with mounted(server) as mount:
                paths = mount.messages()
                results = {name: attempt(read, path) for name, path in paths.items()}
                self.assertIsInstance(results.pop("u3"), OSError)
                self.assertEqual(results, {name: data for name, data in EXPECTED.items() if name != "u3"})
                expect_recovery(server, mount, EXPECTED)

    def test_cut_off(self):
        """Without the last line a message is not whole: not given as such, and not kept."""
        def cut(session, command):
            whole = session.answer(command)
            session.close(whole[:-3] if keep is None else whole[:keep])
        for keep in (None, 30, 5000, 99990):
            with self.subTest(keep=keep), honest_server() as server:
                server.on["RETR"] = cut
                with mounted(server) as mount:
                    for name, path in mount.messages().items():
                        if keep is None or len(EXPECTED[name]) > keep:
                            self.assertIsInstance(attempt(read, path), OSError, name)
                        else:
                            read_exact(path, EXPECTED[name])
                    mount.stop()
                    server.honest()
                    mount.start()
                    self.assertEqual({name: read(path) for name, path in mount.messages().items()}, EXPECTED)

    def test_renumbered_in_every_session(self):
        def turn(_session, _command):
            server.letters.append(server.letters.pop(0))
        with honest_server() as server:
            server.on["PASS"] = turn
            with mounted(server, "idle=0", "prefetch=off") as mount:
                for name, path in mount.messages().items():
                    server.released()
                    self.assertEqual(read(path), EXPECTED[name])
                self.assertGreater(server.count("PASS"), len(EXPECTED))

    def test_a_unique_id_of_several(self):
        """All of them are there; two of the same stay two; with TOP and without."""
        other = SMALL.replace(b"honest", b"other")
        letters = [Letter(b"same", SMALL), Letter(b"same", other), Letter(b"own", SMALL), Letter(b"same", SMALL)]
        for unknown in ((), ("TOP",)):
            with self.subTest(unknown=unknown), Server(letters, unknown=unknown) as server:
                with mounted(server, "idle=0") as mount:
                    shows(mount, SMALL, SMALL, SMALL, other)
                    names = sorted(os.listdir(mount / "INBOX"))
                    self.assertEqual(sum("%~2" in name for name in names), 1)
                    contents = {name: read(mount / "INBOX" / name) for name in names}
                    mount.stop()
                    server.letters.reverse()
                    mount.start()
                    self.assertEqual({name: read(mount / "INBOX" / name) for name in os.listdir(mount / "INBOX")}, contents)
                    os.unlink(mount / "INBOX" / next(name for name, data in contents.items() if data == other))
                    wait_for(lambda: server.removed, "the deletion")
                    self.assertEqual(sorted(letter.data for letter in server.letters), [SMALL] * 3)

    def test_wrong_sizes(self):
        sizes = [0, 1, len(SMALL) - 4, len(SMALL) + 1000, 1 << 32, (1 << 63) - 1, 1 << 63, b"99999999999999999999", b"007"]
        texts = [SMALL + b"%d\r\n" % number * 5000 for number in range(len(sizes))]
        letters = [Letter(b"s%d" % number, text, size) for number, (text, size) in enumerate(zip(texts, sizes))]
        with Server(letters) as server, mounted(server) as mount:
            for number, text in enumerate(texts):
                path = mount.messages()[f"s{number}"]
                self.assertEqual(read(path), text)
                self.assertEqual(path.stat().st_size, len(text))
            mount.stop()
            mount.start()
            for number, text in enumerate(texts):
                path = mount.messages()[f"s{number}"]
                self.assertEqual(path.stat().st_size, len(text))
                self.assertEqual(read(path), text)

    def test_strange_unique_ids(self):
        names = [b"a/b", b"../../../etc/passwd", b"..", b".", b".hidden", b"%2F", b"%2e%2e", b"%~2", b"a%~2", b"a", b"~",
                 b"x" * 70, b"y" * 71, b"y" * 71 + b"z", b"z" * 3000, b"\xe9\xff", b"\xc3\xa9", b"tab\there", b"nul\0here",
                 b"esc\x1b[2J", b"del\x7f", b"INBOX", b".pullmail", b"a.eml", b"'$(reboot)'", b"-rf", b"*", b"\\", b"a b"]
        texts = [SMALL + b"%d\r\n" % number for number in range(len(names))]
        with Server(dict(zip(names, texts))) as server, mounted(server) as mount:
            shows(mount, *texts)
            found = os.listdir(mount / "INBOX")
            self.assertFalse([name for name in found if name.startswith(".") or not name.isprintable() or not name.isascii()])
            self.assertEqual(os.listdir(mount.point), ["INBOX"])
            before = {name: read(mount / "INBOX" / name) for name in found}
            mount.stop()
            server.letters.reverse()
            mount.start()
            self.assertEqual({name: read(mount / "INBOX" / name) for name in os.listdir(mount / "INBOX")}, before)

    def test_strange_lists(self):
        """Nothing is taken for gone on the word of a list that makes no sense."""
        lists = {
            "out of order": b"3 u3\r\n1 u1\r\n2 u2\r\n",
            "numbers that are missing": b"1 u1\r\n7 u7\r\n",
            "a number twice": b"1 u1\r\n1 u2\r\n",
            "a number twice, the same": b"1 u1\r\n1 u1\r\n",
            "beyond 32 bits": b"4294967297 u1\r\n",
            "beyond 64 bits": b"99999999999999999999 u1\r\n",
            "zero": b"0 u1\r\n",
            "negative": b"-1 u1\r\n",
            "no number": b"one u1\r\n",
            "no name": b"1\r\n1 \r\n",
            "numbers that are not there": b"50 u1\r\n60 u2\r\n",
            "empty lines": b"\r\n\r\n",
            "nothing": b"",
        }
        def case(stage, lines):
            def hook(*_):
                return b"+OK\r\n" + lines.replace(b"u", b"u" if stage == "UIDL" else b"1") + b".\r\n"
            run_stage(stage, hook)
        self.run_cases({f"{name}, {stage}": lambda stage=stage, lines=lines: case(stage, lines)
                        for name, lines in lists.items() for stage in ("UIDL", "LIST")}, 8)

    def test_capabilities_that_change(self):
        """What was said ahead of the login holds no more after it."""
        for first, then in ((CAPABILITIES, b""), (b"", CAPABILITIES), (CAPABILITIES + b"UTF8\r\nLANG\r\n", b"TOP\r\n")):
            def hook(session, _command, first=first, then=then):
                return b"+OK\r\n" + (then if session.letters is not None else first) + b".\r\n"
            with self.subTest(first=first), honest_server() as server:
                server.on["CAPA"] = hook
                with mounted(server) as mount:
                    self.assertEqual({name: read(path) for name, path in mount.messages().items()}, EXPECTED)
