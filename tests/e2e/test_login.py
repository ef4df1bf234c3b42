"""Every way to log in, and every source that a password may come from, against Dovecot where it has that way, else
against a server with a script."""
import base64
import contextlib
import os
import pty
import re
import select
import shutil
import signal
import ssl
import subprocess
import termios
import unittest

import popserver
from hostile import Certificates, Folder, Message
from hostile import Server as Scripted
from mounting import Place, attempt, nothing_left
from pop3mount import Pop3Mount
from support import Mount, Server, mounted, temporary_folder, wait_for

MESSAGE = b"Subject: mine\r\n\r\nto be read\r\n"
MECHANISMS = ("SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5", "PLAIN")
PASSWORD = 'pass "word\\ with, a comma'


def setUpModule():
    global SERVER
    SERVER = Server("--user", "ann:pass", "--user", f"carl@example.org:{PASSWORD}", "--user", "dora:päß")
    unittest.addModuleCleanup(Certificates.remove)
    unittest.addModuleCleanup(SERVER.remove)
    with SERVER.mailbox() as mailbox:
        mailbox.append("INBOX", MESSAGE)


class LoginTest(unittest.TestCase):
    """What the tests below share."""

    def works(self, *options, **keywords):
        """The mount can be read; returns what it printed, with -d."""
        with Mount(SERVER, *options, arguments=["-d"], **keywords) as mount:
            self.assertEqual([path.read_bytes() for path in mount.messages().values()], [MESSAGE])
            return mount.log()

    def mechanism(self, log):
        """The command that logged in, as the protocol's log has it."""
        return re.findall(r"> A\d+ (AUTHENTICATE \S+|LOGIN)", log)


class MechanismTest(LoginTest):
    """SASL, and the command LOGIN."""

    def test_each(self):
        for scheme in ("imaps", "imap"):
            for name in MECHANISMS:
                with self.subTest(name, scheme=scheme):
                    log = self.works(f"auth={name.lower()}", url=SERVER.url(scheme))
                    self.assertEqual(self.mechanism(log), [f"AUTHENTICATE {name}"])
                    self.assertEqual("STARTTLS" in re.findall(r"> A\d+ (\S+)", log), scheme == "imap")
        for scheme in ("imaps", "imap"):
            self.assertEqual(self.mechanism(self.works("auth=login", url=SERVER.url(scheme))), ["LOGIN"])

    def test_the_strongest_by_itself(self):
        for options, keywords in (((), {}), (("auth=auto",), {}), ((), {"url": SERVER.url(user="ann;AUTH=*")})):
            self.assertEqual(self.mechanism(self.works(*options, **keywords)), ["AUTHENTICATE SCRAM-SHA-256"])

    def test_the_one_of_the_url(self):
        url = SERVER.url(user="ann;AUTH=CRAM-MD5")
        self.assertEqual(self.mechanism(self.works(url=url)), ["AUTHENTICATE CRAM-MD5"])
        self.assertEqual(self.mechanism(self.works("auth=plain", url=url)), ["AUTHENTICATE PLAIN"])

    def test_in_clear(self):
        """Over a tunnel; a mechanism that does not show the password is still preferred."""
        log = self.works("tls=off", url=SERVER.url("imap"))
        self.assertEqual(self.mechanism(log), ["AUTHENTICATE SCRAM-SHA-256"])
        self.assertNotIn("STARTTLS\n", log)
        self.works("tls=off", "auth=login", url=SERVER.url("imap"))

    def test_a_refusal_by_each(self):
        for name in (*MECHANISMS, "login"):
            with self.subTest(name), Place(SERVER, password="wrong") as place:
                ended = place.attempt(SERVER.url(), f"auth={name.lower()}")
                self.assertEqual(ended.status, 32)
                self.assertRegex(ended.errors, r"\Amount\.pullmail: localhost:\d+: user ann: [^\n]*refused[^\n]*\n\Z")
                nothing_left(place.point)

    def test_no_secret_is_shown(self):
        """Neither the password nor what it could be guessed from, in the protocol's log or the status."""
        for name in (*MECHANISMS, "login"):
            with Mount(SERVER, f"auth={name.lower()}", "user=carl@example.org", arguments=["-v", "-d"],
                       password=PASSWORD) as mount:
                shown = mount.log() + mount.status()
            self.assertNotIn("word", shown)
            self.assertNotIn(base64.b64encode(b"\0carl@example.org\0" + PASSWORD.encode()).decode(), shown)
            # No challenge nor answer but its stand-in.
            self.assertEqual([line for line in re.findall(r"[<>] (\+.*)", shown) if "not shown" not in line], [])
            if name.startswith("SCRAM"):
                self.assertEqual(shown.count("a challenge that is not shown"), 2)

    def test_names_and_passwords_of_all_kinds(self):
        for name in (*MECHANISMS, "login"):
            for user, password in (("carl%40example.org", PASSWORD), ("dora", "päß")):
                with self.subTest(name, user=user), Mount(SERVER, f"auth={name.lower()}", url=SERVER.url(user=user),
                                                          password=password) as mount:
                    self.assertEqual(os.listdir(mount.point), ["INBOX"])

    def test_user_over_the_urls(self):
        log = self.works("user=ann", url=SERVER.url(user="somebody"))
        self.assertEqual(self.mechanism(log), ["AUTHENTICATE SCRAM-SHA-256"])

    def test_addresses(self):
        self.works(url=f"imaps://ann@127.0.0.1:{SERVER.ports['imaps']}/")
        self.works(url=f"imaps://ann@LOCALHOST.:{SERVER.ports['imaps']}")


