# SPDX-License-Identifier: GPL-3.0-or-later
"""One crash on a terminal of its own: commands are timed from their line to the next prompt."""
import os
import pty
import re
import select
import signal
import tempfile
import time

PROMPT = re.compile(rb"(^|\n)crash> $")
TERMINAL_CODES = re.compile(rb"\x1b(\[[0-9;?]*[ -/]*[@-~]|[=>])|\x07|\r")
SECONDS_MAX = 600


class Crash:
    """$CRASH and $CRASH_OPTIONS, as for `make check`."""

    def __init__(self, vmlinux, vmcore):
        self.home = tempfile.TemporaryDirectory(prefix="iommupt-bench-")
        words = [os.environ.get("CRASH", "crash"), "-s",
                 *os.environ.get("CRASH_OPTIONS", "").split(), vmlinux, vmcore]
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.chdir(self.home.name)
            try:
                os.execvpe(words[0], words, {"HOME": self.home.name, "PATH": os.environ["PATH"],
                                             "TERM": "dumb", "LC_ALL": "C"})
            finally:
                os._exit(127)
        self.text = b""
        try:
            self._wait()
            self.run("set scroll off")
        except RuntimeError:
            self.end()
            raise

    def _wait(self):
        """What was shown up to the prompt."""
        deadline = time.monotonic() + SECONDS_MAX
        pieces = []
        tail = b""
        while not PROMPT.search(tail):
            left = deadline - time.monotonic()
            data = b""
            if left > 0 and select.select([self.terminal], [], [], left)[0]:
                try:
                    data = os.read(self.terminal, 1 << 16)
                except OSError:
                    pass
            if not data:
                raise RuntimeError(f"crash ended or is stuck: {tail[-200:]!r}")
            pieces.append(data)
            tail = TERMINAL_CODES.sub(b"", b"".join(pieces[-4:]))[-1000:]
        return TERMINAL_CODES.sub(b"", b"".join(pieces)).decode(errors="replace")

    def run(self, command):
        """What it shows, and how many seconds it took."""
        started = time.monotonic()
        os.write(self.terminal, command.encode() + b"\n")
        text = self._wait()
        return text, time.monotonic() - started

    def cpu(self):
        """Seconds of CPU so far."""
        with open(f"/proc/{self.pid}/stat", encoding="ascii", errors="replace") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def end(self):
        if self.pid:
            try:
                os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)
            except (ProcessLookupError, ChildProcessError):
                pass
            os.close(self.terminal)
            self.pid = 0
            self.home.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()
