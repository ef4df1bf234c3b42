"""pop3mount: mounts by POP3, and what servers really hold."""
import os
import re
import urllib.parse

from poptool import Maildrop
from support import Mount, Server

SUFFIX = ".eml"


def messages_at(point):
    """{unique-id: path} of a mount's messages."""
    found = {}
    for name in os.listdir(point / "INBOX"):
        if not name.endswith(SUFFIX):
            raise AssertionError(f"a name that is no message's: {name!r}")
        found[urllib.parse.unquote(name[:-len(SUFFIX)], "latin-1")] = point / "INBOX" / name
    return found


class Pop3Mount(Mount):
    """A mount of a server's maildrop, by pop3s:// where the server has a port for it."""

    def __init__(self, server, *options, url=None, **keywords):
        url = url or (server.url("pop3s") if isinstance(server, Server) else server.url())
        super().__init__(server, *options, url=url, **keywords)

    def messages(self, folder="INBOX"):
        """{unique-id: path}; there is no other folder."""
        return messages_at(self.point)


class Dovecot(Server):
    """A private Dovecot, as its POP3 side shows it."""

    def __init__(self, *options, rawlog=False):
        super().__init__(*options, rawlog=rawlog)

    def held(self, user="ann"):
        """{unique-id: bytes} of what is there, by a session of the test's own."""
        with Maildrop(self.ports["pop3s"], user, ca=self.ca) as maildrop:
            return maildrop.fetch_all()


def commands(said):
    """What a relay's client said in one session, as names."""
    return [line.split(b" ")[0].decode("ascii", "replace").upper() for line in re.split(rb"\r?\n", bytes(said)) if line]
