"""kill -9 of the daemon at every step of rm, mv and cp, in a loop: nothing is lost, nothing is there twice,
nothing is there by half, and what a call returned 0 for is done, or is done by the next mount."""
import signal
import unittest

from cutcase import FOLDERS, RECOVERY, CopyIn, CopyWithin, CutCase, Move, Remove, Rename
from cutting import NO_DAEMON, PARTS
from faults import attempt
from removing import fsync
from support import MountFailed, wait_for


class DaemonTest(CutCase):
    """The daemon is killed; every third time the one that comes next is killed too."""

    ENDS = NO_DAEMON

    def kill(self):
        """At once; the rest of its end is seen to later."""
        self.mount.signal(signal.SIGKILL)

    def round(self, change, at, moments):
        self.steps.arm(at, self.kill)
        steps = self.act(change)
        self.done = self.steps.done
        self.steps.disarm()
        self.mount.kill()
        for number, folders in self.refill().items():
            change.allowed[number] = {folders} if folders else change.when_removed(number)
        if at and moments.random() < 1 / 3:
            self.steps.arm({moments.randrange(RECOVERY): moments.choice(PARTS)}, self.kill)
            try:
                self.mount.start()
                for folder in FOLDERS:
                    attempt(fsync, self.mount / folder)
            except MountFailed:
                pass
            self.done = self.done + self.steps.done
            self.steps.disarm()
            self.mount.kill()
        wait_for(self.starts, "a mount")
        self.settle(change)
        return steps

    def starts(self):
        """Whether it is mounted now. A server that had so many sessions cut off may turn one away yet."""
        try:
            self.mount.start()
        except MountFailed:
            self.mount.kill()
            return False
        return True

    def test_rm(self):
        self.cut_in_a_loop(Remove, 34)

    def test_mv(self):
        self.cut_in_a_loop(Move, 40)

    def test_mv_within(self):
        self.cut_in_a_loop(Rename, 12)

    def test_cp(self):
        self.cut_in_a_loop(CopyIn, 30)

    def test_cp_within(self):
        self.cut_in_a_loop(CopyWithin, 30)


if __name__ == "__main__":
    unittest.main()
