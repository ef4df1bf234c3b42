"""Mounts that can't be: each is told in one line that says what was wrong and what to do, and leaves nothing."""
import os
import re
import shlex
import signal
import socket
import subprocess
import unittest

from hostile import Certificates
from hostile import Server as Scripted
from mounting import Place, attempt, daemons, in_namespace, nothing_left
from support import PROGRAM, Mount, Server, adopt_orphans, mounted, wait_for

USAGE, FAILURE = 1, 32  # exit statuses
EXAMPLE = "; a right one looks like imaps://ann%40example.org@mail.example.org/Archive"
UNTRUSTED = ("which this machine does not trust; give that authority's certificate with cafile=FILE if you trust it")
# In a namespace, as root, whose files are gone when it ends.
MOUNT_AND_CLEAR_AWAY = f"""
umask 077; echo pass >"$point.pass"; status=0
{shlex.join(PROGRAM)} "$url" "$point" -o "passfile=$point.pass,cachedir=$point.cache" || status=$?
rm -rf "$point.pass" "$point.cache"; exit $status
"""


def setUpModule():
    global SERVER
    SERVER = Server(rawlog=False)
    unittest.addModuleCleanup(Certificates.remove)
    unittest.addModuleCleanup(SERVER.remove)


class Refused(unittest.TestCase):
    """What the tests below share: a place, and how a refusal is judged."""

    def setUp(self):
        self.place = Place(SERVER)
        self.addCleanup(self.place.__exit__)

    def refused(self, status, says, *arguments, foreground=True, **keywords):
        """It ends with this status and these words, in the foreground as in the background."""
        flags = keywords.pop("arguments", ())
        for mode in ([], ["-f"]) if foreground else ([],):
            ended = self.place.attempt(*arguments, arguments=[*flags, *mode], **keywords)
            self.assertEqual(ended, (status, f"mount.pullmail: {says}\n", ""))
            nothing_left(self.place.point)

    def unusable(self, says, *arguments, **keywords):
        """The command line is no good; the server is not asked."""
        self.refused(USAGE, says, *arguments, foreground=False, **keywords)


