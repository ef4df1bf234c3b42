"""poptool: what the demo and the tests do with a POP3 server, by Python's own poplib, so that pullmail
is compared with somebody else's idea of POP3."""
import poplib
import ssl


class Maildrop:
    """
    A session, which ends with QUIT when the with statement ends without a failure. ca: the file of an
    authority's certificate; without one there is no TLS. stls: by STLS instead of from the first byte.
    """

    def __init__(self, port, user="ann", password="pass", ca=None, stls=False):
        context = ssl.create_default_context(cafile=str(ca)) if ca else None
        if ca and not stls:
            self.pop = poplib.POP3_SSL("localhost", port, context=context, timeout=60)
        else:
            self.pop = poplib.POP3("localhost", port, timeout=60)
        if stls:
            self.pop.stls(context)
        self.pop.user(user)
        self.pop.pass_(password)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            self.pop.quit()
        else:
            self.pop.close()

    def unique_ids(self):
        """{number: unique-id} of all messages."""
        lines = self.pop.uidl()[1]
        return {int(number): name.decode("latin-1") for number, name in (line.split(b" ", 1) for line in lines)}

    def sizes(self):
        """{number: size} as LIST tells it."""
        return {int(number): int(size) for number, size in map(bytes.split, self.pop.list()[1])}

    def fetch(self, number):
        """A message's bytes. poplib would take the line ends away, and refuse lines that are long."""
        self.pop._shortcmd(f"RETR {number}")
        lines = []
        while (line := self.pop.file.readline()) != b".\r\n":
            if not line:
                raise EOFError("the server broke off")
            lines.append(line[1:] if line.startswith(b".") else line)
        return b"".join(lines)

    def fetch_all(self):
        """{unique-id: bytes} of all messages."""
        return {name: self.fetch(number) for number, name in self.unique_ids().items()}

    def remove(self, *names):
        """Marks the messages of these unique-ids as deleted."""
        for number, name in self.unique_ids().items():
            if name in names:
                self.pop.dele(number)
