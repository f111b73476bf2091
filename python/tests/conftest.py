"""What several files of tests use."""

import gzip
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

import pytest

import dumps

NODES = 100


class Store:
    """A server that speaks S3, with two buckets."""

    def __init__(self, process: subprocess.Popen, endpoint: str) -> None:
        self.process = process
        self.environment = {
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test-secret",
            "AWS_REGION": "us-east-1",
        }
        self.put("", b"")
        self.put("", b"", bucket="backups")

    def put(self, name: str, content: bytes, bucket: str = "bucket") -> str:
        """Stores an object, or makes the bucket if it has no name; its URL."""
        url = f"{self.environment['AWS_ENDPOINT_URL']}/{bucket}/{name}".rstrip("/")
        with urlopen(Request(url, data=content, method="PUT", headers={"Content-Type": "application/octet-stream"})):
            return f"s3://{bucket}/{name}"


@pytest.fixture(scope="session")
def store():
    """The store, which the environment names until the tests end: a cluster of the tests starts with it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    serve = f"from moto.server import main; main(['-H', '127.0.0.1', '-p', '{port}'])"
    process = subprocess.Popen([sys.executable, "-c", serve], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                made = Store(process, f"http://127.0.0.1:{port}")
                break
            except (URLError, ConnectionError):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
        before = dict(os.environ)
        os.environ.update(made.environment)
        yield made
        for name in made.environment:
            os.environ.pop(name)
            if name in before:
                os.environ[name] = before[name]
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="session")
def fleet(tmp_path_factory) -> Path:
    """A folder of dumps."""
    folder = tmp_path_factory.mktemp("fleet")
    for number in range(NODES):
        (folder / f"node-{number:03}.rdb").write_bytes(dumps.node(number))
    return folder


@pytest.fixture(scope="session")
def fleet_in_bucket(store, fleet) -> str:
    """The same dumps in a bucket, every other one compressed: a pattern of their URLs."""
    for number, path in enumerate(sorted(fleet.iterdir())):
        name, content = f"fleet/{path.name}", path.read_bytes()
        store.put(*((f"{name}.gz", gzip.compress(content)) if number % 2 else (name, content)))
    return "s3://bucket/fleet/*"
