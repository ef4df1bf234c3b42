"""adversary: who makes the faults, one after the other, with a rest in between: of the network, of the
server, and of the mount itself."""
import contextlib
import os
import random
import signal
import threading
import time

import network
from cutting import kill_sessions, lives
from faults import family, frozen
from support import MountFailed

STARTS = 60  # seconds in which a mount must begin


class Adversary(threading.Thread):
    """Until the soak is over; then all is well again."""

    def __init__(self, soak):
        super().__init__(name="Adversary", daemon=True)
        self.soak = soak
        self.moments = random.Random(f"{soak.seed} adversary")

    def run(self):
        try:
            while not self.rest():
                self.one()
        except BaseException as failure:
            self.soak.fail(self.name, failure)

    def rest(self):
        """Some peace; now and then for so long that nothing has an excuse. Whether the soak is over."""
        long = self.moments.random() < 0.06
        return self.soak.over.wait(4 * self.soak.timeout if long else 0.1 + 2 * self.moments.random())

    def one(self):
        """One fault."""
        self.moments.choice([self.cut] * 3 + [self.network] * 8 + [self.freeze] * 2 + [self.kill_sessions] * 2 +
                            [self.stop, self.crash, self.kill] + [self.end_mount] * (self.moments.random() < 0.3))()

    # --- the network's ---

    def cut(self):
        """All connections end, some times."""
        with self.soak.trouble("cuts"):
            for _ in range(self.moments.choice((1, 1, 2, 5))):
                self.soak.network.cut()
                self.soak.over.wait(self.moments.random() * 0.5)

    def network(self):
        """It does something for a while."""
        seconds = self.moments.choice((0.3, 1, 3, self.soak.timeout + 2))
        mode, amount = self.moments.choice([
            (network.DELAY, self.moments.choice((0.01, 0.05, 0.3))), (network.TRICKLE, 0),
            (network.CUT, int(10 ** (1 + 4 * self.moments.random()))), (network.CUT, self.moments.randrange(3000)),
            (network.STALL, 0), (network.BLACK_HOLE, 0), (network.REFUSE, 0)]
            + [(network.CORRUPT, int(10 ** (1 + 4 * self.moments.random())))] * self.soak.tls)
        with self.soak.trouble(f"{mode}, {amount:g}, for {seconds} s"), \
                self.soak.silence(seconds if mode == network.STALL else 0):
            self.soak.network.begin(mode, amount)
            if mode == network.REFUSE:
                self.soak.network.cut()
            self.soak.over.wait(seconds)
            self.soak.network.clear()

    # --- the server's ---

    def freeze(self):
        """It says nothing."""
        seconds = self.moments.choice((0.5, 2, self.soak.timeout + 2))
        with self.soak.server_lock, self.soak.trouble("freezes"), self.soak.silence(seconds), frozen(self.soak.server):
            self.soak.over.wait(seconds)

    def kill_sessions(self):
        """Its sessions end, in the midst of what they do."""
        with self.soak.server_lock, self.soak.trouble("server's sessions killed"):
            kill_sessions(self.soak.server)

    def stop(self):
        """It is stopped, and started."""
        with self.soak.server_lock, self.soak.trouble("server restarts"):
            self.soak.server.stop()
            self.away()

    def crash(self):
        """It is killed, and started."""
        with self.soak.server_lock, self.soak.trouble("server crashes"):
            processes = family(int((self.soak.server.directory / "home/run/master.pid").read_text()))
            for one in processes:
                with contextlib.suppress(OSError):
                    os.kill(one, signal.SIGKILL)
            while any(map(lives, processes)):
                time.sleep(0.02)
            (self.soak.server.directory / "home/run/master.pid").unlink(missing_ok=True)
            for lock in (self.soak.server.directory / "mail").rglob("*.lock"):
                lock.unlink(missing_ok=True)
            self.away()

    def away(self):
        """There is no server for a while."""
        self.soak.server_down.set()
        self.soak.over.wait(self.moments.choice((0, 1, self.soak.timeout + 1)))
        self.soak.server_down.clear()
        time.sleep(0.05)  # who drops letters is done
        self.soak.server.start()

    # --- the mount's ---

    def kill(self):
        """kill -9 of the daemon; another one mounts, at the same place, with the same cache."""
        with self.soak.trouble("mount killed"):
            self.soak.slay(self.bury())
            self.revive()

    def end_mount(self):
        """SIGTERM, which it must obey, with 0."""
        with self.soak.trouble("mount ended"):
            self.bury()
            self.soak.mount.signal(signal.SIGTERM)
            status = self.soak.mount.wait_end(2 * self.soak.limit)
            if status != 0:
                self.soak.discrepancy(f"the daemon ended with {status} on SIGTERM")
            self.soak.mount.clear_away()
            self.revive()

    def bury(self):
        """From now on what fails does so because there is no mount. Returns whose life it was."""
        life = self.soak.life
        self.soak.up.clear()
        self.soak.life += 1
        return life

    def revive(self):
        """Mounts again; a server that has to end many sessions may turn one away yet."""
        end = time.monotonic() + STARTS
        while True:
            try:
                self.soak.mount.start()
                break
            except MountFailed as failure:
                self.soak.tell(f"no mount: {failure}")
                if time.monotonic() > end:
                    raise
                time.sleep(0.2)
        self.soak.up.set()
