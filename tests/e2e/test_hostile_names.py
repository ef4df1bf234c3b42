"""A server whose folders have names that lead out, lead astray, or are no names."""
import os
import re
import unicodedata

import hostilecase
from hostile import Folder, Message, Server, literal, quoted
from hostilecase import HostileTest, hostile_mount, install, read
from support import MountFailed, run

setUpModule = hostilecase.set_up_module
tearDownModule = hostilecase.tear_down_module

LEADING_OUT = [b"../../etc", b"/etc/passwd", b"..", b".", b"../..", b"/", b"//", b"///", b"a//b", b"a/", b"a/../../b",
               b"./x", b"x/.",
               b"x/..", b"~", b"~root", b"/tmp/pullmail-was-here", b"../../../../../../tmp/pullmail-was-here", b"-rf",
               b"--help",
               b"C:\\x", b"..\\..\\etc"]
CONTROL = [b"line\nfeed", b"\r\n", b"a\r\nA1 OK done\r\n", b"\x1b[31mred", b"tab\there", b"\x7f", b"\x01", b"bell\x07",
           b"\xc2\x85",
           b"\xc2\x9b31m", b"&ABs-[31m", b"&AAo-", b"&AI8-"]
ENCODED = [b"&AC8-", b"&AC8-etc&AC8-passwd", b"&AC4ALg-", b"&AAA-", b"&AGE-", b"&-", b"&", b"a&b", b"&Jjo", b"&Jjo-!",
           b"&2D0-", b"&3AA-",
           b"&2D3cqQ-", b"&!!!-", b"&AA-", b"&AOk-", b"\xc3\xa9", b"e&AwE-", b"&AOkA6Q-", b"&AOk-&AOk-", b"&MMYwuTDI-",
           b"%", b"%%", b"%2F", b"%2f", b"%00", b"%~", b"%~0123456789abcdef", b"%2E%2E", b"100%", b"*", b"a*b?[c]",
           b"{5}", b'a"b',
           b"a\\b", b"\\", b'"', b"(", b"NIL", b"nil"]
BROKEN = [b"\xc3(", b"\x80", b"\xf0\x9f\x92", b"\xed\xa0\x80", b"\xc0\xaf..\xc0\xaf", b"\xf4\x90\x80\x80", b"a\xe9b"]
LONG = [b"x" * 255, b"x" * 256, b"x" * 300, b"x" * 299 + b"y", b"%" * 200, b"\x01" * 100, b"\x01" * 99 + b"\x02",
        "é".encode() * 150,
        "é".encode() * 149 + b"ee", "\U0001f600".encode() * 80, b"/".join([b"y" * 255] * 12), b"/".join([b"z"] * 60)]
OURS = [b"20261122-190507-17.eml", b"INBOX/20240229-123456-1.eml", b".pullmail", b".headers", b".parts", b".search",
        b".pullmail/status",
        b"INBOX/.headers", b"INBOX/.pullmail", b"INBOX/..", b"status", b"index.db", b"content.db"]
ALIKE = [b"INBOX", b"Inbox2", b"INBOX/INBOX", b"inbox/x", b"Ann", b"ann", b"caf&AOk-", b"cafe&AwE-", b"caf\xc3\xa9"]
NAMES = LEADING_OUT + CONTROL + ENCODED + BROKEN + LONG + OURS + ALIKE

UNTELLABLE = [b"", b"\xff", b"a\xfeb", b"n\0ul", b"w" * 5000, b"w" * 70000]  # is said, and not shown


def content_of(name):
    """What only the folder of that name has in it."""
    return b"Subject: %s\r\n\r\n" % name.hex().encode()


def folder_of(name, **keywords):
    """A folder with one message, which tells the name."""
    return Folder(name, [Message(1, content_of(name))], **keywords)


def what_is_there(mount):
    """{content: path} of all that a walk finds; no name may be harmful, and no content there twice."""
    found = {}
    for place, folders, files in os.walk(os.fsencode(mount.point), onerror=_raise):
        for name in folders + files:
            text = name.decode()  # is UTF-8
            if any(unicodedata.category(character) == "Cc" for character in text) or len(name) > 255:
                raise AssertionError(f"a harmful name: {name!r}")
        for name in files:
            path = os.path.join(place, name)
            content = read(path)
            if content in found:
                raise AssertionError(f"{path} and {found[content]} are the same")
            found[content] = path
    return found


def _raise(error):
    raise error


def check_tree(server, names, tolerated=()):
    """All these folders, and no others but perhaps the tolerated, are there, each with its own message."""
    with hostile_mount(server, "timeout=20", "refresh=60") as mount:
        if isinstance(mount, MountFailed):
            raise AssertionError(mount.log)
        found = what_is_there(mount)
        wanted = {content_of(name): name for name in names}
        missing = [name for content, name in wanted.items() if content not in found]
        more = found.keys() - wanted.keys() - {content_of(name) for name in tolerated}
        if missing or more:
            raise AssertionError(f"missing: {missing}\nmore: {more}\nfound: {found}\n{mount.log()}")
        copy = mount.folder / "cache" / "copy"
        run("cp", "-r", mount.point, copy)
        copied = sum(len(files) for _, _, files in os.walk(copy))
        run("rm", "-r", copy)
        if copied != len(found):
            raise AssertionError(f"cp -r found {copied} files, not {len(found)}")
        mount.remount()
        if what_is_there(mount).keys() != found.keys():
            raise AssertionError("another tree after the remount")


