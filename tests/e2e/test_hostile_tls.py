"""Nobody gets a login name or a password who has not shown by TLS that he is the server; and what is said ahead
of TLS, or in a login, is not believed for the asking."""
import base64
import re
import socket
import ssl

import hostilecase
from hostile import Certificates, Folder, Message, Scram, Server
from hostilecase import HostileTest, attempt, hostile_mount, is_exact, read
from support import MountFailed, wait_for

setUpModule = hostilecase.set_up_module
tearDownModule = hostilecase.tear_down_module

USER, PASSWORD = "Annabella", "seventy-Seagulls"
MESSAGES = {1: b"Subject: private\r\n\r\nfor one reader alone\r\n"}
# What may be said in clear; the client's hello of TLS is in clear too.
CLEAR = re.compile(rb"(A\d+ (CAPABILITY|STARTTLS|LOGOUT|NOOP)\r\n)*(\x16\x03.*)?", re.DOTALL)


def tell_tales(text):
    """What of a secret could be seen: itself, and its inner part in base64, wherever that begins."""
    raw = text.encode()
    yield raw.lower()
    for start in range(3):
        yield base64.b64encode(b"\0" * start + raw)[4:-4].lower()


def check_secrecy(server, mount):
    """Not one byte was sent that tells of user or password, and nothing but harmless words in clear."""
    sent = bytes(server.clear + server.private)
    for secret in (USER, PASSWORD):
        for tale in tell_tales(secret):
            assert tale not in sent.lower(), f"the client said {sent!r}"
    assert not {"LOGIN", "AUTHENTICATE"} & set(server.names()), server.names()
    assert CLEAR.fullmatch(server.clear), f"in clear the client said {bytes(server.clear)!r}"
    check_log(mount)


def check_log(mount):
    """The password is in no log."""
    log = mount.log if isinstance(mount, MountFailed) else mount.log()
    assert PASSWORD not in log and base64.b64encode(PASSWORD.encode()).decode() not in log, log


def private_server(**keywords):
    """A server with one message."""
    return Server([Folder(b"INBOX", [Message(uid, data) for uid, data in MESSAGES.items()])], **keywords)


def mount_of(server, *options, **keywords):
    """A mount by the user whose name and password are to be kept."""
    keywords.setdefault("url", server.url(user=USER))
    return hostile_mount(server, *options, password=PASSWORD, **keywords)


def refused(server, says, *options, **keywords):
    """The mount is refused, by these words, before anything was given away."""
    with server, mount_of(server, *options, **keywords) as mount:
        assert isinstance(mount, MountFailed), f"it was mounted; commands: {server.names()}"
        assert re.search(says, mount.log, re.IGNORECASE), f"{mount.log} does not say {says}"
        check_secrecy(server, mount)


def works(server, *options, **keywords):
    """All is well after all."""
    with server, mount_of(server, *options, **keywords) as mount:
        assert not isinstance(mount, MountFailed), mount.log
        assert is_exact(mount, MESSAGES)
        assert CLEAR.fullmatch(server.clear), f"in clear the client said {bytes(server.clear)!r}"
        check_log(mount)


def in_clear(said, then=None):
    """A hook that answers in clear, with the tag filled in; then does something more."""
    def hook(session, command):
        session.send(said.replace(b"TAG", command.tag if command else b"A1"))
        if then:
            then(session)
        session.hang()
    return hook


def hooked(tls, **hooks):
    """A private server with hooks."""
    server = private_server(tls=tls)
    server.on.update({"greeting" if name == "greeting" else name: hook for name, hook in hooks.items()})
    return server


CERTIFICATES = {"self-signed": "certificate.*cafile=|cafile=.*certificate",
                "unknown": "certificate.*cafile=|cafile=.*certificate",
                "expired": "expired", "wrong-name": "localhost"}


