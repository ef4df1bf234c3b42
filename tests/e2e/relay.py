"""relay: a TCP relay on loopback between a mount and its server, that does what networks and bad
servers do: it cuts connections in the middle of an answer, falls silent, and changes what the
server said. The mount goes through it by imap:// and tls=off, so that what passes can be read.
"""
import re
import socket
import threading


class Relay:
    """
    Listens until the with statement ends. Its members may be set at any time:

    edit       bytes -> bytes, of each line that the server sends
    cut_after  so many bytes of the server's are let through in each connection, then it is cut
    cut_from   these bytes are counted from the first line on that has this in it
    hang       what would be cut becomes silent instead
    silent     while True, nothing is let through in either direction
    hold       of a client's line that has this in it, and of what follows it, nothing is let through

    .said is what clients said, what was held too: a bytearray for each connection; .held is set once
    something was held.
    """

    def __init__(self, port, edit=None):
        self.edit = edit or (lambda line: line)
        self.cut_after = None
        self.cut_from = b""
        self.hang = False
        self.silent = False
        self.hold = None
        self.held = threading.Event()
        self.said = []
        self.connections = 0
        self._server_port = port
        self._closing = False
        self._sockets = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._closing = True
        self._listener.close()
        self.cut()

    def url(self, user="ann", scheme="imap"):
        """The URL that mounts the server through this."""
        return f"{scheme}://{user}@localhost:{self.port}/"

    def cut(self):
        """Ends all connections at once."""
        self._end(*self._sockets)

    @staticmethod
    def _end(*sockets):
        for one in sockets:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self._server_port))
            except OSError:
                client.close()
                continue
            self.connections += 1
            for one in (client, server):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._sockets.append(one)
            self.said.append(bytearray())
            threading.Thread(target=self._to_server, args=(client, server, self.said[-1]), daemon=True).start()
            threading.Thread(target=self._to_client, args=(client, server), daemon=True).start()

    def _wait(self):
        while self.silent and not self._closing:
            threading.Event().wait(0.02)

    def _to_server(self, client, server, said):
        holding = False
        try:
            while data := client.recv(65536):
                self._wait()
                begin = len(said)
                said.extend(data)
                found = self.hold and re.compile(rb"^.*" + re.escape(self.hold), re.MULTILINE).search(said, begin)
                if not holding:
                    server.sendall(data[:found.start() - begin] if found else data)
                if found:
                    holding = True
                    self.held.set()
        except OSError:
            pass
        self._end(client, server)

    def _to_client(self, client, server):
        passed = None  # nothing is counted yet
        try:
            for piece in self._pieces(server):
                self._wait()
                if passed is None and self.cut_from in piece:
                    passed = 0
                if passed is not None and self.cut_after is not None and passed + len(piece) > self.cut_after:
                    client.sendall(piece[:max(self.cut_after - passed, 0)])
                    self.silent |= self.hang
                    self._wait()
                    break
                client.sendall(piece)
                passed = passed + len(piece) if passed is not None else None
        except OSError:
            pass
        self._end(client, server)

    def _pieces(self, server):
        """The server's lines, edited, and its literals, as they are."""
        stream = server.makefile("rb")
        while line := stream.readline():
            yield self.edit(line)
            literal = re.search(rb"\{(\d+)\}\r\n$", line)
            left = int(literal[1]) if literal else 0
            while left:
                data = stream.read1(min(left, 65536))
                if not data:
                    return
                left -= len(data)
                yield data
