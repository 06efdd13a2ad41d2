# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of real dumps: D start-up, F find, G inside crash. Each needs a sample of
vmcore-samples, an ELF dump that crash opens; tables as large as B's are put into it."""
import csv
import os
import random
import subprocess
import sys
import tempfile
import time

import measure
from crash_session import Crash
from graft import graft
from tables import FIRST_OUTPUT, PAGE, Tables
from walks import DENSE_LEAVES

DEVICE = "0000:00:04.0"  # of the samples: edu, with 4 levels
BASE = 1 << 41  # the tables lie above, clear of the guest's memory and of what they map
SHIFT = 256 << 39  # where the device's addresses lead to them: the upper half of its top table
PAGES = 10000
DRGN = """
import sys, drgn
program = drgn.Program()
program.set_core_dump(sys.argv[1])
program.load_debug_info([sys.argv[2]])
print(hex(program.symbol("linux_banner").address), flush=True)
"""
PYTHON = "/usr/bin/python3"  # the one that Debian's drgn is for


def sample_of(options, table, figure):
    """Its vmcore and vmlinux; none, and a row that says so."""
    files = [os.path.join(options.sample, name) for name in ("vmcore", "vmlinux")]
    if all(map(os.path.exists, files)):
        return files
    table.left_out(figure, f"{options.sample} has no sample; vmcore-samples/build vtd-panic-6.1 "
                   "makes one, BENCH_SAMPLE names another")
    return None


# ---- D ----

def until(words, mark, given=b""):
    """Cost until a line with @mark; None when the program ends without."""
    found = None
    with tempfile.TemporaryFile() as commands:
        commands.write(given)
        commands.seek(0)
        started = time.monotonic()
        with subprocess.Popen(words, stdin=commands, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL) as process:
            for line in process.stdout:
                if mark in line:
                    found = measure.Cost(time.monotonic() - started, None)
                    break
            process.stdout.read()
    return found


def start_up(table, options, _scratch):
    """D: until the first line of an answer."""
    files = sample_of(options, table, "D start-up")
    if not files:
        return
    vmcore, vmlinux = files
    ours = f"{options.build}/iommupt"
    programs = {
        "ours": ([ours, "-c", vmcore, "list"], b"SPACE"),
        "ours, vmlinux": ([ours, "-c", vmcore, "-s", vmlinux, "list"], b"SPACE"),
        "drgn": ([PYTHON, "-c", DRGN, vmcore, vmlinux], b"0xffff"),
        "crash": ([os.environ.get("CRASH", "crash"), "-s",
                   *os.environ.get("CRASH_OPTIONS", "").split(), vmlinux, vmcore], b"RELEASE:",
                  b"sys\nquit\n"),
    }
    for name, program in list(programs.items()):
        try:
            if until(*program) is None:
                raise FileNotFoundError
        except FileNotFoundError:
            table.left_out("D start-up", f"{name} is not installed or does not open {vmcore}")
            del programs[name]
    if "ours" not in programs:
        sys.exit("run: figure D: the sample is not opened")
    contenders = {name: lambda program=program: until(*program)
                  for name, program in programs.items()}
    costs = measure.take_turns(options.rounds, contenders)
    for name in ("ours", "ours, vmlinux"):
        for other, wanted in (("drgn", 2.0), ("crash", 20.0)):
            if name in costs and other in costs:
                table.compare("D start-up", f"list{name[4:]}", costs[name], other, costs[other],
                              wanted)


# ---- The dump of F and G ----

