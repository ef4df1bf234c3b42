"""A server whose numbers make no sense: UIDs, UIDVALIDITY, UIDNEXT, EXISTS, and dates."""
import itertools
import os
import re

import hostilecase
from hostile import DATE, Folder, Message, Server, internal_date, literal
from hostilecase import HostileTest, attempt, expect_recovery, hostile_mount, install, is_exact, read_exact
from support import file_name, wait_for

setUpModule = hostilecase.set_up_module
tearDownModule = hostilecase.tear_down_module

NAME = re.compile(r"\d{8}-\d{6}-[1-9]\d*\.eml")


def letter(uid, edition=1):
    """A message like no other."""
    return b"Subject: letter %d\r\n\r\nedition %d\r\n" % (uid, edition)


def letters(*uids, edition=1):
    """Messages with these UIDs."""
    return [Message(uid, letter(uid, edition)) for uid in uids]


def expected(*uids, edition=1):
    """What they hold."""
    return {uid: letter(uid, edition) for uid in uids}


def expect(mount, wanted, what):
    """INBOX comes to have exactly these messages, under their right names."""
    wait_for(lambda: is_exact(mount, wanted),
             f"{what}: {sorted(wanted)}\n{attempt(os.listdir, mount / 'INBOX')}\n{mount.log()}", 20)
    names = sorted(os.listdir(mount / "INBOX"))
    if names != sorted(file_name(DATE, uid) for uid in wanted):
        raise AssertionError(f"{what}: {names}")


class UidTest(HostileTest):
    """UIDs that are twice there, in no order, 0, or too large."""

    def listing(self, lines, uids):
        """The server lists messages by these lines; what there is, is these."""
        with Server([Folder(b"INBOX", letters(*uids))]) as server:
            install(server, "listing", lambda session, command: [*lines, b"%s OK done\r\n" % command.tag])
            with hostile_mount(server) as mount:
                expect(mount, expected(*uids), "listed")
                mount.remount()
                expect(mount, expected(*uids), "listed after a remount")
                expect_recovery(server, mount, expected(*uids))

    def test_uids(self):
        def line(number, uid, size=None):
            return b'* %d FETCH (UID %s FLAGS () INTERNALDATE %s RFC822.SIZE %d)\r\n' % (
                number, uid if isinstance(uid, bytes) else b"%d" % uid, internal_date(DATE), len(letter(1))
                if size is None else size)

        top = (1 << 32) - 1
        self.run_cases({
            "twice": lambda: self.listing([line(1, 5), line(2, 5), line(3, 6), line(1, 5)], [5, 6]),
            "twice, with other sizes": lambda: self.listing([line(1, 5), line(2, 5, 99), line(3, 6), line(3, 6, 1)],
                                                            [5, 6]),
            "descending": lambda: self.listing([line(n, 100 - n) for n in range(1, 50)], range(51, 100)),
            "in no order": lambda: self.listing([line(n, n * 37 % 101) for n in range(1, 101)], range(1, 101)),
            "0": lambda: self.listing([line(1, 0), line(2, 5), line(3, b"00")], [5]),
            "beyond 32 bits": lambda: self.listing([line(1, 1 << 32), line(2, 5), line(3, (1 << 32) + 5),
                                                    line(4, 1 << 63), line(5, 1 << 64)], [5]),
            "no numbers": lambda: self.listing([line(1, b"x"), line(2, b"-5"), line(3, b'"6"'), line(4, b"NIL"),
                                                line(5, b"(7)"), line(6, 5)], [5]),
            "the highest": lambda: self.listing([line(1, 5), line(2, top)], [5, top]),
            "the number 0": lambda: self.listing([line(0, 5), line(0, 6)], [5, 6]),
            "one number for all": lambda: self.listing([line(1, 5), line(1, 6), line(1, 7)], [5, 6, 7]),
            "numbers beyond EXISTS": lambda: self.listing([line(4000000000, 5), line(1 << 63, 6)], [5, 6]),
            "in pieces": lambda: self.listing(
                [b"* 1 FETCH (UID 5 FLAGS ())\r\n", b"* 1 FETCH (UID 5 RFC822.SIZE %d)\r\n" % len(letter(5)),
                 b"* 1 FETCH (UID 5 INTERNALDATE %s)\r\n" % internal_date(DATE)], [5]),
        })


