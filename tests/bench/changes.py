"""changes: how long it takes to change a mailbox by shell tools, over a link of 50 ms and 100 Mbit/s."""
import statistics
import time

import bed
import mailboxes
from rounds import table, text

DELAY, RATE = 50, 100


def users(rounds):
    """One for each round, since a mailbox is not what it was afterwards."""
    return [f"changed{number}" for number in range(rounds)]


class Clock:
    """Notes of a change: seconds until the command returned and until the server had done all, and the link's."""

    def __init__(self, rounds, link, mount):
        self.rounds = rounds
        self.link = link
        self.mount = mount

    def measure(self, name, command, *folders):
        """Runs a command, and then sync of what it changed."""
        self.link.count()
        seconds, _ = bed.timed(command)
        begin = time.monotonic()
        bed.timed(["sync", *(self.mount / folder for folder in folders)])
        self.rounds.add(name, seconds)
        self.rounds.add((name, "all"), seconds + time.monotonic() - begin)
        self.rounds.add((name, "link"), self.link.count())


def one_round(bench, rounds, user):
    """All of them, in a mailbox of their own."""
    count = bench.size["changed"]
    mail = mailboxes.small(bench.server.directory, user, count)
    bed.raw_list(bed.Link(bench.port, 0, 0), user, mail)
    with bed.Link(bench.port, DELAY, RATE) as link, bed.Mount(bench.server, link, user) as mount:
        clock = Clock(rounds, link, mount)
        paths = sorted(mount.messages().values())
        clock.measure("rm", ["rm", *paths], "INBOX")
        with bench.server.mailbox(user, bed.PASSWORD) as mailbox:
            bed.expect("messages after rm", len(mailbox.uids("INBOX")), 0)


def changes(bench, rounds):
    """A row for each."""
    for number in rounds:
        one_round(bench, rounds, users(number + 1)[number])
    rows = []
    for name, what in (("rm", f"rm of {bench.size['changed']:,} messages"),):
        down, up, turns = map(statistics.median, zip(*rounds.samples[(name, "link")]))
        rows.append([what, *(text(rounds.median(key), ".2f") for key in (name, (name, "all"))),
                     *(text(n / 1000, ",.1f") for n in (down, up)), text(turns, ".0f"), str(rounds.count)])
    return table(f"changes: {RATE} Mbit/s, RTT {DELAY} ms: seconds",
                 ["", "command", "with sync", "kB down", "kB up", "turns", "rounds"], rows)
