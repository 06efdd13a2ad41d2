# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of bare tables: A stress44, B dense1t, C the same compressed, E rows."""
import itertools
import os
import subprocess
import sys
import tempfile

import measure
from measure import threads_text
from tables import Tables, memory_limit, plain

STRESS_LEAVES = 44 << 19  # 44 TiB / 2 MiB
DENSE_LEAVES = 1 << 19  # 1 TiB / 2 MiB
CPUS = os.cpu_count()
MEMORY_MOST = 256 << 10  # KiB


def stress44(table, options, scratch):
    """A: nearly all tables empty. The bytes of the tables from memory, against the walk."""
    leaves = max(int(STRESS_LEAVES * options.scale), 1)
    for fmt in ("vtd_ss", "amdv1", "lpae_s1"):
        tables = Tables(options.build, "stress", fmt, leaves, "zlib", f"{scratch}/dump")
        for command in ("usage", "pagemap"):
            contenders = {}
            for threads in sorted({CPUS, 1}, reverse=True):
                contenders[threads] = tables.ours(command, "--threads", str(threads))
                contenders[-threads] = memory_limit(options.build, tables.bytes, threads)
            costs = measure.take_turns(options.rounds, contenders)
            for threads in sorted({CPUS, 1}, reverse=True):
                table.compare(f"A stress44 {fmt}", f"{command}, {threads_text(threads)}", costs[threads],
                              f"memory, {threads_text(threads)}", costs[-threads],
                              4.0 if threads == CPUS else None, tables.bytes)
            table.memory(f"A stress44 {fmt}", command,
                         measure.anonymous_peak(tables.words(command)), MEMORY_MOST)


def dense1t(table, options, scratch):
    """B: every table full, in an ELF file."""
    leaves = max(int(DENSE_LEAVES * options.dense_scale), 1)
    path = f"{scratch}/dump"
    limit = f"{options.build}/bench/file_limit"
    for shape, command in (("contiguous", "usage"), ("contiguous", "pagemap"),
                           ("scattered", "usage")):
        if (shape, command) != ("contiguous", "pagemap"):
            tables = Tables(options.build, shape, "vtd_ss", leaves, "elf", path)
        contenders = {
            "memory, 1 thread": memory_limit(options.build, tables.bytes, 1),
            "cat": plain(["cat", path]),
            "file mapped, 1 thread": plain([limit, "1", path, "mapped"]),
            "file read, 1 thread": plain([limit, "1", path, "read"]),
            "ours": tables.ours(command, "--threads", "1"),
        }
        if CPUS > 1:
            contenders["ours, 2"] = tables.ours(command, "--threads", "2")
            contenders["file read, 2 threads"] = plain([limit, "2", path, "read"])
        costs = measure.take_turns(options.rounds, contenders)
        figure = f"B dense1t {shape}"
        for name in ("memory, 1 thread", "cat", "file mapped, 1 thread", "file read, 1 thread"):
            table.compare(figure, f"{command}, 1 thread", costs["ours"], name, costs[name],
                          0.6 if name == "memory, 1 thread" else None, tables.bytes)
        if CPUS > 1:
            table.compare(figure, f"{command}, 2 threads", costs["ours, 2"],
                          f"{command}, 1 thread", costs["ours"], 1.7, tables.bytes)
            table.compare(figure, f"{command}, 2 threads", costs["ours, 2"],
                          "file read, 2 threads", costs["file read, 2 threads"], None,
                          tables.bytes)


def compressed(table, options, scratch):
    """C: an eighth of B, packed: against plain unpacking, and a loop of kdump_read()."""
    leaves = max(int(DENSE_LEAVES * options.dense_scale / 8), 1)
    path = f"{scratch}/dump"
    unpack = [f"{options.build}/bench/unpack_limit", str(CPUS), path]
    for shape, codec in itertools.product(("contiguous", "scattered"), ("zlib", "lzo", "zstd")):
        tables = Tables(options.build, shape, "vtd_ss", leaves, codec, path)
        if f"words {tables.entries}\n" not in measure.run(unpack + ["count"])[0]:
            sys.exit("run: unpack_limit unpacks other tables than were packed")
        commands = ("usage", "pagemap") if shape == "contiguous" else ("usage",)
        contenders = {command: tables.ours(command) for command in commands}
        contenders["unpacking"] = plain(unpack)
        contenders["kdump_read loop"] = measure.checked(
            [f"{options.build}/bench/kdump_loop", path, hex(tables.root)], tables.peer_is_right)
        costs = measure.take_turns(options.rounds, contenders)
        figure = f"C {codec} {shape}"
        for command in commands:
            table.compare(figure, command, costs[command], f"unpacking, {threads_text(CPUS)}",
                          costs["unpacking"], 1 / 1.15, tables.bytes)
            table.compare(figure, command, costs[command], "kdump_read loop",
                          costs["kdump_read loop"], 8.0, tables.bytes)
        table.compare(figure, f"unpacking, {threads_text(CPUS)}", costs["unpacking"], "kdump_read loop",
                      costs["kdump_read loop"], None, tables.bytes)


def rows(table, options, scratch):
    """E: a row a page, against fprintf(); then without what the tables themselves cost."""
    count = options.row_tables
    tables = Tables(options.build, "contiguous", "vtd_ss", count, "zlib", f"{scratch}/dump")
    merged = tables.words("pagemap")
    fprintf = [f"{options.build}/bench/print_rows", str(count * 512), tables.target]
    with tempfile.TemporaryFile() as ours, tempfile.TemporaryFile() as theirs:
        measure.cost(merged + ["--each"], ours)
        measure.cost(fprintf, theirs)
        ours.seek(0)
        theirs.seek(0)
        if any(a != b for a, b in itertools.zip_longest(ours, theirs)):
            sys.exit("run: figure E: the rows differ")
    with tempfile.NamedTemporaryFile(dir=scratch) as file:
        costs = measure.take_turns(max(options.rounds, 5), {
            "fprintf": plain(fprintf),
            "each": plain(merged + ["--each"]),
            "walk": plain(merged),
            "fprintf to a file": lambda: to_file(fprintf, file),
            "each to a file": lambda: to_file(merged + ["--each"], file),
        })
    alone = [measure.Cost(*(max(a - b, 0.001) for a, b in zip(each, walk)))
             for each, walk in zip(costs["each"], costs["walk"])]
    table.compare("E rows", "pagemap --each", costs["each"], "fprintf", costs["fprintf"], 10.0,
                  tables.bytes)
    table.compare("E rows", "pagemap --each less pagemap", alone, "fprintf", costs["fprintf"])
    table.compare("E rows to a file", "pagemap --each", costs["each to a file"],
                  "fprintf to a file", costs["fprintf to a file"], None, tables.bytes)


def to_file(words, file):
    os.truncate(file.fileno(), 0)
    os.lseek(file.fileno(), 0, os.SEEK_SET)
    return measure.cost(words, file)
