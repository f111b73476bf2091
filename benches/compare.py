#!/usr/bin/env python3
"""Times bigkeys against cat, redis-check-rdb and other readers of the dumps that dumps.py made.

    python3 benches/dumps.py DIR && python3 benches/compare.py DIR

Every program reads the same file from the page cache, in turn (A B C A B C …), so that what else the machine does falls
on all of them alike. Wall times from the start of the process to its end; the table has medians. It goes to standard
output as Markdown, with the machine and the versions; two plots, time against threads and time against file size, go
into DIR/compare.svg.

Dumps compressed by gzip, zstd and LZ4 are made beside the plain ones if their programs are there, and bigkeys is timed
against those programs alone. After that every command that reads a whole dump runs over each of them, what it writes going into
files of DIR. Other readers take part if they are given: one in Rust, one in Go, and DuckDB, which has the same rows in memory and writes
them out, that alone being measured:

    cargo install rdb --version 0.4.0 --root TOOLS
    GOBIN=TOOLS/bin go install github.com/hdt3213/rdb@v1.3.2 && mv TOOLS/bin/rdb TOOLS/bin/hdt-rdb
    python3 -m venv TOOLS/python && TOOLS/python/bin/pip install duckdb==2.0.1
    python3 benches/compare.py DIR --rdb-tool TOOLS/bin/rdb --hdt-tool TOOLS/bin/hdt-rdb --duckdb TOOLS/python/bin/python

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


# What writes rows, by the name of the format and the ending of its file.
ROWS = [("CSV", "csv"), ("NDJSON", "ndjson"), ("Parquet", "parquet"), ("Arrow", "arrow")]

# Run by the interpreter that has DuckDB: reads the rows of the first argument into memory, and says in seconds how long it takes to
# write each of the others.
DUCKDB = """
import sys, time
import duckdb
connection = duckdb.connect()
connection.execute(f"SET threads = {sys.argv[1]}; SET enable_progress_bar = false")
connection.execute(f"CREATE TABLE rows AS SELECT * FROM read_parquet('{sys.argv[2]}')")
for path in sys.argv[3:]:
    form = {"csv": "CSV", "ndjson": "JSON", "parquet": "PARQUET, COMPRESSION zstd"}[path.rsplit(".", 1)[1]]
    started = time.perf_counter()
    connection.execute(f"COPY rows TO '{path}' (FORMAT {form})")
    print(time.perf_counter() - started, flush=True)
"""


class Written(Case):
    """A command that writes a file, which is removed after each run."""

    def __init__(self, label, command, output, path):
        super().__init__(label, [*command, "-o", output, path])
        self.output = output

    def run(self):
        super().run()
        self.output.unlink(missing_ok=True)


def every_command(options, path):
    """Each command that reads a whole dump, in the order of the table."""
    bigkeys, folder = options.bigkeys, options.folder
    cases = [
        Case("cat FILE > /dev/null", ["cat", path]),
        Case("bigkeys analyze", analyze(bigkeys, path)),
        Case("bigkeys report", report(bigkeys, path)),
        Case("bigkeys report --slots", report(bigkeys, path, "--slots")),
        Case("bigkeys report --largest", report(bigkeys, path, "--largest")),
        Case("bigkeys check", [bigkeys, "check", "--quiet", path]),
        Case("bigkeys check --quick", [bigkeys, "check", "--quiet", "--quick", path]),
        Case("bigkeys digest", [bigkeys, "digest", path]),
        Written("bigkeys salvage", [bigkeys, "salvage"], folder / "salvaged.rdb", path),
    ]
    cases += [
        Written(f"bigkeys keys, {name}", [bigkeys, "keys", "--quiet"], folder / f"rows.{ending}", path)
        for name, ending in ROWS
    ]
    if options.check_rdb:
        cases.append(Case("redis-check-rdb", [options.check_rdb, path]))
    if options.rdb_tool:
        cases.append(Case("rdb --format nil", [options.rdb_tool, "--format", "nil", path]))
    if options.hdt_tool:
        cases.append(Written("HDT3213/rdb -c memory", [options.hdt_tool, "-c", "memory"], folder / "hdt.csv", path))
    return cases


def duckdb_cases(options, path):
    """What DuckDB takes to write the rows of a dump, once each."""
    if not options.duckdb:
        return []
    rows = options.folder / "rows-of-all.parquet"
    subprocess.run([options.bigkeys, "keys", "--quiet", path, "-o", rows], check=True)
    outputs = [options.folder / f"duckdb.{ending}" for _, ending in ROWS[:3]]
    command = [options.duckdb, "-c", DUCKDB, cores(), rows, *outputs]
    said = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=True).stdout
    cases = []
    for (name, _), seconds in zip(ROWS, said.split()):
        case = Case(f"DuckDB COPY, {name}", [])
        case.seconds.append(float(seconds))
        cases.append(case)
    for path in [rows, *outputs]:
        path.unlink()
    return cases


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


def command_table(by_kind):
    """Medians in seconds of each command, a column for each kind of dump."""
    lines = ["| command | " + " | ".join(by_kind) + " |", "|---" + "|--:" * len(by_kind) + "|"]
    for of_all in zip(*by_kind.values()):
        seconds = (case.failure or f"{case.median:.2f}" for case in of_all)
        lines.append(f"| `{of_all[0].label}` | " + " | ".join(seconds) + " |")
    return "\n".join(lines)


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
    parser.add_argument("--hdt-tool", metavar="PATH", help="the program of HDT3213/rdb")
    parser.add_argument("--duckdb", metavar="PYTHON", help="an interpreter that has DuckDB")
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
    by_kind = {}
    for kind, paths in dumps.items():
        by_kind[kind] = every_command(options, paths[-1])
        warm(paths[-1])
        measure(by_kind[kind], options.rounds, f"{kind}, every command")
        by_kind[kind] += duckdb_cases(options, paths[-1])
    print(f"\n### Every command, seconds\n\n{command_table(by_kind)}", flush=True)
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
