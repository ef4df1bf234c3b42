"""Many at once: two mounts of one account that remove and move the same messages, and fifty processes in
one mount. Whoever comes second is told ENOENT, or has his way too; nothing is lost, and nothing is
there twice."""
import collections
import errno
import os
import random
import subprocess
import sys
import threading
import unittest

from faults import attempt
from removing import fsync, letter, sync, without
from support import Mount, run, wait_for
from test_move import MoveCase

SHUFFLED = "any order"  # whatever the seed, all of it has to hold


def split(output):
    """The letters that a program has read, one behind the other."""
    return [b"Subject: " + part for part in output.split(b"Subject: ")[1:]]


class TwoMountsTest(MoveCase):
    """What each does: tens of letters, to be removed or to be moved to a folder."""

    REMOVE = None
    PLANS = (
        {0: REMOVE, 1: "Of one", 2: REMOVE, 3: "Of one", 4: REMOVE, 5: "Of both"},
        {2: "Of the other", 3: "Of the other", 4: REMOVE, 5: "Of both", 6: REMOVE, 7: "Of the other"},
    )

    def places(self, folders):
        """{number: the folders that it is in}, at the server."""
        found = collections.defaultdict(list)
        for folder in folders:
            for number in self.letters(folder):
                found[number].append(folder)
        return dict(found)

    def may_be(self, number, told):
        """Where a letter may be after that, as lists of folders. told: what each mount was."""
        plans = [(plan[number // 10], result) for plan, result in zip(self.PLANS, told) if number // 10 in plan]
        if not plans:
            return [["Shared"]]
        allowed = [[target] for target, _ in plans if target]
        # What was removed is gone, unless somebody has moved it first.
        if (self.REMOVE, None) in plans:
            allowed.append([])
        # Sessions of Dovecot that move the same message at the same moment both do.
        if len(allowed) == 2 and told == [None, None]:
            allowed.append(sorted(folder for folders in allowed for folder in folders))
        return allowed

    def test_rm_and_mv(self):
        """Some of the same, some of others, in any order."""
        folders = "Shared", "Of one", "Of the other", "Of both"
        truth = self.fill("Shared", 90)
        for folder in folders[1:]:
            self.fill(folder, 0)
        numbers = dict(zip(sorted(truth), range(90)))
        results = [{}, {}]
        with Mount(self.server, "refresh=1") as one, Mount(self.server, "refresh=1") as other:
            mounts = one, other
            paths = [{numbers[uid]: path for uid, path in mount.messages("Shared").items()} for mount in mounts]

            def act(index):
                plan = self.PLANS[index]
                mine = [number for number in range(90) if number // 10 in plan]
                random.Random(f"{SHUFFLED} {index}").shuffle(mine)
                for number in mine:
                    path, target = paths[index][number], plan[number // 10]
                    results[index][number] = (attempt(os.unlink, path) if target is self.REMOVE else
                                              attempt(os.rename, path, mounts[index] / target / path.name))
            threads = [threading.Thread(target=act, args=(index,)) for index in (0, 1)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertLessEqual(set(results[0].values()) | set(results[1].values()), {None, errno.ENOENT})
            for number in range(80):
                self.assertIn(None, [result[number] for result in results if number in result], f"letter {number}")
            for mount in mounts:
                for folder in folders:  # what the other mount has removed meanwhile can't be moved
                    self.assertIn(attempt(fsync, mount / folder), (None, errno.ENOENT))
            wait_for(lambda: set(self.letters("Shared")) == set(range(80, 90)), "what is left")
            places = self.places(folders)
            for number in range(90):
                told = [result.get(number) for result in results]
                self.assertIn(places.get(number, []), self.may_be(number, told), f"letter {number}, told {told}")
            for mount in mounts:
                mount.remount()
                for folder in folders:
                    self.assertEqual(self.shown(mount, folder), self.letters(folder))


class ProcessesTest(MoveCase):
    """Processes of one mount."""

    def test_fifty(self):
        """Each of those that change has messages of its own; those that read, read all of them."""
        truth = self.fill("Crowd", 300)
        self.fill("Crowd target", 0)
        letters = {letter(number) for number in range(300)}
        uids = sorted(truth)
        with Mount(self.server) as mount:
            paths = mount.messages("Crowd")
            readers = [subprocess.Popen(["cat", *(paths[uid] for uid in uids[number::10])], stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE) for number in range(10)]
            removers = [subprocess.Popen(["rm", *(paths[uid] for uid in uids[number:100:20])]) for number in range(20)]
            movers = [subprocess.Popen(["mv", *(paths[uid] for uid in uids[100 + number:200:20]), mount / "Crowd target"])
                      for number in range(20)]
            self.assertEqual([process.wait(120) for process in removers + movers], [0] * 40)
            for number, reader in enumerate(readers):
                output, errors = reader.communicate(timeout=120)
                found = split(output)
                self.assertLessEqual(set(found), letters)
                self.assertEqual(len(found), len(set(found)))
                self.assertLessEqual({letter(n) for n in range(200 + number, 300, 10)}, set(found))
                self.assertEqual([line for line in errors.splitlines() if not line.endswith(b": No such file or directory")], [])
            for folder in "Crowd", "Crowd target":
                sync(mount, folder)
            self.check(mount, "Crowd", without(truth, *uids[:200]))
            self.assertEqual(self.letters("Crowd target"), list(range(100, 200)))
            self.assertEqual(self.shown(mount, "Crowd target"), list(range(100, 200)))
            mount.remount()
            self.assertEqual(self.shown(mount, "Crowd"), list(range(200, 300)))
            self.assertEqual(self.shown(mount, "Crowd target"), list(range(100, 200)))

    def test_one_message_is_moved_by_many(self):
        """One of them succeeds."""
        truth = self.fill("Sought", 2)
        self.fill("Sought target", 0)
        with Mount(self.server) as mount:
            path = mount.messages("Sought")[sorted(truth)[0]]
            code = "import os, sys\ntry: os.rename(*sys.argv[1:])\nexcept OSError as e: sys.exit(e.errno)"
            crowd = [subprocess.Popen([sys.executable, "-S", "-c", code, path, mount / "Sought target" / str(number)])
                     for number in range(8)]
            self.assertEqual(sorted(process.wait(60) for process in crowd), [0] + [errno.ENOENT] * 7)
            sync(mount, "Sought")
            self.assertEqual(self.letters("Sought"), [1])
            self.assertEqual(self.letters("Sought target"), [0])
            self.assertEqual(len(os.listdir(mount / "Sought target")), 1)

    def test_cat_and_mv(self):
        """A message that is moved to and fro is read whole wherever it is found."""
        self.fill("To", 1)
        self.fill("Fro", 0)
        with Mount(self.server) as mount:
            name, = os.listdir(mount / "To")
            over = threading.Event()
            read = []

            def reader():
                while not over.is_set():
                    for folder in "To", "Fro":
                        found = attempt((mount / folder / name).read_bytes)
                        read.append(found)
            threads = [threading.Thread(target=reader) for _ in range(3)]
            for thread in threads:
                thread.start()
            try:
                for _ in range(15):
                    run("mv", mount / "To" / name, mount / "Fro")
                    run("mv", mount / "Fro" / name, mount / "To")
            finally:
                over.set()
                for thread in threads:
                    thread.join()
            self.assertLessEqual(set(read), {letter(0), errno.ENOENT, errno.ESTALE})
            self.assertIn(letter(0), read)
            self.assertEqual(self.letters("To", "Fro"), [0])


if __name__ == "__main__":
    unittest.main()