class ValidityTest(HostileTest):
    """UIDVALIDITY that is missing, or never the same; UIDNEXT and EXISTS that are wrong."""

    def test_uidvalidity(self):
        def one(first, second):
            """After it changed, or where there is none, other messages are not taken for those that were."""
            with Server([Folder(b"INBOX", letters(1, 2), uidvalidity=first)]) as server:
                with hostile_mount(server) as mount:
                    expect(mount, expected(1, 2), "at first")
                    server.folders[0].messages = letters(2, 3, edition=2)
                    server.folders[0].uidvalidity = second
                    server.drop()
                    mount.remount()
                    expect(mount, expected(2, 3, edition=2), "after the change")

        def while_mounted(first, second):
            """Without a UIDVALIDITY, the UIDs hold as long as the mount does."""
            there = first is not None and second is not None and 0 < first < 1 << 32
            after = (2, 3) if there else (3, 4)
            with Server([Folder(b"INBOX", letters(1, 2), uidvalidity=first)]) as server:
                with hostile_mount(server) as mount:
                    expect(mount, expected(1, 2), "at first")
                    server.folders[0].messages = letters(*after, edition=2)
                    server.folders[0].uidvalidity = second
                    server.drop()
                    expect(mount, expected(*after, edition=2), "after the change")

        pairs = {"1, then 2": (1, 2), "2, then 1": (2, 1), "none, then 1": (None, 1), "1, then none": (1, None),
                 "0, then 1": (0, 1),
                 "none": (None, None), "0": (0, 0), "2^32-1, then 1": ((1 << 32) - 1, 1),
                 "beyond 32 bits": (1 << 32, (1 << 32) + 1)}
        cases = {f"UIDVALIDITY {name}": lambda pair=pair: one(*pair) for name, pair in pairs.items()}
        cases.update({f"UIDVALIDITY {name}, while mounted": lambda pair=pair: while_mounted(*pair) for name,
                      pair in pairs.items()})
        self.run_cases(cases)

    def test_uidvalidity_of_every_selection(self):
        def one():
            numbers = itertools.count(5)
            with Server([Folder(b"INBOX", letters(1, 2, 3)), Folder(b"Other", letters(7))]) as server:
                def examine(session, command):
                    for folder in server.folders:
                        folder.uidvalidity = next(numbers)
                    return None
                server.on["EXAMINE"] = examine
                with hostile_mount(server, "connections=1") as mount:
                    for _ in range(5):
                        for folder, uids in ("INBOX", (1, 2, 3)), ("Other", (7,)):
                            messages = attempt(mount.messages, folder)
                            for uid, path in {} if isinstance(messages, OSError) else messages.items():
                                assert uid in uids
                                read_exact(path, letter(uid))
                    expect_recovery(server, mount, expected(1, 2, 3))

        self.run_cases({"another UIDVALIDITY in every EXAMINE": one})

    def test_numbers(self):
        def one(attribute, lie, capabilities, change):
            """A lie at first, or for ever; then mail comes and goes; then the truth."""
            with Server([Folder(b"INBOX", letters(1, 2, 3))], capabilities=capabilities) as server:
                folder = server.folders[0]
                truth = getattr(folder, "_uidnext" if attribute == "uidnext" else attribute)
                setattr(folder, attribute, lie)
                with hostile_mount(server) as mount:
                    attempt(mount.messages)
                    if change == "while it lies":
                        folder.messages = letters(2, 3, 4, 9)
                        expect_or_nothing(mount, attribute, lie)
                    setattr(folder, attribute, truth)
                    folder.messages = letters(3, 4, 9, 12)
                    mount.remount()
                    expect(mount, expected(3, 4, 9, 12), "by an honest server")

        def expect_or_nothing(mount, attribute, lie):
            """Where EXISTS says that there is nothing, there need not be anything."""
            if attribute == "exists" and lie == 0:
                attempt(mount.messages)
            else:
                expect(mount, expected(2, 3, 4, 9), "while it lies")

        lies = {"uidnext": (None, 0, 1, 2, 3, 100, (1 << 32) - 1, 1 << 32, 1 << 63),
                "exists": (0, 1, 2, 100, (1 << 32) - 1, 1 << 32, 1 << 63)}
        capabilities = {"": None, ", ESEARCH": b"IMAP4rev1 ESEARCH"}
        self.run_cases({f"{attribute} {lie}{name}, mail comes {change}": lambda args=(attribute, lie, caps,
                change): one(*args)
                        for attribute, values in lies.items() for lie in values for name, caps in capabilities.items()
                        for change in ("while it lies", "afterwards")})


class DateTest(HostileTest):
    """INTERNALDATE that is missing, or no date."""

    def test_dates(self):
        dates = [b'"01-Jan-1900 00:00:00 +0000"', b'"31-Dec-9999 23:59:59 +0000"', b'"01-Jan-0001 00:00:00 +0000"',
                 b'"00-Jan-0000 00:00:00 +0000"',
                 b'"31-Dec-9999 23:59:59 -2359"', b'"01-Jan-0000 00:00:00 +2359"', b'"29-Feb-2023 00:00:00 +0000"',
                 b'"01-Foo-2023 00:00:00 +0000"',
                 b'"99-Jan-2023 99:99:99 +9999"', b'"01-Jan-2023 00:00:60 +0000"', b'"1-Jan-2023 00:00:00 +0000"',
                 b'" 1-Jan-2023 00:00:00 +0000"',
                 b'"Mon, 01 Jan 2023 00:00:00 +0000"', b'"2023-01-01T00:00:00Z"', b'""', b"NIL", b"(1 2)",
                 b"17-Jul-1996", b'"../../etc/passwd"',
                 b'"01-Jan-99999999999 00:00:00 +0000"', literal(b"01-Jan-2023 00:00:00 +0000"), literal(b"\0\n"),
                 b'"01-Jan-1969 00:00:00 +0000"',
                 b'"19-Jan-2038 03:14:08 +0000"', b'"07-Feb-2106 06:28:16 +0000"', None]

        def one(date):
            with Server([Folder(b"INBOX", letters(1, 2))]) as server:
                server.folders[0].messages[0].date = date
                if date is None:
                    install(server, "listing", lambda session, command: [
                        re.sub(rb" INTERNALDATE \"[^\"]*\"", b"", line) for line in without_date(session, command)])
                with hostile_mount(server) as mount:
                    for _ in range(2):
                        names = os.listdir(mount / "INBOX")
                        assert len(names) == 2 and all(NAME.fullmatch(name) for name in names), names
                        assert is_exact(mount, expected(1, 2)), attempt(os.listdir, mount / "INBOX")
                        assert all(os.stat(mount / "INBOX" / name).st_mtime is not None for name in names)
                        mount.remount()

        def without_date(session, command):
            for message in session.server.folders[0].messages:
                message.date = internal_date(DATE)
            return session.answer(command)

        self.run_cases({f"INTERNALDATE {date}": lambda date=date: one(date) for date in dates})
