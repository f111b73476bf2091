"""The package as its users have it: streams into each reader, damage, Ctrl-C, the program."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import bigkeys
import dumps

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

    whole = pl.DataFrame(bigkeys.scan(MIXED))
    lazy = bigkeys.polars.scan_rdb(MIXED)
    assert lazy.collect().equals(whole)
    wanted = pl.col("type") == "hash"
    few = lazy.filter(wanted).select("name", "size").head(3).collect()
    assert few.equals(whole.filter(wanted).select("name", "size").head(3))


def test_duckdb_takes_it():
    duckdb = pytest.importorskip("duckdb")
    pa = pytest.importorskip("pyarrow")
    rows = pa.table(bigkeys.scan(MIXED))
    [counted] = duckdb.sql("SELECT count(*) FROM rows").fetchall()
    assert counted == (rows.num_rows,)


def test_pandas_takes_it():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame.from_arrow(bigkeys.scan(MIXED, columns=["db", "type", "size"]))
    assert list(frame.columns) == ["db", "type", "size"]
    assert frame["size"].tolist() == [row["size"] for row in keys()]


def test_duckdb_takes_a_scan_as_it_is():
    duckdb = pytest.importorskip("duckdb")
    scan = bigkeys.scan(MIXED)
    counted = dict(duckdb.sql("SELECT type, count(*) FROM scan GROUP BY type").fetchall())
    assert counted["hash"] == sum(row["type"] == "hash" for row in keys())


@pytest.mark.parametrize("kind", ["string", "list", "set", "zset", "hash", "stream"])
def test_elements_are_those_of_the_program(kind):
    pa = pytest.importorskip("pyarrow")
    table = pa.table(bigkeys.elements(MIXED, type=kind))
    lines = program("export", str(MIXED), "--type", kind, "--format", "elements").splitlines()
    printed = [json.loads(line) for line in lines]
    assert table.num_rows == len(printed) > 0
    for column in ("db", "type", "index", "score", "id"):
        assert table.column(column).to_pylist() == [row.get(column) for row in printed], column
    for column in ("field", "member", "value"):
        for taken, row in zip(table.column(column).to_pylist(), printed):
            text = row.get(column)
            is_text = text is None or not str(text).startswith("base64:")
            assert not is_text or taken == (None if text is None else str(text).encode()), (column, row)


def test_elements_have_columns_limits_and_readers():
    pl = pytest.importorskip("polars")
    pd = pytest.importorskip("pandas")
    duckdb = pytest.importorskip("duckdb")
    few = pl.DataFrame(bigkeys.elements(MIXED, type="hash", columns=["field", "value"], limit=7))
    assert (few.columns, few.height) == (["field", "value"], 7)
    fields = bigkeys.elements(MIXED, type="hash")
    [(counted,)] = duckdb.sql("SELECT count(*) FROM fields").fetchall()
    assert counted == len(pd.DataFrame.from_arrow(fields)) > 7
    # Who stops reading ends the scan.
    pa = pytest.importorskip("pyarrow")
    reader = pa.RecordBatchReader.from_stream(bigkeys.elements(MIXED))
    assert reader.read_next_batch().num_rows > 0
    reader.close()


def test_filters_and_limits():
    pa = pytest.importorskip("pyarrow")
    table = pa.table(bigkeys.scan(MIXED, type=["hash", "list"], db=0, limit=5))
    assert table.num_rows == 5
    scan = bigkeys.scan(MIXED, limit=5)
    assert pa.table(scan).num_rows == 5 and scan.damage == []
    scan.raise_damage()
    assert set(table.column("type").to_pylist()) <= {"hash", "list"}
    with pytest.raises(ValueError, match='type="hsh": one of'):
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


def test_findings_and_notebooks():
    report = bigkeys.report(MIXED)
    printed = json.loads(program("report", "--format", "json", str(MIXED)))
    assert json.loads(report.to_json()) == printed
    both = json.loads(program("report", "--format", "json", str(MIXED), str(FIXTURES / "cluster_slots_v11.rdb")))
    merged = report.merge(bigkeys.report(FIXTURES / "cluster_slots_v11.rdb"))
    assert merged.findings == both.get("findings", [])
    assert merged.to_dict() == both
    page = report._repr_html_()
    assert page.startswith("<pre>") and "534" in page
    hostile = bigkeys.report(FIXTURES / "key_names_v80.rdb")._repr_html_()
    assert "<script" not in hostile.lower()


def test_digests_are_those_of_the_program():
    digest = bigkeys.digest(MIXED)
    printed = json.loads(program("digest", "--json", str(MIXED)))
    assert (digest["digest"], digest["keys"], digest["databases"]) == (
        printed["digest"], printed["keys"], printed["databases"],
    )
    assert digest["is_complete"] and digest["damage"] == []
    assert bigkeys.digest(MIXED, type="hash")["keys"] < digest["keys"]
    cut = bigkeys.open(MIXED.read_bytes()[:3000])
    with pytest.raises(bigkeys.DumpError):
        bigkeys.digest(cut)
    assert not bigkeys.digest(cut, errors="report")["is_complete"]
    with pytest.raises(ValueError, match="one dump, not 2"):
        bigkeys.digest([MIXED, MIXED])


def test_differences_are_those_of_the_program():
    other = FIXTURES / "mixed_idle_v09.rdb"
    change = bigkeys.diff(MIXED, other, target="redis-8.2")
    printed = json.loads(program("diff", str(MIXED), str(other), "--target", "redis-8.2", "--format", "json"))
    assert change == printed
    assert "keys" in change
    reports = bigkeys.diff(bigkeys.report(MIXED), bigkeys.report(other))
    assert reports["totals"]["keys_change"] == change["totals"]["keys_change"] and reports.get("keys") is None


@pytest.mark.parametrize("range_bytes", [4096, 1 << 20])
def test_ranges_have_the_rows_of_one_scan(range_bytes):
    pa = pytest.importorskip("pyarrow")
    whole = pa.table(bigkeys.scan(MIXED))
    scans = [bigkeys.range(MIXED, *bytes) for bytes in bigkeys.cut(MIXED, range_bytes)]
    joined = bigkeys.join(MIXED, scans)
    parts = pa.concat_tables(pa.table(bigkeys.scan(MIXED, part=part)) for part in joined["parts"])
    assert parts.equals(whole)
    assert joined["damage"] == [] and joined["keys"] == whole.num_rows
    few = pa.concat_tables(pa.table(bigkeys.scan(MIXED, part=part, type="hash")) for part in joined["parts"])
    assert few.equals(pa.table(bigkeys.scan(MIXED, type="hash")))
    with pytest.raises(bigkeys.DumpError, match="not those of this dump"):
        bigkeys.join(MIXED, scans[::-1] if len(scans) > 1 else scans * 2)


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


@pytest.mark.parametrize("name", dumps.misleading())
@pytest.mark.parametrize("range_bytes", [1000, 4096, 20_000])
def test_ranges_of_misleading_dumps_are_exact(name, range_bytes):
    pa = pytest.importorskip("pyarrow")
    dump = bigkeys.open(dumps.misleading()[name])
    scans = [bigkeys.range(dump, *bytes) for bytes in bigkeys.cut(dump, range_bytes)]
    joined = bigkeys.join(dump, scans)
    parts = pa.concat_tables(pa.table(bigkeys.scan(dump, part=part)) for part in joined["parts"])
    assert parts.equals(pa.table(bigkeys.scan(dump)))
    assert joined["damage"] == []


def found_by_ranges(dump, scans) -> tuple:
    pa = pytest.importorskip("pyarrow")
    joined = bigkeys.join(dump, scans)
    rows, damage = [], []
    for part in joined["parts"]:
        scan = bigkeys.scan(dump, part=part, errors="report")
        rows += pa.table(scan).to_pylist()
        damage += scan.damage
    return rows, damage + joined["damage"]


def found_by_one_scan(dump) -> tuple:
    pa = pytest.importorskip("pyarrow")
    scan = bigkeys.scan(dump, errors="report")
    return pa.table(scan).to_pylist(), scan.damage


def test_ranges_of_a_cut_dump_tell_its_damage():
    whole = dumps.node(7)
    # Of a dump whose start cannot be read there are no ranges.
    assert bigkeys.cut(bigkeys.open(whole[:9]), 400) == []
    for end in [11, 200, 777, 1500, len(whole) - 9, len(whole) - 3]:
        dump = bigkeys.open(whole[:end])
        scans = [bigkeys.range(dump, *bytes) for bytes in bigkeys.cut(dump, 400)]
        assert found_by_ranges(dump, scans) == found_by_one_scan(dump), end


def test_a_range_that_is_wrong_is_scanned_again():
    dump = bigkeys.open(dumps.misleading()["zeros"])
    sound = [bigkeys.range(dump, *bytes) for bytes in bigkeys.cut(dump, 500)]
    expected = found_by_one_scan(dump)
    assert found_by_ranges(dump, sound) == expected
    for every in (1, 2, 3):
        wrong = [dict(scan) for scan in sound]
        for scan in wrong[::every]:
            # A byte further on no record begins; nothing that such a scan found may count.
            scan["began"] = (scan["start"] if scan["began"] is None else scan["began"]) + 1
            scan.update(ended=scan["end"] + 5, keys=77, db=99, is_last=True)
        assert found_by_ranges(dump, wrong) == expected, every


def big_dump() -> bigkeys.Held:
    """A dump that takes some seconds: a million short strings, without a checksum."""
    records = b"".join(b"\x00\x0ckey:%08d\x05value" % number for number in range(1_000_000))
    return bigkeys.open(b"REDIS0011" + b"\xfe\x00" + records + b"\xff" + bytes(8))


def test_ctrl_c_ends_a_report():
    """It comes from outside, as from a terminal, while the report is made."""
    dump = big_dump()
    seen = []

    def interrupt(done, total):
        seen.append((done, total))
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        bigkeys.report(dump, threads=1, progress=interrupt)
    assert len(seen) == 1


def test_ctrl_c_ends_a_stream():
    pa = pytest.importorskip("pyarrow")

    def interrupt(done, total):
        raise KeyboardInterrupt

    with pytest.raises(Exception, match="KeyboardInterrupt"):
        pa.table(bigkeys.scan(big_dump(), progress=interrupt))


def test_the_lock_is_free_meanwhile():
    """This thread goes on while another one makes a report that takes longer than all of its steps."""
    dump = big_dump()
    done = threading.Event()

    def report():
        bigkeys.report(dump, threads=1)
        done.set()

    thread = threading.Thread(target=report)
    thread.start()
    steps = 0
    while not done.is_set():
        steps += 1
        done.wait(0.001)
    thread.join()
    assert steps > 20


def test_progress_is_told_and_ends_at_the_whole():
    told = []
    bigkeys.report(MIXED, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (MIXED.stat().st_size, MIXED.stat().st_size)
    assert bigkeys.check(MIXED, progress=True)["sound"]


def test_wrong_inputs_are_one_sentence():
    with pytest.raises(ValueError, match="no dumps"):
        bigkeys.scan([])
    with pytest.raises(TypeError, match="not int"):
        bigkeys.report(7)
    with pytest.raises(ValueError, match="closed"):
        dump = bigkeys.open(b"")
        dump.close()
        bigkeys.check(dump)
    with pytest.raises(ValueError, match="errors='x'"):
        bigkeys.report(MIXED, errors="x")
    with pytest.raises(bigkeys.DumpError):
        bigkeys.report(__file__)
    with pytest.raises(ValueError, match="not a bigkeys report"):
        bigkeys.load_report("{}")


def test_the_program_says_what_is_wrong():
    run = subprocess.run([sys.executable, "-m", "bigkeys", "check", "no-such.rdb"], capture_output=True, check=False)
    assert run.returncode == 2 and b"no-such.rdb" in run.stderr
    script = Path(sys.executable).with_name("bigkeys")
    assert b"bigkeys" in subprocess.run([script, "--version"], capture_output=True, check=True).stdout


def test_the_stubs_name_what_there_is():
    stub = Path(bigkeys.__file__).with_name("_bigkeys.pyi").read_text()
    named = set(re.findall(r"^(?:class|def) (\w+)", stub, re.MULTILINE))
    assert named == {name for name in dir(bigkeys._bigkeys) if not name.startswith("_")}
    assert Path(bigkeys.__file__).with_name("py.typed").exists()