class CertificateTest(HostileTest):
    """Whom the client believes."""

    def test_certificates(self):
        cases = {f"{name}, {tls}": lambda name=name, tls=tls,
                 says=says: refused(private_server(tls=tls, certificate=name), says, arguments=["-d"])
                 for name, says in CERTIFICATES.items() for tls in ("implicit", "starttls")}
        for tls in ("implicit", "starttls"):
            cases[f"good, {tls}"] = lambda tls=tls: works(private_server(tls=tls), arguments=["-d"])
            cases[f"for another name of the same machine, {tls}"] = lambda tls=tls: (lambda server: refused(
                server, "127.0.0.1", url=server.url(user=USER, host="127.0.0.1")))(private_server(tls=tls))
        self.run_cases(cases)

    def test_pinned(self):
        """A pin is as good as an issuer, for that certificate alone."""
        pins = {(name, kind): Certificates.get().fingerprint(name, kind)
                for name in CERTIFICATES | {"good": ""} for kind in ("certificate", "key")}
        cases = {f"{name} by its {kind}, {tls}": lambda name=name, pin=pin, tls=tls: works(
                     private_server(tls=tls, certificate=name), f"pin={pin}", arguments=["-d"])
                 for (name, kind), pin in pins.items() for tls in ("implicit", "starttls")}
        # A certificate of a trusted authority's too, where it is not the one.
        cases |= {f"{name}, not self-signed": lambda name=name: refused(
                      private_server(tls="implicit", certificate=name), "not the one that pin= names",
                      f"pin={pins['self-signed', 'key']}", arguments=["-d"])
                  for name in ("good", "unknown", "expired", "wrong-name")}
        self.run_cases(cases)

    def test_another_certificate_later(self):
        """The first connection was good; the next, in the middle of things, is to somebody else."""
        def refuses(server, paths):
            """Nothing can be read; whether that is for the certificate, by now, not for the break."""
            for path in paths:
                assert isinstance(attempt(read, path), OSError)
            return server.handshake_errors

        def one(tls, name):
            with private_server(tls=tls) as server, mount_of(server, arguments=["-d"]) as mount:
                paths = mount.messages()
                server.certificate = name
                server.drop()
                wait_for(lambda: refuses(server, paths.values()), "the refusal of the certificate")
                assert not server.confided[name], server.confided[name]
                assert CLEAR.fullmatch(server.clear), f"in clear the client said {bytes(server.clear)!r}"
                server.certificate = "good"
                wait_for(lambda: is_exact(mount, MESSAGES), "the mail, by the right server again")
                check_log(mount)

        self.run_cases({f"{name} later, {tls}": lambda tls=tls, name=name: one(tls, name)
                        for name in CERTIFICATES for tls in ("implicit", "starttls")})

    def test_versions(self):
        def old(session, _):
            context = session.server.context()
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = ssl.TLSVersion.TLSv1_1
            context.set_ciphers("ALL:@SECLEVEL=0")
            session.server.context = lambda certificate=None: context

        def no_tls(session, _):
            session.send(b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] come in\r\n")
            session.hang()

        def junk(session, _):
            session.send(b"\x16\x03\x03\xff\xff" + b"\xff" * 70000)
            session.hang()

        self.run_cases({
            "TLS 1.1": lambda: refused(hooked("implicit", connect=old), "TLS"),
            "clear text where TLS should be": lambda: refused(hooked("implicit", connect=no_tls), "TLS"),
            "junk where TLS should be": lambda: refused(hooked("implicit", connect=junk), "TLS"),
            "silence where TLS should be": lambda: refused(hooked("implicit", connect=lambda session,
                    _: session.hang()), "TLS|answer", "timeout=2"),
            "an end where TLS should be": lambda: refused(hooked("implicit", connect=lambda session,
                    _: session.close()), "closed|TLS"),
        })


