# SPDX-License-Identifier: GPL-3.0-or-later
"""Virtual machines: what their program says of them against what iommupt says."""
import lzma
import os
import random

PAGE = 4096
SZ_2M = 1 << 21
SZ_1G = 1 << 30
STATISTICS = {"pages_4k": PAGE, "pages_2m": SZ_2M, "pages_1g": SZ_1G}


class Machine:
    """One VM of a truth file; spaces are keyed by the number of the address space."""

    def __init__(self, label, pid):
        self.label = label
        self.pid = pid
        self.pages = {}   # address space -> {gpa: (phys, perm)}
        self.leaves = {}  # address space -> {gpa: size}, larger than a page
        self.slots = {}   # address space -> [(id, gpa, length, hva, flags)]
        self.mmio = []
        self.counts = {}  # KVM's own: pages_4k -> number


def read_machines(directory):
    """The VMs of the truth in @directory, by label."""
    path, opener = os.path.join(directory, "truth"), open
    if not os.path.exists(path):
        path, opener = path + ".xz", lzma.open
    machines = {}
    with opener(path, "rt", encoding="ascii") as lines:
        for line in lines:
            word = line.split()
            if word[0] == "vm":
                machines[word[1]] = Machine(word[1], int(word[2]))
            elif len(word) > 1 and word[1].split(":")[0] in machines:
                label, _, number = word[1].partition(":")
                add_record(machines[label], int(number or 0), word)
    return machines


def add_record(machine, space, word):
    number = [int(x, 16) if x.startswith("0x") else x for x in word]
    if word[0] == "page":
        machine.pages.setdefault(space, {})[number[2]] = (number[3], word[4])
    elif word[0] == "leaf":
        gpa, size, phys = number[2:5]
        machine.leaves.setdefault(space, {})[gpa] = size
        if size == SZ_1G:  # its pages are not listed one by one
            for at in range(0, size, PAGE):
                machine.pages.setdefault(space, {})[gpa + at] = (phys + at, word[5])
    elif word[0] == "slot":
        machine.slots.setdefault(space, []).append((int(word[2]), *number[3:6], word[6]))
    elif word[0] == "mmio":
        machine.mmio.append(number[2])
    elif word[0] == "kvm-pages":
        machine.counts[word[2]] = int(word[3])


def words_of(row):
    return dict(word.split("=", 1) for word in row["owner"].split(" why=")[0].split())


def sizes_of(rows):
    """How many leaves of which size; of what is larger than a page also where."""
    counts, large = {}, {}
    for row in rows:
        size, length, iova = int(row["page_size"]), int(row["length"]), int(row["iova"], 16)
        counts[size] = counts.get(size, 0) + length // size
        if size > PAGE:
            large.update({iova + at: size for at in range(0, length, size)})
    return counts, large


def check_space(checker, name, directory, machine, space, row, tools):
    """One table: exactly the pages of the truth. Returns its leaves by size."""
    expand, difference = tools
    target = row["space"]
    want = machine.pages.get(space, {})
    each = checker.rows(directory, "pagemap", target, "--each")
    merged = checker.rows(directory, "pagemap", target)
    differs, text = difference(expand(each), want)
    checker.check(f"{name}: {target}: {len(want)} pages of the truth, no others", not differs, text)
    checker.check(f"{name}: {target}: merged rows say the same as each leaf",
                  expand(merged) == expand(each) and len(merged) <= len(each))
    checker.check(f"{name}: {target}: its name alone is in its rows",
                  {r["space"] for r in each} == {target})
    counts, large = sizes_of(each)
    checker.check(f"{name}: {target}: leaves of 2M and 1G are those of the truth",
                  large == machine.leaves.get(space, {}),
                  f"{large} and {machine.leaves.get(space)}")
    check_walks(checker, name, directory, machine, space, target)
    return counts


def slot_text(machine, space, gpa):
    for number, start, length, hva, flags in machine.slots.get(space, []):
        if start <= gpa < start + length:
            words = "".join(f", {text}" for flag, text in (("read-only", "read-only"),
                                                           ("dirty-log", "dirty log"))
                            if flag in flags.split("|"))
            return str(number), (f"0x{start:x}-0x{start + length:x} is HVA 0x{hva:x}{words}; "
                                 f"0x{gpa:x} is HVA 0x{hva + gpa - start:x}")
    return "", "none: an access exits to the VMM (MMIO)"


