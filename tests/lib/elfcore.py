# SPDX-License-Identifier: GPL-3.0-or-later
"""ELF vmcores with the pages of a specimen, and where the fields of their headers are.

By the ELF gABI and, for the kdump-compressed format, makedumpfile's diskdump_mod.h; shares nothing
with iommupt.
"""
import struct

PAGE = 4096
PT_LOAD, PT_NOTE = 1, 4
MACHINES = {"x86_64": 62, "aarch64": 183}

# (name, offset, bytes)
EHDR = [("e_ident.magic", 0, 4), ("e_ident.class", 4, 1), ("e_ident.data", 5, 1),
        ("e_ident.version", 6, 1), ("e_ident.osabi", 7, 1), ("e_type", 16, 2), ("e_machine", 18, 2),
        ("e_version", 20, 4), ("e_entry", 24, 8), ("e_phoff", 32, 8), ("e_shoff", 40, 8),
        ("e_flags", 48, 4), ("e_ehsize", 52, 2), ("e_phentsize", 54, 2), ("e_phnum", 56, 2),
        ("e_shentsize", 58, 2), ("e_shnum", 60, 2), ("e_shstrndx", 62, 2)]
PHDR = [("p_type", 0, 4), ("p_flags", 4, 4), ("p_offset", 8, 8), ("p_vaddr", 16, 8),
        ("p_paddr", 24, 8), ("p_filesz", 32, 8), ("p_memsz", 40, 8), ("p_align", 48, 8)]
NOTE = [("n_namesz", 0, 4), ("n_descsz", 4, 4), ("n_type", 8, 4), ("n_name", 12, 8)]
DISK_DUMP = [("signature", 0, 8), ("header_version", 8, 4), ("utsname.sysname", 12, 8),
             ("utsname.release", 142, 8), ("utsname.machine", 272, 8), ("timestamp", 408, 8),
             ("status", 424, 4), ("block_size", 428, 4), ("sub_hdr_size", 432, 4),
             ("bitmap_blocks", 436, 4), ("max_mapnr", 440, 4), ("total_ram_blocks", 444, 4),
             ("device_blocks", 448, 4), ("written_blocks", 452, 4), ("current_cpu", 456, 4),
             ("nr_cpus", 460, 4)]
SUB_HEADER = [("phys_base", 0, 8), ("dump_level", 8, 4), ("split", 12, 4), ("start_pfn", 16, 8),
              ("end_pfn", 24, 8), ("offset_vmcoreinfo", 32, 8), ("size_vmcoreinfo", 40, 8),
              ("offset_note", 48, 8), ("size_note", 56, 8), ("offset_eraseinfo", 64, 8),
              ("size_eraseinfo", 72, 8), ("start_pfn_64", 80, 8), ("end_pfn_64", 88, 8),
              ("max_mapnr_64", 96, 8)]
PAGE_DESC = [("desc.offset", 0, 8), ("desc.size", 8, 4), ("desc.flags", 12, 4),
             ("desc.page_flags", 16, 8)]


def runs_of(kdump):
    """[first frame, number of frames] of pages that follow each other."""
    runs = []
    for frame in sorted(kdump.number):
        if runs and frame == sum(runs[-1]):
            runs[-1][1] += 1
        else:
            runs.append([frame, 1])
    return runs


def write_elf(kdump, path):
    machine = bytes(kdump.data[12 + 4 * 65:12 + 5 * 65]).split(b"\0")[0].decode()
    info = kdump.vmcoreinfo()
    note = struct.pack("<III12s", 11, len(info), 0, b"VMCOREINFO") + info + bytes(-len(info) % 4)
    runs = runs_of(kdump)
    note_at = 64 + 56 * (len(runs) + 1)
    at = -(-(note_at + len(note)) // PAGE) * PAGE
    head = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\2\1\1", 4, MACHINES[machine], 1, 0, 64, 0, 0,
                       64, 56, len(runs) + 1, 0, 0, 0)
    table = struct.pack("<IIQQQQQQ", PT_NOTE, 0, note_at, 0, 0, len(note), len(note), 4)
    for first, count in runs:
        phys, length = first * kdump.block, count * kdump.block
        table += struct.pack("<IIQQQQQQ", PT_LOAD, 7, at, 0, phys, length, length, PAGE)
        at += length
    with open(path, "wb") as file:
        file.write((head + table + note).ljust(-(-(note_at + len(note)) // PAGE) * PAGE, b"\0"))
        for first, count in runs:
            for frame in range(first, first + count):
                file.write(kdump.read_page(frame * kdump.block))


def elf_fields(data):
    """Every header field of an ELF core: [(name, offset, bytes)]."""
    table, count = struct.unpack_from("<Q", data, 32)[0], struct.unpack_from("<H", data, 56)[0]
    fields = list(EHDR)
    # All segments are alike: the note, the first, one in the middle, the last.
    for index in sorted({0, 1, count // 2, count - 1}):
        fields += [(f"phdr[{index}].{name}", table + 56 * index + at, size)
                   for name, at, size in PHDR]
    note_at, = struct.unpack_from("<Q", data, table + 8)
    return fields + [(f"note.{name}", note_at + at, size) for name, at, size in NOTE]


def kdump_fields(kdump):
    """Every header field of a kdump-compressed file, the note's, and those of some descriptors."""
    fields = list(DISK_DUMP) + [(name, kdump.block + at, size) for name, at, size in SUB_HEADER]
    note_at, = struct.unpack_from("<Q", kdump.data, kdump.block + 48)
    fields += [(f"note.{name}", note_at + at, size) for name, at, size in NOTE]
    for index in sorted({0, len(kdump.number) // 2, len(kdump.number) - 1}):
        fields += [(f"page[{index}].{name}", kdump.descriptors + 24 * index + at, size)
                   for name, at, size in PAGE_DESC]
    return fields
