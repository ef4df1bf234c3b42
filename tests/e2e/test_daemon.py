"""The program as a daemon: when it returns, how it ends, what it says and to whom, and what others can see of it."""
import base64
import contextlib
import os
import pathlib
import re
import shlex
import shutil
import signal
import socket
import stat
import subprocess
import unittest

from mounting import Place, as_root, daemons, in_namespace, nothing_left
from support import PROGRAM, ROOT, Mount, Server, mounted, run, wait_for

MESSAGE = b"Subject: mine\r\n\r\nto be read\r\n"
PASSWORD = "Seventy-Seagulls"


def setUpModule():
    global SERVER
    SERVER = Server("--user", f"ann:{PASSWORD}")
    unittest.addModuleCleanup(SERVER.remove)
    with SERVER.mailbox(password=PASSWORD) as mailbox:
        mailbox.append("INBOX", MESSAGE)


def mount_of(*options, **keywords):
    """A mount of the server's; in the background where that is asked for."""
    return Mount(SERVER, *options, password=PASSWORD, **keywords)


class EndTest(unittest.TestCase):
    """How a mount begins, and how it ends."""

    def test_signals(self):
        for background in (False, True):
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                with self.subTest(number, background=background):
                    mount = mount_of(background=background)
                    try:
                        mount.start()
                        mount.signal(number)
                        self.assertEqual(mount.wait_end(), 0)
                        self.assertFalse(mounted(mount.point))
                        self.assertEqual(os.listdir(mount.point), [])
                    finally:
                        mount.remove()

    def test_signal_while_it_is_in_use(self):
        """Who has a file open keeps none of the daemon."""
        with mount_of() as mount:
            path = mount.messages()[1]
            file = os.open(path, os.O_RDONLY)
            try:
                self.assertEqual(os.read(file, 7), MESSAGE[:7])
                mount.signal()
                self.assertEqual(mount.wait_end(), 0)
                self.assertFalse(mounted(mount.point))
            finally:
                with contextlib.suppress(OSError):  # ENOTCONN: nobody is there to be told
                    os.close(file)

    def test_unmounting(self):
        ways = [["fusermount3", "-u"], ["fusermount3", "-u", "-z"]]
        if os.geteuid() == 0:  # an ordinary user's umount is fusermount3
            ways += [["umount"], ["umount", "-l"]]
        for background in (False, True):
            for way in ways:
                with self.subTest(way, background=background), mount_of(background=background) as mount:
                    run(*way, mount.point)
                    self.assertEqual(mount.wait_end(), 0)
                    self.assertFalse(mounted(mount.point))

    def test_lazily_unmounted(self):
        """The daemon serves who is still there, and ends with the last."""
        with mount_of(background=True) as mount:
            with open(mount.messages()[1], "rb") as file:
                run("fusermount3", "-u", "-z", mount.point)
                self.assertFalse(mounted(mount.point))
                self.assertEqual(file.read(), MESSAGE)
                self.assertEqual(daemons(mount.point), [mount.pid])
            self.assertEqual(mount.wait_end(), 0)

    def test_logs_out(self):
        since = SERVER.mark()
        with mount_of() as mount:
            mount.messages()
        self.assertEqual(SERVER.count("LOGOUT", since), sum(map(bool, SERVER.transcript(since).values())))

    def test_usable_when_it_returns(self):
        """At once, and with no word, as is the custom."""
        with Place(SERVER, PASSWORD) as place:
            for _ in range(3):
                self.assertEqual(place.attempt(SERVER.url()), (0, "", ""))
                self.assertEqual(os.listdir(place.point), ["INBOX"])
                pid, = daemons(place.point)
                self.assertEqual(os.getsid(pid), pid)
                self.assertEqual({os.readlink(f"/proc/{pid}/fd/{fd}") for fd in range(3)}
                                 if os.geteuid() == 0 else {"/dev/null"}, {"/dev/null"})
                run("fusermount3", "-u", place.point)
                nothing_left(place.point)

    def test_leaves_the_folder_it_was_called_from(self):
        with mount_of(background=True) as mount:
            if os.geteuid() == 0:
                self.assertEqual(os.readlink(f"/proc/{mount.pid}/cwd"), "/")


