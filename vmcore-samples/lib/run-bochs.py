#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Boot a guest under Bochs, which has VMX, and dump it when it is READY.

usage: run-bochs.py --output DIR --kernel VMLINUZ --initrd FILE --cmdline TEXT [options]

Bochs cannot dump its guest, but its debugger writes any range of virtual memory to a file. So
the guest, when READY, executes a magic break (guest/stop-here.c); the debugger then runs it on to a
breakpoint inside the kernel, where the direct map is mapped even with page-table isolation, and
writes each System RAM range through the direct map. That becomes an ELF core as kdump makes one.

Leaves in DIR: console.log, truth, vmcore, monitor.log (debugger commands and answers), bochs.log
(Bochs's own messages) and command.
"""

import argparse
import os
import pathlib
import pty
import re
import select
import shlex
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
import truth  # noqa: E402

PAGE = 4096
# Documentation/arch/x86/x86_64/mm.rst, 4 levels, without KASLR.
DIRECT_MAP = 0xFFFF888000000000

# Where in the kernel the guest is stopped; guest/stop-here.c goes there.
STOP_LIVE = "__x64_sys_pause"
STOP_PANIC = "__crash_kexec"

# Megabytes that Bochs keeps in memory at once; the rest of the guest's goes to a file.
HOST_MEMORY_MAX = 2048

# The emulated clock. The time stamp counter counts instructions, too, whatever CPUID says of its
# frequency: told so, the guest does not sleep hundreds of times as long as it means to.
INSTRUCTIONS_PER_SECOND = 10_000_000
# The kernel's tests of its own cryptography take as long as half of the boot.
CMDLINE = f"tsc_early_khz={INSTRUCTIONS_PER_SECOND // 1000} cryptomgr.notests=1"

BOCHSRC = """\
display_library: term
cpu: model={cpu}, count=1, ips={ips}, reset_on_triple_fault=0, ignore_bad_msrs=1
memory: guest={memory}, host={host}
romimage: file=/usr/share/bochs/BIOS-bochs-latest
vgaromimage: file=/usr/share/bochs/VGABIOS-lgpl-latest
ata0-master: type=cdrom, path={iso}, status=inserted
boot: cdrom
clock: sync=none, time0=utc
com1: enabled=1, mode=file, dev={console}
com2: enabled=1, mode=file, dev={truth}
sound: driver=dummy
speaker: enabled=0
magic_break: enabled=1
log: {log}
panic: action=fatal
error: action=ignore
info: action=report
debug: action=ignore
"""

GRUB_CFG = """\
set timeout=0
linux /boot/vmlinuz {cmdline}
initrd /boot/initramfs
boot
"""


class GuestError(Exception):
    """The run failed; the message says how."""


class Deadline:
    """How long the whole run may take."""

    def __init__(self, seconds):
        self.end = time.monotonic() + seconds
        self.seconds = seconds

    def check(self, what):
        if time.monotonic() > self.end:
            raise GuestError(f"not done after {self.seconds} s: {what}")


class Debugger:
    """Bochs's debugger on a terminal of its own, one command at a time."""

    PROMPT = re.compile(rb"<bochs:\d+> $")
    ESCAPES = re.compile(rb"\x1b\[[0-9;?]*[a-zA-Z]")

    def __init__(self, bochsrc, inputrc, log, deadline):
        self.log = log
        self.deadline = deadline
        self.command = ["bochs-bin", "-q", "-f", str(bochsrc)]
        # Readline must not paint, the screen must be one that curses knows.
        environment = {**os.environ, "TERM": "xterm", "INPUTRC": str(inputrc)}
        self.terminal, slave = pty.openpty()
        with open(slave, "rb") as stdin:
            self.process = subprocess.Popen(
                self.command, stdin=stdin, stdout=stdin, stderr=stdin,
                env=environment, start_new_session=True)
        self._read_to_prompt("Bochs's debugger did not start")

    def _read_to_prompt(self, what, check=None):
        text = b""
        while not self.PROMPT.search(text):
            if check:
                check()
            self.deadline.check(what)
            if not select.select([self.terminal], [], [], 1)[0]:
                continue
            try:
                more = os.read(self.terminal, 65536)
            except OSError:
                more = b""
            if not more:
                raise GuestError(f"Bochs ended: {what}")
            text = self.ESCAPES.sub(b"", text + more)
        answer = text.decode(errors="replace").replace("\r", "")
        self.log.write(answer)
        self.log.flush()
        return answer

    def execute(self, line, what=None, check=None):
        """Give a command, wait for the next prompt, return what came between."""
        os.write(self.terminal, line.encode() + b"\n")
        return self._read_to_prompt(what or f"no answer to {line}", check)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.terminal)


