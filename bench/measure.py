# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs are run in turns, their times set against each other, and become rows of one table."""
import csv
import os
import statistics
import subprocess
import sys
import tempfile
import time
import typing

COLUMNS = ["figure", "measured", "seconds", "cpu_seconds", "against", "against_seconds", "ratio",
           "lowest", "highest", "cpu_ratio", "wanted", "holds", "peak_kb", "tables_bytes"]
SAMPLE_SECONDS = 0.002  # how often memory is looked at


class Cost(typing.NamedTuple):
    """Seconds on the clock, and of CPU; None where it is not known."""
    seconds: float
    cpu: typing.Optional[float]

    def times(self, factor):
        return Cost(self.seconds * factor, self.cpu and self.cpu * factor)


def fail(words, why):
    sys.exit(f"run: {' '.join(map(str, words))}: {why}")


def cost(words, out, given=subprocess.DEVNULL):
    """Run to the end, output to the file @out."""
    started = time.monotonic()
    with subprocess.Popen(words, stdin=given, stdout=out, stderr=subprocess.DEVNULL) as child:
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        fail(words, f"exit status {child.returncode}")
    return Cost(time.monotonic() - started, usage.ru_utime + usage.ru_stime)


def run(words):
    """What it prints, and its cost."""
    with tempfile.TemporaryFile() as out:
        spent = cost(words, out)
        out.seek(0)
        return out.read().decode(), spent


def checked(words, is_right):
    """A contender: run @words; an answer that is wrong ends all, since its time means nothing."""
    def contend():
        text, spent = run(words)
        if not is_right(text):
            fail(words, "the answer is wrong, so its time means nothing")
        return spent
    return contend


def anonymous_peak(words):
    """Most anonymous memory in KiB, looked at SAMPLE_SECONDS apart in a run of its own."""
    name = os.path.basename(words[0])[:15]
    most = 0
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
        while child.poll() is None:
            try:
                with open(f"/proc/{child.pid}/status", encoding="ascii") as file:
                    fields = dict(line.split(":", 1) for line in file)
            except OSError:
                break
            if fields["Name"].strip() == name and "RssAnon" in fields:
                most = max(most, int(fields["RssAnon"].split()[0]))
            time.sleep(SAMPLE_SECONDS)
    return most


def take_turns(rounds, contenders):
    """Costs of each by name. A round has each once, so that what else the machine does hits all;
    the first round, which brings files into the page cache, does not count."""
    costs = {name: [] for name in contenders}
    for turn in range(rounds + 1):
        for name, contend in contenders.items():
            spent = contend()
            if turn:
                costs[name].append(spent)
    return costs


def threads_text(count):
    return f"{count} thread{'s' if count > 1 else ''}"


class Table:
    """Rows of the result."""

    def __init__(self):
        self.rows = []

    def _add(self, *cells):
        self.rows.append(["" if cell is None else f"{cell:.3f}" if isinstance(cell, float)
                          else str(cell) for cell in cells])

    def compare(self, figure, measured, ours, against, theirs, wanted=None, size=None):
        """@ours and @theirs: costs, a round each. The ratio is how many times as long theirs
        takes; the medians are taken over the rounds' ratios. @wanted: it is to be no less."""
        ratios = [b.seconds / a.seconds for a, b in zip(ours, theirs)]
        cpu = [b.cpu / a.cpu for a, b in zip(ours, theirs) if a.cpu and b.cpu]
        ratio = statistics.median(ratios)
        cpus = [a.cpu for a in ours if a.cpu is not None]
        self._add(figure, measured, statistics.median(a.seconds for a in ours),
                  statistics.median(cpus) if cpus else None, against,
                  statistics.median(b.seconds for b in theirs), ratio, min(ratios), max(ratios),
                  statistics.median(cpu) if cpu else None, wanted,
                  None if wanted is None else "yes" if ratio >= wanted else "no", None, size)

    def memory(self, figure, measured, peak_kb, most_kb):
        """Memory that is to be at most @most_kb."""
        self._add(figure, f"{measured}, anonymous memory", None, None, f"{most_kb} KiB", None,
                  most_kb / max(peak_kb, 1), None, None, None, 1.0,
                  "yes" if peak_kb <= most_kb else "no", peak_kb, None)

    def left_out(self, figure, why):
        print(f"{figure}: left out: {why}", flush=True)
        self._add(figure, f"left out: {why}", *[None] * (len(COLUMNS) - 2))

    def print(self):
        rows = [COLUMNS[:-1]] + [row[:-1] for row in self.rows if "left out" not in row[1]]
        widths = [max(map(len, column)) for column in zip(*rows)]
        for row in rows:
            print("  ".join(f"{cell:<{width}}" if i in (0, 1, 4) else f"{cell:>{width}}"
                            for i, (cell, width) in enumerate(zip(row, widths))).rstrip())

    def write(self, path):
        with open(path, "w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([COLUMNS] + self.rows)