def dump_with_tables(options, vmcore, scratch, lead):
    """A sample with B's contiguous tables in it, to which @lead leads DEVICE; and the tables."""
    leaves = max(int(DENSE_LEAVES * options.dense_scale), 1)
    tables = Tables(options.build, "contiguous", "vtd_ss", leaves, "elf", f"{scratch}/tables",
                    BASE)
    dump = graft(vmcore, tables.path, f"{scratch}/dump")
    os.unlink(tables.path)
    tables.path = dump.path
    if lead:
        text = measure.run([f"{options.build}/iommupt", "-c", vmcore, "--format", "csv", "list"])[0]
        root = next(int(row["root"], 0) for row in csv.DictReader(text.splitlines())
                    if row["space"] == DEVICE)
        for i, entry in enumerate(dump.read_table(tables.root)):
            if entry:
                dump.write_entry(root + 8 * (SHIFT // (1 << 39) + i), entry)
    return tables


# ---- F ----

def found_right(pages):
    """Is an answer of find the one that the tables' maker knows: each page, at one address?"""
    wanted = {SHIFT + page * PAGE: FIRST_OUTPUT + page * PAGE for page in pages}

    def is_right(text):
        found = {}
        for row in csv.DictReader(text.splitlines()):
            iova, phys = int(row["iova"], 0), int(row["phys"], 0)
            if iova >= SHIFT:
                found.update((iova + at, phys + at) for at in range(0, int(row["length"]), PAGE))
        return found == wanted
    return is_right


def leaf_tables(text):
    return sum(int(row["tables"]) for row in csv.DictReader(text.splitlines())
               if row["level"] == "0" and DEVICE in row["devices"].split("|"))


def find(table, options, scratch):
    """F: who maps a page, and 10000 of them, against one usage."""
    files = sample_of(options, table, "F find")
    if not files:
        return
    tables = dump_with_tables(options, files[0], scratch, True)
    command = [f"{options.build}/iommupt", "-c", tables.path, "--format", "csv"]
    choose = random.Random(7)
    pages = choose.sample(range(tables.leaves * 512), PAGES)
    listed = f"{scratch}/pages"
    with open(listed, "w", encoding="ascii") as file:
        file.writelines(f"{FIRST_OUTPUT + page * PAGE:#x}\n" for page in pages)
    first = f"{FIRST_OUTPUT + pages[0] * PAGE:#x}"
    in_a_row = f"{FIRST_OUTPUT:#x}+{PAGES * PAGE:#x}"
    costs = measure.take_turns(options.rounds, {
        "usage": measure.checked(command + ["usage"],
                                 lambda text: leaf_tables(text) >= tables.leaves),
        "one": measure.checked(command + ["find", first], found_right(pages[:1])),
        "row": measure.checked(command + ["find", in_a_row],
                               found_right(range(PAGES))),
        "many": measure.checked(command + ["find", f"@{listed}"], found_right(pages)),
    })
    for name, measured, wanted in (("one", "one page", 1.0), ("row", f"{PAGES} in a row", None),
                                   ("many", f"{PAGES} anywhere", 1 / 1.5)):
        table.compare("F find", measured, costs[name], "usage", costs["usage"], wanted,
                      tables.bytes)


# ---- G ----

def in_crash(table, options, scratch):
    """G: the extension in one session, against the command by itself."""
    files = sample_of(options, table, "G in crash")
    if not files:
        return
    tables = dump_with_tables(options, files[0], scratch, False)
    try:
        crash = Crash(files[1], tables.path)
    except (OSError, RuntimeError) as error:
        table.left_out("G in crash", f"crash is not installed or does not open {files[0]}: {error}")
        return
    with crash:
        shown = crash.run(f"extend {os.path.abspath(options.build)}/iommupt.so")[0]
        if "shared object loaded" not in shown:
            sys.exit(f"run: figure G: {shown}")

        def inside(command):
            answer = f"{scratch}/answer"
            before = crash.cpu()
            seconds = crash.run(f"iommupt {command} {tables.target} --format csv -o {answer}")[1]
            spent = measure.Cost(seconds, crash.cpu() - before)
            with open(answer, encoding="utf-8") as file:
                if not tables.is_right(command)(file.read()):
                    sys.exit(f"run: figure G: {command}: the answer in crash is wrong")
            os.unlink(answer)
            return spent

        for command in ("usage", "pagemap"):
            costs = measure.take_turns(options.rounds, {
                "crash": lambda command=command: inside(command),
                "alone": tables.ours(command),
            })
            table.compare("G in crash", command, costs["crash"], "stand-alone", costs["alone"],
                          1 / 1.3, tables.bytes)