class SecretTest(unittest.TestCase):
    """The password is where it must be, and nowhere else."""

    def test_nothing_shows_it(self):
        with Place(SERVER) as place:
            seen = place.folder / "seen"
            command = f"tr '\\\\0' '\\\\n' </proc/$PPID/cmdline >{seen}; env >>{seen}; cat {place.secret('p', PASSWORD)}"
            with mount_of(f"passcmd={command}", arguments=["-v", "-d"]) as mount:
                mount.messages()
                shown = mount.log() + mount.status() + seen.read_text()
                process = pathlib.Path(f"/proc/{mount.pid}")
                shown += (process / "cmdline").read_text()
                shown += pathlib.Path("/proc/self/mounts").read_text()
                if os.geteuid() == 0:
                    shown += (process / "environ").read_text(errors="replace")
                    owned = [path for path in mount.cache.rglob("*") if path.is_file()]
                    self.assertTrue(owned)
                    shown += "".join(path.read_bytes().decode("latin-1") for path in owned)
        for form in (PASSWORD, base64.b64encode(f"\0ann\0{PASSWORD}".encode()).decode()):
            self.assertNotIn(form, shown)

    def test_no_core_and_no_tracing(self):
        with mount_of(background=True) as mount:
            process = pathlib.Path(f"/proc/{mount.pid}")
            self.assertRegex((process / "limits").read_text(), r"Max core file size +0 +0 ")
            # The kernel gives root what belongs to a process that must not be looked into.
            self.assertEqual((process / "environ").stat().st_uid, 0)
            if os.geteuid() != 0:
                with self.assertRaises(PermissionError):
                    (process / "mem").open("rb").close()

    def test_files_are_the_owners_alone(self):
        with mount_of() as mount:
            mount.messages()[1].read_bytes()
            for path in [mount.cache, *mount.cache.rglob("*")]:
                self.assertEqual(path.stat().st_mode & 0o077, 0, path)


class SayTest(unittest.TestCase):
    """What it tells, and where."""

    def test_foreground(self):
        where = r"imaps://ann@localhost:\d+"
        with mount_of() as mount:
            wait_for(lambda: mount.log().endswith("\n"), "the first line of the log")
            self.assertRegex(mount.log(), rf"\Amount\.pullmail: {where} is mounted on {mount.point}\n\Z")
        with mount_of(arguments=["-d"]) as mount:
            log = mount.log()
            self.assertRegex(log, r"(?m)^mount\.pullmail: imap: 1 > A\d+ AUTHENTICATE SCRAM-SHA-256 <secret>$")
            self.assertRegex(log, r"(?m)^mount\.pullmail: imap: 1 < A\d+ OK .*")
            mount.messages()[1].read_bytes()
            wait_for(lambda: "FETCH" in mount.log(), "the protocol of a FETCH")
            self.assertNotIn("to be read", mount.log())

    def test_verbose_tells_of_connections(self):
        with mount_of(arguments=["-v"]) as mount:
            SERVER.stop()
            SERVER.start()
            wait_for(lambda: "connection lost: " in mount.log(), "the connection's loss")

            def listed():
                try:
                    return [path.read_bytes() for path in mount.messages().values()] == [MESSAGE]
                except OSError:
                    return False

            wait_for(listed, "the mail, again")
            log = mount.log()
            self.assertEqual(len(re.findall(rf"(?m)^mount\.pullmail: connected to localhost:{SERVER.ports['imaps']} as "
                                            "ann$", log)), 2, log)
            self.assertRegex(log, "(?m)^mount\\.pullmail: connection lost: ")
            self.assertNotIn("> A", log)

    def test_syslog(self):
        """The daemon's, once it is in the background: into a socket that stands for /dev/log."""
        with Place(SERVER, PASSWORD) as place:
            devices = place.folder / "dev"
            devices.mkdir()
            names = [name for name in ("null", "zero", "random", "urandom", "fuse", "tty") if os.path.exists(f"/dev/{name}")]
            for name in names:
                (devices / name).touch()
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
                listener.bind(str(devices / "log"))
                (devices / "log").chmod(0o666)
                listener.settimeout(30)
                ended = in_namespace(
                    'for name in $names; do mount --bind "/dev/$name" "$devices/$name"; done\n'
                    'mount --rbind "$devices" /dev\n'
                    'umask 077; cat "$passfile" >"$passfile.own"\n'
                    f'{shlex.join(PROGRAM)} "$url" "$point" -o "cafile=$ca,passfile=$passfile.own,cachedir=$cache"\n'
                    'ls "$point"; umount "$point"; rm -rf "$passfile.own" "$cache"',
                    names=" ".join(names), devices=devices, url=SERVER.url(), point=place.point, ca=SERVER.ca,
                    passfile=place.passfile, cache=place.cache)
                self.assertEqual(ended, (0, "", "INBOX\n"))
                line = listener.recv(4096).decode()
            # <facility daemon, priority notice>, the time, the program and its process.
            self.assertRegex(line, r"\A<29>.* mount\.pullmail\[\d+\]: imaps://ann@localhost:\d+ is mounted on "
                                   + re.escape(str(place.point)))

    def test_status(self):
        with mount_of(background=True) as mount:
            mount.messages()[1].read_bytes()
            lines = dict(line.split(": ", 1) for line in mount.status().splitlines())
            self.assertEqual(lines["account"], f"imaps://ann@localhost:{SERVER.ports['imaps']}")
            self.assertEqual((lines["folders"], lines["messages"]), ("1", "1"))
            self.assertEqual(lines["message-bytes"], str(len(MESSAGE)))
            self.assertEqual(lines["cache"], "on disk")
            self.assertRegex(lines["connection-1"], r"ready.* tls TLSv1\.[23] ")
            self.assertNotIn(".pullmail", os.listdir(mount.point))