class CommandLineTest(Refused):
    """What is wrong with the command alone."""

    def test_missing_and_surplus_arguments(self):
        for words, says in (([], "a URL and a mount point are needed; see mount.pullmail -h"),
                            ([SERVER.url()], "the mount point is missing; see mount.pullmail -h"),
                            ([SERVER.url(), self.place.point, "pass"],
                             "too many arguments: only a URL and a mount point are taken; see mount.pullmail -h"),
                            ([SERVER.url(), self.place.point, "-x"], "unknown argument '-x'; see mount.pullmail -h"),
                            ([SERVER.url(), self.place.point, "-o"],
                             "something must follow '-o'; see mount.pullmail -h")):
            with self.subTest(words=words):
                self.assertEqual(attempt([*PROGRAM, *words]), (USAGE, f"mount.pullmail: {says}\n", ""))
                nothing_left(self.place.point)

    def test_help_and_version(self):
        for flag, begins in (("-h", "usage: mount.pullmail URL MOUNTPOINT"), ("--help", "usage: "),
                             ("-V", "pullmail "), ("--version", "pullmail ")):
            status, errors, output = attempt([*PROGRAM, flag])
            self.assertEqual((status, errors), (0, ""))
            self.assertTrue(output.startswith(begins), output)

    def test_bad_urls(self):
        scheme = "it must begin with imaps://, imap://, pop3s:// or pop3://"
        password = ("it holds a password, which everyone can see in the process list; leave it out and use passfile=, "
                    "passcmd=, ~/.netrc or the prompt (a ':' in the user name is written %3A)")
        port = "the port must be a number from 1 to 65535"
        for url, says in (("/dev/sda1", scheme), ("http://localhost/", scheme), ("imaps:/localhost", scheme),
                          ("imaps://", "the host name is missing"), ("imaps://ann@", "the host name is missing"),
                          ("imaps://ann:secret@localhost/", password),
                          ("imaps://ann@example.org@localhost/", "an '@' in the user name must be written %40"),
                          ("imaps://ann@local host/", "what stands as the host is no host name"),
                          ("imaps://ann@127.0.0.256/", "what stands as the host is no IPv4 address"),
                          ("imaps://ann@localhost:0/", port), ("imaps://ann@localhost:70000/", port),
                          ("imaps://ann@localhost:secret/", port + " (and no password may stand in a URL)"),
                          ("imaps://ann@localhost/a%2", "in the folder's name, two hexadecimal digits must follow a "
                                                        "'%' ('%' itself is %25)")):
            with self.subTest(url):
                self.unusable(f"bad URL: {says}{EXAMPLE}", url)

    def test_bad_options(self):
        choice = "one of these is needed: "
        for option, says in (
                ("pasfile=x", "unknown option 'pasfile'; did you mean 'passfile='? see mount.pullmail(8)"),
                ("bogus", "unknown option 'bogus'; see mount.pullmail(8)"),
                ("password=hidden", "'password=' is not taken, since everyone can see a command line: use passfile=, "
                                    "passcmd=, ~/.netrc or the prompt"),
                ("passfile", "option 'passfile' needs a value: passfile=…"),
                ("ro=yes", "option 'ro' takes no value"),
                ("user=", "bad option 'user=': a value is needed"),
                ("cafile=", "bad option 'cafile=': a path is needed"),
                ("refresh=soon", "bad option 'refresh=soon': a number from 1 to 86400 is needed"),
                ("timeout=0", "bad option 'timeout=0': a number from 1 to 3600 is needed"),
                ("connections=33", "bad option 'connections=33': a number from 1 to 32 is needed"),
                ("cachesize=1X", "bad option 'cachesize=1X': a size in bytes is needed, such as 500M or 2G "
                                 "(K, M, G, T)"),
                ("umask=888", "bad option 'umask=888': an octal number up to 777 is needed, such as 077"),
                ("uid=no-such-user", "bad option 'uid=no-such-user': there is no such user; a user's name or number "
                                     "is needed"),
                ("gid=no-such-group", "bad option 'gid=no-such-group': there is no such group; a group's name or "
                                      "number is needed"),
                ("tls=maybe", f"bad option 'tls=maybe': {choice}required, off"),
                ("offline=sometimes", f"bad option 'offline=sometimes': {choice}auto, never, always"),
                ("expunge=later", f"bad option 'expunge=later': {choice}now, unmount, never"),
                ("auth=kerberos", f"bad option 'auth=kerberos': {choice}auto, scram-sha-256-plus, scram-sha-256, "
                                  "scram-sha-1-plus, scram-sha-1, cram-md5, plain, login, user, external, xoauth2, "
                                  "oauthbearer, apop"),
                ("auth=user", "auth=user is POP3's USER and PASS; for IMAP, auth=login is the command LOGIN"),
                ("remount", "options can't be changed while a mailbox is mounted: unmount it, and mount it again"),
                ("passcmd=true", "passfile= and passcmd= exclude each other: give one of them"),
                ("key=/k.pem", "key= needs cert=, the certificate that belongs to the key"),
                ("tls=off", "tls=off contradicts the URL: imaps:// and pop3s:// are TLS from the first byte; only "
                            "imap:// and pop3:// can do without it")):
            with self.subTest(option):
                self.unusable(says, SERVER.url(), option, f"passfile={self.place.passfile}"
                              if not option.startswith("passfile") else "ro")

    def test_mount_point(self):
        missing, file = self.place.folder / "none", self.place.passfile
        self.unusable(f"mount point {missing} does not exist; make it with mkdir", SERVER.url(), point=missing)
        self.unusable(f"mount point {file} is not a directory", SERVER.url(), point=file)
        self.assertFalse(missing.exists())

    def test_mount_point_in_use(self):
        with Mount(SERVER) as mount:
            says = f"{mount.point} is mounted by pullmail already; to unmount it, run: fusermount3 -u {mount.point}"
            self.assertEqual(self.place.attempt(SERVER.url(), point=mount.point), (USAGE, f"mount.pullmail: {says}\n",
                                                                                   ""))
            self.assertEqual(os.listdir(mount.point), ["INBOX"])
            os.kill(mount.pid, signal.SIGKILL)
            mount.wait_end()
            says = f"a pullmail that died was still mounted on {mount.point}; that is cleared away"
            self.assertEqual(self.place.attempt(SERVER.url(), point=mount.point), (0, f"mount.pullmail: {says}\n", ""))
            subprocess.run(["fusermount3", "-u", str(mount.point)], check=True)
            nothing_left(mount.point)

    def test_mount_point_that_is_not_empty(self):
        """As every file system, a mount covers what lies there, and gives it back."""
        (self.place.point / "below").touch()
        self.assertEqual(self.place.attempt(SERVER.url()), (0, "", ""))
        self.assertEqual(os.listdir(self.place.point), ["INBOX"])
        subprocess.run(["fusermount3", "-u", str(self.place.point)], check=True)
        nothing_left(self.place.point)
        self.assertEqual(os.listdir(self.place.point), ["below"])


