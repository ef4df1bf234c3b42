"""rounds: what is measured round by round, and the tables that it makes."""
import statistics
import time


class Rounds:
    """What was measured, {name: [a number each round]}; iterates over the rounds that there is time for."""

    def __init__(self, most, seconds, least=1):
        self.most = most
        self.least = least
        self.end = time.monotonic() + seconds
        self.samples = {}
        self.count = 0
        self.begun = 0
        self.took = 0  # the last round, seconds

    def fits(self, end):
        """Whether one more would be done by a time, or must be done in any case."""
        return self.count < self.least or time.monotonic() + self.took <= end

    def begin_round(self):
        """Only for those who don't iterate, as end_round()."""
        self.begun = time.monotonic()

    def end_round(self):
        """A round is done."""
        self.count += 1
        self.took = time.monotonic() - self.begun

    def __iter__(self):
        while self.count < self.most and self.fits(self.end):
            self.begin_round()
            yield self.count
            self.end_round()

    def add(self, name, value):
        """One number of this round."""
        self.samples.setdefault(name, []).append(value)

    def median(self, name):
        """Of all rounds; None where there is no number."""
        values = [value for value in self.samples.get(name, []) if value is not None]
        return statistics.median(values) if values else None

    def ratio(self, name, *others):
        """The median of each round's ratio to the sum of others."""
        pairs = zip(self.samples[name], *(self.samples[other] for other in others))
        return statistics.median(mine / sum(theirs) for mine, *theirs in pairs)


def text(value, form):
    """A cell."""
    return value if isinstance(value, str) else "-" if value is None else format(value, form)


def table(title, head, rows):
    """Lines of text; rows of strings, the first column to the left."""
    rows = [head] + rows
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    lines = ["  ".join(cell.ljust(width) if not column else cell.rjust(width)
                       for column, (cell, width) in enumerate(zip(row, widths))).rstrip() for row in rows]
    return [title, *("  " + line for line in lines), ""]
