# SPDX-License-Identifier: GPL-3.0-or-later
"""A real dump with large tables in it: an ELF vmcore, and the segments of another behind its own.

What crash opens is a real kernel's dump, and what it walks there is as large as we like. The
address spaces of that kernel can be led to the tables by a changed entry.
"""
import os
import struct

HEADER = struct.Struct("<16sHHIQQQIHHHHHH")  # Elf64_Ehdr
SEGMENT = struct.Struct("<IIQQQQQQ")  # Elf64_Phdr
PT_LOAD, PT_NOTE = 1, 4
PAGE = 4096


class Elf:
    """Segments of an ELF core as [type, flags, offset, vaddr, paddr, filesz, memsz, align]."""

    def __init__(self, path):
        self.path = path
        with open(path, "rb") as file:
            data = file.read(HEADER.size)
            if data[:4] != b"\x7fELF":
                raise ValueError(f"{path}: no ELF file")
            self.header = list(HEADER.unpack(data))
            file.seek(self.header[5])
            self.segments = [list(SEGMENT.unpack(file.read(SEGMENT.size)))
                             for _ in range(self.header[10])]

    def offset(self, phys):
        for kind, _, offset, _, start, size, _, _ in self.segments:
            if kind == PT_LOAD and start <= phys < start + size:
                return offset + phys - start
        raise ValueError(f"{self.path}: {phys:#x} is not in it")

    def read_table(self, phys):
        with open(self.path, "rb") as file:
            file.seek(self.offset(phys))
            return struct.unpack("<512Q", file.read(PAGE))

    def write_entry(self, phys, value):
        with open(self.path, "r+b") as file:
            file.seek(self.offset(phys))
            file.write(struct.pack("<Q", value))


def copy(source, target, offset, size):
    while size:
        done = os.sendfile(target, source, offset, min(size, 1 << 30))
        offset += done
        size -= done


def graft(dump, tables, path):
    """@dump with the segments of @tables as the file @path; an Elf."""
    base, other = Elf(dump), Elf(tables)
    parts = [(base, segment) for segment in base.segments if segment[0] in (PT_NOTE, PT_LOAD)]
    parts += [(other, segment) for segment in other.segments]
    header = list(base.header)
    # The program headers behind the header; no sections.
    header[5], header[6], header[10] = HEADER.size, 0, len(parts)
    header[12] = header[13] = 0
    at = HEADER.size + SEGMENT.size * len(parts)
    placed = []
    for _, segment in parts:
        at = -(-at // PAGE) * PAGE
        placed.append(segment[:2] + [at] + segment[3:])
        at += segment[5]
    with open(path, "wb", buffering=0) as out, open(dump, "rb") as first, \
            open(tables, "rb") as second:
        out.write(HEADER.pack(*header))
        out.write(b"".join(SEGMENT.pack(*segment) for segment in placed))
        for (source, segment), new in zip(parts, placed):
            os.lseek(out.fileno(), new[2], os.SEEK_SET)
            copy((first if source is base else second).fileno(), out.fileno(), segment[2],
                 segment[5])
        os.truncate(out.fileno(), at)
    return Elf(path)