class TokenTest(unittest.TestCase):
    """OAuth 2.0, by a server with a script: the exact message of each mechanism (RFC 7628; Google's XOAUTH2)."""

    def server(self, mechanism, answer=None):
        """One that takes tokens; answer: its challenge, and with that a refusal."""
        server = Scripted([Folder(b"INBOX", [Message(1, MESSAGE)])], tls="implicit",
                          capabilities=b"IMAP4rev1 SASL-IR AUTH=PLAIN AUTH=" + mechanism)
        self.addCleanup(server.stop)
        self.said = []

        def authenticate(session, command):
            self.said.append(command.line.split(b" ", 2)[1:])
            if not answer:
                return command.tag + b" OK in\r\n"
            session.send(b"+ " + base64.b64encode(answer) + b"\r\n")
            self.said.append(session.read_line())
            return command.tag + b" NO [AUTHENTICATIONFAILED] no such token\r\n"

        server.on["AUTHENTICATE"] = authenticate
        return server

    def message(self, mechanism, port):
        """What the client must say."""
        if mechanism == b"XOAUTH2":
            return b"user=ann@example.org\1auth=Bearer to.k-en=\1\1"
        return b"n,a=ann@example.org,\1host=localhost\1port=%d\1auth=Bearer to.k-en=\1\1" % port

    def test_tokens(self):
        for mechanism in (b"XOAUTH2", b"OAUTHBEARER"):
            server = self.server(mechanism)
            with self.subTest(mechanism), Mount(server, f"auth={mechanism.decode().lower()}", "passcmd=echo to.k-en=",
                                                url=server.url(user="ann%40example.org"), arguments=["-d"]) as mount:
                self.assertEqual([path.read_bytes() for path in mount.messages().values()], [MESSAGE])
                name, sent = self.said[0]
                self.assertEqual((name, base64.b64decode(sent)), (mechanism, self.message(mechanism, server.port)))
                self.assertNotIn("to.k-en", mount.log())
                self.assertNotIn(sent.decode(), mount.log())

    def test_refused_tokens(self):
        for mechanism, last in ((b"XOAUTH2", b""), (b"OAUTHBEARER", b"AQ==")):
            server = self.server(mechanism, b'{"status":"invalid_token","scope":"mail"}')
            with self.subTest(mechanism), Place(server) as place:
                ended = place.attempt(server.url(), f"auth={mechanism.decode().lower()}")
                self.assertEqual(ended.status, 32)
                self.assertRegex(ended.errors, r"\Amount\.pullmail: [^\n]*invalid_token[^\n]*no such token[^\n]*\n\Z")
                self.assertEqual(self.said[1], last)
                nothing_left(place.point)

    def outlives(self, server, kind, command, accept, refusal):
        """A mount outlives its token: passcmd is run again, once, and nobody is told of it."""
        folder = temporary_folder()
        self.addCleanup(shutil.rmtree, folder)
        token, runs, good = folder / "token", folder / "runs", [b"first"]

        def authenticate(session, asked):
            sent = base64.b64decode(asked.line.split(b" ")[-1])
            self.said.append(re.search(rb"Bearer (\w+)\x01", sent)[1])
            if self.said[-1] == good[0]:
                return accept(session, asked)
            session.send(b"+ " + base64.b64encode(b'{"status":"401"}') + b"\r\n")
            session.read_line()
            return refusal(asked)

        server.on[command] = authenticate
        self.said = []
        token.write_text("first\n")
        with kind(server, "auth=xoauth2", f"passcmd=echo >>{runs}; cat {token}", "timeout=5", "idle=0",
                  arguments=["-v", "-d"]) as mount:
            path = next(iter(mount.messages().values()))
            self.assertEqual((set(self.said), runs.read_text()), ({b"first"}, "\n"))
            token.write_text("second\n")
            good[0] = b"second"
            server.drop()
            self.assertEqual(path.read_bytes(), MESSAGE)
            self.assertEqual((self.said[-2:], runs.read_text()), ([b"first", b"second"], "\n\n"))
            self.assertNotRegex(mount.log(), "Bearer|second")

    def test_tokens_that_expire(self):
        self.outlives(self.server(b"XOAUTH2"), Mount, "AUTHENTICATE", lambda _, asked: asked.tag + b" OK in\r\n",
                      lambda asked: asked.tag + b" NO [AUTHENTICATIONFAILED] expired\r\n")

    def test_tokens_that_expire_by_pop3(self):
        server = popserver.Server({b"one": MESSAGE}, tls="implicit", capabilities=b"UIDL\r\nTOP\r\nSASL XOAUTH2\r\n")
        self.addCleanup(server.stop)
        self.outlives(server, Pop3Mount, "AUTH", lambda session, _: session._do_pass(),
                      lambda _: b"-ERR [AUTH] expired\r\n")

    def test_never_by_itself(self):
        """A password is no token: it is not sent as one."""
        server = self.server(b"XOAUTH2")
        server._capabilities = b"IMAP4rev1 SASL-IR LOGINDISABLED AUTH=XOAUTH2"
        with Place(server) as place:
            ended = place.attempt(server.url())
            self.assertEqual(ended.status, 32)
            self.assertIn("a token is asked for: use auth=xoauth2 or auth=oauthbearer with passcmd=", ended.errors)
            self.assertEqual(self.said, [])


