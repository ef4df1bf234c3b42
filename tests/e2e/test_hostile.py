"""A server that says what makes no sense, fails, or falls silent, at every stage up to the list of folders."""
import hostilecase
from hostilecase import STAGES, HostileTest, ahead, run_stage

setUpModule = hostilecase.set_up_module
tearDownModule = hostilecase.tear_down_module

GARBAGE = {
    "an empty line": b"\r\n",
    "a bare LF": b"\n",
    "a bare CR": b"\r",
    "many CRs": b"* OK a\rb\r\r\r\r\n",
    "a NUL": b"* OK \0 here\r\n",
    "NULs alone": b"\0" * 4096,
    "8-bit": b"* OK \x80\xff\xfe\xc3\x28 \xf0\x9f\x92\r\n",
    "8-bit name": b"* \xff\xfe\r\n",
    "escapes": b"* NO [ALERT] \x1b]0;title\x07\x1b[2J\xc2\x9b31m\r\n",
    "another protocol": b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "no name": b"* \r\n",
    "a star": b"*\r\n",
    "a wrong tag": b"X17 OK done\r\n",
    "a tag of later": b"A4711 OK done\r\n",
    "a tag of later, NO": b"A12 NO never asked\r\n",
    "a continuation": b"+ go on\r\n",
    "many continuations": b"+ \r\n" * 1000,
    "a continuation of nothing": b"+\r\n",
    "a broken code": b"* OK [UIDVALIDITY\r\n",
    "a code of parentheses": b"* OK [" + b"(" * 10000 + b"\r\n",
    "nested, unknown": b"* WHATEVER " + b"(" * 10000 + b")" * 10000 + b"\r\n",
    "nested, LIST": b"* LIST " + b"(" * 10000 + b")" * 10000 + b' "/" x\r\n',
    "nested, FETCH": b"* 1 FETCH " + b"(" * 10000 + b")" * 10000 + b"\r\n",
    "nested, NAMESPACE": b"* NAMESPACE " + b"(" * 10000 + b")" * 10000 + b" NIL NIL\r\n",
    "closed too often": b"* LIST () )))) \"/\" x\r\n",
    "not closed": b"* 1 FETCH (UID 3 FLAGS (\\Seen\r\n",
    "an open quote": b"* LIST () \"/\" \"abc\r\n",
    "EXISTS, huge": b"* 4294967295 EXISTS\r\n",
    "EXISTS, beyond 64 bits": b"* 99999999999999999999 EXISTS\r\n",
    "EXISTS, negative": b"* -1 EXISTS\r\n",
    "EXISTS, without a number": b"* EXISTS\r\n",
    "EXISTS, shrinking": b"".join(b"* %d EXISTS\r\n" % n for n in range(100, -1, -1)),
    "EXISTS, flooding": b"* 1 EXISTS\r\n* 0 EXISTS\r\n" * 5000,
    "EXPUNGE 0": b"* 0 EXPUNGE\r\n",
    "EXPUNGE of none": b"* 4711 EXPUNGE\r\n" * 100,
    "RECENT, huge": b"* 18446744073709551615 RECENT\r\n",
    "FETCH of nothing": b"* 1 FETCH\r\n",
    "FETCH, empty": b"* 1 FETCH ()\r\n",
    "FETCH, an odd list": b"* 1 FETCH (UID)\r\n",
    "FETCH 0": b"* 0 FETCH (UID 0 FLAGS (\\Seen))\r\n",
    "FETCH, huge numbers": b"* %d FETCH (UID %d RFC822.SIZE %d)\r\n" % ((2**64 - 1,) * 3),
    "FETCH, a list for BODY": b"* 1 FETCH (UID 3 BODY[HEADER] (a b) BODY[TEXT] (c))\r\n",
    "FETCH, NIL for all": b"* 1 FETCH (UID NIL FLAGS NIL INTERNALDATE NIL RFC822.SIZE NIL)\r\n",
    "FETCH, an unknown item": b"* 1 FETCH (UID 3 X-WHAT (a \"b\" {3}\r\nxyz) FLAGS (\\Seen))\r\n",
    "FETCH, an open section": b"* 1 FETCH (UID 3 BODY[HEADER {3}\r\nabc)\r\n",
    "a body unasked": b"* 9 FETCH (UID 9 BODY[HEADER] {4}\r\nevil BODY[TEXT] {4}\r\nevil BODY[] {8}\r\nevilevil)\r\n",
    "VANISHED of one": b"* VANISHED 4711\r\n",
    "VANISHED without a set": b"* VANISHED\r\n",
    "VANISHED, no set": b"* VANISHED (EARLIER) 1:,,2:x\r\n",
    "a search result": b"* SEARCH 1 2 3 4294967296 0\r\n",
    "a search result without end": b"* ESEARCH (TAG \"A1\") UID ALL 1:4294967295\r\n",
    "no capabilities": b"* CAPABILITY\r\n",
    "capabilities of anything": b"* CAPABILITY IMAP4rev1 QRESYNC CONDSTORE UTF8=ACCEPT LITERAL+ AUTH=\r\n",
    "a quota of nonsense": b"* QUOTA \"\" (STORAGE 18446744073709551615 18446744073709551615 MESSAGE 9 0)\r\n",
    "PREAUTH": b"* PREAUTH come in\r\n",
    "a namespace of nonsense": b"* NAMESPACE ((\"../\" \"/\")) ((\"/etc/\" NIL)) ((\"*\" \"%\"))\r\n",
    "ID, an odd list": b"* ID (\"name\")\r\n",
    "ENABLED of anything": b"* ENABLED QRESYNC UTF8=ACCEPT X\r\n",
    "STATUS": b"* STATUS INBOX (MESSAGES 18446744073709551616)\r\n",
    "LIST without a name": b"* LIST ()\r\n",
    "LIST, an empty name": b'* LIST () "/" ""\r\n',
    "LIST, NIL": b"* LIST NIL NIL NIL\r\n",
    "LIST, a list as name": b'* LIST () "/" (a b)\r\n',
    "a negative literal": b'* LIST () "/" {-1}\r\n',
    "a literal of nothing": b'* LIST () "/" {}\r\n',
    "a literal of 0": b'* LIST () "/" {0}\r\n\r\n',
    "a literal in a literal's place": b"* {5}\r\nhello\r\n",
}