def ends_level(name, delimiter):
    """Whether the name says "a/": a directory "a", which is no folder."""
    separator = delimiter[-2:-1] if delimiter.endswith(b'"') else delimiter
    ends = (b"&", b"&-") if separator == b"&" else (separator,)
    return len(name) > 1 and name.endswith(ends)


def as_string(name):
    """A name as LIST tells it: sometimes quoted, sometimes a literal."""
    return literal(name) if re.search(rb"[\r\n\0]", name) or len(name) % 2 else quoted(name)


def listing_of(names, delimiter):
    """A hook of LIST."""
    return lambda session, command: [b"* LIST () %s %s\r\n" % (delimiter, as_string(name)) for name in names] + [
        command.tag + b" OK done\r\n"]


class NamesTest(HostileTest):
    """Whatever the name: it leads nowhere else, and it leads back to that very folder."""

    def one(self, names, delimiter=b'"/"', capabilities=None, untellable=()):
        """A case: a server with these folders."""
        server = Server([folder_of(name, delimiter=delimiter) for name in names], capabilities=capabilities)
        with server:
            install(server, "LIST", listing_of([*names, *untellable], delimiter))
            ends = [name for name in names if ends_level(name, delimiter)]
            check_tree(server, [name for name in names if name not in ends], ends)

    def test_each_name_alone(self):
        names = [name for name in NAMES if name != b"INBOX"]
        cases = {repr(name[:40]): lambda name=name: self.one([b"INBOX", name]) for name in names}
        self.run_cases(cases)

    def test_all_names_at_once(self):
        utf8 = b"IMAP4rev2 LITERAL-"
        self.run_cases({
            "modified UTF-7": lambda: self.one(NAMES, untellable=UNTELLABLE),
            "no delimiter": lambda: self.one(NAMES, b"NIL", untellable=UNTELLABLE),
            "a dot": lambda: self.one([name for name in NAMES if name.count(b".") < 20], b'"."'),
            "UTF-8": lambda: self.one(NAMES, capabilities=utf8, untellable=UNTELLABLE),
            "literals": lambda: self.one(NAMES, capabilities=b"IMAP4rev1 LITERAL+", untellable=UNTELLABLE),
        })

    def test_strange_delimiters(self):
        names = [b"INBOX", b"a/b", b"a.b", b"a\\b", b'a"b', b"a%b", b"a*b", b"a&b", b"a&-b", b"a-b", b"a b", b"ab",
                 b"a\x01b", b"a\xe9b",
                 b"&AOk-&AOk-", b"..", b"x.x..x", b"-", b"--", b"&-", b"&-&-"]
        delimiters = [b'"\\\\"', b'"\\""', b'"%"', b'"*"', b'"&"', b'"-"', b'" "', b'"ab"', b'""', b'"\x01"',
                      b'"\xe9"', b"{1}\r\n\n", b"{1}\r\n\r",
                      b"{1}\r\n\0", b"(a)", b"nil", b"x", b"{2}\r\n\r\n"]
        self.run_cases({repr(delimiter): lambda delimiter=delimiter: self.one(names, delimiter)
                        for delimiter in delimiters})

    def test_names_that_are_told_twice(self):
        def twice():
            with Server([folder_of(name) for name in (b"INBOX", b"a", b"b/c")]) as server:
                install(server, "LIST", listing_of([b"INBOX", b"a", b"b/c", b"a", b"inbox", b"b/c", b"b/c/", b"b/",
                                                    b"InBoX"], b'"/"'))
                check_tree(server, [b"INBOX", b"a", b"b/c"])

        def in_lower_case():
            with Server([folder_of(b"INBOX"), folder_of(b"x")]) as server:
                install(server, "LIST", listing_of([b"inbox", b"x"], b'"/"'))
                check_tree(server, [b"INBOX", b"x"])

        def two_delimiters():
            with Server([folder_of(b"INBOX"), folder_of(b"a/b.c"), folder_of(b"a.b/c"), folder_of(b"a")]) as server:
                lines = [b'* LIST () "/" INBOX\r\n', b'* LIST () "/" a/b.c\r\n', b'* LIST () "." a.b/c\r\n',
                         b'* LIST () "." a\r\n']
                install(server, "LIST", lambda session, command: lines + [command.tag + b" OK\r\n"])
                check_tree(server, [b"INBOX", b"a/b.c", b"a.b/c", b"a"])

        self.run_cases({"twice": twice, "inbox": in_lower_case, "two delimiters": two_delimiters})
