"""The package as its users have it: streams into each reader, damage, Ctrl-C, the program."""

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import bigkeys

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
MIXED = FIXTURES / "mixed_all_v13.rdb"


def program(*arguments: str) -> bytes:
    run = subprocess.run([sys.executable, "-m", "bigkeys", *arguments], capture_output=True, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout


def keys() -> list[dict]:
    return [json.loads(line) for line in program("keys", str(MIXED), "--format", "ndjson").splitlines()]


def test_pyarrow_has_what_the_program_prints():
    pa = pytest.importorskip("pyarrow")
    table = pa.table(bigkeys.scan(MIXED))
    printed = keys()
    assert table.num_rows == len(printed) > 100
    for column in ("db", "type", "size", "memory_bytes", "offset"):
        assert table.column(column).to_pylist() == [row.get(column) for row in printed], column


def test_every_reader_scans_anew():
    pa = pytest.importorskip("pyarrow")
    scan = bigkeys.scan(MIXED, columns=["db"])
    assert pa.table(scan) == pa.table(scan)


def test_polars_takes_it_and_pushes_down():
    pl = pytest.importorskip("polars")
    import bigkeys.polars

    whole = pl.from_arrow(bigkeys.scan(MIXED))
    lazy = bigkeys.polars.scan_rdb(MIXED)
    assert lazy.collect().equals(whole)
    wanted = pl.col("type") == "hash"
    few = lazy.filter(wanted).select("name", "size").head(3).collect()
    assert few.equals(whole.filter(wanted).select("name", "size").head(3))


def test_duckdb_takes_it():
    duckdb = pytest.importorskip("duckdb")
    pa = pytest.importorskip("pyarrow")
    table = pa.table(bigkeys.scan(MIXED))
    counted = duckdb.sql("SELECT count(*) FROM table").fetchone()
    assert counted == (table.num_rows,)


def test_filters_and_limits():
    pa = pytest.importorskip("pyarrow")
    table = pa.table(bigkeys.scan(MIXED, type=["hash", "list"], db=0, limit=5))
    assert table.num_rows == 5
    assert set(table.column("type").to_pylist()) <= {"hash", "list"}
    with pytest.raises(ValueError, match="type='hsh': one of"):
        bigkeys.scan(MIXED, type="hsh")
    with pytest.raises(ValueError, match="no_such"):
        bigkeys.scan(MIXED, columns=["no_such"])
    with pytest.raises(TypeError, match="unexpected argument"):
        bigkeys.report(MIXED, no_such=1)


def test_reports_merge_and_are_those_of_the_program():
    report = bigkeys.report(MIXED)
    printed = json.loads(program("report", "--format", "json", str(MIXED)))
    assert report.to_dict()["totals"] == printed["totals"]
    other = bigkeys.report(FIXTURES / "cluster_slots_v11.rdb")
    merged = report.merge(other)
    total = report.to_dict()["totals"]["keys"] + other.to_dict()["totals"]["keys"]
    assert merged.to_dict()["totals"]["keys"] == total
    assert bigkeys.load_report(merged.to_json()).to_dict() == merged.to_dict()
    with pytest.raises(ValueError):
        report.merge(report)


def test_tasks_and_checks():
    task = bigkeys.task(MIXED, top=1, task_id="t", instance_id="i")
    assert (task["id"], task["instance_id"], task["status"]) == ("t", "i", "success")
    assert task["num"] == len(task["keys"]) > 0
    assert bigkeys.check(MIXED)["sound"]


def test_damage_is_raised_or_reported():
    pa = pytest.importorskip("pyarrow")
    cut = bigkeys.open(MIXED.read_bytes()[:3000])
    with pytest.raises(bigkeys.DumpError) as raised:
        bigkeys.report(cut)
    assert raised.value.offset is not None and raised.value.path
    scan = bigkeys.scan(cut, errors="report")
    assert pa.table(scan).num_rows > 0
    assert scan.damage[0]["offset"] is not None
    with pytest.raises(bigkeys.DumpError):
        scan.raise_damage()
    with pytest.raises(Exception, match="ends"):
        pa.table(bigkeys.scan(cut))
    with pytest.raises(FileNotFoundError):
        bigkeys.report("no-such.rdb")


def test_ctrl_c_ends_a_report():
    raised = []

    def interrupt(done, total):
        raised.append((done, total))
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        bigkeys.report(MIXED, progress=interrupt)
    assert raised


def test_the_lock_is_free_meanwhile():
    counted = []
    thread = threading.Thread(target=lambda: counted.append(bigkeys.report(MIXED)))
    thread.start()
    thread.join(60)
    assert counted


def test_the_program_says_what_is_wrong():
    run = subprocess.run([sys.executable, "-m", "bigkeys", "check", os.devnull], capture_output=True, check=False)
    assert run.returncode in (1, 2) and run.stderr or run.stdout
