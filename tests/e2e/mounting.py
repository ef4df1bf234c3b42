"""mounting: running the program as a user's shell does, and namespaces in which mount(8) finds it."""
import collections
import contextlib
import os
import pathlib
import shlex
import shutil
import subprocess

from support import PROGRAM, adopt_orphans, mounted, need_fuse, temporary_folder, wait_for

Ended = collections.namedtuple("Ended", "status errors output")


class Place:
    """A folder with a mount point, a good passfile and room for the cache; for one attempt or several."""

    def __init__(self, server=None, password="pass"):
        self.folder = temporary_folder()
        self.point = self.folder / "mnt"
        self.point.mkdir()
        self.cache = self.folder / "cache"
        self.passfile = self.secret("pass", password + "\n")
        self.usual = {"passfile": self.passfile, "cachedir": self.cache}
        if server:
            self.usual["cafile"] = server.ca

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if mounted(self.point):
            subprocess.run(["fusermount3", "-u", "-z", str(self.point)], check=False, stderr=subprocess.DEVNULL)
        shutil.rmtree(self.folder, ignore_errors=True)

    def secret(self, name, text, mode=0o600):
        """Writes a file; the umask has no say."""
        path = self.folder / name
        path.unlink(missing_ok=True)
        path.touch(mode=0o600)
        path.write_text(text)
        path.chmod(mode)
        return path

    def command(self, url, *options, without=(), point=None, arguments=()):
        """The command line. The usual options are given unless they are among these, or unwanted."""
        given = {option.split("=")[0] for option in options} | set(without)
        words = [*options, *(f"{name}={value}" for name, value in self.usual.items() if name not in given)]
        listed = ["-o", ",".join(words)] if words else []
        return [*PROGRAM, url, str(point or self.point), *arguments, *listed]

    def attempt(self, *arguments, environment=None, **options):
        """Runs command(…) to its return: to the background, where the mount works."""
        return attempt(self.command(*arguments, **options), environment)


def attempt(command, environment=None, cwd=None):
    """Runs a command of ours, which has no terminal, to its end."""
    need_fuse()
    adopt_orphans()
    done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, capture_output=True, check=False,
                          timeout=120, start_new_session=True, cwd=cwd,
                          env={**os.environ, "HOME": "/nonexistent", **(environment or {})})
    return Ended(done.returncode, done.stderr.decode("utf-8", "surrogateescape"), done.stdout.decode())


def children():
    """The processes that are this one's, by birth or as orphans; the dead among them are buried."""
    found = []
    for child in map(int, pathlib.Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()):
        with contextlib.suppress(OSError):
            if b"Z" in pathlib.Path(f"/proc/{child}/stat").read_bytes().rpartition(b")")[2].split()[:1]:
                os.waitpid(child, 0)
            else:
                found.append(child)
    return found


def daemons(point):
    """The processes that serve this mount point, or try to."""
    found = []
    for child in children():
        with contextlib.suppress(OSError):
            if os.fsencode(point) in pathlib.Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0"):
                found.append(child)
    return found


def nothing_left(point):
    """Nothing is mounted there, and nobody goes on trying."""
    assert not mounted(point), f"{point} is mounted"
    wait_for(lambda: not daemons(point), "the daemon's end")


def as_root():
    """The beginning of a command that runs as root, if only in a user namespace, with mounts of its own."""
    ways = [[]] if os.geteuid() == 0 else [["unshare", "--user", "--map-root-user"], ["sudo", "-n"]]
    # In a chroot, whose root is no mount, unshare can't say how mounts propagate.
    for way in [[*way, "unshare", "--mount", *how] for how in ([], ["--propagation", "unchanged"]) for way in ways]:
        if subprocess.run([*way, "true"], check=False, stdin=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL).returncode == 0:
            return way
    raise AssertionError("a mount namespace can't be had: by root, by a user namespace, or by sudo without a password")


def in_namespace(script, *flags, **variables):
    """
    Runs a shell script as root with mounts of its own (flags: unshare's, for more of its own).
    variables are the script's. Returns how it ended.
    """
    need_fuse()
    lines = [f"{name}={shlex.quote(str(value))}" for name, value in variables.items()]
    text = "\n".join(["set -eu", f"export HOME=/nonexistent LC_ALL=C.UTF-8 PATH={shlex.quote(os.environ['PATH'])}",
                      *lines, script])
    return attempt([*as_root(), *flags, "sh", "-c", text])
