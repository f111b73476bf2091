#!/usr/bin/env python3
"""How many dumps a minute Spark analyzes with one and two workers here, and what that makes of many workers and 10 TB.

    pip install ./python 'pyspark==4.3.0' && cargo build --release
    python3 benches/fleet.py target/release/bigkeys

It makes its dumps, starts a cluster of worker processes (one core each) and measures what a run is made of:

  dumps/min   reports of a fleet of files of 1 MiB, merged, by 1 and 2 workers
  task        what Spark takes for a task besides the scan: reports of a fleet of dumps of one key
  merge       the merge of two reports
  scan        bytes of one large dump for each second of processor time of `bigkeys report --threads 1`, by the program named

The curve is a simulation from these: every core takes the next dump when it is free, the largest first; a scan is as fast as the
core or its share of the worker's network, whichever is slower; the driver hands out tasks one after the other, and reports merge
eight at a time. It measures the package that is installed: one that was built for development is many times slower than a release.
Java 17 is needed.
"""

import argparse
import heapq
import json
import os
import platform
import resource
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

WORKERS = (1, 2, 5, 10, 20, 50, 100)

#: What a worker of the simulation has, unless it is said otherwise.
CORES, NETWORK_BYTES_A_SECOND = 8, 1.25e9

FLEET_BYTES = 10e12


# Dumps ---------------------------------------------------------------------------------------------------------------


def length(number: int) -> bytes:
    return bytes([number]) if number < 64 else struct.pack(">H", 0x4000 | number) if number < 1 << 14 else b"\x80" + struct.pack(">I", number)


def text(content: bytes) -> bytes:
    return length(len(content)) + content


def dump(to: Path, size: int, node: int = 0) -> None:
    """Strings of 20 to 500 bytes and hashes of up to 20 fields, with a checksum of zeros, which is none."""
    with to.open("wb") as file:
        file.write(b"REDIS0011\xfe\x00")
        written, number = 0, 0
        while written < size:
            name = b"user:%d:%d:%d" % (node, number % 977, number)
            if number % 10:
                record = b"\x00" + text(name) + text(b"v" * (20 + number * 7919 % 480))
            else:
                fields = number % 20 + 1
                record = b"\x04" + text(name) + length(fields) + b"".join(text(b"f%d" % at) + text(b"x" * at) for at in range(fields))
            written += file.write(record)
            number += 1
        file.write(b"\xff" + bytes(8))


def fleet(folder: Path, count: int, size: int) -> str:
    """No two are alike: reports of the same dump do not merge."""
    folder.mkdir()
    for number in range(count):
        dump(folder / f"{number:04}.rdb", size, number)
    return f"{folder}/*.rdb"


# Measurements --------------------------------------------------------------------------------------------------------


def session(workers: int):
    import pyspark
    from pyspark.sql import SparkSession

    os.environ.update(SPARK_HOME=str(Path(pyspark.__file__).parent), PYSPARK_PYTHON=sys.executable)
    builder = SparkSession.builder.master(f"local-cluster[{workers},1,1024]").config("spark.ui.enabled", "false")
    return builder.config("spark.executor.memory", "1g").config("spark.driver.host", "127.0.0.1").getOrCreate()


def seconds(work, times: int = 2) -> float:
    """The least of some times that the work takes: what else the machine does only adds."""
    least = float("inf")
    for _ in range(times):
        started = time.perf_counter()
        work()
        least = min(least, time.perf_counter() - started)
    return least


def measure(program: str, dumps: int, scratch: Path) -> dict:
    import bigkeys
    import bigkeys.spark

    of_files, of_keys = fleet(scratch / "files", dumps, 1 << 20), fleet(scratch / "keys", dumps, 1)
    found: dict = {"dumps_a_minute": {}, "task_seconds": {}}
    for workers in (1, 2):
        spark = session(workers)
        try:
            # The first job waits for the executors and their Pythons.
            bigkeys.spark.report(spark, of_keys)
            found["dumps_a_minute"][workers] = dumps * 60 / seconds(lambda: bigkeys.spark.report(spark, of_files))
            found["task_seconds"][workers] = seconds(lambda: bigkeys.spark.report(spark, of_keys)) * workers / dumps
        finally:
            spark.stop()
    report, other = (bigkeys.report(scratch / "files" / f"000{number}.rdb") for number in (0, 1))
    found["report_bytes"] = len(report.to_json())
    found["merge_seconds"] = seconds(lambda: report.merge(bigkeys.load_report(other.to_json())))
    found["scan_bytes_a_second"] = scan(program, scratch / "large.rdb")
    return found


