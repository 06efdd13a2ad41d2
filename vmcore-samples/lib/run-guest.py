#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Boot a guest, wait until it is READY, stop it, dump it.

usage: run-guest.py --output DIR [options] -- QEMU...

Adds to the QEMU command what this script needs (QMP, both serial ports) and
leaves in DIR: console.log, truth, one file per --dump, monitor.log (every
monitor command given, with the answers of the human ones), qemu.log (QEMU's own
messages) and command.
"""

import argparse
import json
import pathlib
import re
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
import truth  # noqa: E402

VTD_BASE = 0xFED90000
VTD_REGISTERS = (
    # name, offset, 32-bit words
    ("VER", 0x00, 1),
    ("CAP", 0x08, 2),
    ("ECAP", 0x10, 2),
    ("GSTS", 0x1C, 1),
    ("RTADDR", 0x20, 2),
    ("FSTS", 0x34, 1),
    ("IRTA", 0xB8, 2),
)
AMD_BASE = 0xFED80000
AMD_REGISTERS = (
    ("DEVTAB", 0x00, 2),
    ("CTRL", 0x18, 2),
    ("EFR", 0x30, 2),
)


class GuestError(Exception):
    """The run failed; the message says how."""


class Monitor:
    """QEMU's machine monitor, one command at a time."""

    def __init__(self, path, log, deadline):
        self.log = log
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(deadline.seconds)
        while True:
            try:
                self.socket.connect(path)
                break
            except OSError:
                deadline.check("QEMU opened no monitor")
                time.sleep(0.05)
        self.stream = self.socket.makefile("rw", encoding="utf-8")
        json.loads(self.stream.readline())
        self.execute("qmp_capabilities")

    def execute(self, command, **arguments):
        request = {"execute": command}
        if arguments:
            request["arguments"] = arguments
        self.log.write(f"{json.dumps(request)}\n")
        self.stream.write(json.dumps(request) + "\n")
        self.stream.flush()
        while True:
            line = self.stream.readline()
            if not line:
                raise GuestError(f"QEMU went away during {command}")
            answer = json.loads(line)
            if "error" in answer:
                raise GuestError(f"{command}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]

    def human(self, line):
        answer = self.execute("human-monitor-command", **{"command-line": line})
        self.log.write(answer.replace("\r", ""))
        return answer


class Deadline:
    """How long to wait, and for a QEMU that is still there."""

    def __init__(self, seconds, process, messages):
        self.end = time.monotonic() + seconds
        self.seconds = seconds
        self.process = process
        self.messages = messages

    def check(self, what):
        if self.process.poll() is not None:
            last = self.messages.read_text(errors="replace").strip().split("\n")[-1]
            raise GuestError(f"QEMU ended with status {self.process.returncode}: {last}")
        if time.monotonic() > self.end:
            raise GuestError(f"not done after {self.seconds} s: {what}")


def wait_for(console, pattern, deadline):
    while True:
        text = console.read_text(errors="replace") if console.exists() else ""
        if re.search(r"^FAILED: .*$", text, re.M):
            raise GuestError(re.search(r"^FAILED: .*$", text, re.M).group())
        if re.search(pattern, text, re.M):
            return
        deadline.check(f"the guest's console has no {pattern!r} yet")
        time.sleep(0.1)


def words_at(monitor, address, count):
    answer = monitor.human(f"xp /{count}wx {address:#x}")
    words = re.findall(r"0x[0-9a-f]+", answer.split(":", 1)[1])
    return sum(int(word, 16) << 32 * i for i, word in enumerate(words))


def read_registers(monitor, qemu):
    """The IOMMU's registers and the processor's paging registers as records."""
    records = []
    base, registers = VTD_BASE, VTD_REGISTERS
    if "amd-iommu" in [word.split(",")[0] for word in qemu]:
        base, registers = AMD_BASE, AMD_REGISTERS
    for name, offset, count in registers:
        value = words_at(monitor, base + offset, count)
        records.append(f"reg {name} {value:#x}")
    answer = monitor.human("info registers")
    for name in ("CR0", "CR3", "CR4", "EFER"):
        value = re.search(rf"\b{name}=([0-9a-f]+)", answer)
        if value:
            records.append(f"reg {name} {int(value.group(1), 16):#x}")
    return records


def read_truth(path, deadline):
    """Wait for the guest's last bytes, then take it only if it is whole."""
    while True:
        text = path.read_text(encoding="ascii", errors="replace")
        try:
            return truth.from_guest(text)
        except truth.TruthError:
            deadline.check("the truth did not arrive whole")
            time.sleep(0.1)


def drain(line):
    """Read what the guest writes, or its console would stop for us."""
    while line.recv(65536):
        pass


def panic(serial, console, deadline):
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(str(serial))
        threading.Thread(target=drain, args=(line,), daemon=True).start()
        line.sendall(b"panic\n")
        wait_for(console, r"end Kernel panic", deadline)
        line.shutdown(socket.SHUT_RDWR)


def run(options):
    output = options.output
    console = output / "console.log"
    guest_truth = output / "truth.guest"
    qemu_log = output / "qemu.log"
    with tempfile.TemporaryDirectory() as sockets, open(
        output / "monitor.log", "w", encoding="utf-8"
    ) as log, open(qemu_log, "wb") as messages:
        monitor_path = f"{sockets}/qmp"
        serial_path = f"{sockets}/serial"
        command = [
            *options.qemu,
            "-display", "none",
            "-chardev", f"socket,id=console,path={serial_path},server=on,wait=off,"
                        f"logfile={console}",
            "-serial", "chardev:console",
            "-serial", f"file:{guest_truth}",
            "-qmp", f"unix:{monitor_path},server=on,wait=off",
        ]
        (output / "command").write_text(shlex.join(command) + "\n")
        started = time.monotonic()
        with subprocess.Popen(command, stdin=subprocess.DEVNULL,
                              stderr=messages) as process:
            try:
                deadline = Deadline(options.timeout, process, qemu_log)
                monitor = Monitor(monitor_path, log, deadline)
                wait_for(console, r"^READY\r?$", deadline)
                records = read_truth(guest_truth, deadline)
                if options.panic:
                    panic(serial_path, console, deadline)
                monitor.execute("stop")
                ready = time.monotonic() - started
                records += read_registers(monitor, options.qemu)
                for dump in options.dump:
                    form, name = dump.split(":", 1)
                    monitor.execute(
                        "dump-guest-memory", paging=False,
                        protocol=f"file:{output / name}", format=form,
                    )
                monitor.execute("quit")
                process.wait(10)
            finally:
                if process.poll() is None:
                    process.kill()
    records.insert(0, truth.HEADER)
    (output / "truth").write_text(truth.frame(records), encoding="ascii")
    guest_truth.unlink()
    print(f"ready {ready:.1f} s, dumped {time.monotonic() - started:.1f} s")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--output", type=pathlib.Path, required=True)
    parser.add_argument("--timeout", type=int, default=180)
    parser.add_argument("--panic", action="store_true",
                        help="make the guest panic before the dump")
    parser.add_argument("--dump", action="append", default=[], metavar="FORMAT:FILE")
    parser.add_argument("qemu", nargs="+")
    options = parser.parse_args()
    options.output = options.output.resolve()
    try:
        run(options)
    except (GuestError, OSError, subprocess.TimeoutExpired) as error:
        sys.exit(f"run-guest: {error}")
    except KeyboardInterrupt:
        sys.exit("run-guest: interrupted")


if __name__ == "__main__":
    # Even when told to go: QEMU must not stay behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    main()
