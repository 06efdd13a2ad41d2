# SPDX-License-Identifier: GPL-3.0-or-later
"""Other programs doing B's walk, each on so small a part of it as it needs to end in seconds."""
import os
import re
import shutil
import subprocess
import sys
import time

import measure
from crash_session import Crash
from dumps import BASE, PYTHON
from graft import graft
from tables import PAGE, Tables
from walks import DENSE_LEAVES

HERE = os.path.dirname(os.path.abspath(__file__))
ADDRESS = 0xffffffffff000
SECONDS = re.compile(r"seconds ([0-9.]+)")


def told(words, tables):
    """A contender that tells itself how long the walk took, without its start."""
    def contend():
        text = measure.run(words)[0]
        if not tables.peer_is_right(text):
            measure.fail(words, "the answer is wrong, so its time means nothing")
        return measure.Cost(float(SECONDS.search(text).group(1)), None)
    return contend


class Walk:
    """The same walk over whatever gives the entries of a table."""

    def __init__(self, read):
        self.read = read
        self.counts = [[0, 0] for _ in range(4)]
        self.runs = self.mapped = 0
        self.next = None

    def visit(self, level, phys, iova):
        entries = [(i, entry & ADDRESS) for i, entry in enumerate(self.read(phys)) if entry & 3]
        self.counts[level][0] += 1
        self.counts[level][1] += len(entries)
        for i, output in entries:
            at = iova + (i << (12 + 9 * level))
            if level:
                self.visit(level - 1, output, at)
            else:
                self.runs += (at, output) != self.next
                self.mapped += PAGE
                self.next = (at + PAGE, output + PAGE)

    def text(self):
        lines = [f"level {level} tables {tables} entries {entries}\n"
                 for level, (tables, entries) in enumerate(self.counts)]
        return "".join(lines) + f"mapped {self.mapped}\nruns {self.runs}\n"


def by_rd(crash, tables):
    """rd -p of each table, in one session of crash."""
    def read(phys):
        text = crash.run(f"rd -p {phys:x} 512")[0]
        return [int(word, 16) for line in re.findall(r"^ +[0-9a-f]+:  (.*?)(?:   |$)", text, re.M)
                for word in line.split()]

    def contend():
        walk = Walk(read)
        started = time.monotonic()
        walk.visit(3, tables.root, 0)
        spent = measure.Cost(time.monotonic() - started, None)
        if not tables.peer_is_right(walk.text()):
            sys.exit("run: peers: the answer by rd -p is wrong, so its time means nothing")
        return spent
    return contend


def add_crash(options, scratch, leaves):
    """The session and its contender; None and why not."""
    files = [os.path.join(options.sample, name) for name in ("vmcore", "vmlinux")]
    if not all(map(os.path.exists, files)):
        return None, f"crash, rd -p: {options.sample} has no sample"
    tables = Tables(options.build, "contiguous", "vtd_ss", leaves, "elf", f"{scratch}/rd", BASE)
    dump = graft(files[0], tables.path, f"{scratch}/rd-dump")
    try:
        crash = Crash(files[1], dump.path)
    except (OSError, RuntimeError) as error:
        return None, f"crash, rd -p: {error}"
    return crash, by_rd(crash, tables)


def walk(table, options, scratch):
    """Seconds for each leaf table, by theirs against by ours."""
    full = max(int(DENSE_LEAVES * options.dense_scale), 64)
    sizes = {"drgn": full // 64, "kdump_read loop": full // 64, "gdb": 64, "crash, rd -p": 64}

    def make(leaves):
        return Tables(options.build, "contiguous", "vtd_ss", leaves, "elf",
                      f"{scratch}/{leaves}")

    big, part, few = make(full), make(full // 64), make(64)
    contenders = {"ours": big.ours("pagemap"), "usage": big.ours("usage")}
    if subprocess.run([PYTHON, "-c", "import drgn"], check=False,
                      stderr=subprocess.DEVNULL).returncode == 0:
        contenders["drgn"] = told([PYTHON, f"{HERE}/peer_drgn.py", part.path, hex(part.root)], part)
    else:
        table.left_out("peers", "drgn is not installed (python3-drgn)")
    contenders["kdump_read loop"] = measure.checked(
        [f"{options.build}/bench/kdump_loop", part.path, hex(part.root)], part.peer_is_right)
    if shutil.which("gdb"):
        contenders["gdb"] = told(["gdb", "-nx", "-batch", "-ex", f"core-file {few.path}", "-ex",
                                  f"python root = {few.root}", "-x", f"{HERE}/peer_gdb.py"], few)
    else:
        table.left_out("peers", "gdb is not installed")
    crash, contend = add_crash(options, scratch, sizes["crash, rd -p"])
    if crash:
        contenders["crash, rd -p"] = contend
    else:
        table.left_out("peers", contend)
    try:
        costs = measure.take_turns(options.rounds, contenders)
    finally:
        if crash:
            crash.end()
    for name in sizes:
        if name in costs:
            factor = full / sizes[name]
            table.compare("peers", "pagemap", costs["ours"],
                          f"{name}, {factor:g} times 1/{factor:g}",
                          [cost.times(factor) for cost in costs[name]],
                          50.0 if name == "drgn" else None, big.bytes)
