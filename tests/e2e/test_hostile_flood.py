"""A server that says more than anybody can want: lines, literals, answers and names without end."""
import itertools
import os

import hostilecase
from hostile import DATE, Folder, Server, internal_date, literal
from hostilecase import STAGES, HostileTest, ahead, attempt, honest_server, hostile_mount, install, run_stage

setUpModule = hostilecase.set_up_module
tearDownModule = hostilecase.tear_down_module

MEGABYTE = b"x" * (1 << 20)
MILLION = ("OK", "flags with UIDs", "messages that lack all")  # the others: 100,000 lines
AT_ONCE = 2  # more would be in each other's way: these don't wait
HUGE = (1 << 32, (1 << 64) - 1, 10**20)


def endless(start, piece=MEGABYTE, times=100):
    """A hook that begins something and goes on for 100 MB."""
    return lambda session, command: itertools.chain([start], itertools.repeat(piece, times))


def then_close(start, times=200):
    """A hook that begins something, goes on for long, and breaks off."""
    def hook(session, _):
        session.send(itertools.chain([start], itertools.repeat(MEGABYTE, times)))
        session.close()
    return hook


def many(make, n=100_000, block=10000):
    """A hook that says n lines ahead of the honest answer; make(i) is one of them."""
    def lines():
        for first in range(0, n, block):
            yield b"".join(make(i) for i in range(first, min(first + block, n)))
    return lambda session, command: itertools.chain(lines(), session.answer(command))


