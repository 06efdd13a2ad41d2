# SPDX-License-Identifier: GPL-3.0-or-later
"""The truth file: reading, checking its frame, writing it."""

import re

HEADER = "iommupt-truth 1"


class TruthError(Exception):
    """The truth cannot be believed; the message says why."""


def unframe(text):
    """The records of a text that must be closed by 'end <number of lines>'."""
    lines = text.splitlines()
    if not lines or not re.fullmatch(r"end \d+", lines[-1]):
        raise TruthError("truth is cut off: no closing 'end' line")
    records, count = lines[:-1], int(lines[-1].split()[1])
    if len(records) != count:
        raise TruthError(f"truth has {len(records)} lines, its end line says {count}")
    return records


def frame(records):
    return "\n".join([*records, f"end {len(records)}"]) + "\n"


def plain_number(text):
    """'0x000001000' or '4096' as this format writes numbers: '0x1000'."""
    return f"{int(text, 0 if text.startswith('0x') else 10):#x}"


def from_guest(text):
    """What the guest sent, with every number spelled in the format's way."""
    records = []
    for line in unframe(text):
        word = line.split()
        if word[0] in ("ram", "kernel-code", "vmcoreinfo"):
            word[1:] = [plain_number(number) for number in word[1:]]
        elif word[0] == "symbol":
            word[2] = plain_number(word[2])
        elif word[0] == "reserved":
            word[2:4] = [plain_number(number) for number in word[2:4]]
        elif word[0] == "event" and word[1] in ("map", "unmap"):
            word[2:] = [plain_number(number) for number in word[2:]]
        else:
            records.append(line)
            continue
        records.append(" ".join(word))
    return records