def check_walks(checker, name, directory, machine, space, target):
    """A page of each memslot and others, and what must not be mapped: MMIO, and untouched memory."""
    pages = machine.pages.get(space, {})
    picks = random.Random(5).sample(sorted(pages), min(8, len(pages)))
    for _, start, length, _, _ in machine.slots[space]:
        picks += [gpa for gpa in (start, start + length - PAGE)]
    wrong = []
    for gpa in picks + (machine.mmio if space == 0 else []):
        rows = checker.rows(directory, "walk", target, f"0x{gpa + 0x10:x}")
        slot = [r for r in rows if r["level"] == "memslot"]
        last = rows[-1]["meaning"]
        if gpa in pages:
            phys, perm = pages[gpa]
            good = last.startswith("leaf ") and last.endswith(f"is 0x{phys + 0x10:x}") and \
                f" {perm} " in last
        else:
            good = last.startswith("empty:")
        said = [(r["index"], r["meaning"]) for r in slot]
        if not good or said != [slot_text(machine, space, gpa + 0x10)]:
            wrong.append(f"0x{gpa:x}: {last}; {said}, {slot_text(machine, space, gpa + 0x10)}")
    checker.check(f"{name}: {target}: {len(picks)} walks end where the truth says, memslots beside",
                  not wrong, "; ".join(wrong[:1]))


def check_machine(checker, name, directory, machine, rows, truth, tools):
    by_space = {int(words_of(row)["as"]): row for row in rows}
    checker.check(f"{name}: vm:{machine.pid}: one table for each address space that has run",
                  sorted(by_space) == sorted(machine.pages) and len(rows) == len(by_space),
                  f"{[row['space'] for row in rows]}")
    total = {}
    for space, row in by_space.items():
        words = words_of(row)
        facts = (words["pid"], words["comm"], words["vcpus"], words["memslots"])
        checker.check(f"{name}: {row['space']}: list tells its owner",
                      facts == (str(machine.pid), "vmm", "1", str(len(machine.slots[space]))) and
                      row["stage"] == ("2" if row["format"] == "lpae_s2" else "second") and
                      row["view"] == "hw", str(row))
        if row["format"] == "x86_64" and "CR4" in truth.registers:
            levels = 5 if truth.registers["CR4"] >> 12 & 1 else 4
            checker.check(f"{name}: {row['space']}: as many levels as the host itself ({levels})",
                          row["levels"] == str(levels), row["levels"])
        for size, count in check_space(checker, name, directory, machine, space, row,
                                       tools).items():
            total[size] = total.get(size, 0) + count
    for statistic, size in STATISTICS.items():
        if statistic in machine.counts:
            checker.check(f"{name}: vm:{machine.pid}: as many {statistic} as KVM counts",
                          total.get(size, 0) == machine.counts[statistic],
                          f"{total.get(size, 0)}, KVM {machine.counts[statistic]}")
    both = [checker.rows(directory, "pagemap", target)
            for target in (f"vm:{machine.pid}", "vm:" + words_of(rows[0])["kvm"])]
    parts = [r for row in rows for r in checker.rows(directory, "pagemap", row["space"])]
    checker.check(f"{name}: vm:{machine.pid} and vm:ADDR are all of its tables",
                  both[0] == both[1] == parts)


def check(checker, name, directory, truth, tools):
    """@tools: check-samples' expand() and difference()."""
    machines = read_machines(directory)
    rows = [row for row in checker.rows(directory, "list") if row["kind"] == "vm"]
    checker.check(f"{name}: list has the virtual machines",
                  {words_of(row)["pid"] for row in rows} ==
                  {str(machine.pid) for machine in machines.values()})
    for machine in machines.values():
        own = [row for row in rows if words_of(row)["pid"] == str(machine.pid)]
        if own:
            check_machine(checker, name, directory, machine, own, truth, tools)
