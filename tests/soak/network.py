"""network: a TCP relay on loopback that does to a connection what networks do, whatever is said by it
(TLS too): it is slow, cuts, stalls, swallows, refuses, and falsifies bytes.
"""
import random
import socket
import threading
import time

# What it can do, until clear():
DELAY = "delay"            # each piece is held for so many seconds
TRICKLE = "trickle"        # what is sent comes in pieces of a few bytes; the first of each
CUT = "cut"                # each connection ends after so many bytes more of the server's
STALL = "stall"            # nothing passes; it does later
BLACK_HOLE = "black hole"  # what is sent is gone, and so is all that follows it by that connection
REFUSE = "refuse"          # no connection is taken; those that there are go on
CORRUPT = "corrupt"        # after so many bytes of the server's, one is changed: once in each connection

TRICKLED = 600  # bytes of a piece that trickle


class Link:
    """One connection, as two sockets."""

    def __init__(self, client, server):
        self.client, self.server = client, server
        self.swallowed = False
        self.left = None  # bytes until it is cut, or one of them is changed; None: not yet counted
        for one in (client, server):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def end(self):
        """Both sides see its end."""
        for one in (self.client, self.server):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class Network:
    """
    The relay; listens at .port until the with statement ends. .connections are those that were
    made, .corrupted is when a byte was last changed.
    """

    def __init__(self, server_port):
        self.mode, self.amount = None, 0
        self.connections = 0
        self.corrupted = float("-inf")
        self._server_port = server_port
        self._lock = threading.Lock()
        self._links = set()
        self._closing = False
        self._listener = None
        self.port = 0
        self._listen()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._closing = True
        self._deaf()
        self.cut()

    def begin(self, mode, amount=0):
        """From now on it does this."""
        for link in self._all():
            link.left = None
        self.mode, self.amount = mode, amount
        if mode == REFUSE:
            self._deaf()

    def clear(self):
        """It is well again; what was swallowed is not heard of any more."""
        self.mode = None
        if self._listener is None:
            self._listen()

    def cut(self):
        """Ends all connections at once."""
        for link in self._all():
            link.end()

    def _all(self):
        with self._lock:
            return list(self._links)

    def _listen(self):
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=64)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def _deaf(self):
        listener, self._listener = self._listener, None
        if listener:
            try:
                listener.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            listener.close()

    def _accept(self, listener):
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        try:
            server = socket.create_connection(("127.0.0.1", self._server_port))
        except OSError:
            client.close()
            return
        link = Link(client, server)
        with self._lock:
            self._links.add(link)
            self.connections += 1
        back = threading.Thread(target=self._pass, args=(link, server, client), daemon=True)
        back.start()
        self._pass(link, client, server)
        back.join()
        with self._lock:
            self._links.discard(link)
        client.close()
        server.close()

    def _pass(self, link, source, target):
        try:
            while data := source.recv(65536):
                while self.mode == STALL and not self._closing:
                    time.sleep(0.01)
                if not self._treat(link, data, target, source is link.server):
                    break
        except OSError:
            pass
        link.end()

    def _treat(self, link, data, target, from_server):
        """Sends a piece on, as the mode wants it; whether the connection goes on."""
        mode, amount = self.mode, self.amount
        link.swallowed = link.swallowed or mode == BLACK_HOLE
        if link.swallowed:
            return True
        if mode == DELAY:
            time.sleep(amount)
        elif mode == TRICKLE:
            data = self._trickle(data, target)
        elif mode == CUT and from_server:
            if self._counted(link, data) is not None:
                target.sendall(data[:link.left])
                return False
        elif mode == CORRUPT and from_server:
            at = self._counted(link, data)
            if at is not None:
                data = data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1:]
                link.left = 1 << 40
                self.corrupted = time.monotonic()
        target.sendall(data)
        return True

    def _counted(self, link, data):
        """Where in this piece the so many bytes end; None: behind it."""
        link.left = self.amount if link.left is None else link.left
        if link.left < len(data):
            return link.left
        link.left -= len(data)
        return None

    @staticmethod
    def _trickle(data, target):
        """Sends the first bytes few by few; returns the others."""
        at = 0
        while at < min(len(data), TRICKLED):
            count = random.randrange(1, 40)
            target.sendall(data[at:at + count])
            at += count
            time.sleep(0.001)
        return data[at:]
