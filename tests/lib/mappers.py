# SPDX-License-Identifier: GPL-3.0-or-later
"""Who maps which page of memory, by what the guests said themselves, against rows of `find`.

A space is named (kind, name): ("domain", "vfio0"), ("vm", (pid, address space)), ("pid", pid). Of
these the truth knows every mapping. Of the kernel's own domains it knows the trace events of
iommu:map; of all other processes nothing, so these may have nothing of what is told to be somebody's
own memory.
"""
import collections

import process_truth
import vms

PAGE = 4096


class Expected:
    """Every mapping of every space that the truth knows: {space: {(address, phys): perm}}."""

    def __init__(self, truth, directory):
        self.truth = truth
        self.spaces = collections.defaultdict(dict)
        self.at_least = set()   # spaces of which the truth knows some mappings, not all
        self.own = set()        # pages that nobody else may have
        self.zero = set()       # the page of zeros, which everybody may read
        self.passthrough = {d for d, f in truth.devices.items() if f["domain"] == "identity"}
        self.mapper_pages = collections.defaultdict(set)    # domain -> pages, of `mapper`
        for process in truth.processes.values():
            self.add_process(process)
        for machine in vms.read_machines(directory).values():
            self.add_machine(machine)
        for label, pages in truth.pages.items():
            self.add_pages(label, pages)
        self.own -= self.zero

    def add(self, space, address, phys, perm):
        self.spaces[space][address, phys] = perm

    def add_process(self, process):
        """The whole address space, but for what /proc does not tell."""
        for address, (phys, perm, what) in process.pages.items():
            if what is None:
                self.add(("pid", process.pid), address, phys, perm)

    def add_machine(self, machine):
        """Its tables, and where its process has the same memory: pagemap of that place it was that
        gave the physical address."""
        process = ("pid", machine.pid)
        self.at_least.add(process)
        for number, pages in machine.pages.items():
            seen = collections.Counter(phys for phys, _perm in pages.values())
            # Memory that was read and never written is the kernel's one page of zeros.
            self.zero |= {phys for phys, count in seen.items() if count > 1}
            for gpa, (phys, perm) in pages.items():
                self.add(("vm", (machine.pid, number)), gpa, phys, perm)
                self.own.add(phys)
                for _id, start, length, hva, _flags in machine.slots.get(number, []):
                    if start <= gpa < start + length:
                        # Where a guest may not write its process may: read-only slots, dirty log.
                        self.add(process, hva + gpa - start, phys, perm[:2] + "*")

    def add_pages(self, label, pages):
        domain = [d for d, f in self.truth.devices.items() if f["domain"] == label]
        if label.startswith("pid:"):
            self.at_least.add(("pid", int(label[4:])))
        space = ("pid", int(label[4:])) if label.startswith("pid:") else ("domain", label)
        if label.startswith("pid:") or domain:
            for address, (phys, perm) in pages.items():
                self.add(space, address, phys, perm)
                self.own.add(phys)
        # Who else gave memory to a device says itself where it has it.
        if domain and not any(name.startswith("pid:") for name in self.truth.pages):
            self.mapper_pages[label] = {phys for phys, _perm in pages.values()}

    def pages(self):
        """Every page that the truth has, in order."""
        return sorted({phys for some in self.spaces.values() for _address, phys in some})


def space_of(expected, row, aliases):
    """Which space of the truth a row is of."""
    if row["space"].startswith("pid:"):
        return ("pid", int(row["space"][4:]))
    if row["space"].startswith("vm:"):
        words = vms.words_of(row)
        return ("vm", (int(words["pid"]), int(words["as"])))
    # A bridge's requester ID is no device: it stands for the one that it is an alias of.
    devices = {aliases.get(name, name) for name in row["devices"].split("|") if name}
    domains = {expected.truth.devices.get(name, {}).get("domain", "?") for name in devices}
    if len(domains) == 1 and min(domains).startswith("vfio"):
        domain = min(domains)
        members = {d for d, f in expected.truth.devices.items() if f["domain"] == domain}
        if devices != members:
            raise RuntimeError(f"{domain} is {sorted(members)}, not {sorted(devices)}: {row}")
        return ("domain", domain)
    if any(domain.startswith("vfio") for domain in domains):
        raise RuntimeError(f"devices of several domains: {row}")
    if devices and devices <= expected.passthrough and row["attrs"] == "passthrough":
        return ("passthrough", row["devices"])
    return ("kernel", row["space"])


def aliases_of(rows):
    """Of `list`: {requester that is no device: its device}."""
    return {row["space"]: word[len("alias-of="):] for row in rows
            for word in row["owner"].split() if word.startswith("alias-of=")}


