"""The data source in a real cluster of two workers, processes of their own: its answers are those of one machine."""

import os
import shutil
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

import bigkeys
import dumps
from conftest import NODES

if shutil.which("java") is None and os.environ.get("CI") != "true":
    pytest.skip("there is no Java", allow_module_level=True)

pa = pytest.importorskip("pyarrow")
pyspark = pytest.importorskip("pyspark")

import bigkeys.spark  # noqa: E402

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
MIXED = FIXTURES / "mixed_all_v13.rdb"


@pytest.fixture(scope="module")
def spark(store):
    from pyspark.sql import SparkSession

    # The workers of a cluster start from these, and take the store's address from the environment.
    os.environ["SPARK_HOME"] = str(Path(pyspark.__file__).parent)
    os.environ["PYSPARK_PYTHON"] = sys.executable
    session = (
        SparkSession.builder.master("local-cluster[2,1,1024]")
        .config("spark.ui.enabled", "false")
        .config("spark.executor.memory", "1g")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.sql.shuffle.partitions", "2")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.executorEnv.PYTHONPATH", str(Path(__file__).parent))
        .getOrCreate()
    )
    bigkeys.spark.register(session)
    yield session
    session.stop()


def rows(source, columns=("db", "name", "type", "size", "memory_bytes", "offset")) -> list[tuple]:
    """Rows of a frame or of a scan, in an order of their own."""
    table = pa.table(source) if isinstance(source, bigkeys.Scan) else source.select(*columns).toArrow()
    return sorted(tuple(row[column] for column in columns) for row in table.select(columns).to_pylist())


def test_rows_are_those_of_one_machine(spark, fleet):
    frame = spark.read.format("rdb").load(f"{fleet}/*.rdb")
    assert frame.rdd.getNumPartitions() == NODES
    assert rows(frame) == rows(bigkeys.scan(sorted(fleet.iterdir())))
    all_columns = spark.read.format("rdb").load(str(MIXED))
    whole = pa.table(bigkeys.scan(MIXED))
    assert all_columns.columns == whole.column_names
    assert rows(all_columns, tuple(whole.column_names)) == rows(bigkeys.scan(MIXED), tuple(whole.column_names))


def test_options_and_columns(spark):
    frame = spark.read.format("rdb").option("type", "hash,list").option("columns", "type,size").load(str(MIXED))
    assert frame.columns == ["type", "size"]
    assert rows(frame, ("type", "size")) == rows(bigkeys.scan(MIXED, type=["hash", "list"]), ("type", "size"))
    given = spark.read.format("rdb").schema("size long not null, db long not null").load(str(MIXED))
    assert rows(given, ("size", "db")) == rows(bigkeys.scan(MIXED), ("size", "db"))
    modelled = spark.read.format("rdb").option("target", "redis-6.2").load(str(MIXED))
    assert rows(modelled) == rows(bigkeys.scan(MIXED, target="redis-6.2"))
    with pytest.raises(Exception, match="unknown option 'typ'"):
        spark.read.format("rdb").option("typ", "hash").load(str(MIXED)).count()
    with pytest.raises(Exception, match="no dump matches"):
        spark.read.format("rdb").load(f"{FIXTURES}/no-such-*.rdb").count()


def test_filters_are_pushed_down(spark):
    frame = spark.read.format("rdb").load(str(MIXED)).where("type = 'hash' AND size > 3 AND db IN (0, 1)")
    expected = [row for row in rows(bigkeys.scan(MIXED, type="hash", db=[0, 1])) if row[3] > 3]
    assert rows(frame) == expected and expected
    from pyspark.sql.datasource import EqualTo, GreaterThan, In

    schema = spark.read.format("rdb").load(str(MIXED)).schema
    reader = bigkeys.spark.RdbDataSource({"path": str(MIXED)}).reader(schema)
    filters = [EqualTo(("type",), "hash"), In(("db",), (0, 1)), GreaterThan(("size",), 3), EqualTo(("type",), "json")]
    assert list(reader.pushFilters(filters)) == filters
    assert reader.pushed == {"type": ["hash"], "db": [0, 1]}


def test_elements(spark):
    columns = ("db", "name", "index", "field", "value")
    frame = spark.read.format("rdb").option("elements", True).option("type", "hash").load(str(MIXED))
    assert rows(frame, columns) == rows(bigkeys.elements(MIXED, type="hash"), columns)


def test_damaged_dumps_are_a_second_table(spark, tmp_path):
    (tmp_path / "a.rdb").write_bytes(dumps.node(1))
    (tmp_path / "b.rdb").write_bytes(dumps.node(2)[:1500])
    (tmp_path / "c.rdb").write_bytes(b"this is not a dump")
    paths = f"{tmp_path}/*.rdb"
    found = spark.read.format("rdb").load(paths)
    assert rows(found) == rows(bigkeys.scan(sorted(tmp_path.iterdir()), errors="report"))
    damage = {row.dump: row for row in spark.read.format("rdb").option("damage", True).load(paths).collect()}
    assert sorted(Path(dump).name for dump in damage) == ["b.rdb", "c.rdb"]
    cut = damage[str(tmp_path / "b.rdb")]
    assert cut.offset is not None and cut.what.startswith(str(tmp_path / "b.rdb"))
    # Whichever task fails first ends the job.
    with pytest.raises(Exception, match="[bc][.]rdb"):
        spark.read.format("rdb").option("errors", "raise").load(paths).count()


