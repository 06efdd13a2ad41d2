# SPDX-License-Identifier: GPL-3.0-or-later
"""A dump that got no VMCOREINFO, with the note that its guest's memory holds.

QEMU writes the note only where the machine has the vmcoreinfo device, kdump always does. The kernel
keeps it ready as a whole ELF note (kernel/vmcore_info.c: vmcoreinfo_note); where, the guest says
itself (/sys/kernel/vmcoreinfo).
"""
import struct
import subprocess

NOTE = 4
LOAD = 1
HEADER = struct.Struct("<IIQQQQQQ")


def program_headers(file):
    file.seek(0)
    head = file.read(64)
    if head[:4] != b"\x7fELF":
        raise ValueError("not ELF")
    at, = struct.unpack_from("<Q", head, 32)
    size, count = struct.unpack_from("<HH", head, 54)
    for i in range(count):
        file.seek(at + i * size)
        yield at + i * size, list(HEADER.unpack(file.read(HEADER.size)))


def note_at(file, headers, phys):
    """The note's bytes, by its physical address."""
    for _, (kind, _, offset, _, start, length, _, _) in headers:
        if kind == LOAD and start <= phys < start + length:
            file.seek(offset + phys - start)
            name, desc, _ = struct.unpack("<III", file.read(12))
            rest = file.read((name + 3) // 4 * 4 + (desc + 3) // 4 * 4)
            if not rest.startswith(b"VMCOREINFO\0"):
                raise ValueError("no VMCOREINFO where the guest says")
            return struct.pack("<III", name, desc, 0) + rest
    raise ValueError("VMCOREINFO is in no segment")


def add(core, phys, path):
    """@path: a copy of @core, an ELF dump, with the note at @phys among its notes."""
    subprocess.run(["cp", "--sparse=always", core, path], check=True)
    with open(path, "r+b") as file:
        headers = list(program_headers(file))
        note = note_at(file, headers, phys)
        at, fields = next((at, fields) for at, fields in headers if fields[0] == NOTE)
        file.seek(fields[2])
        notes = file.read(fields[5]) + note
        fields[2] = file.seek(0, 2)
        fields[5] = fields[6] = len(notes)
        file.write(notes)
        file.seek(at)
        file.write(HEADER.pack(*fields))