class CertificateTest(unittest.TestCase):
    """EXTERNAL: the client certificate is the credential."""

    def server(self):
        """One that asks for the certificate, and lets in who has one of our authority's."""
        server = Scripted([Folder(b"INBOX", [Message(1, MESSAGE)])], tls="implicit",
                          capabilities=b"IMAP4rev1 SASL-IR AUTH=EXTERNAL AUTH=PLAIN LOGINDISABLED")
        self.addCleanup(server.stop)
        self.seen = []
        plain_context = server.context

        def context(certificate=None):
            made = plain_context(certificate)
            made.load_verify_locations(server.ca)
            made.verify_mode = ssl.CERT_OPTIONAL
            return made

        def authenticate(session, command):
            subject = session.sock.getpeercert() and dict(pair[0] for pair in session.sock.getpeercert()["subject"])
            self.seen.append((command.line, subject))
            return command.tag + (b" OK in\r\n" if subject else b" NO who are you?\r\n")

        server.context = context
        server.on["AUTHENTICATE"] = authenticate
        return server

    def test_certificate_and_key(self):
        cert, key = Certificates.get().pair("good")
        with Place() as place:
            both = place.secret("both.pem", cert.read_text() + key.read_text())
            for options in ([f"cert={cert}", f"key={key}"], [f"cert={both}"],
                            [f"cert={both}", "auth=external"]):
                server = self.server()
                with self.subTest(options), Place(server) as other:
                    ended = other.attempt(server.url(), *options, without=("passfile",))
                    if "auth=external" not in options:
                        # Without a password, and no terminal to ask on, EXTERNAL has to be named.
                        self.assertEqual(ended.status, 32)
                        self.assertIn("no password for ann@localhost", ended.errors)
                        ended = other.attempt(server.url(), *options, "auth=external", without=("passfile",))
                    self.assertEqual(ended, (0, "", ""))
                    self.assertEqual(os.listdir(other.point), ["INBOX"])
                    self.assertEqual(self.seen[0], (b"AUTHENTICATE EXTERNAL " + base64.b64encode(b"ann"),
                                                    {"commonName": "localhost"}))
                    subprocess.run(["fusermount3", "-u", str(other.point)], check=True)
                    nothing_left(other.point)

    def test_without_a_certificate(self):
        server = self.server()
        with Place(server) as place:
            ended = place.attempt(server.url(), "auth=external")
            self.assertEqual(ended.status, 32)
            self.assertIn("it needs TLS and a client certificate: give cert=", ended.errors)
            self.assertEqual(self.seen, [])

    def test_keys_that_do_not_fit(self):
        cert, key = Certificates.get().pair("good")
        other = Certificates.get().pair("expired")[1]
        server = self.server()
        with Place(server) as place:
            encrypted = place.folder / "encrypted.key"
            subprocess.run(["openssl", "ec", "-aes128", "-passout", "pass:x", "-in", str(key), "-out", str(encrypted)],
                           check=True, stderr=subprocess.DEVNULL)
            for file, says in ((other, "it must hold the private key, in PEM form, of cert="),
                               (encrypted, "the key has a passphrase, which nobody can be asked for later: store it "
                                           "without one, in a file of mode 0600")):
                ended = place.attempt(server.url(), f"cert={cert}", f"key={file}")
                self.assertEqual(ended.status, 32)
                self.assertRegex(ended.errors, rf"\Amount\.pullmail: key={re.escape(str(file))}: [^\n]*; {says}\n\Z")


