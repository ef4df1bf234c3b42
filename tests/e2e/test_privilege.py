"""A mount by root for somebody else: the daemon is that user once it is mounted, and the cache is that user's."""
import os
import shlex
import unittest

from mounting import Place, as_root, in_namespace
from support import PROGRAM, Mount, Server

MESSAGE = b"Subject: hers\r\n\r\nto be read\r\n"
UID, GID = 12345, 54321
# With these alone can a mount be ended, wherever it is: CAP_SYS_ADMIN and CAP_DAC_READ_SEARCH.
UNMOUNTING = 1 << 21 | 1 << 2
OTHERS = os.geteuid() == 0 or "--user" not in as_root()  # else there is nobody but root

# Where root's caches are, one has it all to oneself. Ends by a signal, so that the daemon has to unmount.
SCRIPT = f"""
mount -t tmpfs -o mode=755 tmpfs /var/cache
umask 077; cat "$passfile" >"$passfile.own"
{shlex.join(PROGRAM)} "$url" "$point" -o "cafile=$ca,passfile=$passfile.own,allow_other,$owner"
for line in $(grep -lzFx -e "$point" /proc/[0-9]*/cmdline 2>/dev/null || true); do
    if test -e $line; then daemon=${{line%/cmdline}}; daemon=${{daemon#/proc/}}; fi # grep's own is gone by then
done
cat "$point"/INBOX/*.eml
grep -hE '^(Uid|Gid|Groups|CapPrm|CapEff):' /proc/$daemon/task/*/status | sort -u
stat -c '%a %u %g' /var/cache/pullmail
find /var/cache/pullmail/* -printf '%m %U %G %y\\n' | sort -u
kill $daemon
for try in $(seq 300); do
    if ! grep -q " $point " /proc/self/mounts && ! grep -q . /proc/$daemon/cmdline 2>/dev/null; then break; fi
    sleep 0.1
done
ls -A "$point" | wc -l
rm "$passfile.own"
"""


def setUpModule():
    global SERVER
    SERVER = Server("--user", "ann:pass")
    unittest.addModuleCleanup(SERVER.remove)
    with SERVER.mailbox() as mailbox:
        mailbox.append("INBOX", MESSAGE)


def lines(text):
    """{name: set of values} of lines of /proc/PID/status."""
    found = {}
    for line in text.splitlines():
        name, _, values = line.partition(":")
        found.setdefault(name, set()).add(values.strip())
    return found


class PrivilegeTest(unittest.TestCase):
    """What the daemon is left with, and whose files it makes."""

    def mounted_by_root(self, owner):
        """What the script prints: the message, the daemon's status, the modes of the cache, what is left."""
        with Place(SERVER) as place:
            place.folder.chmod(0o711)
            ended = in_namespace(SCRIPT, url=SERVER.url(), point=place.point, ca=SERVER.ca, passfile=place.passfile,
                                 owner=owner)
        self.assertEqual(ended.status, 0, ended)
        self.assertTrue(ended.output.startswith(MESSAGE.decode()), ended.output)
        rest = ended.output[len(MESSAGE):].splitlines()
        status = lines("\n".join(line for line in rest if ":" in line))
        modes = [line for line in rest if ":" not in line]
        self.assertEqual(modes.pop(), "0", "what was left of the mount")
        return status, modes, ended.errors

    def test_for_another_user(self):
        status, modes, errors = self.mounted_by_root(f"uid={UID},gid={GID}")
        if not OTHERS:
            self.assertIn("working as root, since it can't be as user 12345", errors)
            return
        self.assertEqual(errors, "")
        self.assertEqual((status["Uid"], status["Gid"]), ({"\t".join([str(UID)] * 4)}, {"\t".join([str(GID)] * 4)}))
        self.assertEqual(status["Groups"], {""})
        self.assertEqual(status["CapEff"], {"0" * 16})
        self.assertLessEqual({int(held, 16) for held in status["CapPrm"]}, {0, UNMOUNTING})
        self.assertEqual(modes[0], "711 0 0")
        self.assertEqual(modes[1:], [f"600 {UID} {GID} f", f"700 {UID} {GID} d"])

    def test_for_a_user_whose_group_is_the_systems_to_say(self):
        if OTHERS:
            status, modes, _ = self.mounted_by_root("uid=nobody")
            self.assertEqual(status["Uid"], {"\t".join(["65534"] * 4)})
            self.assertEqual(status["Gid"], {"\t".join(["65534"] * 4)})
            self.assertEqual(modes[1:], ["600 65534 65534 f", "700 65534 65534 d"])
        else:
            with Mount(SERVER, f"uid={UID}") as mount:  # an ordinary user's daemon is that user's, whatever is shown
                self.assertEqual(os.stat(f"/proc/{mount.pid}/task").st_uid, 0)  # not dumpable
                self.assertEqual(os.stat(mount.cache).st_uid, os.geteuid())

    def test_for_root(self):
        status, modes, errors = self.mounted_by_root("umask=022")
        self.assertEqual(errors, "")
        self.assertEqual(status["Uid"], {"0\t0\t0\t0"})
        self.assertEqual(modes, ["700 0 0", "600 0 0 f", "700 0 0 d"])


if __name__ == "__main__":
    unittest.main()
