"""Dumps in a bucket are those in files."""

import gzip
from pathlib import Path

import pytest

import bigkeys
import dumps

pa = pytest.importorskip("pyarrow")
boto3 = pytest.importorskip("boto3")

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


def by_ranges(dump, range_bytes) -> tuple:
    """The rows of a dump, as the bytes of an Arrow file, and its damage: by ranges of so many bytes."""
    ranges = bigkeys.cut(dump, range_bytes)
    assert len(ranges) > 1
    joined = bigkeys.join(dump, [bigkeys.range(dump, *bytes) for bytes in ranges])
    scans = [bigkeys.scan(dump, part=part, errors="report") for part in joined["parts"]]
    table = pa.concat_tables([pa.table(scan) for scan in scans])
    return as_bytes(table), [damage["what"] for scan in scans for damage in scan.damage] + [d["what"] for d in joined["damage"]]


def by_one_scan(dump) -> tuple:
    scan = bigkeys.scan(dump, errors="report")
    return as_bytes(pa.table(scan)), [damage["what"] for damage in scan.damage]


def as_bytes(table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table.combine_chunks().unify_dictionaries())
    return sink.getvalue().to_pybytes()


@pytest.mark.parametrize("name", [*dumps.misleading(), "all types", "cut", "a wrong checksum"])
@pytest.mark.parametrize("range_bytes", [4096, 20_000])
def test_one_dump_by_ranges_is_exact(store, name, range_bytes):
    wrong = bytearray(MIXED.read_bytes())
    wrong[-1] ^= 1
    others = {"all types": MIXED.read_bytes(), "cut": MIXED.read_bytes()[:30_000], "a wrong checksum": bytes(wrong)}
    url = store.put(f"giant/{name.replace(' ', '-')}-{range_bytes}.rdb", {**dumps.misleading(), **others}[name])
    assert by_ranges(url, range_bytes) == by_one_scan(url)


def test_ranges_are_of_one_version(store):
    content = dumps.misleading()["zeros"]
    url = store.put("giant/replaced.rdb", content)
    scans = [bigkeys.range(url, *bytes) for bytes in bigkeys.cut(url, 20_000)]
    assert len({scan["version"] for scan in scans}) == 1
    joined = bigkeys.join(url, scans)
    # What is there may be replaced by whoever has credentials.
    bucket = boto3.client("s3", endpoint_url=store.environment["AWS_ENDPOINT_URL"])
    bucket.put_object(Bucket="bucket", Key="giant/replaced.rdb", Body=content.replace(b"outer", b"OUTER"))
    with pytest.raises(bigkeys.DumpError, match="not those of this dump"):
        bigkeys.join(url, scans)
    with pytest.raises(Exception, match="was replaced since its ranges were scanned: scan them again"):
        pa.table(bigkeys.scan(url, part=joined["parts"][0]))
    assert bigkeys.cut(store.put("giant/packed.rdb.gz", gzip.compress(content)), 4096) == []


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
