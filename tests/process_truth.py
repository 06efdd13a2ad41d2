# SPDX-License-Identifier: GPL-3.0-or-later
"""What a guest process said of its own address space (vmcore-samples/guest/procmap.c)."""

PAGE = 4096


class Process:
    """One label's records, by page."""

    def __init__(self, pid, thread):
        self.pid = pid
        self.thread = thread
        self.pages = {}   # address -> (phys, perm, None), or (None or phys, "---", attribute)
        self.sizes = []   # (start, end, page size): all of it is mapped by such pages
        self.hidden = []  # (start, end): the kernel does not tell
        self.swap = {}    # address -> (type, offset)

    def add(self, word):
        start, length = int(word[2], 16), int(word[3], 16)
        for at in range(0, length, PAGE):
            if word[0] == "present":
                self.pages[start + at] = (int(word[4], 16) + at, word[5], None)
            elif word[0] == "protnone":
                self.pages[start + at] = (int(word[4], 16) + at, "---", "prot-none")
            elif word[0] == "guard":
                self.pages[start + at] = (None, "---", "guard")
            else:
                self.swap[start + at] = (int(word[4]), int(word[5], 16))

    def resolve_swap(self, swap_files):
        """pagemap shows every kind of swap entry alike: the type tells which it is."""
        for at, (kind, offset) in self.swap.items():
            if kind < swap_files:
                self.pages[at] = (None, "---", "swap")
            else:
                # The only other kind that a program can make and keep: MADV_HWPOISON.
                self.pages[at] = (offset * PAGE, "---", "hwpoison")

    def keep_mapped(self):
        """Only what hardware maps: where the tool does not tell what else the kernel keeps."""
        self.pages = {at: page for at, page in self.pages.items() if page[2] is None}

    def is_hidden(self, address):
        return any(start <= address < end for start, end in self.hidden)


def read(lines):
    """label -> Process."""
    found = {}
    for line in lines:
        word = line.split()
        if not word:
            continue
        if word[0] == "process":
            found[word[1]] = Process(int(word[2]), int(word[3]))
        elif word[0] in ("present", "protnone", "swapped", "guard"):
            found[word[1]].add(word)
        elif word[0] == "hidden":
            start = int(word[2], 16)
            found[word[1]].hidden.append((start, start + int(word[3], 16)))
        elif word[0] == "vma" and int(word[5], 16):
            start = int(word[2], 16)
            found[word[1]].sizes.append((start, start + int(word[3], 16), int(word[5], 16)))
    return found


SOFT = {"prot-none", "swap", "hwpoison", "guard"}


def pages_of_rows(rows):
    """Rows of pagemap in the same shape; a page twice is an error."""
    pages = {}
    for row in rows:
        start = int(row["iova"], 16)
        attrs = set(row["attrs"].split("|"))
        what = (attrs & SOFT).pop() if attrs & SOFT else None
        if (row["perm"] == "---") != (what is not None):
            raise RuntimeError(f"perm and attrs do not fit: {row}")
        for at in range(0, int(row["length"]), PAGE):
            if start + at in pages:
                raise RuntimeError(f"0x{start + at:x} is there twice")
            phys = int(row["phys"], 16) + at if row["phys"] else None
            pages[start + at] = (phys, row["perm"], what)
    return pages


def wrong_sizes(process, rows):
    """
    Leaves of another size than the kernel's smaps tells for the whole mapping, which knows nothing
    of Arm's Contiguous bit.
    """
    wrong = []
    for row in rows:
        if "contig" in row["attrs"].split("|"):
            continue
        start = int(row["iova"], 16)
        for first, end, size in process.sizes:
            if first <= start < end and int(row["page_size"]) != size:
                wrong.append(f"0x{start:x} has a leaf of {row['page_size']}, not {size}")
    return wrong
