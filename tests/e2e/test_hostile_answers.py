"""A server whose answers are of a shape, or of a message, that nobody asked for; connections that break within
them; and folders whose numbers make no sense."""
import os
import re
import subprocess

import hostilecase
from hostile import Folder, Message, Server, fetch_line, literal, quoted
from hostilecase import (EXPECTED, HostileTest, attempt, expect_recovery, honest_server, hostile_mount, install,
                         is_exact, read, read_exact)
from support import wait_for

setUpModule = hostilecase.set_up_module
tearDownModule = hostilecase.tear_down_module

EVIL = b"Subject: evil\r\n\r\nnobody asked for this\r\n"


def letter(uid, length=40):
    """A message like no other."""
    return b"Subject: letter %d\r\n\r\n" % uid + b"".join(b"%d, line %d\r\n" % (uid, line)
                                                          for line in range(length // 10))


def per_message(shape):
    """A hook of FETCH that shapes each message's answer: shape(number, message, pairs) gives lines."""
    def hook(session, command):
        if b"BODY" not in command.line:
            return None
        lines = [line for number, message, pairs in session.asked(command) for line in shape(number, message, pairs)]
        return lines + [b"%s OK done\r\n" % command.tag]
    return hook


def bodies(pairs):
    """The (name, value) pairs without the UID."""
    return [pair for pair in pairs if pair[0] != b"UID"]


def as_quoted(value):
    """A literal as a quoted string, if it can be one."""
    data = value[value.index(b"\r\n") + 2:]
    return value if re.search(rb"[\r\n\0]", data) else quoted(data)


def evil_line(number, uid, pairs):
    """The same items, of another message, with other content."""
    items = [(name, literal(EVIL)) for name, _ in bodies(pairs)]
    return fetch_line(number, ([(b"UID", b"%d" % uid)] if uid else []) + items)


# Odd, but right: the bytes must be exact.
RIGHT = {
    "UID last": lambda number, message, pairs: [fetch_line(number, bodies(pairs) + pairs[:1])],
    "the other way round": lambda number, message, pairs: [fetch_line(number, pairs[::-1])],
    "UID twice": lambda number, message, pairs: [fetch_line(number, pairs + pairs[:1])],
    "one line each": lambda number, message, pairs: [fetch_line(number, [pairs[0], pair]) for pair in bodies(pairs)],
    "UID ahead, alone": lambda number, message, pairs: [fetch_line(number, pairs[:1])] + [
        fetch_line(number, [pair]) for pair in bodies(pairs)],
    "UID in the first alone": lambda number, message, pairs: [fetch_line(number, pairs[:2])] + [
        fetch_line(number, [pair]) for pair in pairs[2:]],
    "with flags in between": lambda number, message, pairs: [
        b"* %d FETCH (FLAGS (\\Seen))\r\n" % number, fetch_line(number, pairs[:2]), b"* 7 EXISTS\r\n* OK wait\r\n",
        b"* NO slow\r\n",
        *[fetch_line(number, [pairs[0], (b"FLAGS", b"(\\Recent)"), pair]) for pair in pairs[2:]],
        b"* %d FETCH (FLAGS (\\Seen \\Recent))\r\n" % number],
    "quoted strings": lambda number, message, pairs: [
        fetch_line(number, pairs[:1] + [(name, as_quoted(value)) for name, value in bodies(pairs)])],
    "literals of RFC 7888": lambda number, message, pairs: [
        fetch_line(number, pairs[:1] + [(name, value.replace(b"}", b"+}", 1)) for name, value in bodies(pairs)])],
    "literals of RFC 3516": lambda number, message, pairs: [
        fetch_line(number, pairs[:1] + [(name, b"~" + value) for name, value in bodies(pairs)])],
    "lower case": lambda number, message, pairs: [
        fetch_line(number, [(name.lower(), value) for name, value in pairs]).replace(b"FETCH", b"fetch", 1)],
    "more spaces": lambda number, message, pairs: [
        b"*  %d  FETCH  (%s)\r\n" % (number, b"  ".join(b"%s  %s" % pair for pair in pairs))],
    "all twice": lambda number, message, pairs: [fetch_line(number, pairs)] * 2,
    "another section too": lambda number, message, pairs: [
        fetch_line(number, [(b"BODY[1]", literal(EVIL)), (b"BODY[HEADER.FIELDS (DATE)]", literal(EVIL)), *pairs,
                            (b"BODY[1.MIME]", literal(EVIL)), (b"RFC822.TEXT", literal(EVIL)),
                            (b"BINARY[]", literal(EVIL))])],
    "another stretch too": lambda number, message, pairs: [
        fetch_line(number, [(b"BODY[TEXT]<3>", literal(EVIL)), (b"BODY[]<1>", literal(EVIL)), *pairs,
                            (b"BODY[HEADER]<1>", literal(EVIL))])],
    "another message first": lambda number, message, pairs: [evil_line(9, 99, pairs), fetch_line(number, pairs)],
    "another message afterwards": lambda number, message, pairs: [fetch_line(number, pairs), evil_line(9, 99, pairs)],
    "another message in between": lambda number, message, pairs: [
        fetch_line(number, pairs[:2]), evil_line(9, 99, pairs), fetch_line(number, pairs[:1] + pairs[2:])],
    "UID 0": lambda number, message, pairs: [
        evil_line(9, 0, pairs).replace(b"(", b"(UID 0 ", 1), fetch_line(number, pairs)],
    "UID + 2^32": lambda number, message, pairs: [
        evil_line(number, message.uid + (1 << 32), pairs), fetch_line(number, pairs)],
    "the number of another": lambda number, message, pairs: [
        fetch_line(number, pairs[:1]), evil_line(number + 1, 99, pairs),
        *[fetch_line(number, [pair]) for pair in bodies(pairs)]],
}


def without(section):
    """Answers that leave a section out."""
    return lambda number, message, pairs: [
        fetch_line(number, [pair for pair in pairs if not pair[0].startswith(section)])]


def changed(change, *sections):
    """Answers in which change(bytes) is the value of the sections."""
    def shape(number, _, pairs):
        items = [(name, change(value[value.index(b"\r\n") + 2:]) if name.split(b"<")[0] in sections else value)
                 for name, value in pairs]
        return [fetch_line(number, items)]
    return shape


def other_names(rename):
    """Answers in which other sections, or other stretches, have the bytes."""
    return lambda number, message, pairs: [
        fetch_line(number, pairs[:1] + [(rename(name), value) for name, value in bodies(pairs)])]


HEADER, TEXT, BODY = b"BODY[HEADER]", b"BODY[TEXT]", b"BODY[]"

# Wrong in itself: exact bytes, or an errno; never anything else, nor later.
WRONG = {
    "no header": without(HEADER),
    "no text": without(TEXT),
    "nothing": without(b"BODY"),
    "no answer": lambda number, message, pairs: [],
    "another message, without its UID": lambda number, message, pairs: [
        fetch_line(number, pairs), evil_line(number + 1, None, pairs)],
    "another message without its UID first": lambda number, message, pairs: [
        evil_line(number + 1, None, pairs), fetch_line(number, pairs)],
    "only other messages": lambda number, message, pairs: [evil_line(9, 99, pairs)],
    "another UID": lambda number, message, pairs: [evil_line(number, message.uid + 1, pairs)],
    "NIL for the header": changed(lambda data: b"NIL", HEADER),
    "NIL for the text": changed(lambda data: b"NIL", TEXT),
    "NIL for all": changed(lambda data: b"NIL", HEADER, TEXT, BODY),
    "a list": changed(lambda data: b"(a b)", HEADER),
    "an atom": changed(lambda data: b"4711", TEXT),
    "only other sections": other_names(lambda name: b"BODY[1]"),
    "only other stretches": other_names(lambda name: name.split(b"<")[0] + b"<7>"),
    "more than there is": changed(lambda data: literal(data + EVIL), TEXT),
    "less than there is": changed(lambda data: literal(data[:-3]), TEXT),
    "a literal too short": changed(lambda data: b"{%d}\r\n%s" % (max(len(data) - 4, 0), data), HEADER),
    "a literal too long": changed(lambda data: b"{%d}\r\n%s" % (len(data) + 2, data), HEADER),
}


def answers_server():
    """Messages that are short, of some blocks, and without a header or a text."""
    data = {3: letter(3), 4: letter(4, 30000), 5: letter(5, 200000), 6: b"Subject: no text\r\n\r\n",
            7: b"\r\nno header\r\n",
            8: b"no separator\r\n", 9: b"Subject: 8-bit\r\n\r\n\xff\xfe \xc3\xa9 \0 NUL",
            10: b"Subject: one line\r\n\r\n\"q\\\"", 11: b""}
    return Server([Folder(b"INBOX", [Message(uid, text) for uid, text in data.items()])]), data


class AnswerTest(HostileTest):
    """Answers of odd shapes."""

    def test_right_answers(self):
        def one(shape):
            server, data = answers_server()
            with server, hostile_mount(server, "refresh=60") as mount:
                server.on["FETCH"] = per_message(shape)
                if not is_exact(mount, data):
                    raise AssertionError({uid: attempt(read, path) == data[uid] for uid,
                                          path in mount.messages().items()})
                mount.remount()
                assert is_exact(mount, data), "after a remount"

        self.run_cases({name: lambda shape=shape: one(shape) for name, shape in RIGHT.items()})

    def test_wrong_answers(self):
        def one(shape):
            server, data = answers_server()
            with server, hostile_mount(server) as mount:
                server.on["FETCH"] = per_message(shape)
                for uid, path in mount.messages().items():
                    read_exact(path, data[uid])
                mount.remount()
                for uid, path in mount.messages().items():
                    read_exact(path, data[uid])
                expect_recovery(server, mount, data)

        self.run_cases({name: lambda shape=shape: one(shape) for name, shape in WRONG.items()})


def cut_server(size, points, tls="off"):
    """
    A server that breaks the connection within its answer for each message, at a point of its own:
    after so many bytes of the answer to each FETCH of it. Gives the server, {UID: bytes}, and
    {UID: {FETCH: how many bytes of its answer were sent}}.
    """
    data = {uid: letter(uid, size) for uid in range(1, len(points) + 1)}
    server = Server([Folder(b"INBOX", [Message(uid, text) for uid, text in data.items()])], tls=tls)
    sent = {uid: {} for uid in data}

    def hook(session, command):
        if b"BODY" not in command.line:
            return None
        uids = [message.uid for _, message, _ in session.asked(command)]
        answer = b"".join(session.answer(command))[:points[uids[0] - 1]]
        for uid in uids:
            sent[uid][command.line] = len(answer)
        session.close(answer)
        return None

    server.on["FETCH"] = hook
    return server, data, sent


class CutTest(HostileTest):
    """A connection that breaks at any byte of an answer: nothing short is read, nor kept."""

    def cut(self, size, points, tls):
        server, data, sent = cut_server(size, points, tls)
        with server, hostile_mount(server, "refresh=60", "connections=4") as mount:
            for uid, path in mount.messages().items():
                found = read_exact(path, data[uid])
                if not isinstance(found, OSError) and sum(sent[uid].values()) < len(data[uid]):
                    raise AssertionError(f"{path} was read, though the server never sent all of it")
            mount.remount()
            server.honest()
            for uid, path in mount.messages().items():
                if read(path) != data[uid]:
                    raise AssertionError(f"{path}: cut at {points[uid - 1]}: other bytes after a remount")

    def test_cut_at_many_points(self):
        small = list(range(0, 200, 2))
        long = [*range(0, 400, 20), *range(400, 70000, 7001), *range(65400, 65700, 30)]
        self.run_cases({f"{kind}, {tls}, part {part}": lambda size=size, points=points[part::3],
                        tls=tls: self.cut(size, points, tls)
                        for kind, size, points in (("short", 40, small), ("long", 200000, long))
                        for tls in ("off", "implicit")
                        for part in range(3)})
        hostilecase.cases_run += 2 * (len(small) + len(long)) - 12

    def test_cut_within_a_listing(self):
        def one(point):
            with honest_server() as server:
                install(server, "listing", lambda session,
                        command: session.close(b"".join(session.answer(command))[:point]))
                with hostile_mount(server) as mount:
                    attempt(os.listdir, mount / "INBOX")
                    server.honest()
                    mount.remount()
                    assert is_exact(mount, EXPECTED), mount.log()

        self.run_cases({f"a listing, cut at {point}": lambda point=point: one(point) for point in range(1, 240, 8)})

    def test_killed_in_the_middle(self):
        """The daemon dies while a literal arrives, or between two of its stretches."""
        def one(point):
            data = letter(1, 3000000)
            with Server([Folder(b"INBOX", [Message(1, data)])]) as server:
                sent, hung = [], []

                def hook(session, command):
                    answer = b"".join(session.answer(command))
                    sent.append(len(answer))
                    if b"TEXT" not in command.line or sum(sent) < point:
                        return [answer]
                    session.send(answer[:len(answer) // 2])
                    hung.append(command)
                    session.hang()
                    return None

                server.on["FETCH"] = hook
                with hostile_mount(server, "timeout=60") as mount:
                    reader = subprocess.Popen(["cat", mount.messages()[1]], stdout=subprocess.DEVNULL,
                                              stderr=subprocess.DEVNULL)
                    wait_for(lambda: hung, "the answer that stops")
                    mount.kill()
                    reader.wait(60)
                    server.honest()
                    mount.start()
                    assert read(mount.messages()[1]) == data

        self.run_cases({f"killed, {point} bytes in": lambda point=point: one(point)
                        for point in (1, 200000, 1000000, 2500000)})
