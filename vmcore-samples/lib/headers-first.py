#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Put the program headers of QEMU's ELF dump where makedumpfile looks for them.

usage: headers-first.py FILE

QEMU writes section headers before program headers; makedumpfile wants the
program headers right behind the ELF header. Rewrites FILE in place; nothing
but the headers moves, the sections (no more than a name table) are dropped.
"""

import struct
import sys

ELF_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
PROGRAM_HEADER_SIZE = 56


def main(path):
    with open(path, "r+b") as dump:
        field = list(ELF_HEADER.unpack(dump.read(ELF_HEADER.size)))
        if field[0][:4] != b"\x7fELF":
            sys.exit(f"headers-first: {path} is no ELF file")
        offset, count = field[5], field[10]
        dump.seek(offset)
        headers = dump.read(count * PROGRAM_HEADER_SIZE)
        field[5] = ELF_HEADER.size
        field[6] = 0  # no section headers
        field[8] = ELF_HEADER.size  # QEMU 7.2 writes 8 here
        field[12:14] = 0, 0
        dump.seek(0)
        dump.write(ELF_HEADER.pack(*field))
        dump.write(headers)


if __name__ == "__main__":
    main(sys.argv[1])
