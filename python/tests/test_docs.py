"""The blocks of Python code in the documentation run as they are, page by page, in a folder with dumps of the names they use."""

import gzip
import re
import shutil
import sys
from pathlib import Path

import pytest

import dumps

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def backups(store) -> None:
    for number in range(5):
        store.put(f"2026-11-26/node-{number}.rdb.gz", gzip.compress(dumps.node(number)), bucket="backups")


@pytest.fixture
def folder(tmp_path, monkeypatch, backups) -> Path:
    for name, fixture in [("dump", "mixed_all_v13"), ("monday", "mixed_idle_v09"), ("tuesday", "key_names_v80")]:
        shutil.copy(ROOT / "fixtures" / f"{fixture}.rdb", tmp_path / f"{name}.rdb")
    (tmp_path / "damaged.rdb").write_bytes(dumps.node(3)[:2000])
    (tmp_path / "giant.rdb").write_bytes(dumps.dump(*(dumps.key(b"k:%d" % at, b"v" * 40) for at in range(5000))))
    (tmp_path / "fleet").mkdir()
    for number in range(5):
        (tmp_path / "fleet" / f"node-{number}.rdb").write_bytes(dumps.node(number))
    monkeypatch.chdir(tmp_path)
    # Where a cluster starts its workers, they must find this Python.
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    return tmp_path


def run(page: Path, names: dict) -> None:
    blocks = list(BLOCK.finditer(page.read_text()))
    assert blocks
    for block in blocks:
        line = page.read_text()[: block.start()].count("\n") + 2
        # Errors name the page and the line.
        exec(compile("\n" * (line - 1) + block[1], page, "exec"), names)  # noqa: S102


def test_python(folder, capsys):
    names: dict = {}
    run(ROOT / "docs" / "python.md", names)
    assert names["table"].num_rows > 0 and names["fields"].height > 0 and names["by_type"].height > 3
    assert names["sound"] and names["in_memory"]["sound"] and len(names["digest"]) == 40
    assert names["backups"].height == 5 * 5 and set(names["backups"]["type"]) == {"hash"}
    assert len(names["small"]) == 534 and names["rows"].num_rows > 0
    assert "damaged.rdb" in capsys.readouterr().out


def test_readme(folder):
    names: dict = {}
    run(ROOT / "python" / "README.md", names)
    assert names["keys"].height > 0


def test_fleets(folder):
    if shutil.which("java") is None:
        pytest.skip("there is no Java")
    names: dict = {}
    try:
        run(ROOT / "docs" / "fleets.md", names)
        assert names["keys"].count() == sum(table.num_rows for table in names["tables"]) > 300
        assert names["backups"].count() == names["of_backups"].to_dict()["totals"]["keys"] == 5 * 55
        assert names["big"].count() > 0 and names["fields"].count() > 0 and names["damage"].count() == 0
        assert len(list((folder / "keys").glob("instance=node-*"))) == 5
        assert names["by_ray"].to_json() == names["by_dask"].to_json() == names["report"].to_json()
        assert names["joined"]["keys"] == names["keys"].count()
    finally:
        # Other tests have a cluster of their own.
        if "spark" in names:
            names["spark"].stop()
