"""The program that was built is one that is hard to abuse: as readelf tells."""
import re
import subprocess
import unittest

from hostilecase import INSTRUMENTED
from support import PROGRAM


def elf(*options):
    """What readelf says of the program."""
    return subprocess.run(["readelf", "--wide", *options, PROGRAM[-1]], check=True, capture_output=True, text=True).stdout


class HardeningTest(unittest.TestCase):
    """The flags of the Makefile have come through."""

    def test_addresses_are_random(self):
        self.assertRegex(elf("--file-header"), r"Type:\s+DYN")
        self.assertRegex(elf("--dynamic"), r"FLAGS_1.*\bPIE\b")

    def test_what_was_relocated_is_read_only(self):
        self.assertIn("GNU_RELRO", elf("--program-headers"))
        self.assertRegex(elf("--dynamic"), r"\(FLAGS\).*BIND_NOW|FLAGS_1.*\bNOW\b")

    def test_nothing_is_both_writable_and_executable(self):
        headers = re.findall(r"^  (\S+)\s+(?:0x\w+\s+){5}([RWE ]{3})", elf("--program-headers"), re.MULTILINE)
        self.assertIn("GNU_STACK", dict(headers))
        self.assertEqual([name for name, flags in headers if "W" in flags and "E" in flags], [])

    def test_stack_and_copies_are_watched(self):
        symbols = elf("--dyn-syms")
        self.assertIn("__stack_chk_fail", symbols)
        if not INSTRUMENTED:
            # of memory from an allocator: the compiler's level 3 alone knows its size
            self.assertIn("__memcpy_chk", symbols)


if __name__ == "__main__":
    unittest.main()