class ServerTest(Refused):
    """What is wrong with the server, or the way to it."""

    def test_nobody_listens(self):
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            port = unused.getsockname()[1]
            self.refused(FAILURE, f"localhost:{port}: connection refused; is the port right?",
                         f"imaps://ann@localhost:{port}/")

    def test_names(self):
        """Asked of a resolver that only looks into a file, and of one whose name servers can't be reached."""
        hints = "is it spelled right, and is the network up|the name server did not answer; is the network up"
        for hosts, flags in (("files", ()), ("dns", ("--net",))):
            nsswitch = self.place.folder / "nsswitch.conf"
            nsswitch.write_text(f"hosts: {hosts}\n")
            ended = in_namespace("mount --bind $nsswitch /etc/nsswitch.conf; "
                                 + MOUNT_AND_CLEAR_AWAY, *flags, nsswitch=nsswitch, point=self.place.point,
                                 url="imaps://ann@mail.invalid/")
            self.assertEqual((ended.status, ended.output), (FAILURE, ""), ended.errors)
            self.assertRegex(ended.errors, r"\Amount\.pullmail: mail\.invalid:993: the name can't be resolved: "
                                           f"Error resolving “mail.invalid”: [^;]*; ({hints})\\?\n\\Z")
            nothing_left(self.place.point)

    def test_no_network(self):
        ended = in_namespace(MOUNT_AND_CLEAR_AWAY, "--net", point=self.place.point, url="imaps://ann@192.0.2.1/")
        self.assertEqual(ended, (FAILURE, "mount.pullmail: 192.0.2.1:993: the network can't be reached; is this "
                                          "machine connected?\n", ""))

    def test_certificates(self):
        host = r"localhost:\d+: the server's certificate "
        for name, says in (("unknown", f"is issued by /CN=test other, {UNTRUSTED}"),
                           ("expired", r"has expired on 2020-02-01; its administrator must renew it \(or is this "
                                       r"machine's clock wrong\?\)"),
                           ("wrong-name", r"is for mail\.example\.org, not for localhost; mount it by a name that the "
                                          "certificate has"),
                           ("self-signed", "is self-signed; give it with cafile=FILE, or its key with pin=sha256:[0-9a-f]{64}, if "
                                           "you trust it: its owner can tell its fingerprint")):
            with self.subTest(name), Scripted(tls="implicit", certificate=name) as server:
                ended = self.place.attempt(server.url(), f"cafile={server.ca}")
                self.assertEqual(ended.status, FAILURE)
                self.assertRegex(ended.errors, f"\\Amount\\.pullmail: {host}({says})\n\\Z")
                nothing_left(self.place.point)

    def test_authority_that_was_not_given(self):
        where = f"localhost:{SERVER.ports['imaps']}"
        self.refused(FAILURE, f"{where}: the server's certificate is issued by /CN=pullmail test authority, "
                              f"{UNTRUSTED}", SERVER.url(), without=("cafile",))

    def test_unusable_pem_files(self):
        none, junk = self.place.folder / "none", self.place.passfile
        for options, says in (([f"cafile={none}"], f"cafile={none} can't be read: No such file or directory"),
                              ([f"cafile={junk}"], f"cafile={junk}: no certificate or crl found; it must hold "
                                                   "certificates in PEM form"),
                              ([f"cert={none}"], f"cert={none} can't be read: No such file or directory"),
                              ([f"cert={SERVER.ca}", f"key={none}"],
                               f"key={none} can't be read: No such file or directory")):
            with self.subTest(says):
                self.refused(FAILURE, says, SERVER.url(), *options)

    def test_wrong_kind_of_port(self):
        imap, imaps = SERVER.ports["imap"], SERVER.ports["imaps"]
        self.refused(FAILURE, f"localhost:{imap}: TLS failed: the server does not speak TLS on this port; is it "
                              "imap:// (or pop3://), where TLS begins with STARTTLS?", f"imaps://ann@localhost:{imap}/")
        self.refused(FAILURE, f"localhost:{imaps}: the server did not greet within 1 s; is it imaps://, where TLS "
                              "begins at once?", f"imap://ann@localhost:{imaps}/", "timeout=1",
                     foreground=False)

    def test_no_starttls(self):
        with Scripted(tls="off") as server:
            self.refused(FAILURE, f"localhost:{server.port}: the server offers no STARTTLS here; use imaps://, or "
                                  "tls=off where the network may read your mail and password", server.url())

    def test_folder_that_is_not_there(self):
        self.refused(FAILURE, 'the server has no folder "Missing/Folder"; leave it out of the URL to see which there '
                              'are', SERVER.url(folder="Missing/Folder"))

    def test_folder_that_is_there(self):
        with SERVER.mailbox() as mailbox:
            mailbox.create("Réunions/Été")
        with Mount(SERVER, url=SERVER.url(folder="R%C3%A9unions/")) as mount:
            self.assertEqual(os.listdir(mount.point), ["Été"])


