# SPDX-License-Identifier: GPL-3.0-or-later
"""Arm translation tables in images of physical memory, by the manual's text.

Arm Architecture Reference Manual (DDI 0487), D8.2 (granules, start levels, concatenated tables),
D8.3.1 (descriptors), D8.4 (permissions), D8.7.1 (the Contiguous bit). Nothing here is taken from
formats/lpae.c, which is tested by it. Levels are counted as the manual does: 3 has the pages.
"""
import random

VALID, TABLE_OR_PAGE = 1, 2
AF = 1 << 10
CONTIGUOUS = 1 << 52


class Tables:
    """One tree. `map` adds leaves; `leaves` is what has to be found again."""

    def __init__(self, target, stage, granule, start, ias, oas=48, lpa2=False, ttbr1=False,
                 root=0x10000, first_table=0x200000):
        self.stage, self.start, self.ias, self.oas, self.lpa2 = stage, start, ias, oas, lpa2
        self.page = {"4k": 12, "16k": 14, "64k": 16}[granule]
        self.base = (1 << 64) - (1 << ias) if ttbr1 else 0
        self.root, self.next_table = root, first_table
        self.memory = {}    # address of an entry: its value
        self.tables = {}    # (level, prefix): address
        self.leaves = []    # (iova, length, phys, page size, permissions)
        keys = f"granule={granule},start-level={start},ias={ias},oas={oas}"
        self.target = f"root:lpae_s{stage}@{root:#x},{keys}" + (",lpa2=1" if lpa2 else "") + \
            (",ttbr1=1" if ttbr1 else "") + target

    def span(self, level):
        """log2 of what an entry of this level covers"""
        return self.page + (3 - level) * (self.page - 3)

    def address_bits(self, address):
        """The address field of a descriptor: 48 bits, 64K's 52 bits, or LPA2's"""
        if self.lpa2:
            return address & ((1 << 50) - 1) | (address >> 50) << 8
        if self.page == 16:
            return address & ((1 << 48) - 1) | (address >> 48) << 12
        return address

    def entry_place(self, level, iova):
        index = iova >> self.span(level)
        if level != self.start:
            index &= (1 << (self.page - 3)) - 1
        table = self.root
        if level > self.start:
            table = self.tables[(level, iova >> self.span(level - 1))]
        return table + index * 8

    def descend(self, level, iova, high=0):
        """Make the tables on the way to `level`; `high`: APTable and so on of the new ones"""
        for above in range(self.start, level):
            key = (above + 1, iova >> self.span(above))
            if key not in self.tables:
                self.tables[key] = self.next_table
                self.next_table += 1 << self.page
                self.memory[self.entry_place(above, iova)] = \
                    self.address_bits(self.tables[key]) | high | TABLE_OR_PAGE | VALID

    def leaf_bits(self, level, perm, contiguous):
        bits = AF | VALID | (TABLE_OR_PAGE if level == 3 else 0) | (CONTIGUOUS if contiguous else 0)
        if not self.lpa2:
            bits |= 3 << 8                              # SH: inner shareable
        if self.stage == 1:
            bits |= 1 << 6 | (0 if "w" in perm else 1 << 7)         # AP[1], AP[2]
            bits |= 0 if "x" in perm else 3 << 53                   # UXN, PXN
        else:
            bits |= 0xf << 2 | (1 << 6 if "r" in perm else 0) | (1 << 7 if "w" in perm else 0)
            bits |= 0 if "x" in perm else 2 << 53                   # XN[1:0] = 10
        return bits

    def group(self, level):
        """How many entries the Contiguous bit joins"""
        return {12: 16, 14: 128 if level == 3 else 32, 16: 32}[self.page]

    def map(self, level, iova, phys, perm, contiguous=False, high=0):
        """One leaf, or a whole contiguous group of them"""
        count = self.group(level) if contiguous else 1
        size = 1 << self.span(level)
        for i in range(count):
            self.descend(level, iova + i * size, high)
            self.memory[self.entry_place(level, iova + i * size)] = \
                self.address_bits(phys + i * size) | self.leaf_bits(level, perm, contiguous)
        self.leaves.append((self.base | iova, count * size, phys, count * size, perm))

    def write(self, path):
        with open(path, "wb") as image:
            image.truncate((self.next_table + 0x200000) & ~0xffff)
            for address, value in self.memory.items():
                image.seek(address)
                image.write(value.to_bytes(8, "little"))

    def fill(self, seed, levels):
        """Random leaves, in ascending order, of the sizes that `levels` have"""
        rng = random.Random(seed)
        perms = ["rwx", "r-x", "rw-", "r--"] + (["-w-"] if self.stage == 2 else [])
        iova, perm, phys = 0, "rwx", 0
        for number in range(400):
            level = rng.choice(levels)
            lg2 = self.span(level)
            contiguous = rng.random() < 0.2 and level > self.start and \
                level >= (2 if self.page == 14 else 1)
            if contiguous:
                lg2 += self.group(level).bit_length() - 1
            size = 1 << lg2
            if rng.random() < 0.3 or number == 0:
                perm = rng.choice(perms)
                phys = rng.randrange(1 << self.oas)
                iova += rng.randrange(1 << (self.ias - rng.randrange(3, 16)))
            iova = (iova + size - 1) & -size
            phys = (phys + size - 1) & -size
            if iova + size > 1 << self.ias:
                break
            if phys + size > 1 << self.oas:
                phys = 0
            self.map(level, iova, phys, perm, contiguous)
            iova += size
            phys += size


