#!/usr/bin/env python3
"""Times bigkeys against cat, redis-check-rdb and other readers of the dumps that dumps.py made.

    python3 benches/dumps.py DIR && python3 benches/compare.py DIR

Every program reads the same file from the page cache, in turn (A B C A B C …), so that what else the machine does falls
on all of them alike. Wall times from the start of the process to its end; the table has medians. It goes to standard
output as Markdown, with the machine and the versions; two plots, time against threads and time against file size, go
into DIR/compare.svg.

Dumps compressed by gzip, zstd and LZ4 are made beside the plain ones if their programs are there, and bigkeys is timed
against those programs alone. Another Rust reader takes part if it is given:

    cargo install rdb --version 0.4.0 --root TOOLS && python3 benches/compare.py DIR --rdb-tool TOOLS/bin/rdb

Only the standard library is needed.
"""

import argparse
import math
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
KINDS = ("tiny", "strings", "mixed")

# Program, its arguments for the level it takes when none is given, the file's ending, and who inflates.
COMPRESSORS = [
    ("gzip", ["gzip", "-kc"], ".gz", "GNU gzip's own inflate against zlib-rs"),
    ("zstd", ["zstd", "-qc"], ".zst", "libzstd on both sides, each with the version it was built with"),
    ("lz4", ["lz4", "-qc"], ".lz4", "liblz4 in C against lz4_flex in Rust"),
]


# Measuring -----------------------------------------------------------------------------------------------------------


