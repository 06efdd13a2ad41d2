# SPDX-License-Identifier: GPL-3.0-or-later
"""Files with large tables, by make_tables, and whether an answer about them is right."""
import csv
import os
import re
import shutil
import subprocess
import sys
import tempfile

import measure

PAGE = 4096
FIRST_OUTPUT = 1 << 32  # what the first page of a contiguous table is mapped to
SCATTER = "20"  # per cent of the blocks of tables
# A leaf table's part of the file, with the directories': a little above.
FILE_BYTES = {"stress": 30, "elf": 4200, "zlib": 2200, "lzo": 2200, "zstd": 2200}


class Tables:
    """One file, and what make_tables says is true of it."""

    def __init__(self, build, shape, fmt, leaves, kind, path, base=0):
        needed = leaves * FILE_BYTES["stress" if shape == "stress" else kind] + (1 << 26)
        free = shutil.disk_usage(os.path.dirname(path)).free
        if free < needed:
            sys.exit(f"run: {os.path.dirname(path)} has {free} bytes free, and {needed} are "
                     "needed: set TMPDIR or a smaller scale")
        text = measure.run([f"{build}/bench/make_tables", shape, fmt, str(leaves), SCATTER, kind,
                            path, str(base)])[0]
        self.build = build
        self.path = path
        self.leaves = leaves
        self.levels = {level: (int(tables), int(empty), int(entries))
                       for level, tables, entries, empty in
                       re.findall(r"level (\d) tables (\d+) entries (\d+) empty (\d+)", text)}
        words = dict(line.split() for line in text.splitlines() if line.count(" ") == 1)
        self.root = int(words["root"], 0)
        self.runs = int(words["runs"])
        self.mapped = int(words["mapped"])
        self.target = f"root:{fmt}@{self.root:#x}:4"
        self.bytes = PAGE * sum(tables for tables, _, _ in self.levels.values())
        self.entries = sum(entries for _, _, entries in self.levels.values())

    def words(self, command, *options):
        """The command line of ours."""
        return [f"{self.build}/iommupt", "-c", self.path, "--format", "csv", command, self.target,
                *options]

    def is_right(self, command):
        return self.usage_is_right if command == "usage" else self.pagemap_is_right

    def usage_is_right(self, text):
        found = {}
        for row in csv.DictReader(text.splitlines()):
            sums = found.get(row["level"], (0, 0, 0))
            found[row["level"]] = tuple(had + int(row[column]) for had, column in zip(
                sums, ("tables", "empty", "entries_used")))
        return found == self.levels

    def pagemap_is_right(self, text):
        rows = list(csv.DictReader(text.splitlines()))
        return len(rows) == self.runs and sum(int(row["length"]) for row in rows) == self.mapped

    def peer_is_right(self, text):
        """Lines as make_tables has them, of a program that counts what it finds."""
        found = {level: (int(tables), int(entries)) for level, tables, entries in
                 re.findall(r"level (\d) tables (\d+) entries (\d+)", text)}
        wanted = {level: (tables, entries) for level, (tables, _, entries) in self.levels.items()}
        return (found == wanted and f"runs {self.runs}\n" in text and
                f"mapped {self.mapped}\n" in text)

    def ours(self, command, *options):
        """A contender."""
        return measure.checked(self.words(command, *options), self.is_right(command))


def memory_limit(build, size, threads):
    """A contender: reading so many bytes from memory."""
    def contend():
        speed = float(measure.run([f"{build}/bench/read_limit", str(threads)])[0])
        return measure.Cost(size / speed, size / speed * threads)
    return contend


def plain(words):
    """A contender whose output does not matter."""
    return lambda: measure.cost(words, subprocess.DEVNULL)


def scratch():
    return tempfile.TemporaryDirectory(prefix="iommupt-bench-")