def synthetic():
    """name, tree: one each of what no kernel here makes"""
    trees = {
        "s1-64k-52": (Tables("", 1, "64k", 1, 52, 52), [1, 2, 3]),
        "s1-64k-42": (Tables("", 1, "64k", 2, 42), [2, 3]),
        "s2-64k-46-concat16": (Tables(",concat=16", 2, "64k", 2, 46, root=0x100000), [2, 3]),
        "s2-4k-40-concat2": (Tables(",concat=2", 2, "4k", 1, 40, 40), [1, 2, 3]),
        "s2-16k-48-concat2": (Tables(",concat=2", 2, "16k", 1, 48), [2, 3]),
        "s1-16k-48": (Tables("", 1, "16k", 0, 48, root=0x101f0), [2, 3]),
        "s1-4k-lpa2": (Tables("", 1, "4k", -1, 52, 52, lpa2=True), [0, 1, 2, 3]),
        "s2-16k-lpa2": (Tables("", 2, "16k", 1, 50, 52, lpa2=True, root=0x20000), [1, 2, 3]),
        "s1-4k-ttbr1": (Tables("", 1, "4k", 1, 39, ttbr1=True), [1, 2, 3]),
        "s1-4k-32": (Tables("", 1, "4k", 1, 32, 40, root=0x10fe0), [2, 3]),
    }
    for seed, (name, (tree, levels)) in enumerate(trees.items()):
        tree.fill(seed + 1, levels)
        yield name, tree


def screens():
    """name, tree, address: what docs/arm.md shows"""
    tree = Tables("", 2, "4k", 1, 40, 40, root=0x10000)
    tree.map(2, 0x8040200000, 0x40200000, "rwx")
    yield "concatenated", tree, 0x8040200123
    tree = Tables("", 1, "4k", 1, 39)
    tree.map(3, 0x40210000, 0x80000, "rw-", contiguous=True)
    yield "contiguous", tree, 0x40215678
    tree = Tables("", 1, "4k", 1, 39)
    tree.descend(2, 0x40000000, high=1 << 62)       # APTable[1]: read-only below
    tree.map(3, 0x40201000, 0x7000, "rwx")
    yield "inherited", tree, 0x40201abc
    tree = Tables("", 1, "64k", 1, 52, 52, root=0x10000)
    tree.map(3, 0x40020010000, 0xc000000050000, "rw-")
    yield "wide", tree, 0x40020012345
