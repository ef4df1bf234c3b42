"""sampler: looks at the daemon once a second: its memory and its open files must not grow."""
import collections
import os
import pathlib
import re
import threading
import time

Sample = collections.namedtuple("Sample", "life rss files")

WARM = 10        # samples of a daemon that do not count: it gets to know the mailbox
FEWEST = 20      # of one whose halves are compared
RSS_SLACK = 6 << 20  # bytes: the mailbox may have become larger, and a cache within the process with it
FILES_SLACK = 12     # even where few are being stored, as each takes some; and connections


class Sampler(threading.Thread):
    """Samples until the soak is over."""

    def __init__(self, soak):
        super().__init__(name="Sampler", daemon=True)
        self.soak = soak
        self.samples = []
        self.counts_files = True

    def run(self):
        while not self.soak.over.wait(1):
            life = self.soak.life
            if not self.soak.up.is_set():
                continue
            try:
                self.sample(life)
            except OSError as error:
                if life == self.soak.life:
                    self.soak.fail(self.name, error)
            except BaseException as failure:
                self.soak.fail(self.name, failure)

    def sample(self, life):
        """Now. The status is read too, which never waits."""
        begin = time.monotonic()
        self.soak.watch.call(life, self.soak.mount.status)
        if time.monotonic() - begin > self.soak.limit / 2 and life == self.soak.life:
            self.soak.discrepancy(f"to read the status took {time.monotonic() - begin:.1f} s")
        process = pathlib.Path(f"/proc/{self.soak.mount.pid}")
        rss = int(re.search(r"VmRSS:\s+(\d+) kB", (process / "status").read_text())[1]) << 10
        self.samples.append(Sample(life, rss, self.count_files(process / "fd")))

    def count_files(self, folder):
        """The daemon hides them from all but root, as it does its memory; then they are not compared."""
        try:
            return len(os.listdir(folder))
        except PermissionError:
            self.counts_files = False
            return 0

    def lives(self):
        """The samples of each daemon that lived long enough."""
        found = collections.defaultdict(list)
        for sample in self.samples:
            found[sample.life].append(sample)
        return [life[WARM:] for life in found.values() if len(life) >= WARM + FEWEST]

    def check(self):
        """The second half of each life is like its first."""
        for life in self.lives():
            first, second = life[:len(life) // 2], life[len(life) // 2:]
            for what, slack, extreme in (("rss", RSS_SLACK, max), ("files", FILES_SLACK, min)):
                before, after = (extreme(getattr(sample, what) for sample in half) for half in (first, second))
                if after > before + slack:
                    self.soak.discrepancy(f"{what} of the daemon of life {life[0].life}: {before}, and then {after}")

    def summary(self):
        """The first and the last, and the most of all."""
        lives = self.lives() or [self.samples[-1:]] if self.samples else []
        unseen = [] if self.counts_files else ["  open files were not compared: that takes root"]
        return unseen + [f"  daemon {life[0].life:3}: {len(life)} samples, MB {life[0].rss / 1e6:.1f} … {life[-1].rss / 1e6:.1f}, "
                f"most {max(s.rss for s in life) / 1e6:.1f}; files {life[0].files} … {life[-1].files}, "
                f"most {max(s.files for s in life)}" for life in lives]
