"""changes: how long it takes to change a mailbox by shell tools, over a link of 50 ms and 100 Mbit/s."""
import statistics
import time

import bed
import mailboxes
from rounds import table, text

DELAY, RATE = 50, 100
FOLDERS = "Moved", "Raw", "Copied"


def users(rounds):
    """One for each round, since a mailbox is not what it was afterwards."""
    return [f"changed{number}" for number in range(rounds)]


class Clock:
    """Notes of a change: seconds until the command returned and until the server had done all, and the link's."""

    def __init__(self, bench, rounds, link, user):
        self.bench = bench
        self.rounds = rounds
        self.link = link
        self.user = user
        self.mount = None

    def measure(self, name, command, *folders):
        """Runs a command, and then sync of what it changed."""
        self.link.count()
        seconds, _ = bed.timed(command)
        begin = time.monotonic()
        bed.timed(["sync", *(self.mount / folder for folder in folders)])
        self.note(name, seconds, seconds + time.monotonic() - begin)

    def note(self, name, seconds, total):
        """What was measured, since the last count of the link."""
        self.rounds.add(name, seconds)
        self.rounds.add((name, "all"), total)
        self.rounds.add((name, "link"), self.link.count())

    def expect(self, count, folder):
        """So many messages must be there now, for another client."""
        with self.bench.server.mailbox(self.user, bed.PASSWORD) as mailbox:
            bed.expect(f"messages in {folder}", len(mailbox.uids(folder)), count)


def messages(folder, count):
    """Makes files, with line ends as the server has them; returns paths and the sum of their bytes."""
    writer = mailboxes.Writer(4)
    paths = []
    for number in range(count):
        date = mailboxes.FIRST_DAY + number * 1800
        paths.append(folder / f"{number:05}.eml")
        data = writer.message(number, date, "text", writer.random.uniform(300, 10000)).replace(b"\n", b"\r\n")
        paths[-1].write_bytes(data)
    return paths, sum(path.stat().st_size for path in paths)


def raw(clock, files):
    """The limit of copying in."""
    clock.link.count()
    seconds = bed.raw_append(clock.link, clock.user, "Raw", files)
    clock.note("raw", seconds, seconds)


def earn_trust(mount):
    """Reads the messages, so that the server's sizes are known to be true, and nothing is left to be read ahead."""
    bed.timed(["cat", *mount.messages().values()])


def move_and_remove(clock, count):
    """All of a folder to another one by one command, and then for good."""
    clock.measure("mv", ["mv", *sorted(clock.mount.messages().values()), clock.mount / "Moved"], "INBOX", "Moved")
    clock.expect(0, "INBOX")
    clock.expect(count, "Moved")
    clock.measure("rm", ["rm", *sorted((clock.mount / "Moved").iterdir())], "Moved")
    clock.expect(0, "Moved")


def copy_in(clock, files):
    """The files of a local folder."""
    clock.measure("cp", ["cp", *files, clock.mount / "Copied"], "Copied")
    clock.expect(len(files), "Copied")


def copy_within(clock, count):
    """A folder that the mount has not read, of a server whose sizes have been found true."""
    (clock.mount / "Raw").stat()
    clock.measure("cp -r", ["cp", "-r", clock.mount / "Raw", clock.mount / "Again"], "Again")
    clock.expect(count, "Again")


def one_round(bench, rounds, user):
    """All of them, in a mailbox of their own; returns how many bytes were copied."""
    count = bench.size["changed"]
    mail = mailboxes.small(bench.server.directory, user, count)
    with bench.server.mailbox(user, bed.PASSWORD) as mailbox:
        for folder in FOLDERS:
            mailbox.create(folder)
    bed.raw_list(bed.Link(bench.port, 0, 0), user, mail)
    with bed.scratch() as folder, bed.Link(bench.port, DELAY, RATE) as link:
        clock = Clock(bench, rounds, link, user)
        files, size = messages(folder, bench.size["copied"])
        raw(clock, files)
        with bed.Mount(bench.server, link, user) as clock.mount:
            earn_trust(clock.mount)
            move_and_remove(clock, count)
            copy_in(clock, files)
            copy_within(clock, len(files))
    return size


def changes(bench, rounds):
    """A row for each."""
    size = 0
    for number in rounds:
        size = one_round(bench, rounds, users(number + 1)[number])
    changed, copied = bench.size["changed"], bench.size["copied"]
    rows = []
    for name, what in (("rm", f"rm of {changed:,} messages"), ("mv", f"mv of {changed:,} messages to a folder"),
                       ("raw", f"raw: APPEND of {copied:,} files, {size / 1000:,.0f} kB"),
                       ("cp", "cp of these into the mount"), ("cp -r", "cp -r of these within the mount")):
        down, up, turns = map(statistics.median, zip(*rounds.samples[(name, "link")]))
        rows.append([what, *(text(rounds.median(key), ".2f") for key in (name, (name, "all"))),
                     text(rounds.ratio((name, "all"), "raw") if name in ("raw", "cp") else None, ".2f"),
                     *(text(n / 1000, ",.1f") for n in (down, up)), text(turns, ".0f"), str(rounds.count)])
    return table(f"changes: {RATE} Mbit/s, RTT {DELAY} ms: seconds",
                 ["", "command", "with sync", "/ raw", "kB down", "kB up", "turns", "rounds"], rows)
