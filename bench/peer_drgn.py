# SPDX-License-Identifier: GPL-3.0-or-later
"""Usage: peer_drgn.py FILE ROOT: B's walk by drgn, as well as it can be written: tables read whole
by their physical address, unpacked at once, runs joined with one comparison an entry."""
import struct
import sys
import time

import drgn

PAGE = 4096
ADDRESS = 0xffffffffff000
NOTHING = -1
table = struct.Struct("<512Q")


class Walk:
    """What is found: tables and entries of each level, runs as [start, end, first entry]."""

    def __init__(self, program):
        self.program = program
        self.counts = [[0, 0] for _ in range(4)]
        self.runs = []
        self.want = NOTHING  # the entry that would continue the last run

    def visit(self, level, phys, iova):
        entries = table.unpack(self.program.read(phys, PAGE, True))
        self.counts[level][0] += 1
        if level == 0:
            self.counts[0][1] += self.leaves(entries, iova)
            return
        shift = 12 + 9 * level
        for i, entry in enumerate(entries):
            if entry & 3:
                self.counts[level][1] += 1
                self.visit(level - 1, entry & ADDRESS, iova + (i << shift))
            else:
                self.end_run(iova + (i << shift))

    def end_run(self, iova):
        if self.want != NOTHING:
            self.runs[-1][1] = iova
            self.want = NOTHING

    def leaves(self, entries, iova):
        want = self.want
        unused = 0
        for i, entry in enumerate(entries):
            if entry == want:
                want += PAGE
                continue
            if want != NOTHING:
                self.runs[-1][1] = iova + i * PAGE
            if entry & 3:
                self.runs.append([iova + i * PAGE, 0, entry])
                want = entry + PAGE
            else:
                unused += 1
                want = NOTHING
        self.want = want
        return len(entries) - unused


def main():
    program = drgn.Program()
    program.set_core_dump(sys.argv[1])
    walk = Walk(program)
    started = time.monotonic()
    walk.visit(3, int(sys.argv[2], 0), 0)
    walk.end_run(1 << 48)
    seconds = time.monotonic() - started
    for level, (tables, entries) in enumerate(walk.counts):
        print(f"level {level} tables {tables} entries {entries}")
    print(f"mapped {sum(end - start for start, end, _ in walk.runs)}")
    print(f"runs {len(walk.runs)}")
    print(f"seconds {seconds:.6f}")


main()
