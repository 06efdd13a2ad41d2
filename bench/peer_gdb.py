# SPDX-License-Identifier: GPL-3.0-or-later
"""In gdb, with `root` set: B's walk with a read for each entry, as one does by x/gx. make_tables'
ELF files have physical addresses for virtual ones, so gdb reads them."""
import struct
import time

import gdb

PAGE = 4096
ADDRESS = 0xffffffffff000


class Walk:
    """Tables and entries of each level, and how much is mapped in how many runs."""

    def __init__(self):
        self.memory = gdb.selected_inferior()
        self.counts = [[0, 0] for _ in range(4)]
        self.runs = self.mapped = 0
        self.next = None

    def visit(self, level, phys, iova):
        self.counts[level][0] += 1
        for i in range(512):
            entry, = struct.unpack("<Q", self.memory.read_memory(phys + 8 * i, 8))
            if not entry & 3:
                continue
            at = iova + (i << (12 + 9 * level))
            self.counts[level][1] += 1
            if level:
                self.visit(level - 1, entry & ADDRESS, at)
            else:
                self.leaf(at, entry & ADDRESS)

    def leaf(self, iova, phys):
        self.runs += (iova, phys) != self.next
        self.mapped += PAGE
        self.next = (iova + PAGE, phys + PAGE)


started = time.monotonic()
walk = Walk()
walk.visit(3, root, 0)  # pylint: disable=undefined-variable
seconds = time.monotonic() - started
for number, (tables, entries) in enumerate(walk.counts):
    print(f"level {number} tables {tables} entries {entries}")
print(f"mapped {walk.mapped}")
print(f"runs {walk.runs}")
print(f"seconds {seconds:.6f}")