def scan(program: str, large: Path) -> float:
    """Bytes a second of processor time, which a busy machine changes little."""
    dump(large, 256 << 20)
    command = [program, "report", "--threads", "1", "--format", "json", str(large)]

    def used() -> float:
        of_children = resource.getrusage(resource.RUSAGE_CHILDREN)
        return of_children.ru_utime + of_children.ru_stime

    least = float("inf")
    for _ in range(3):
        before = used()
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        least = min(least, used() - before)
    return large.stat().st_size / least


# The curve -----------------------------------------------------------------------------------------------------------


def simulate(workers: int, dumps: list[float], rates: dict, cores: int, network: float) -> tuple[float, str]:
    """Seconds until all reports are one, and what limits that."""
    by_core, by_network = rates["scan_bytes_a_second"], network / cores
    rate, task = min(by_core, by_network), rates["task_seconds"]
    free = [0.0] * (workers * cores)
    for number, size in enumerate(sorted(dumps, reverse=True)):
        # Hands out tasks one after the other, as fast as it did here.
        started = max(heapq.heappop(free), number * rates["driver_seconds"])
        heapq.heappush(free, started + task + size / rate)
    scanned, left, merging = max(free), len(dumps), 0.0
    while left > 1:
        left = -(-left // 8)
        merging += -(-left // len(free)) * (task + 7 * rates["merge_seconds"])
    even = sum(dumps) / rate / len(free) + len(dumps) * task / len(free)
    terms = {
        "the network" if by_network < by_core else "the cores": even,
        "the largest dump": max(dumps) / rate if scanned > 1.2 * even else 0,
        "the driver": len(dumps) * rates["driver_seconds"],
        "merging": merging,
    }
    return scanned + merging, max(terms, key=terms.__getitem__)


def clock(took: float) -> str:
    return f"{took / 3600:.1f} h" if took >= 3600 else f"{took / 60:.1f} min" if took >= 60 else f"{took:.0f} s"


def curve(rates: dict, cores: int, network: float) -> None:
    # Half of the bytes in dumps of 20 GB, the other half in dumps of 1 GB: fleets have large and small instances.
    fleets = {
        "small and large dumps": [20e9] * int(FLEET_BYTES / 2 / 20e9) + [1e9] * int(FLEET_BYTES / 2 / 1e9),
        # A giant is read twice, in ranges of 1 GiB.
        "one dump of 10 TB, in ranges": [float(1 << 30)] * int(2 * FLEET_BYTES / (1 << 30)),
    }
    print(f"| workers of {cores} cores | " + " | ".join(f"{name} | limited by" for name in fleets) + " |")
    print("| --- |" + " --- | --- |" * len(fleets))
    for workers in WORKERS:
        cells = []
        for dumps in fleets.values():
            took, limit = simulate(workers, dumps, rates, cores, network)
            cells += [clock(took), limit]
        print(f"| {workers} | " + " | ".join(cells) + " |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", help="the bigkeys program whose scan is measured")
    parser.add_argument("--dumps", type=int, default=200, help="dumps of each fleet that is measured (200)")
    parser.add_argument("--cores", type=int, default=CORES, help=f"cores of a simulated worker ({CORES})")
    parser.add_argument("--network", type=float, default=NETWORK_BYTES_A_SECOND, help="its bytes a second (1.25e9: 10 Gbit/s)")
    parser.add_argument("--rates", type=Path, help="the JSON of an earlier run, to draw the curve again without measuring")
    arguments = parser.parse_args()
    if arguments.rates:
        found = json.loads(arguments.rates.read_text())
    else:
        with tempfile.TemporaryDirectory() as scratch:
            found = measure(arguments.program, arguments.dumps, Path(scratch))
    print(json.dumps(found))
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, Python {platform.python_version()}")
    rates = {**found, "task_seconds": list(found["task_seconds"].values())[0]}
    # Both workers share the driver: what it takes for a task is no more than what a task takes of the run of two.
    rates["driver_seconds"] = list(found["task_seconds"].values())[1] / 2
    curve(rates, arguments.cores, arguments.network)


if __name__ == "__main__":
    main()