class SourceTest(LoginTest):
    """Where the password comes from."""

    def netrc(self, text, url=None, *options):
        """A mount with nothing but this netrc file."""
        with Place(SERVER) as place:
            file = place.secret(".netrc", text)
            for environment in ({"NETRC": str(file), "HOME": "/nonexistent"}, {"HOME": str(place.folder)}):
                ended = place.attempt(url or SERVER.url(), *options, without=("passfile",),
                                      environment={"NETRC": "", "USER": "nobody-here", **environment})
                if ended.status == 0:
                    self.assertEqual(os.listdir(place.point / "INBOX"), [name for name in
                                                                         os.listdir(place.point / "INBOX")
                                                                         if name.endswith(".eml")])
                    subprocess.run(["fusermount3", "-u", str(place.point)], check=True)
                nothing_left(place.point)
                yield ended

    def test_netrc(self):
        good = [(0, "", "")] * 2
        without_user = f"imaps://localhost:{SERVER.ports['imaps']}/"
        self.assertEqual(list(self.netrc("machine localhost login ann password pass\n")), good)
        self.assertEqual(list(self.netrc("# mine\nmachine other login ann password x\n"
                                         "machine localhost\n\tlogin ann\n\tpassword pass\n", without_user)), good)
        self.assertEqual(list(self.netrc("machine localhost login bob password x\n"
                                         "machine localhost login ann password pass\n")), good)
        self.assertEqual(list(self.netrc("default login ann password pass\n", without_user)), good)
        self.assertEqual(list(self.netrc('machine localhost login carl@example.org password '
                                         r'"pass \"word\\ with, a comma"' "\n",
                                         without_user)), good)
        for ended in self.netrc("machine localhost login bob password pass\n"):
            self.assertIn("no password for ann@localhost", ended.errors)

    def test_the_users_name_is_the_last_resort(self):
        with Place(SERVER) as place:
            ended = place.attempt(f"imaps://localhost:{SERVER.ports['imaps']}/", environment={"USER": "ann"})
            self.assertEqual(ended, (0, "", ""))
            subprocess.run(["fusermount3", "-u", str(place.point)], check=True)
            nothing_left(place.point)

    def test_passfile(self):
        with Place(SERVER) as place:
            for text in ("pass", "pass\n", "pass\r\n", "pass\nanother line\n"):
                file = place.secret("other", text, 0o400)
                self.works(f"passfile={file}")
            file.unlink()

    def test_relative_and_home_paths(self):
        with Place(SERVER) as place:
            for path, keywords in (("pass", {"cwd": place.folder}), ("~/pass", {"environment": {
                    "HOME": str(place.folder)}})):
                ended = attempt(place.command(SERVER.url(), f"passfile={path}"), **keywords)
                self.assertEqual(ended, (0, "", ""))
                subprocess.run(["fusermount3", "-u", str(place.point)], check=True)
                nothing_left(place.point)

    def test_passcmd(self):
        with Place(SERVER) as place:
            seen = place.folder / "seen"
            log = self.works(f"passcmd=tr '\\\\0' '\\\\n' </proc/$$/environ >{seen}; echo pass; echo more",
                             environment={"MARK": "here"})
            self.assertEqual(self.mechanism(log), ["AUTHENTICATE SCRAM-SHA-256"])
            self.assertIn("MARK=here", seen.read_text().splitlines())
            # A comma in the command is written with a backslash, as in every value.
            self.works("passcmd=printf '%s%s\\\\n' pa ss")
            self.works(r"passcmd=IFS=\,; set -- pa\,ss; printf '%s\\n' pass")

    def test_passcmd_is_run_once(self):
        """What it prints serves later connections too."""
        with Place(SERVER) as place:
            count = place.folder / "count"
            with Mount(SERVER, f"passcmd=echo x >>{count}; echo pass", "timeout=10") as mount:
                SERVER.stop()
                SERVER.start()
                path = mount / "INBOX"
                wait_for(lambda: self.readable(path), "the mail, again")
            self.assertEqual(count.read_text(), "x\n")

    @staticmethod
    def readable(folder):
        """Whether the messages can be read."""
        try:
            return [path.read_bytes() for path in sorted(folder.iterdir())] == [MESSAGE]
        except OSError:
            return False