class StartTlsTest(HostileTest):
    """What a man in the middle may do to STARTTLS."""

    def test_stripped(self):
        def capabilities(text):
            return lambda session, command: b"* CAPABILITY " + text + b"\r\n" + command.tag + b" OK done\r\n"

        says = "STARTTLS|TLS"
        words = {"without STARTTLS": b"IMAP4rev1",
                 "with AUTH instead": b"IMAP4rev1 AUTH=PLAIN AUTH=SCRAM-SHA-256 SASL-IR",
                 "nothing at all": b"", "with another case of it": b"IMAP4rev1 XSTARTTLS STARTTLSX AUTH=STARTTLS"}
        cases = {f"capabilities {name}": lambda text=text: refused(hooked("starttls", CAPABILITY=capabilities(text)),
                says)
                 for name, text in words.items()}
        cases["in the greeting"] = lambda: refused(hooked(
            "starttls", greeting=lambda session, _: b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hello\r\n"), says)
        cases["PREAUTH"] = lambda: refused(hooked("starttls", greeting=lambda session, _: b"* PREAUTH come in\r\n"),
                                           "TLS")
        cases["PREAUTH with STARTTLS"] = lambda: refused(hooked(
            "starttls", greeting=lambda session, _: b"* PREAUTH [CAPABILITY IMAP4rev1 STARTTLS] come in\r\n"), "TLS")
        cases["BYE with a referral"] = lambda: refused(hooked(
            "starttls", greeting=lambda session, _: b"* BYE [REFERRAL imap://localhost:1/] go there\r\n"), "go there")
        self.run_cases(cases)

    def test_refused(self):
        answers = {"NO": b"TAG NO not here\r\n", "BAD": b"TAG BAD what?\r\n", "BYE": b"* BYE no TLS today\r\n",
                   "silence": b"", "a wrong tag": b"B9 OK\r\n",
                   "a continuation": b"+ login first\r\n", "PREAUTH": b"* PREAUTH\r\n",
                   "OK without TLS": b"TAG OK begin\r\n",
                   "OK, and a greeting": b"TAG OK begin\r\n* OK hello\r\n",
                   "OK to all": b"TAG OK\r\nA3 OK\r\nA4 OK\r\nA5 OK\r\n"}
        self.run_cases({f"STARTTLS, {name}": lambda text=text: refused(hooked("starttls", STARTTLS=in_clear(text)),
                ".", "timeout=2")
                        for name, text in answers.items()}, 10)

    def test_continuations_in_clear(self):
        self.run_cases({f"+ at {stage}": lambda stage=stage: refused(
            hooked("starttls", **{stage: in_clear(b"* OK hi\r\n" * (stage == "greeting") +
                                                  b"+ \r\n+ your name?\r\n+ AA==\r\n")}), ".", "timeout=2")
            for stage in ("greeting", "CAPABILITY", "STARTTLS")})

    def test_injected(self):
        """Clear text behind the OK: in the same segment, and on its own before the handshake answers."""
        texts = {"capabilities": b"* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n", "a tagged OK": b"A3 OK done\r\n",
                 "a byte": b"x", "an LF": b"\n",
                 "half a line": b"* CAPA", "an untagged OK": b"* OK\r\n", "a literal": b"* LIST () \"/\" {100000}\r\n",
                 "much": b"* OK x\r\n" * 20000}

        def together(text):
            def hook(session, command):
                session.send(command.tag + b" OK begin\r\n" + text)
                session.start_tls()
                return b""
            return hook

        def apart(text):
            def hook(session, command):
                session.send(command.tag + b" OK begin\r\n")
                session.send(text)
                session.start_tls()
                return b""
            return hook

        def into_the_handshake(text):
            def hook(session, command):
                session.send(command.tag + b" OK begin\r\n")
                session.sock.recv(5, socket.MSG_PEEK | socket.MSG_WAITALL)
                session.send(text)
                session.start_tls()
                return b""
            return hook

        self.run_cases({f"{name}, {how.__name__}": lambda text=text, how=how: refused(
            hooked("starttls", STARTTLS=how(text)), "TLS", "timeout=3")
            for name, text in texts.items() for how in (together, apart, into_the_handshake)}, 8)

    def test_what_was_said_in_clear_is_forgotten(self):
        def by_phase(clear, private):
            return lambda session: private if session.secure else clear

        def said_ahead(session, command):
            session.send(b"* CAPABILITY IMAP4rev1 AUTH=PLAIN LITERAL+ QRESYNC\r\n* ENABLED QRESYNC\r\n" + command.tag +
                         b" OK begin\r\n")
            session.start_tls()
            return b""

        self.run_cases({
            "AUTH=PLAIN in clear, LOGINDISABLED under TLS": lambda: refused(private_server(
                tls="starttls", capabilities=by_phase(b"IMAP4rev1 STARTTLS AUTH=PLAIN SASL-IR",
                                                      b"IMAP4rev1 LOGINDISABLED")), "LOGINDISABLED"),
            "AUTH=PLAIN in clear, AUTH=ANONYMOUS under TLS": lambda: refused(private_server(
                tls="starttls", capabilities=by_phase(b"IMAP4rev1 STARTTLS AUTH=PLAIN SASL-IR",
                                                      b"IMAP4rev1 LOGINDISABLED AUTH=ANONYMOUS")), "ANONYMOUS"),
            "LOGINDISABLED in clear alone": lambda: works(private_server(
                tls="starttls", capabilities=by_phase(b"IMAP4rev1 STARTTLS LOGINDISABLED", b"IMAP4rev1"))),
            "more capabilities ahead of the OK": lambda: works(hooked("starttls", STARTTLS=said_ahead)),
            "PREAUTH under TLS": lambda: works(hooked("implicit", greeting=lambda session,
                                                      _: b"* PREAUTH come in\r\n")),
            "STARTTLS offered under TLS again": lambda: works(private_server(
                tls="starttls", capabilities=by_phase(b"IMAP4rev1 STARTTLS", b"IMAP4rev1 STARTTLS AUTH=PLAIN"))),
        })


class LoginTest(HostileTest):
    """Under TLS, with the right certificate, a server that wants the wrong thing."""

    def test_nothing_to_log_in_by(self):
        offers = {"LOGINDISABLED": (b"IMAP4rev1 LOGINDISABLED", "LOGINDISABLED"),
                  "mechanisms that are none": (
                      b"IMAP4rev1 LOGINDISABLED AUTH=ANONYMOUS AUTH=NTLM AUTH=GSSAPI AUTH= AUTH", "ANONYMOUS"),
                  "a mechanism with escapes": (b"IMAP4rev1 LOGINDISABLED AUTH=\x1b[31m\xff", "log in"),
                  "very many": (b"IMAP4rev1 LOGINDISABLED " + b" ".join(b"AUTH=X%d" % i for i in range(20000)),
                                "log in")}
        cases = {f"{name}, {tls}": lambda text=text, says=says, tls=tls: refused(private_server(tls=tls, capabilities=(
            lambda session: text if session.secure else b"IMAP4rev1 STARTTLS")), says)
            for name, (text, says) in offers.items() for tls in ("implicit", "starttls")}
        cases["a mechanism that is not offered"] = lambda: refused(private_server(
            tls="implicit", capabilities=b"IMAP4rev1 AUTH=PLAIN"), "does not offer", "auth=scram-sha-256")
        cases["LOGIN where it is disabled"] = lambda: refused(private_server(
            tls="implicit", capabilities=b"IMAP4rev1 AUTH=PLAIN LOGINDISABLED"), "LOGINDISABLED", "auth=login")
        self.run_cases(cases)

    def scram(self, scram, says=None, arguments=("-d",)):
        """A login by SCRAM; refused with these words, or good. The password itself is never sent."""
        server = private_server(tls="implicit",
                                capabilities=b"IMAP4rev1 AUTH=SCRAM-SHA-256 AUTH=PLAIN SASL-IR LOGINDISABLED")
        server.on["AUTHENTICATE"] = scram
        with server, mount_of(server, arguments=arguments) as mount:
            if says:
                assert isinstance(mount, MountFailed), "it was mounted"
                assert re.search(says, mount.log, re.IGNORECASE), mount.log
                assert "LIST" not in server.names()
            else:
                assert is_exact(mount, MESSAGES)
            sent = bytes(server.private).lower()
            assert not any(tale in sent for tale in tell_tales(PASSWORD))
            assert not server.clear
            check_log(mount)

    def test_scram(self):
        right = PASSWORD.encode()

        def first_message(text):
            def hook(session, command):
                session.send(b"+ " + (text if isinstance(text, bytes) else text(command)) + b"\r\n")
                session.read_line()
                session.send(b"+ dj1BQUFB\r\n")
                session.read_line()
                return command.tag + b" OK in\r\n"
            return hook

        def nonce(command):
            return re.search(rb"r=([^,]*)", base64.b64decode(command.line.split(b" ")[2]))[1]

        def challenge(form):
            return lambda command: base64.b64encode(form.replace(b"NONCE", nonce(command)))

        forged = "server|signature|password|login|challenge|prove"
        self.run_cases({
            "the right password": lambda: self.scram(Scram(right)),
            "a signature of zeros": lambda: self.scram(Scram(right, forge=lambda last: b"v=" +
                                                             base64.b64encode(b"\0" * 32)), forged),
            "another password's signature": lambda: self.scram(Scram(b"guess"), forged),
            "an empty signature": lambda: self.scram(Scram(right, forge=lambda last: b"v="), forged),
            "a short signature": lambda: self.scram(Scram(right, forge=lambda last: last[:10]), forged),
            "no base64": lambda: self.scram(Scram(right, forge=lambda last: b"v=!!!"), forged),
            "an error and an OK": lambda: self.scram(Scram(right, forge=lambda last: b"e=other-error"), forged),
            "nothing": lambda: self.scram(Scram(right, forge=lambda last: b""), forged),
            "OK without a signature": lambda: self.scram(Scram(right, forge=lambda last: None), forged),
            "OK at once": lambda: self.scram(lambda session, command: command.tag + b" OK in\r\n", forged),
            "OK with capabilities at once": lambda: self.scram(
                lambda session, command: command.tag + b" OK [CAPABILITY IMAP4rev1] in\r\n", forged),
            "a billion iterations": lambda: self.scram(Scram(right, iterations=1 << 30), "iteration|challenge|login"),
            "2^32 iterations": lambda: self.scram(Scram(right, iterations=1 << 32), "iteration|challenge|login"),
            "0 iterations": lambda: self.scram(Scram(right, iterations=0), "iteration|challenge|login"),
            "another nonce": lambda: self.scram(first_message(base64.b64encode(b"r=other,s=QUJD,i=4096")), forged),
            "no nonce of its own": lambda: self.scram(first_message(challenge(b"r=NONCE,s=QUJD,i=4096")), forged),
            "no salt": lambda: self.scram(first_message(challenge(b"r=NONCEx,i=4096")), forged),
            "an extension": lambda: self.scram(first_message(challenge(b"m=x,r=NONCEx,s=QUJD,i=4096")), forged),
            "a salt of a megabyte": lambda: self.scram(first_message(challenge(b"r=NONCEx,s=" + b"QUJD" * 100000 +
                    b",i=4096")), "."),
            "junk": lambda: self.scram(first_message(b"\xff\xfe!!"), forged),
            "a million continuations": lambda: self.scram(lambda session, command: [b"+ \r\n" * 100000] * 10 +
                                                          [command.tag + b" OK\r\n"], ".", ()),
        })

    def test_passwords_that_are_refused(self):
        """What a server says to a password is told, and is no danger."""
        def answer(text):
            return lambda session, command: text.replace(b"TAG", command.tag)

        def one(text, says):
            server = private_server(tls="implicit")
            server.on["LOGIN"] = answer(text)
            with server, mount_of(server, arguments=["-d"]) as mount:
                assert isinstance(mount, MountFailed)
                assert re.search(says, mount.log), mount.log
                check_log(mount)

        self.run_cases({
            "NO": lambda: one(b"TAG NO [AUTHENTICATIONFAILED] wrong password\r\n", "wrong password"),
            "another NO": lambda: one(b"TAG NO no such user\r\n", "no such user"),
            "BAD with escapes": lambda: one(b"TAG BAD \x1b]0;x\x07\xc2\x9b2J\r\n", "BAD"),
            "NO of a megabyte": lambda: one(b"TAG NO " + b"x" * 1000000 + b"\r\n", "NO"),
            "BYE": lambda: one(b"* BYE too many attempts\r\n", "too many attempts|timed|answered"),
        })