class FloodTest(HostileTest):
    """The daemon's memory stays bounded; each case asserts that."""

    def test_endless_lines(self):
        starts = {"a status": b"* OK ", "a code": b"* OK [X", "no space": b"*", "a tag": b"", "LIST": b'* LIST () "/" ',
                  "LIST, quoted": b'* LIST () "/" "', "FETCH": b"* 1 FETCH (UID 3 FLAGS (",
                  "body": b'* 1 FETCH (UID 3 BODY[HEADER] "',
                  "capabilities": b"* CAPABILITY "}
        self.run_cases({f"{name} without an end, for {stage}": lambda stage=stage,
                        start=start: run_stage(stage, endless(start))
                        for name, start in starts.items() for stage in STAGES}, AT_ONCE)

    def test_many_values_in_a_line(self):
        pieces = {"atoms": b"a " * 400000, "lists": b"()" * 400000, "strings": b'""' * 400000,
                  "numbers": b"1 " * 400000}
        heads = {"LIST": b'* LIST (%s) "/" x\r\n', "FETCH": b"* 1 FETCH (UID 3 FLAGS (%s))\r\n",
                 "OK": b"* OK [%s] x\r\n",
                 "NAMESPACE": b'* NAMESPACE ((%s)) NIL NIL\r\n', "CAPABILITY": b"* CAPABILITY %s\r\n"}
        self.run_cases({f"{name} in {head}": lambda stage=stage, text=text,
                        values=values: run_stage(stage, ahead(text % values))
                        for name, values in pieces.items() for (head, text), stage in
                        zip(heads.items(), ("LIST", "listing", "EXAMINE", "NAMESPACE", "LOGIN"))}, AT_ONCE)

    def test_declared_sizes(self):
        places = {"LIST, a name": ("LIST", b'* LIST () "/" {%d}\r\n'),
                  "LIST, an attribute": ("LIST", b"* LIST ({%d}\r\n"),
                  "a flag": ("listing", b"* 1 FETCH (UID 3 FLAGS ({%d}\r\n"),
                  "a body that was asked for": ("body", b"* 1 FETCH (UID 3 BODY[HEADER] {%d}\r\n"),
                  "a body that was not": ("body", b"* 1 FETCH (UID 3 BODY[1.2] {%d}\r\n"),
                  "a body in a listing": ("listing", b"* 1 FETCH (UID 3 BODY[] {%d}\r\n"),
                  "an unknown response": ("EXAMINE", b"* X-WHAT {%d}\r\n"),
                  "a namespace": ("NAMESPACE", b"* NAMESPACE (({%d}\r\n"),
                  "capabilities": ("CAPABILITY", b"* CAPABILITY {%d}\r\n")}
        cases = {}
        for (name, (stage, text)), size in itertools.product(places.items(), HUGE):
            start = text % size
            cases[f"{name}, {size} bytes, silence"] = lambda stage=stage, start=start: run_stage(
                stage, lambda session, command: (session.send(start), session.hang()))
            cases[f"{name}, {size} bytes, sent"] = lambda stage=stage, start=start: run_stage(stage,
                    then_close(start, 120))
        self.run_cases(cases, 10)

    def test_a_million_lines(self):
        kinds = {
            "OK": ("body", lambda i: b"* OK still here\r\n"), "NO": ("body", lambda i: b"* NO %d\r\n" % i),
            "ALERT": ("body", lambda i: b"* OK [ALERT] %d\r\n" % i),
            "EXISTS": ("body", lambda i: b"* %d EXISTS\r\n" % i),
            "EXPUNGE": ("body", lambda i: b"* 1 EXPUNGE\r\n"),
            "flags": ("body", lambda i: b"* %d FETCH (FLAGS (k%d))\r\n" % (i, i)),
            "flags with UIDs": ("body", lambda i: b"* %d FETCH (UID %d FLAGS (k%d))\r\n" % (i, i + 9, i)),
            "continuations": ("body", lambda i: b"+ \r\n"), "unknown": ("body", lambda i: b"* X%d y\r\n" % i),
            "bodies of others": ("body", lambda i: b'* %d FETCH (UID %d BODY[HEADER] "evil")\r\n' % (i, i + 9)),
            "bodies without a UID": ("body", lambda i: b'* %d FETCH (BODY[1] "evil")\r\n' % (i + 9)),
            "LIST in a listing": ("listing", lambda i: b'* LIST () "/" f%d\r\n' % i),
            "messages that lack all": ("listing", lambda i: b"* %d FETCH (UID %d)\r\n" % (i, i + 9)),
            "flags of one message": ("listing", lambda i: b"* 1 FETCH (UID 3 FLAGS (k%d))\r\n" % i),
            "VANISHED": ("listing", lambda i: b"* VANISHED %d\r\n" % (i + 9)),
            "NAMESPACE": ("NAMESPACE", lambda i: b'* NAMESPACE NIL (("p%d/" "/")) NIL\r\n' % i),
            "CAPABILITY": ("LOGIN", lambda i: b"* CAPABILITY IMAP4rev1 X%d\r\n" % i),
            "ID": ("LIST", lambda i: b'* ID ("name" "%d")\r\n' % i),
            "QUOTA": ("LIST", lambda i: b'* QUOTA "" (STORAGE 1 2)\r\n'),
            "bad names": ("LIST", lambda i: b'* LIST () "/" "\xff%d"\r\n' % i),
        }
        self.run_cases({f"very many {name}": lambda stage=stage, make=make, n=1_000_000 if name in MILLION else 100_000:
                        run_stage(stage, many(make, n)) for name, (stage, make) in kinds.items()}, AT_ONCE)

    def test_much_in_many_answers(self):
        def flags_from(first):
            return b" ".join(b"k%d" % n for n in range(first, first + 50000))

        kinds = {
            "bodies that were asked for": ("body", b"* 1 FETCH (UID 3 BODY[HEADER] %s)\r\n" % literal(MEGABYTE)),
            "texts that were asked for": ("body", b"* 1 FETCH (UID 3 BODY[TEXT] %s)\r\n" % literal(MEGABYTE)),
            "bodies of others": ("body", b"* 2 FETCH (UID 9 BODY[HEADER] %s)\r\n" % literal(MEGABYTE)),
            "long answers of BYE": ("body", b"* BYE %s\r\n" % MEGABYTE[:1000000]),
            "long warnings": ("body", b"* NO %s\r\n" % MEGABYTE[:1000000]),
        }
        cases = {name: lambda stage=stage, text=text: run_stage(stage, many(lambda i: text, 150, 1))
                 for name, (stage, text) in kinds.items()}
        cases["long flags"] = lambda: run_stage("listing", many(
            lambda i: b"* 1 FETCH (UID %d FLAGS (k%d%s) RFC822.SIZE 5)\r\n" % (i + 9, i, MEGABYTE[:900000]), 150, 1))
        cases["many flags"] = lambda: run_stage("listing", many(
            lambda i: b"* 1 FETCH (UID %d FLAGS (%s) RFC822.SIZE 5)\r\n" % (i + 9, flags_from(i)), 30, 1))
        cases["long names"] = lambda: run_stage("LIST", many(
            lambda i: b'* LIST () "/" "%d%s"\r\n' % (i, MEGABYTE[:60000]), 3000, 10))
        cases["deep names"] = lambda: run_stage("LIST", many(
            lambda i: b'* LIST () "/" "%d%s"\r\n' % (i, b"/x" * 1900), 3000, 10))
        self.run_cases(cases, AT_ONCE)

    def test_many_folders_and_messages(self):
        def folders(n):
            server = Server([Folder(b"INBOX")] + [Folder(b"folder %d" % i) for i in range(n)])
            with server, hostile_mount(server, "timeout=30") as mount:
                if n <= 5000 and len(attempt(os.listdir, mount.point)) != n + 1:
                    raise AssertionError("not all folders are there")

        def messages(n):
            def line(uid):
                return (b"* %d FETCH (UID %d FLAGS () RFC822.SIZE 5 INTERNALDATE %s)\r\n"
                        % (uid, uid, internal_date(DATE)))

            def listing(session, command):
                for first in range(1, n + 1, 10000):
                    yield b"".join(line(uid) for uid in range(first, min(first + 10000, n + 1)))
                yield session.answer(command)[-1]

            with honest_server() as server:
                server.folders[0].exists = n
                install(server, "listing", listing)
                with hostile_mount(server, "timeout=30") as mount:
                    attempt(os.listdir, mount / "INBOX")

        self.run_cases({"5,000 folders": lambda: folders(5000), "100,000 folders": lambda: folders(100000),
                        "1,000,000 messages": lambda: messages(1000000)}, 1)