class Case:
    """A command line, and what it took each time."""

    def __init__(self, label, command):
        self.label = label
        self.command = [str(word) for word in command]
        self.seconds = []
        self.failure = None

    def run(self):
        started = time.perf_counter()
        done = subprocess.run(self.command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
        self.seconds.append(time.perf_counter() - started)
        if done.returncode != 0:
            said = done.stderr.decode(errors="replace").strip().splitlines()
            self.failure = f"exit code {done.returncode}" + (f": {said[-1]}" if said else "")

    @property
    def median(self):
        return statistics.median(self.seconds)


def measure(cases, rounds, title):
    """Runs all cases in turn; one that fails takes no further part."""
    for number in range(rounds):
        for case in cases:
            if case.failure is None:
                show(f"{title}: round {number + 1} of {rounds}, {case.label}")
                case.run()
    show("")


def show(what):
    """One line on a terminal, in place of the one before."""
    if sys.stderr.isatty():
        print(f"\r{what:100.100}\r", end="", file=sys.stderr, flush=True)


def warm(path):
    """Reads a file once, so that it is in the page cache."""
    with open(path, "rb", buffering=0) as file:
        while file.read(1 << 22):
            pass


# Cases ---------------------------------------------------------------------------------------------------------------


def analyze(binary, path, *options):
    return [binary, "analyze", "--quiet", *options, path]


def report(binary, path, *options):
    return [binary, "report", "--quiet", "--format", "json", *options, path]


def plain_cases(options, path):
    cases = [
        Case("cat FILE > /dev/null", ["cat", path]),
        Case("bigkeys", analyze(options.bigkeys, path)),
        Case("bigkeys --no-verify", analyze(options.bigkeys, path, "--no-verify")),
        Case("bigkeys --threads 1", analyze(options.bigkeys, path, "--threads", 1)),
        Case("bigkeys --threads 1 --no-verify", analyze(options.bigkeys, path, "--threads", 1, "--no-verify")),
        Case("bigkeys report", report(options.bigkeys, path)),
        Case("bigkeys report --separators ''", report(options.bigkeys, path, "--separators", "")),
    ]
    if options.check_rdb:
        cases.append(Case("redis-check-rdb", [options.check_rdb, path]))
    if options.rdb_tool:
        cases.append(Case("rdb --format nil", [options.rdb_tool, "--format", "nil", path]))
    return cases


def compressed_cases(options, path):
    """Pairs of cases for each compression whose program is there, with what is compared."""
    for program, command, ending, compared in COMPRESSORS:
        if shutil.which(program) is None:
            print(f"{program} is not there: left out", file=sys.stderr)
            continue
        compressed = path.with_name(path.name + ending)
        if not compressed.exists() or compressed.stat().st_mtime < path.stat().st_mtime:
            compress(command, path, compressed)
        warm(compressed)
        inflate = Case(f"{program} -dc", [program, "-dc", compressed])
        yield inflate, Case(f"bigkeys, {ending}", analyze(options.bigkeys, compressed)), compressed, compared


def compress(command, path, compressed):
    print(f"making {compressed.name}", file=sys.stderr)
    partial = compressed.with_name(compressed.name + ".partial")
    with open(partial, "wb") as file:
        subprocess.run([*command, str(path)], stdout=file, check=True)
    partial.rename(compressed)


# Tables --------------------------------------------------------------------------------------------------------------


def table(cases, dump_bytes):
    """A Markdown table of medians, and of ratios to the first case and to the second, which is bigkeys."""
    lines = ["| program | median | range | GB/s | × cat | × bigkeys |", "|---|--:|--:|--:|--:|--:|"]
    for case in cases:
        if case.failure:
            lines.append(f"| `{case.label}` | – | {case.failure} | – | – | – |")
            continue
        to_cat, to_bigkeys = (ratio(case, other) for other in cases[:2])
        lines.append(
            f"| `{case.label}` | {case.median:.3f} s | {min(case.seconds):.3f}–{max(case.seconds):.3f} s "
            f"| {dump_bytes / case.median / 1e9:.2f} | {to_cat} | {to_bigkeys} |"
        )
    return "\n".join(lines)


def ratio(case, other):
    return "–" if other.failure else f"{case.median / other.median:.2f}"


def compressed_table(pairs, dump_bytes):
    lines = [
        "| input | file | inflater alone | bigkeys | × inflater | GB/s of dump | compared |",
        "|---|--:|--:|--:|--:|--:|---|",
    ]
    for inflate, bigkeys, path, compared in pairs:
        failed = inflate.failure or bigkeys.failure
        if failed:
            lines.append(f"| {path.suffix} | – | – | {failed} | – | – | {compared} |")
            continue
        lines.append(
            f"| {path.suffix} | {path.stat().st_size / 1e6:,.0f} MB | {inflate.median:.3f} s | {bigkeys.median:.3f} s "
            f"| {bigkeys.median / inflate.median:.2f} | {dump_bytes / bigkeys.median / 1e9:.2f} | {compared} |"
        )
    return "\n".join(lines)


def machine(options):
    """Where and with what it was measured, as a Markdown list."""
    memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    load = ", ".join(f"{load:.1f}" for load in os.getloadavg())
    lines = [
        f"* {cores()} cores of {cpu_model()}, {memory_bytes / 1e9:.0f} GB of memory, {platform.system()} "
        f"{platform.release()}; load {load} before the start",
        f"* {first_line([options.bigkeys, '--version'])}",
    ]
    programs = [["cat", "--version"]] + [[program, "--version"] for program, *_ in COMPRESSORS]
    if options.check_rdb:
        programs.append([options.check_rdb, "--version"])
    if options.rdb_tool:
        lines.append("* rdb: as given by --rdb-tool, 0.4.0 of crates.io if made as this file says")
    lines += [f"* {first_line(program)}" for program in programs if shutil.which(program[0])]
    return "\n".join(lines)


def cores():
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def cpu_model():
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith(("model name", "Model")):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def first_line(command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    lines = [line.strip("* ") for line in (done.stdout + done.stderr).splitlines() if line.strip("* ")]
    return lines[0] if lines else command[0]


# Plots ---------------------------------------------------------------------------------------------------------------

COLOURS = {"tiny": "#d1495b", "strings": "#00798c", "mixed": "#8f6c00"}
PANEL_WIDTH, PANEL_HEIGHT, MARGIN, GAP = 360, 260, 60, 40


class Panel:
    """One plot: an x axis and a y axis from nought, and a line with dots for each kind of dump."""

    def __init__(self, title, x_label, x_step_min, left, series):
        self.title, self.x_label, self.left, self.series = title, x_label, left, series
        points = [point for line in series.values() for point in line]
        self.x_step, self.x_max = axis(max(x for x, _ in points), x_step_min)
        self.y_step, self.y_max = axis(max(y for _, y in points), 0)

    def place(self, x, y):
        return (
            self.left + PANEL_WIDTH * x / self.x_max,
            MARGIN + PANEL_HEIGHT * (1 - y / self.y_max),
        )

    def svg(self):
        left, bottom = self.place(0, 0)
        right, top = self.place(self.x_max, self.y_max)
        parts = [
            words(left, top - 30, self.title, "start", "bold"),
            words(left, top - 10, "seconds", "start"),
            words((left + right) / 2, bottom + 38, self.x_label),
        ]
        for tick in ticks(self.y_step, self.y_max):
            _, y = self.place(0, tick)
            parts.append(f'<path d="M{left:.1f} {y:.1f}H{right:.1f}" stroke="#ddd"/>')
            parts.append(words(left - 8, y + 4, f"{tick:g}", "end"))
        for tick in ticks(self.x_step, self.x_max):
            x, _ = self.place(tick, 0)
            parts.append(words(x, bottom + 18, f"{tick:g}"))
        parts.append(f'<path d="M{left:.1f} {top:.1f}V{bottom:.1f}H{right:.1f}" fill="none" stroke="#444"/>')
        for kind, line in self.series.items():
            places = [self.place(*point) for point in sorted(line)]
            path = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
            parts.append(f'<path d="M{path}" fill="none" stroke="{COLOURS[kind]}" stroke-width="2"/>')
            parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{COLOURS[kind]}"/>' for x, y in places]
        return parts


def axis(largest, step_min):
    """A step of 1, 2 or 5 times a power of ten, and the first multiple of it that `largest` fits under."""
    for step in (digit * 10.0**power for power in range(-6, 6) for digit in (1, 2, 5)):
        if largest / step <= 6 and step >= step_min:
            return step, step * math.ceil(largest / step)
    raise ValueError(f"{largest} is too much for an axis")


def ticks(step, largest):
    return [round(step * number, 9) for number in range(round(largest / step) + 1)]


def words(x, y, text, anchor="middle", weight="normal", colour="#222"):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}" fill="{colour}">{text}</text>'


def plot(path, by_threads, by_size):
    """Writes the panels that have points, side by side, with one legend."""
    panels = []
    for title, x_label, x_step_min, series in [
        ("Time by threads", "threads", 1, by_threads),
        ("Time by size of the dump", "GB", 0, by_size),
    ]:
        series = {kind: points for kind, points in series.items() if points}
        if series:
            left = MARGIN + len(panels) * (PANEL_WIDTH + MARGIN + GAP)
            panels.append(Panel(title, x_label, x_step_min, left, series))
    width = len(panels) * (PANEL_WIDTH + MARGIN + GAP) + MARGIN
    height = PANEL_HEIGHT + 2 * MARGIN + 30
    parts = [part for panel in panels for part in panel.svg()]
    for number, kind in enumerate(KINDS):
        x, y = MARGIN + 90 * number, height - 14
        parts.append(f'<circle cx="{x}" cy="{y - 4}" r="4" fill="{COLOURS[kind]}"/>')
        parts.append(words(x + 10, y, kind, "start"))
    body = "\n".join(parts)
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'font-family="sans-serif" font-size="12">\n<rect width="100%" height="100%" fill="white"/>\n{body}\n</svg>\n'
    )