def test_a_report_is_that_of_one_machine(spark, fleet):
    files = sorted(fleet.iterdir())
    assert bigkeys.spark.report(spark, f"{fleet}/*.rdb").to_json() == bigkeys.report(files).to_json()
    assert bigkeys.spark.report(spark, files[0], top=3).to_json() == bigkeys.report(files[0], top=3).to_json()


def test_a_fleet_in_a_bucket(spark, fleet, fleet_in_bucket):
    files = sorted(fleet.iterdir())
    columns = ("db", "name", "type", "size", "memory_bytes", "offset")
    frame = spark.read.format("rdb").load(fleet_in_bucket.replace("s3://", "s3a://"))
    assert frame.rdd.getNumPartitions() == NODES
    assert rows(frame, columns) == rows(bigkeys.scan(files), columns)
    assert rows(bigkeys.spark.load(spark, fleet_in_bucket), columns) == rows(bigkeys.scan(files), columns)


@pytest.mark.parametrize("name", ["a dump in a string", "a dump in a hash"])
def test_one_dump_in_a_bucket_over_the_cluster_is_exact(spark, store, fleet_in_bucket, name):
    content = dumps.misleading()[name]
    url = store.put(f"giants/{name.replace(' ', '-')}.rdb", content)
    frame = bigkeys.spark.load(spark, url.replace("s3://", "s3a://"), range_bytes=4096)
    assert frame.rdd.getNumPartitions() > 1
    assert rows(frame) == rows(bigkeys.scan(url))
    # Among small ones, of which every other one is compressed.
    among = [url, fleet_in_bucket.replace("*", "node-00*")]
    frame = bigkeys.spark.load(spark, among, range_bytes=20_000, type="string")
    assert frame.rdd.getNumPartitions() > 11
    assert rows(frame) == rows(bigkeys.scan(among, type="string"))


def executors() -> list[int]:
    """The executors that this process has started, by way of Spark's workers."""
    parents, found = {}, []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
            if b"CoarseGrainedExecutorBackend" in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue

    def is_ours(process: int) -> bool:
        while process > 1:
            if process == os.getpid():
                return True
            process = parents.get(process, 0)
        return False

    return [process for process in found if is_ours(process)]


def test_an_executor_that_is_killed_changes_nothing(spark, fleet_in_bucket):
    expected = bigkeys.report(fleet_in_bucket).to_json()
    tracker = spark.sparkContext.statusTracker()
    killed = []

    def kill() -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not killed:
            stages = [tracker.getStageInfo(stage) for stage in tracker.getActiveStageIds()]
            if any(stage and 5 < stage.numCompletedTasks < stage.numTasks - 5 for stage in stages):
                victim = executors()[0]
                os.kill(victim, signal.SIGKILL)
                killed.append(victim)
            time.sleep(0.01)

    killer = threading.Thread(target=kill)
    killer.start()
    merged = bigkeys.spark.report(spark, fleet_in_bucket).to_json()
    killer.join()
    assert merged == expected
    assert killed and killed[0] not in executors()


@pytest.mark.parametrize("range_bytes", [4096, 20_000])
def test_one_dump_over_the_cluster_is_exact(spark, tmp_path, range_bytes):
    for number, (name, content) in enumerate(dumps.misleading().items()):
        path = tmp_path / f"{number}.rdb"
        path.write_bytes(content)
        frame = bigkeys.spark.load(spark, path, range_bytes=range_bytes)
        assert frame.rdd.getNumPartitions() > 1, name
        assert rows(frame) == rows(bigkeys.scan(path)), name


def test_a_giant_among_small_dumps(spark, tmp_path, fleet):
    giant = tmp_path / "giant.rdb"
    giant.write_bytes(dumps.dump(*(dumps.key(b"k:%d" % at, b"v" * 40) for at in range(5000))))
    frame = bigkeys.spark.load(spark, [giant, *sorted(fleet.iterdir())[:3]], range_bytes=100_000, type="string")
    assert frame.rdd.getNumPartitions() == -(-giant.stat().st_size // 100_000) + 3
    assert rows(frame) == rows(bigkeys.scan([giant, *sorted(fleet.iterdir())[:3]], type="string"))
    cut = tmp_path / "cut.rdb"
    cut.write_bytes(giant.read_bytes()[:150_005])
    found = bigkeys.spark.load(spark, cut, range_bytes=40_000)
    assert rows(found) == rows(bigkeys.scan(cut, errors="report"))
    with pytest.raises(bigkeys.DumpError, match="cut.rdb"):
        bigkeys.spark.load(spark, cut, range_bytes=40_000, errors="raise")


def test_hive_layout(spark, tmp_path, fleet):
    from pyspark.sql import functions as f

    frame = spark.read.format("rdb").load(f"{fleet}/node-00*.rdb")
    instances = frame.withColumn("instance", f.regexp_extract("dump", "(node-[0-9]+)", 1))
    instances.write.partitionBy("instance").parquet(str(tmp_path / "keys"))
    assert len(list((tmp_path / "keys").glob("instance=node-*"))) == 10
    assert spark.read.parquet(str(tmp_path / "keys")).count() == frame.count()
