#!/usr/bin/env python3
"""How many instructions a scan takes, for the task and for reports: three small dumps that never change, counted by
callgrind, against the numbers in instructions.json beside this file. Times are noisy, instructions are not: a number that
rises by more than `drift` is a regression, and this program ends with 1.

    python3 benches/instructions.py            compare (needs valgrind and `cargo build --release`)
    python3 benches/instructions.py --write    accept the numbers of this build, after a change that is worth it

The checksum is left out: how it is computed depends on the processor. The numbers belong to the compiler that the file
names; another one may need them written anew.
"""

import json
import random
import re
import shutil
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
NUMBERS = HERE / "instructions.json"
BIGKEYS = HERE.parent / "target" / "release" / "bigkeys"


def length(n):
    if n < 1 << 6:
        return bytes([n])
    if n < 1 << 14:
        return bytes([0x40 | n >> 8, n & 0xFF])
    return b"\x80" + struct.pack(">I", n)


def string(text):
    return length(len(text)) + text


def listpack(texts):
    entries = b"".join(bytes([0x80 | len(text)]) + text + bytes([len(text) + 1]) for text in texts)
    return struct.pack("<IH", len(entries) + 7, len(texts)) + entries + b"\xff"


def tiny(rng):
    """Short strings and integers under short names."""
    for at in range(100_000):
        if at % 2:
            yield b"\x00" + string(b"user:%016d" % at) + string(b"%016x" % rng.getrandbits(64))
        else:
            yield b"\x00" + string(b"hits:%014x:%012d" % (rng.getrandbits(56), at)) + b"\xc2" + rng.randbytes(4)


def strings(rng):
    """Strings of 20 to 500 bytes, a third of them with a TTL, some of them compressed."""
    for at in range(40_000):
        if at % 3 == 0:
            yield b"\xfc" + struct.pack("<q", 4_102_444_800_000 + at)
        value = rng.randbytes(rng.randint(20, 500))
        is_compressed = at % 4 == 0
        yield b"\x00" + string(b"session:%x" % rng.getrandbits(48))
        yield b"\xc3" + length(len(value)) + length(2 * len(value)) + value if is_compressed else string(value)


def mixed(rng):
    """Packed collections, hash tables, quicklists, and a set of half the dump."""
    def words(least, most):
        return [b"%x" % rng.getrandbits(4 * rng.randint(4, 16)) for _ in range(rng.randint(least, most))]

    for at in range(8_000):
        name = string(b"object:%d:%x" % (at, rng.getrandbits(32)))
        kind = at % 4
        if kind == 0:
            yield b"\x10" + name + string(listpack(2 * words(5, 60)))
        elif kind == 1:
            yield b"\x11" + name + string(listpack(2 * words(5, 60)))
        elif kind == 2:
            nodes = [string(listpack(words(5, 60))) for _ in range(rng.randint(1, 4))]
            yield b"\x12" + name + length(len(nodes)) + b"".join(b"\x02" + node for node in nodes)
        else:
            fields = words(5, 60)
            yield b"\x04" + name + length(len(fields)) + b"".join(string(f) + string(f) for f in fields)
    members = [b"%x" % rng.getrandbits(64) for _ in range(300_000)]
    yield b"\x02" + string(b"all") + length(len(members)) + b"".join(map(string, members))


# What is asked of each dump: the task, a report, and a report with all but prefixes.
MODES = {
    "": ["analyze"],
    ", report": ["report", "--format", "json"],
    ", report without prefixes": ["report", "--format", "json", "--separators", ""],
}


def count(dump, mode):
    """Instructions of one thread over `dump`."""
    with tempfile.TemporaryDirectory() as scratch:
        path, out = Path(scratch, "dump.rdb"), Path(scratch, "callgrind")
        path.write_bytes(b"REDIS0012\xfe\x00" + dump + b"\xff" + bytes(8))
        command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", str(BIGKEYS), *mode]
        command += ["--quiet", "--no-verify", "--threads", "1", "--output", "/dev/null", str(path)]
        run = subprocess.run(command, capture_output=True, text=True)
        collected = re.search(r"Collected : (\d+)", run.stderr)
        if run.returncode != 0 or not collected:
            sys.exit(f"{' '.join(command)} failed:\n{run.stderr}")
        return int(collected.group(1))


def main():
    if not shutil.which("valgrind") or not BIGKEYS.exists():
        sys.exit("this needs valgrind on the PATH and a release build: cargo build --release")
    stored = json.loads(NUMBERS.read_text())
    compiler = subprocess.run(["rustc", "--version"], capture_output=True, text=True).stdout.strip()
    dumps = {dump.__name__: b"".join(dump(random.Random(dump.__name__))) for dump in (tiny, strings, mixed)}
    counted = {}
    for mode, options in MODES.items():
        # What the program takes to start says nothing about the scan.
        start = count(b"", options)
        counted |= {name + mode: count(dump, options) - start for name, dump in dumps.items()}
    if "--write" in sys.argv[1:]:
        NUMBERS.write_text(json.dumps({**stored, "compiler": compiler, "instructions": counted}, indent=2) + "\n")
        return 0
    if compiler != stored["compiler"]:
        print(f"the numbers are of {stored['compiler']}, this is {compiler}")
    worse = []
    for name, now in counted.items():
        change = now / stored["instructions"][name] - 1
        print(f"{name}: {now:,} instructions, {change:+.1%}")
        if change > stored["drift"]:
            worse.append(name)
    if worse:
        print(f"more than {stored['drift']:.0%} above {NUMBERS.name}: {', '.join(worse)}", file=sys.stderr)
    return bool(worse)


if __name__ == "__main__":
    sys.exit(main())