def make_iso(options, folder):
    boot = folder / "iso" / "boot"
    (boot / "grub").mkdir(parents=True)
    shutil.copy(options.kernel, boot / "vmlinuz")
    shutil.copy(options.initrd, boot / "initramfs")
    (boot / "grub" / "grub.cfg").write_text(GRUB_CFG.format(
        cmdline=f"{options.cmdline} {CMDLINE}"))
    iso = folder / "guest.iso"
    done = subprocess.run(
        ["grub-mkrescue", "-d", "/usr/lib/grub/i386-pc", "-o", iso, folder / "iso"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise GuestError(f"grub-mkrescue: {done.stderr.strip().splitlines()[-1:]}")
    return iso


def check_console(console):
    text = console.read_text(errors="replace") if console.exists() else ""
    failed = re.search(r"^FAILED: .*$|^.*Kernel panic - not syncing: (?!sysrq).*$", text, re.M)
    if failed:
        raise GuestError(failed.group())
    return text


def run_to_stop(debugger, console, guest_truth, panic):
    """Run until the guest is READY and stopped inside its kernel; return the truth's records."""
    debugger.execute("c", "the guest executes no magic break", lambda: check_console(console))
    if not re.search(r"^READY\r?$", check_console(console), re.M):
        raise GuestError("the guest stopped before it was READY")
    records = truth.from_guest(guest_truth.read_text(encoding="ascii", errors="replace"))
    symbol = STOP_PANIC if panic else STOP_LIVE
    addresses = [record.split()[2] for record in records
                 if record.startswith(f"symbol {symbol} ")]
    if len(addresses) != 1:
        raise GuestError(f"the truth does not say where {symbol} is")
    debugger.execute(f"lb {addresses[0]}")
    answer = debugger.execute("c", f"the guest does not come to {symbol}")
    if int(re.search(r"\(0\) \[0x[0-9a-f]+\] [0-9a-f]+:([0-9a-f]+)", answer).group(1), 16) != \
            int(addresses[0], 16):
        raise GuestError(f"the guest did not stop at {symbol}")
    return records


def read_registers(debugger):
    """All registers by name, from the answers of three debugger commands."""
    general = debugger.execute("regs")
    control = debugger.execute("creg")
    segments = debugger.execute("sreg")
    values = {name: int(value.replace("_", ""), 16) for name, value in
              re.findall(r"^(r\w\w?) ?: ([0-9a-f]{8}_[0-9a-f]{8})$", general, re.M)}
    values["eflags"] = int(re.search(r"eflags 0x([0-9a-f]+)", general).group(1), 16)
    for name, value in re.findall(r"^(CR[0-4]|EFER)=0x([0-9a-f]+)", control, re.M):
        values[name] = int(value, 16)
    for name, value in re.findall(r"^([c-gs]s):0x([0-9a-f]+),", segments, re.M):
        values[name] = int(value, 16)
    return values


def note(name, kind, body):
    def pad(data):
        return data + bytes(-len(data) % 4)
    name = name.encode() + b"\0"
    return struct.pack("<III", len(name), len(body), kind) + pad(name) + pad(body)


def prstatus(values):
    """NT_PRSTATUS of one CPU: struct elf_prstatus of x86-64 (linux/elfcore.h, asm/user_64.h)."""
    order = ("r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags "
             "rsp ss fs_base gs_base ds es fs gs").split()
    # The debugger does not show the bases of null segments; nobody needs them here.
    known = {"orig_rax": 0xFFFFFFFFFFFFFFFF, "fs_base": 0, "gs_base": 0, **values}
    registers = struct.pack("<27Q", *(known[name] for name in order))
    return note("CORE", 1, bytes(112) + registers + bytes(8))


def write_ram(debugger, ranges, folder):
    """A file for each range; the debugger reads through the page table, so in whole pages."""
    files = []
    for start, last in ranges:
        path = folder / f"ram-{start:x}"
        debugger.execute(f'writemem "{path}" {DIRECT_MAP + start:#x} {last + 1 - start}')
        if not path.exists() or path.stat().st_size != last + 1 - start:
            raise GuestError(f"the debugger did not write RAM at {start:#x}")
        files.append(path)
    return files


def read_physical(ranges, files, phys, length):
    for (start, last), path in zip(ranges, files):
        if start <= phys and phys + length - 1 <= last:
            with open(path, "rb") as ram:
                ram.seek(phys - start)
                return ram.read(length)
    raise GuestError(f"physical address {phys:#x} is not in RAM")


def write_core(path, ranges, files, notes):
    """ELF64 ET_CORE, as /proc/vmcore is one: PT_NOTE, then a PT_LOAD for each RAM range."""
    header_size, segment_size = 64, 56
    notes_at = header_size + segment_size * (1 + len(ranges))
    offset = -(-(notes_at + len(notes)) // PAGE) * PAGE
    segments = [struct.pack("<IIQQQQQQ", 4, 0, notes_at, 0, 0, len(notes), len(notes), 0)]
    places = []
    for start, last in ranges:
        length = last + 1 - start
        segments.append(struct.pack("<IIQQQQQQ", 1, 7, offset, DIRECT_MAP + start, start,
                                    length, length, PAGE))
        places.append(offset)
        offset += -(-length // PAGE) * PAGE
    ident = b"\x7fELF" + bytes((2, 1, 1)) + bytes(9)
    header = ident + struct.pack("<HHIQQQIHHHHHH", 4, 62, 1, 0, header_size, 0, 0,
                                 header_size, segment_size, len(segments), 0, 0, 0)
    with open(path, "wb") as core:
        core.write(header + b"".join(segments) + notes)
        for place, file in zip(places, files):
            core.seek(place)
            with open(file, "rb") as ram:
                while block := ram.read(1 << 20):
                    # Free RAM is zeros: a hole.
                    if block.count(0) == len(block):
                        core.seek(len(block), os.SEEK_CUR)
                    else:
                        core.write(block)
        core.truncate(offset)


def values_of(records, kind):
    return [[int(number, 16) for number in record.split()[1:]]
            for record in records if record.split()[0] == kind]


def dump(debugger, records, folder, vmcore):
    values = read_registers(debugger)
    ranges = [tuple(pair) for pair in values_of(records, "ram")]
    files = write_ram(debugger, ranges, folder)
    # The kernel keeps VMCOREINFO ready as a whole note (kernel/crash_core.c: vmcoreinfo_note).
    ((vmcoreinfo,),) = values_of(records, "vmcoreinfo")
    name_size, size, _ = struct.unpack("<III", read_physical(ranges, files, vmcoreinfo, 12))
    length = 12 + -(-name_size // 4) * 4 + -(-size // 4) * 4
    notes = prstatus(values) + read_physical(ranges, files, vmcoreinfo, length)
    if b"OSRELEASE=" not in notes:
        raise GuestError("there is no VMCOREINFO where the guest says")
    write_core(vmcore, ranges, files, notes)
    return [f"reg {name} {values[name]:#x}" for name in ("CR0", "CR3", "CR4", "EFER")]


def run(options):
    output = options.output
    console = output / "console.log"
    guest_truth = output / "truth.guest"
    with tempfile.TemporaryDirectory(dir=output) as temporary, open(
        output / "monitor.log", "w", encoding="utf-8"
    ) as log:
        folder = pathlib.Path(temporary)
        bochsrc = BOCHSRC.format(
            ips=INSTRUCTIONS_PER_SECOND, cpu=options.cpu, memory=options.memory, host=min(options.memory, HOST_MEMORY_MAX),
            iso=make_iso(options, folder),
            console=console, truth=guest_truth, log=output / "bochs.log")
        (folder / "bochsrc").write_text(bochsrc)
        (folder / "inputrc").write_text("set enable-bracketed-paste off\n")
        started = time.monotonic()
        debugger = Debugger(folder / "bochsrc", folder / "inputrc", log,
                            Deadline(options.timeout))
        try:
            (output / "command").write_text(
                f"{shlex.join(debugger.command)} # {'; '.join(bochsrc.splitlines())}\n")
            records = run_to_stop(debugger, console, guest_truth, options.panic)
            ready = time.monotonic() - started
            records += dump(debugger, records, folder, output / "vmcore")
        finally:
            debugger.close()
    records.insert(0, truth.HEADER)
    (output / "truth").write_text(truth.frame(records), encoding="ascii")
    guest_truth.unlink()
    busy = os.times().children_user + os.times().children_system
    print(f"ready {ready:.1f} s, dumped {time.monotonic() - started:.1f} s, "
          f"{busy:.1f} s of processor time")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--output", type=pathlib.Path, required=True)
    parser.add_argument("--timeout", type=int, default=600)
    parser.add_argument("--cpu", default="corei7_skylake_x", help="one of bochs --help cpu")
    parser.add_argument("--memory", type=int, default=256, metavar="MEGABYTES")
    parser.add_argument("--kernel", type=pathlib.Path, required=True)
    parser.add_argument("--initrd", type=pathlib.Path, required=True)
    parser.add_argument("--cmdline", required=True)
    parser.add_argument("--panic", action="store_true",
                        help="the guest panics by itself: dump it then")
    options = parser.parse_args()
    options.output = options.output.resolve()
    try:
        run(options)
    except (GuestError, truth.TruthError, OSError) as error:
        sys.exit(f"run-bochs: {error}")
    except KeyboardInterrupt:
        sys.exit("run-bochs: interrupted")


if __name__ == "__main__":
    # Even when told to go: Bochs must not stay behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    main()