# The command ---------------------------------------------------------------------------------------------------------


def find_dumps(folder):
    """Each kind's dumps, the largest last."""
    found = {}
    for kind in KINDS:
        paths = [*folder.glob(f"{kind}.rdb"), *folder.glob(f"{kind}-*.rdb")]
        if paths:
            found[kind] = sorted(paths, key=lambda path: path.stat().st_size)
    return found


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("folder", type=Path, metavar="DIR", help="where dumps.py put its dumps")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="how often each command runs (default: 5)")
    parser.add_argument("--bigkeys", type=Path, default=ROOT / "target/release/bigkeys", metavar="PATH",
                        help="the program to measure (default: target/release/bigkeys, built if it is not there)")
    parser.add_argument("--rdb-tool", metavar="PATH", help="the program of the rdb crate, 0.4.0")
    parser.add_argument("--no-compressed", action="store_true", help="leave out gzip, zstd and LZ4")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="where the plots go (default: DIR/compare.svg)")
    options = parser.parse_args()
    options.check_rdb = shutil.which("redis-check-rdb")
    if options.check_rdb is None:
        print("redis-check-rdb is not there: left out", file=sys.stderr)
    if not options.bigkeys.exists():
        if options.bigkeys != parser.get_default("bigkeys"):
            parser.error(f"{options.bigkeys} is not there")
        subprocess.run(["cargo", "build", "--release", "--target-dir", ROOT / "target"], cwd=ROOT, check=True)
    return options


def main():
    options = arguments()
    dumps = find_dumps(options.folder)
    if not dumps:
        print(f"no dumps in {options.folder}: python3 benches/dumps.py {options.folder}", file=sys.stderr)
        sys.exit(2)
    print(machine(options), flush=True)
    by_threads, by_size = {}, {}
    for kind, paths in dumps.items():
        largest = paths[-1]
        dump_bytes = largest.stat().st_size
        warm(largest)
        cases = plain_cases(options, largest)
        measure(cases, options.rounds, largest.name)
        print(f"\n### {largest.name}, {dump_bytes / 1e9:.2f} GB\n\n{table(cases, dump_bytes)}", flush=True)
        if not options.no_compressed:
            pairs = list(compressed_cases(options, largest))
            measure([case for pair in pairs for case in pair[:2]], options.rounds, f"{largest.name}, compressed")
            print(f"\n{compressed_table(pairs, dump_bytes)}", flush=True)
        by_threads[kind] = points(options, kind, [
            (threads, analyze(options.bigkeys, largest, "--threads", threads)) for threads in range(1, cores() + 1)
        ])
        by_size[kind] = points(options, kind, [
            (path.stat().st_size / 1e9, analyze(options.bigkeys, path)) for path in paths
        ])
    svg = options.svg or options.folder / "compare.svg"
    plot(svg, by_threads, by_size)
    print(f"\nPlots: {svg}")


def points(options, kind, commands):
    """Pairs of x and the median seconds of the command that belongs to it."""
    cases = [(x, Case(f"{kind} at {x:.3g}", command)) for x, command in commands]
    measure([case for _, case in cases], options.rounds, "plots")
    return [(x, case.median) for x, case in cases if case.failure is None]


if __name__ == "__main__":
    main()
