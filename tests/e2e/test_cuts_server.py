"""kill -9 of the server's processes at every step of rm, mv and cp, in a loop: nothing is lost, nothing is
there twice, nothing is there by half, and what a call returned 0 for is done."""
import contextlib
import unittest

from cutcase import RECOVERY, CopyIn, CopyWithin, CutCase, Move, Remove
from cutting import PARTS, kill_sessions
from support import MountFailed, wait_for


class ServerTest(CutCase):
    """The server's processes are killed, every third time twice; the mount goes on."""

    def kill(self):
        """All of them."""
        kill_sessions(self.server)

    def start(self):
        """Mounts, if the server is back: Dovecot may drop connections for a while after its processes died."""
        with contextlib.suppress(MountFailed):
            return self.mount.start()

    def round(self, change, at, moments):
        for step in at if moments.random() < 1 / 3 else ():
            at = {**at, step + moments.randrange(1, RECOVERY): moments.choice(PARTS)}
        self.steps.arm(at, self.kill)
        steps = self.act(change)
        self.done = self.steps.done
        self.steps.disarm()
        if at and not self.done:
            self.kill()
        self.connect()
        self.settle(change)
        for number, folders in self.refill().items():
            change.allowed[number] = {folders}
        self.mount.stop()
        wait_for(self.start, "a mount")
        self.settle(change)
        return steps

    def test_rm(self):
        self.cut_in_a_loop(Remove, 26)

    def test_mv(self):
        self.cut_in_a_loop(Move, 32)

    def test_cp(self):
        self.cut_in_a_loop(CopyIn, 10)

    def test_cp_within(self):
        self.cut_in_a_loop(CopyWithin, 10)


if __name__ == "__main__":
    unittest.main()
