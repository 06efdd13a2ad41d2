# SPDX-License-Identifier: GPL-3.0-or-later
"""Read and change pages of a kdump-compressed file (an extract): to seed faults in specimens.

Written by the format's description in makedumpfile's IMPLEMENTATION and diskdump_mod.h's layout;
shares nothing with iommupt.
"""
import struct
import zlib

PAGE_FLAG_ZLIB = 1
PAGE_FLAG_ZSTD = 0x20


class Kdump:
    def __init__(self, path=None, data=None):
        if path:
            with open(path, "rb") as file:
                data = file.read()
        self.data = bytearray(data)
        if self.data[:8] != b"KDUMP   ":
            raise ValueError(f"{path}: is not kdump-compressed")
        self.block, self.sub, self.bitmap_blocks, self.max_pfn = struct.unpack_from(
            "<iiII", self.data, 428)
        bitmap = (1 + self.sub) * self.block
        half = self.bitmap_blocks * self.block // 2
        self.dumped = bytes(self.data[bitmap + half:bitmap + 2 * half])
        self.descriptors = (1 + self.sub + self.bitmap_blocks) * self.block
        self._number()

    def _number(self):
        """Which of the dump's pages a page is; those left out have no number."""
        self.number = {}
        for byte, bits in enumerate(self.dumped):
            for bit in range(8):
                if bits >> bit & 1:
                    self.number[byte * 8 + bit] = len(self.number)

    def vmcoreinfo(self):
        """By offset_vmcoreinfo and size_vmcoreinfo of the sub header (struct kdump_sub_header)."""
        offset, size = struct.unpack_from("<QQ", self.data, self.block + 32)
        return bytes(self.data[offset:offset + size])

    def has(self, phys):
        return phys // self.block in self.number

    def _descriptor(self, phys):
        return self.descriptors + 24 * self.number[phys // self.block]

    def read_page(self, phys):
        offset, size, flags = struct.unpack_from("<QII", self.data, self._descriptor(phys))
        data = bytes(self.data[offset:offset + size])
        if flags & PAGE_FLAG_ZLIB:
            return zlib.decompress(data)
        if flags & PAGE_FLAG_ZSTD:
            import subprocess
            return subprocess.run(["zstd", "-dqc"], input=data, stdout=subprocess.PIPE,
                                  check=True).stdout
        return data

    def write_page(self, phys, page):
        """The new page goes behind all others, not compressed."""
        at = self._descriptor(phys)
        struct.pack_into("<QII", self.data, at, len(self.data), self.block, 0)
        self.data += page

    def remove_page(self, phys):
        """As makedumpfile leaves a page out: no bit, no descriptor. Data stay where they are."""
        at, end = self._descriptor(phys), self.descriptors + 24 * len(self.number)
        self.data[at:end] = self.data[at + 24:end] + bytes(24)
        frame = phys // self.block
        half = (1 + self.sub) * self.block + self.bitmap_blocks * self.block // 2
        self.data[half + frame // 8] &= ~(1 << frame % 8)
        self.dumped = bytes(self.data[half:half + len(self.dumped)])
        self._number()

    def read(self, phys, length=8):
        page = self.read_page(phys)
        return page[phys % self.block:phys % self.block + length]

    def read_u64(self, phys):
        return struct.unpack("<Q", self.read(phys))[0]

    def write_u64(self, phys, value):
        page = bytearray(self.read_page(phys))
        struct.pack_into("<Q", page, phys % self.block, value)
        self.write_page(phys, bytes(page))

    def save(self, path):
        with open(path, "wb") as file:
            file.write(self.data)
