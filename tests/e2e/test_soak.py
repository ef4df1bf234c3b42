"""A short soak, always the same one (see tests/soak/soak.py); and what its network does."""
import contextlib
import shutil
import socket
import socketserver
import sys
import threading
import time
import unittest

from support import ROOT, temporary_folder, wait_for

sys.path.insert(0, str(ROOT / "tests/soak"))
import network  # noqa: E402
from soak import Soak  # noqa: E402

MUCH = bytes(range(256)) * 40


class Echo(socketserver.ThreadingTCPServer):
    """A server that says what it hears."""

    daemon_threads = True

    class Handler(socketserver.BaseRequestHandler):
        """One connection."""

        def handle(self):
            with contextlib.suppress(OSError):
                while data := self.request.recv(65536):
                    self.request.sendall(data)

    def __init__(self):
        super().__init__(("127.0.0.1", 0), self.Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()


class NetworkTest(unittest.TestCase):
    """Each of its faults, as a client sees it."""

    def setUp(self):
        self.server = Echo()
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)
        self.network = network.Network(self.server.server_address[1])
        self.addCleanup(self.network.__exit__)
        self.client = self.connect()

    def connect(self):
        """A client."""
        client = socket.create_connection(("127.0.0.1", self.network.port))
        client.settimeout(30)
        self.addCleanup(client.close)
        return client

    def heard(self, count, client=None):
        """So many bytes; fewer, where the connection ends."""
        found = b""
        with contextlib.suppress(ConnectionError):
            while len(found) < count and (data := (client or self.client).recv(count - len(found))):
                found += data
        return found

    def echo(self, data=MUCH):
        """What comes back of something."""
        self.client.sendall(data)
        return self.heard(len(data))

    def silent(self, client):
        """Whether nothing comes."""
        client.settimeout(0.2)
        try:
            client.recv(1)
            return False
        except TimeoutError:
            return True
        finally:
            client.settimeout(30)

    def test_well(self):
        self.assertEqual(self.echo(), MUCH)
        self.assertEqual(self.network.connections, 1)

    def test_slow(self):
        for mode, amount in ((network.DELAY, 0.01), (network.TRICKLE, 0)):
            self.network.begin(mode, amount)
            self.assertEqual(self.echo(), MUCH)

    def test_cut(self):
        for count in (0, 1, 5000):
            self.network.begin(network.CUT, count)
            self.assertEqual(self.echo(), MUCH[:count])
            self.network.clear()
            self.client = self.connect()
            self.assertEqual(self.echo(), MUCH)
        self.network.cut()
        self.assertEqual(self.heard(1), b"")

    def test_stall(self):
        self.network.begin(network.STALL)
        self.client.sendall(b"abc")
        self.assertTrue(self.silent(self.client))
        self.network.clear()
        self.assertEqual(self.heard(3), b"abc")

    def test_black_hole(self):
        self.network.begin(network.BLACK_HOLE)
        self.client.sendall(b"abc")
        self.assertTrue(self.silent(self.client))
        self.network.clear()
        self.client.sendall(b"def")
        self.assertTrue(self.silent(self.client))
        self.client = self.connect()
        self.assertEqual(self.echo(), MUCH)

    def test_refuse(self):
        self.assertEqual(self.echo(b"abc"), b"abc")
        self.network.begin(network.REFUSE)
        self.assertRaises(ConnectionRefusedError, self.connect)
        self.assertEqual(self.echo(b"abc"), b"abc")
        self.network.clear()
        self.client = self.connect()
        self.assertEqual(self.echo(b"abc"), b"abc")

    def test_corrupt(self):
        self.network.begin(network.CORRUPT, 300)
        found = self.echo()
        self.assertEqual([at for at, byte in enumerate(found) if byte != MUCH[at]], [300])
        self.assertEqual(self.echo(), MUCH)
        self.assertLess(time.monotonic() - self.network.corrupted, 60)

    def test_no_server(self):
        self.server.shutdown()
        self.server.server_close()
        client = self.connect()
        wait_for(lambda: self.heard(1, client) == b"", "the end of the connection")


class SoakTest(unittest.TestCase):

    def test_short(self):
        kept = temporary_folder()
        self.addCleanup(shutil.rmtree, kept)
        # However busy the machine is: how long anything takes is for the long one.
        soak = Soak("short", 12, kept, slack=60)
        try:
            soak.run()
        except Exception:
            for name in ("events", f"daemon-{soak.mount.started}.log"):
                print(name, (kept / name).read_text(errors="replace")[-5000:], sep="\n")
            raise
        print("\n".join(f"# {line}" for line in soak.summary().splitlines()))
        for what in ("reads", "listings", "deliveries", "deletions", "rm", "mv", "cp in"):
            self.assertGreater(soak.totals[what], 5, what)


if __name__ == "__main__":
    unittest.main()