class Terminal:
    """A command on a terminal of its own, as a user has it."""

    def __init__(self, command):
        self.text = b""
        self.status = None
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ["HOME"] = "/nonexistent"
            os.environ.pop("NETRC", None)
            # Whoever runs the tests in the background has these ignored, and so have all his children.
            for number in (signal.SIGINT, signal.SIGQUIT):
                signal.signal(number, signal.SIG_DFL)
            os.execvp(command[0], [str(word) for word in command])

    def echoes(self):
        """Whether the terminal shows what is typed."""
        return bool(termios.tcgetattr(self.fd)[3] & termios.ECHO)

    def _read(self):
        if select.select([self.fd], [], [], 0.05)[0]:
            with contextlib.suppress(OSError):  # EIO: nobody has the terminal any more
                self.text += os.read(self.fd, 4096)

    def await_text(self, text):
        """Reads until it has appeared."""
        def seen():
            self._read()
            return text in self.text
        wait_for(seen, f"{text!r} on the terminal, where {self.text!r} is")

    def type(self, data):
        """What the user types."""
        os.write(self.fd, data)

    def end(self):
        """Waits for the command's end; its status, and all it printed, are returned."""
        def ended():
            self._read()
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.status = os.waitstatus_to_exitcode(status) if pid else None
            return pid
        wait_for(ended, "the command's end")
        for _ in range(5):
            self._read()
        os.close(self.fd)
        return self.status, self.text.decode().replace("\r\n", "\n")


class PromptTest(unittest.TestCase):
    """The password is asked for on the terminal."""

    def setUp(self):
        self.place = Place(SERVER)
        self.addCleanup(self.place.__exit__)

    def ask(self, *options, arguments=()):
        """The command at its prompt."""
        terminal = Terminal(self.place.command(SERVER.url(), *options, without=("passfile",), arguments=arguments))
        terminal.await_text(b": ")
        wait_for(lambda: not terminal.echoes(), "the echo's end")
        return terminal

    def test_right_and_wrong(self):
        terminal = self.ask()
        terminal.type(b"pass\n")
        self.assertEqual(terminal.end(), (0, "Password for ann@localhost: \n"))
        self.assertEqual(os.listdir(self.place.point), ["INBOX"])
        # The terminal is let go of: its end does not end the mount.
        self.assertTrue(mounted(self.place.point))
        subprocess.run(["fusermount3", "-u", str(self.place.point)], check=True)
        nothing_left(self.place.point)

        terminal = self.ask()
        terminal.type(b"wrong\n")
        status, text = terminal.end()
        self.assertEqual(status, 32)
        self.assertRegex(text, r"\APassword for ann@localhost: \nmount\.pullmail: localhost:\d+: user ann: login refused: "
                               r"the server answered NO: Authentication failed\. \(are login name and password "
                               r"right\?\)\n\Z")
        nothing_left(self.place.point)

    def test_echo_comes_back(self):
        terminal = self.ask("auth=xoauth2", arguments=["-f"])
        self.assertIn(b"Access token for ann@localhost: ", terminal.text)
        terminal.type(b"\n")
        status, text = terminal.end()
        self.assertEqual((status, text),
                         (32, "Access token for ann@localhost: \nmount.pullmail: no password was given\n"))
        nothing_left(self.place.point)

    def test_interrupted(self):
        for data, status in ((b"pas\x03", -signal.SIGINT), (b"pas\x1c", -signal.SIGQUIT)):
            terminal = self.ask()
            terminal.type(data)
            ended, text = terminal.end()
            self.assertEqual(ended, status)
            self.assertNotIn("pas", text.split(": ", 1)[1])
            nothing_left(self.place.point)

    def test_end_of_file(self):
        terminal = self.ask()
        terminal.type(b"\x04")
        self.assertEqual(terminal.end(), (32, "Password for ann@localhost: \nmount.pullmail: no password was given\n"))
        nothing_left(self.place.point)


if __name__ == "__main__":
    unittest.main()