class OptionTest(unittest.TestCase):
    """Options that every mount has, in their effect."""

    def table(self, point):
        """The kernel's line of a mount: source, type, options."""
        for line in pathlib.Path("/proc/self/mounts").read_text().splitlines():
            fields = line.split()
            if fields[1] == str(point):
                return fields[0], fields[2], set(fields[3].split(","))
        raise AssertionError(f"{point} is not mounted")

    def test_defaults(self):
        with mount_of() as mount:
            source, kind, options = self.table(mount.point)
            self.assertEqual((source, kind), (f"imaps://ann@localhost:{SERVER.ports['imaps']}", "fuse.pullmail"))
            self.assertLessEqual({"rw", "nosuid", "nodev", "default_permissions"}, options)
            self.assertNotIn("allow_other", options)
            for path, mode in ((mount.point, 0o700), (mount / "INBOX", 0o700), (mount.messages()[1], 0o600)):
                found = path.stat()
                self.assertEqual(stat.S_IMODE(found.st_mode), mode)
                self.assertEqual((found.st_uid, found.st_gid), (os.geteuid(), os.getegid()))

    def test_owner_and_mode(self):
        owner = (12345, 54321) if os.geteuid() == 0 else (os.geteuid(), 54321)  # else nobody could look
        with mount_of(f"uid={owner[0]}", f"gid={owner[1]}", "umask=027") as mount:
            for path, mode in ((mount.point, 0o750), (mount / "INBOX", 0o750), (mount.messages()[1], 0o640)):
                found = path.stat()
                self.assertEqual((found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)), (*owner, mode))

    def test_options_of_fstab(self):
        words = ["noauto", "user", "_netdev", "x-systemd.automount", "x-systemd.idle-timeout=10min", "nofail",
                 "comment=mine", "nosuid", "nodev", "noexec", "noatime", "rw", "defaults", "X-mount.mkdir",
                 "fsname=my mail", "subtype=post"]
        with mount_of(*words) as mount:
            source, kind, options = self.table(mount.point)
            self.assertEqual((source, kind), (r"my\040mail", "fuse.post"))
            self.assertLessEqual({"rw", "nosuid", "nodev", "noexec", "noatime"}, options)
            self.assertEqual(len(mount.messages()), 1)

    def test_flags_of_mount(self):
        with mount_of(arguments=["-n", "-s", "-r"]) as mount:
            self.assertEqual(len(mount.messages()), 1)


