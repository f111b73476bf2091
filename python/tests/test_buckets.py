"""Dumps in a bucket are those in files."""

from pathlib import Path

import pytest

import bigkeys
import dumps

pa = pytest.importorskip("pyarrow")

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
MIXED = FIXTURES / "mixed_all_v13.rdb"


def test_rows_reports_and_checks(store):
    url = store.put("a/mixed.rdb", MIXED.read_bytes())
    assert pa.table(bigkeys.scan(url)).drop(["dump"]) == pa.table(bigkeys.scan(MIXED)).drop(["dump"])
    assert pa.table(bigkeys.elements(url, type="hash")).num_rows == pa.table(bigkeys.elements(MIXED, type="hash")).num_rows
    assert bigkeys.report(url).to_dict()["totals"] == bigkeys.report(MIXED).to_dict()["totals"]
    assert bigkeys.check(url)["sound"]
    assert bigkeys.digest(url)["digest"] == bigkeys.digest(MIXED)["digest"]
    assert bigkeys.task(url, task_id="t")["keys"] == bigkeys.task(MIXED, task_id="t")["keys"]
    assert bigkeys.diff(url, MIXED, keys=False)["totals"] == bigkeys.diff(MIXED, MIXED, keys=False)["totals"]
    with pytest.raises(bigkeys.DumpError, match="store this one as a file first"):
        bigkeys.diff(url, MIXED)


def test_patterns(store, fleet, fleet_in_bucket):
    def names(fleet) -> list[bytes]:
        return sorted(pa.table(bigkeys.scan(fleet, columns=["name"]))["name"].to_pylist())

    assert names(fleet_in_bucket) == names(sorted(fleet.iterdir()))
    totals = bigkeys.report(fleet_in_bucket).to_dict()["totals"]
    assert totals == bigkeys.report(sorted(fleet.iterdir())).to_dict()["totals"]


def test_polars(store):
    pl = pytest.importorskip("polars")
    import bigkeys.polars

    url = store.put("b/mixed.rdb", MIXED.read_bytes())
    counted = bigkeys.polars.scan_rdb(url).group_by("type").agg(pl.len()).sort("type").collect()
    assert counted.equals(bigkeys.polars.scan_rdb(MIXED).group_by("type").agg(pl.len()).sort("type").collect())


def test_a_damaged_dump_among_sound_ones(store):
    sound, cut = store.put("c/a.rdb", dumps.node(1)), store.put("c/b.rdb", dumps.node(2)[:1500])
    report = bigkeys.report([sound, cut], errors="report")
    assert [damage["path"] for damage in report.damage] == [cut]
    with pytest.raises(bigkeys.DumpError, match="b.rdb"):
        bigkeys.report([sound, cut])


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("s3://bucket/no-such.rdb", "no-such.rdb"),
        ("s3://bucket/nothing/*.rdb", "nothing/"),
        ("s3://no-such-bucket/a.rdb", "no-such-bucket"),
        ("ftp://host/a.rdb", "ftp"),
        ("http://127.0.0.1:1/a.rdb", "127.0.0.1"),
    ],
)
def test_what_is_not_there_is_a_sentence(store, url, says):
    with pytest.raises((OSError, bigkeys.DumpError), match=says) as raised:
        bigkeys.report(url)
    assert "\n" not in str(raised.value) and "test-secret" not in str(raised.value)