# The answer itself is replaced.
ENDS = {
    "BYE, close": lambda session, command: session.close(b"* BYE enough\r\n"),
    "BYE, silence": lambda session, command: (session.send(b"* BYE enough\r\n"), session.hang()),
    "close": lambda session, command: session.close(),
    "half a line": lambda session, command: session.close(b"* 1 FET"),
    "half a literal": lambda session, command: session.close(b"* 1 FETCH (UID 3 BODY[HEADER] {100}\r\nSubject: cut"),
    "silence": lambda session, command: session.hang(),
    "half a line, silence": lambda session, command: (session.send(b"* 1 FETCH (UID"), session.hang()),
    "NO": lambda session, command: command.tag + b" NO not now\r\n" if command else b"* NO not now\r\n",
    "BAD": lambda session, command: command.tag + b" BAD what\r\n" if command else b"* BAD what\r\n",
    "OK too early": lambda session, command: [b"%s OK done\r\n" % command.tag] + session.answer(command)[:-1]
                    if command else b"* OK\r\n",
    "OK twice": lambda session, command: session.answer(command) + [b"%s OK done\r\n" % command.tag]
                if command else b"* OK\r\n* OK\r\n",
    "OK to nothing": lambda session, command: b"%s OK done\r\n" % command.tag if command else b"A1 OK\r\n",
    "NO, UNAVAILABLE": lambda session, command: command.tag + b" NO [UNAVAILABLE] later\r\n" if command
    else b"* BYE\r\n",
    "PREAUTH as an answer": lambda session, command: command.tag + b" PREAUTH x\r\n" if command else b"* PREAUTH x\r\n",
}


class GarbageTest(HostileTest):
    """Each stage up to the list of folders, with each piece of garbage; test_hostile_later has the others."""

    def test_garbage_ahead_of_an_answer(self):
        self.run_cases({f"{name}, ahead of {stage}": lambda stage=stage, text=text: run_stage(stage, ahead(text))
                        for name, text in GARBAGE.items() for stage in STAGES[:4]})

    def test_answers_that_fail(self):
        self.run_cases({f"{name}, for {stage}": lambda stage=stage, hook=hook: run_stage(stage, hook)
                        for name, hook in ENDS.items() for stage in STAGES[:4]}, 16)

    def test_silence_elsewhere(self):
        self.run_cases({f"silence, for {stage}": lambda stage=stage: run_stage(stage, ENDS["silence"])
                        for stage in ("connect", "ID", "NAMESPACE", "LOGOUT")}, 4)
