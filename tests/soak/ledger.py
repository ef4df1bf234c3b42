"""ledger: the accounts of what was done to each letter: where it may be, and where it must be."""
import contextlib
import itertools
import threading

BEFORE = 30  # seconds ahead of a silence in which what is put into the mount may be on its way yet


class Letter:
    """
    allowed: the places where it may be, each the sorted names of the folders that hold it (one that
    holds it twice, twice). One place alone: that is where it is.
    """

    def __init__(self, number, allowed, silences):
        self.number = number
        self.allowed = allowed
        self.stored = None   # when it was put into the mount, and where
        self.home = None
        self._silences = silences
        self.path = None     # in the mount, where a call gave it a name
        self.here = False    # the mount's own doing has put it where it is: it must show it so at once
        self.moved = False   # the mount may yet be at it: the server may have it elsewhere
        self.busy = False
        self.changed = 0     # the moment of the last change's begin or end

    @property
    def folder(self):
        """The one folder where it is, once; None: it is not that simple."""
        if self.maybe_twice:
            return None
        place = next(iter(self.allowed)) if len(self.allowed) == 1 else ()
        return place[0] if len(place) == 1 else None


    @property
    def maybe_twice(self):
        """
        Whether it was on its way to a server that was silent for longer than timeout=: who gave up may find
        nothing there, send it again, and the server store it twice when it goes on.
        """
        return self.stored is not None and any(begin - BEFORE < self.stored < end for begin, end in self._silences)

    def may_be(self, place):
        """Whether it may be there."""
        if not self.maybe_twice:
            return place in self.allowed
        homes = {folder for one in self.allowed for folder in one} | {self.home}
        return set(place) <= homes and (place != () or () in self.allowed)


class Ledger:
    """All letters, by number. Any thread. silences: [begin, end] of the server's, as time.monotonic() has it."""

    def __init__(self):
        self.letters = {}
        self.silences = []
        self._lock = threading.Lock()
        self._moments = itertools.count(1)

    def now(self):
        """This moment, for untouched()."""
        return next(self._moments)

    def add(self, place):
        """A new one, which is there already or comes to be: a place, or () where it is in nobody's hands yet."""
        with self._lock:
            letter = Letter(len(self.letters), {place}, self.silences)
            letter.changed = self.now()
            letter.busy = place == ()
            self.letters[letter.number] = letter
        return letter

    def known(self):
        """A copy that others do not change."""
        with self._lock:
            return list(self.letters.values())

    def claim(self, number):
        """The letter, which is the caller's until release(); None: it is somebody else's."""
        with self._lock:
            letter = self.letters[number]
            if letter.busy:
                return None
            letter.busy = True
            return letter

    def release(self, letter):
        """Others may have it."""
        letter.busy = False

    @contextlib.contextmanager
    def change(self, letter, *after):
        """
        While the with statement lasts, the claimed letter may be where it was or in one of the places
        `after`; at its end, unless it raises, in one of these alone.
        """
        letter.changed = self.now()
        letter.here = False
        letter.allowed = letter.allowed | set(after)
        try:
            yield
            letter.allowed = set(after)
        finally:
            letter.changed = self.now()

    def untouched(self, number, since):
        """Whether nothing was done to it since then: it is known where it is."""
        letter = self.letters.get(number)
        return letter is None or (not letter.busy and letter.changed < since)

    def there(self, number, since):
        """Whether it must be where it was then."""
        letter = self.letters.get(number)
        return self.untouched(number, since) and (letter is None or (len(letter.allowed) == 1 and () not in letter.allowed))

    def mismatch(self, places):
        """What must not be, by {number: place}; None: all is as it must be."""
        wrong = [f"letter {letter.number} is in {places.get(letter.number, ())}, may be in {sorted(letter.allowed)}"
                 for letter in self.known() if not letter.may_be(places.get(letter.number, ()))]
        return "; ".join(wrong[:5]) or None