class InstallTest(unittest.TestCase):
    """mount -t pullmail, by a copy that make install put into a folder which stands for /sbin."""

    @classmethod
    def setUpClass(cls):
        cls.place = Place(SERVER, PASSWORD)
        cls.addClassCleanup(cls.place.__exit__)
        cls.root = cls.place.folder / "root"
        cls.make("install")

    @classmethod
    def make(cls, target):
        """Runs make for the variant that is under test."""
        parts = pathlib.Path(PROGRAM[-1]).resolve().relative_to(ROOT).parts
        variant = parts[1] if len(parts) > 1 else "release"
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
        run("make", "-s", "-C", ROOT, target, f"VARIANT={variant}", f"DESTDIR={cls.root}", env=environment)

    def script(self, text, **variables):
        """Runs a script where /sbin has our program alone, and root owns the passfile."""
        return in_namespace('mount --bind "$root/sbin" /sbin\numask 077\n'
                            'cat "$passfile" >"$passfile.own"; echo wrong >"$passfile.bad"\n'
                            "common=cafile=$ca,cachedir=$cache\n" + text +
                            '\nrm -rf "$cache" "$passfile.own" "$passfile.bad"', root=self.root,
                            passfile=self.place.passfile, ca=SERVER.ca, cache=self.place.cache, url=SERVER.url(),
                            point=self.place.point, **variables)

    def test_what_is_installed(self):
        files = {str(path.relative_to(self.root)): stat.S_IMODE(path.stat().st_mode)
                 for path in self.root.rglob("*") if path.is_file()}
        self.assertEqual(files, {"sbin/mount.pullmail": 0o755,
                                 "usr/local/share/man/man8/mount.pullmail.8": 0o644,
                                 "usr/local/lib/systemd/user/pullmail@.service": 0o644,
                                 "usr/local/share/doc/pullmail/examples/srv-mail.mount": 0o644,
                                 "usr/local/share/doc/pullmail/examples/srv-mail.automount": 0o644})

    def test_uninstall(self):
        kept = self.root.with_name("kept")
        shutil.copytree(self.root, kept)
        self.make("uninstall")
        self.assertEqual([path for path in self.root.rglob("*") if path.is_file()], [])
        shutil.rmtree(self.root)
        kept.rename(self.root)

    def test_mount_and_umount(self):
        ended = self.script('mount -t pullmail "$url" "$point" -o "$common,passfile=$passfile.own,'
                            'noauto,user,_netdev,x-systemd.automount"\n'
                            'ls "$point"; grep -c " $point fuse.pullmail " /proc/self/mounts\n'
                            'umount "$point"; ls "$point" | wc -l')
        self.assertEqual(ended, (0, "", "INBOX\n1\n0\n"))

    def test_fstab(self):
        """By its mount point alone; a second `mount -a` has nothing to do."""
        ended = self.script('echo "$url $point pullmail user,_netdev,nofail,x-systemd.idle-timeout=1min,$common,'
                            'passfile=$passfile.own 0 0" >"$passfile.fstab"\n'
                            'mount -T "$passfile.fstab" "$point"; ls "$point"\n'
                            'mount -T "$passfile.fstab" -a; grep -c " $point fuse.pullmail " /proc/self/mounts\n'
                            'umount "$point"; rm "$passfile.fstab"')
        self.assertEqual(ended, (0, "", "INBOX\n1\n"))

    def test_failures(self):
        """mount(8) passes on the line and the status."""
        ended = self.script('mount -t pullmail "$url" "$point" -o "$common,passfile=$passfile.bad" || echo "$?"\n'
                            'mount -t pullmail "$url" "$point" -o "$common,bogus" || echo "$?"')
        self.assertEqual((ended.status, ended.output), (0, "32\n1\n"))
        self.assertRegex(ended.errors, r"\Amount\.pullmail: localhost:\d+: user ann: login refused: [^\n]*\n"
                                       r"mount\.pullmail: unknown option 'bogus'; see mount\.pullmail\(8\)\n\Z")

    def test_allow_other(self):
        """As root, for a user who gets in as far as owner and umask allow."""
        other = "--user" not in as_root()
        ended = self.script('chmod 711 "$point" "${point%/*}"\n'
                            'mount -t pullmail "$url" "$point" -o "$common,passfile=$passfile.own,allow_other,umask=022"\n'
                            'grep -c "allow_other" /proc/self/mounts\n' +
                            ('setpriv --reuid=65534 --regid=65534 --clear-groups sh -c "cat $point/INBOX/*"\n'
                             if other else 'cat "$point"/INBOX/*\n') + 'umount "$point"')
        self.assertEqual(ended, (0, "", "1\n" + MESSAGE.decode()))
        if other:
            ended = self.script('mount -t pullmail "$url" "$point" -o "$common,passfile=$passfile.own,umask=022"\n'
                                'setpriv --reuid=65534 --regid=65534 --clear-groups ls "$point" 2>&1 || echo no\n'
                                'umount "$point"')
            self.assertRegex(ended.output, r"Permission denied\nno\n\Z")


if __name__ == "__main__":
    unittest.main()