class CredentialsTest(Refused):
    """What is wrong with who asks."""

    def test_login_is_refused(self):
        where = f"localhost:{SERVER.ports['imaps']}"
        says = "login refused: the server answered NO: Authentication failed. (are login name and " \
               "password right?)"
        bad = self.place.secret("bad", "wrong\n")
        self.refused(FAILURE, f"{where}: user ann: {says}", SERVER.url(), f"passfile={bad}")
        self.refused(FAILURE, f"{where}: user bob: {says}", SERVER.url(user="bob"))

    def test_no_password_at_all(self):
        self.refused(FAILURE, "no password for ann@localhost: give passfile=FILE or passcmd=COMMAND, put it into "
                              "~/.netrc, or mount from a terminal", SERVER.url(), without=("passfile",))

    def test_passfile(self):
        none = self.place.folder / "none"
        self.refused(FAILURE, f"passfile: can't read {none}: No such file or directory", SERVER.url(),
                     f"passfile={none}")
        self.refused(FAILURE, f"passfile: can't read {self.place.folder}: it is no regular file", SERVER.url(),
                     f"passfile={self.place.folder}")
        for mode in (0o640, 0o604, 0o620, 0o602):
            file = self.place.secret("open", "pass\n", mode)
            self.refused(FAILURE, f"passfile: {file} is refused, since it holds a password and others have access to "
                                  f"it; run: chmod 600 {file}", SERVER.url(), f"passfile={file}", foreground=False)
        empty = self.place.secret("empty", "\npass\n")
        self.refused(FAILURE, f"{empty} has no password: its first line is empty", SERVER.url(), f"passfile={empty}")

    def test_passcmd(self):
        for command, says in (("exit 3", "passcmd exited with status 3"),
                              ("echo pass; exit 1", "passcmd exited with status 1"),
                              ("true", "what passcmd prints has no password: its first line is empty"),
                              ("kill $$", "passcmd was ended by signal 15 (Terminated)"),
                              ("yes | head -c 100000", "can't read what passcmd prints: it is longer than 64 KiB")):
            with self.subTest(command):
                self.refused(FAILURE, says, SERVER.url(), f"passcmd={command}", without=("passfile",))

    def test_netrc(self):
        netrc = self.place.secret("netrc", "machine localhost login ann password pass\n", 0o644)
        says = (f"{netrc} is refused, since it holds a password and others have access to it; "
                f"run: chmod 600 {netrc}")
        self.refused(FAILURE, says, SERVER.url(), without=("passfile",), environment={"NETRC": str(netrc)})
        netrc = self.place.secret("netrc", 'machine localhost login ann password "pass\n')
        self.refused(FAILURE, f"{netrc}: in the netrc file, a '\"' is never closed", SERVER.url(),
                     without=("passfile",), environment={"NETRC": str(netrc)})

    def test_mechanisms_that_are_not_offered(self):
        offers = re.compile(r"the server offers PLAIN LOGIN CRAM-MD5 SCRAM-SHA-1 SCRAM-SHA-256\)\n\Z")
        for auth in ("xoauth2", "external"):
            ended = self.place.attempt(SERVER.url(), f"auth={auth}")
            self.assertEqual(ended.status, FAILURE)
            self.assertTrue(ended.errors.startswith(
                f"mount.pullmail: can't log in by {auth}: the server does not offer it; auth=auto takes the strongest "
                "that both sides have ("), ended.errors)
            self.assertRegex(ended.errors, offers)
            nothing_left(self.place.point)


class InterruptedTest(Refused):
    """A start that is broken off while the server is silent."""

    def begin(self, *flags):
        """A start that waits for the server to greet; the process."""
        adopt_orphans()
        server = Scripted()
        server.on["greeting"] = lambda session, _: session.hang()
        self.addCleanup(server.stop)
        command = self.place.command(server.url(), "tls=off", arguments=flags)
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                                   start_new_session=True)
        self.addCleanup(process.stderr.close)
        wait_for(lambda: server.sessions, "the connection")
        return process

    def test_the_command_is_ended(self):
        """Then nothing is mounted later, when nobody expects it any more."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            for flags in ((), ("-f",)):
                with self.subTest(number, flags=flags):
                    process = self.begin(*flags)
                    os.kill(process.pid, number)
                    self.assertEqual(process.wait(60), -number)
                    self.assertEqual(process.stderr.read(), "")
                    nothing_left(self.place.point)

    def test_the_daemon_dies(self):
        process = self.begin()
        # The one of the two that is not the command itself is its child.
        with open(f"/proc/{process.pid}/task/{process.pid}/children", encoding="ascii") as file:
            child = int(file.read())
        os.kill(child, signal.SIGKILL)
        self.assertEqual(process.wait(60), FAILURE)
        self.assertEqual(process.stderr.read(),
                         "mount.pullmail: the daemon died before the mount worked (signal 9)\n")
        self.assertFalse(mounted(self.place.point))
        self.assertEqual(daemons(self.place.point), [])


if __name__ == "__main__":
    unittest.main()