class Found:
    """Rows of find as {space: {(address, phys): perm}}; a page said twice is an error."""

    def __init__(self, expected, rows, aliases):
        self.spaces = collections.defaultdict(dict)
        self.names = {}
        self.passthrough = []   # (devices, iova, length, phys, perm)
        for row in rows:
            space = space_of(expected, row, aliases)
            address, phys, length = int(row["iova"], 16), int(row["phys"], 16), int(row["length"])
            self.names[space] = row["owner"]
            if space[0] == "passthrough":
                self.passthrough.append((row["devices"].split("|"), address, length, phys,
                                         row["perm"]))
                continue
            # Devices do not ask for execution (AMD's v2 tables can say it).
            perm = row["perm"] if space[0] in ("pid", "vm") else row["perm"].replace("x", "-")
            for at in range(0, length, PAGE):
                if (address + at, phys + at) in self.spaces[space]:
                    raise RuntimeError(f"0x{address + at:x} is said twice: {row}")
                self.spaces[space][address + at, phys + at] = perm


def fits(perm, want):
    """"rw*" and "r-*": a process's mapping of what its guest may write, or read."""
    if want[2] == "*":
        return perm in (("rw-",) if want[1] == "w" else ("r--", "rw-"))
    return perm == want


def describe(items):
    return f"{len(items)}, e.g. " + ", ".join(
        " ".join(hex(x) if isinstance(x, int) else str(x) for x in item) for item in items[:2])


def compare(expected, found, looked_for=None, written_only=False):
    """What find and the truth do not agree on, in words. @looked_for: pages, or None: all memory."""
    wrong = []
    for space in sorted(expected.spaces.keys() | {s for s in found.spaces if s[0] in ("domain", "vm")},
                        key=str):
        want = {key: perm for key, perm in expected.spaces.get(space, {}).items()
                if looked_for is None or key[1] in looked_for}
        got = told_pages(expected, space, found.spaces.get(space, {}), want)
        if written_only:
            want = {key: perm for key, perm in want.items() if perm[1] == "w" or key in got}
            wrong += [f"{space}: 0x{phys:x} is only readable" for (_at, phys), perm in got.items()
                      if perm[1] != "w"]
        lost = [key for key in want if key not in got]
        extra = [key for key in got if key not in want]
        other = [(*key, got[key], perm) for key, perm in want.items()
                 if key in got and not fits(got[key], perm)]
        wrong += [f"{space}: {word} {describe(some)}" for word, some in
                  (("lost", lost), ("not in the truth:", extra), ("permission", other)) if some]
    return wrong + strangers(expected, found, looked_for) + passed_through(expected, found, looked_for)


def told_pages(expected, space, got, want):
    """Of @got what the truth of a process can know."""
    if space[0] != "pid":
        return got
    hidden = [p for p in expected.truth.processes.values() if p.pid == space[1]]
    got = {key: perm for key, perm in got.items() if not any(p.is_hidden(key[0]) for p in hidden)}
    if space not in expected.at_least:
        return got
    known = {phys for _address, phys in want} - expected.zero
    return {key: perm for key, perm in got.items() if key[1] in known or key in want}


def strangers(expected, found, looked_for):
    """Spaces that the truth does not know: the kernel's domains and other processes."""
    wrong = []
    given = {label: pages if looked_for is None else pages & looked_for
             for label, pages in expected.mapper_pages.items()}
    for space, pages in found.spaces.items():
        if space[0] == "kernel":
            invented = [key for key in pages if key not in expected.truth.mapped]
            if invented:
                wrong.append(f"{space}: no event maps {describe(invented)}")
        if space[0] != "pid" or space in expected.spaces:
            continue
        its = collections.Counter(phys for _address, phys in pages if phys in expected.own)
        if its and "comm=mapper" in found.names[space].split():
            # What it gave to its devices it has itself, once.
            label = max(given, key=lambda name: len(given[name] & its.keys()), default=None)
            if given.pop(label, set()) != its.keys() or max(its.values()) > 1:
                wrong.append(f"{space}: its pages are not those of {label}, once each")
        elif its:
            wrong.append(f"{space} ({found.names[space]}) has pages of others: "
                         f"{describe([(phys,) for phys in its])}")
    return wrong + [f"no process has {label}'s pages" for label, some in given.items() if some]


def passed_through(expected, found, looked_for):
    """A device that is passed through reaches all of what was asked for, at its own address."""
    wrong = [f"passed through: {row}" for row in found.passthrough
             if row[1] != row[3] or row[4] != "rw-"]
    for device in expected.passthrough:
        rows = [row for row in found.passthrough if device in row[0]]
        lost = [phys for phys in looked_for or [0] if not any(r[3] <= phys < r[3] + r[2] for r in rows)]
        if lost:
            wrong.append(f"{device} is passed through, and not to 0x{lost[0]:x}")
    return wrong


def lost_events(expected, found):
    """What no event unmapped must be there, in whatever domain."""
    shown = {key for space, pages in found.spaces.items() if space[0] in ("domain", "kernel")
             for key in pages}
    return [(hex(i), hex(p)) for i, p in expected.truth.live if (i, p) not in shown]
