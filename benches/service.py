"""Load on the service, by wrk and by its clients: `python3 benches/service.py load|soak BIGKEYS DUMP [SECONDS]`.

`load` asks show and list over 2,000 stored tasks for SECONDS each (10): alone, beside analyses of DUMP, and while 64 strangers ask
/healthz as fast as they can. It needs wrk (Debian's package wrk), which shares the machine with the service.

`soak` lets clients hold whole conversations beside analyses of DUMP and strangers for SECONDS (600), and ends with an error
where an answer is not the published one, the log has an error, or memory, threads or descriptors grow.
"""

import contextlib
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

INSTANCES = 100
TASKS_EACH = 20
KEYS_OF_A_TYPE = 20
TOKEN = "token-of-the-bench"
PROJECT = "/v2/p/instances"

# ---- the service


def small_dump():
    """A dump of 20 keys of each of the five types, of one element each: all are in the task."""
    text = lambda value: bytes([len(value)]) + value
    values = {0: text(b"v"), 1: b"\1" + text(b"e"), 2: b"\1" + text(b"m"), 4: b"\1" + text(b"f") + text(b"v"),
              5: b"\1" + text(b"m") + bytes(8)}
    keys = [bytes([kind]) + text(b"tenant:%d:session:%x" % (kind, number * 7919)) + value
            for kind, value in values.items() for number in range(KEYS_OF_A_TYPE)]
    return b"REDIS0009\xfe\0" + b"".join(keys) + b"\xff" + bytes(8)


class Service:
    def __init__(self, bigkeys, dump, folder):
        self.store = folder / "tasks.db"
        config = folder / "bigkeys.toml"
        lines = ['root = "/"', 'store = "tasks.db"', 'analysis = { workers = 2 }', '[[project]]', 'id = "p"', f'token = [{{ token = "{TOKEN}" }}]']
        small = folder / "small.rdb"
        small.write_bytes(small_dump())
        instances = [(str(number), small) for number in range(INSTANCES)] + [("large", pathlib.Path(dump).resolve())]
        for name, path in instances:
            lines += ["[[project.instance]]", f'id = "{name}"', 'name = ""', 'type = "single"', f'dumps = "{path}"']
        config.write_text("\n".join(lines))
        command = [bigkeys, "serve", "--listen", "127.0.0.1:0", "--config", config]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            if found := re.search(r"listening on http://127\.0\.0\.1:(\d+)", line):
                self.port = int(found[1])
                break
        else:
            sys.exit("the service did not start")
        self.errors = []
        threading.Thread(target=self.read_log, daemon=True).start()

    def read_log(self):
        self.errors += [line for line in self.process.stderr if " ERROR " in line]

    def status(self):
        """Resident and anonymous MiB, threads, descriptors, and MiB of the store with its log."""
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        number = lambda name: int(re.search(rf"^{name}:\s+(\d+)", text, re.M)[1])
        files = len(os.listdir(f"/proc/{self.process.pid}/fd"))
        store = sum(path.stat().st_size for path in self.store.parent.glob("tasks.db*"))
        return {"rss_mib": number("VmRSS") >> 10, "anon_mib": number("RssAnon") >> 10, "threads": number("Threads"),
                "descriptors": files, "store_mib": store >> 20}

    def cpu_seconds(self):
        text = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text()
        return sum(map(int, text.rsplit(")", 1)[1].split()[11:13])) / os.sysconf("SC_CLK_TCK")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


class Client:
    """A connection that is kept open."""

    def __init__(self, service):
        self.connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=60)

    def ask(self, method, path, body=None):
        self.connection.request(method, PROJECT + path, body and json.dumps(body), {"X-Auth-Token": TOKEN})
        answer = self.connection.getresponse()
        return answer.status, json.loads(answer.read())

    def task(self, instance):
        """Creates a task and returns it when it has ended."""
        status, task = self.ask("POST", f"/{instance}/bigkey-task")
        assert status == 200, task
        while task["status"] in ("waiting", "running"):
            time.sleep(0.01)
            _, task = self.ask("GET", f"/{instance}/bigkey-task/{task['id']}")
        assert task["status"] == "success", task
        return task


@contextlib.contextmanager
def beside(*works):
    """Repeats the works, a thread each, while the block runs."""
    over = threading.Event()
    failures = []

    def repeat(work):
        try:
            while not over.is_set():
                work()
        except Exception as error:
            failures.append(f"{type(error).__name__}: {error}")

    threads = [threading.Thread(target=repeat, args=[work]) for work in works]
    for thread in threads:
        thread.start()
    try:
        yield failures
    finally:
        over.set()
        for thread in threads:
            thread.join()


# ---- load

def load(service, seconds, folder):
    began = time.monotonic()
    client, ids = Client(service), []
    for _ in range(TASKS_EACH):
        started = [client.ask("POST", f"/{instance}/bigkey-task")[1] for instance in range(INSTANCES)]
        ids += [(task["instance_id"], task["id"]) for task in started]
        for task in started:
            while client.ask("GET", f"/{task['instance_id']}/bigkey-task/{task['id']}")[1]["status"] != "success":
                time.sleep(0.01)
    assert client.ask("GET", f"/{ids[0][0]}/bigkey-task/{ids[0][1]}")[1]["num"] == 5 * KEYS_OF_A_TYPE
    print(f"{len(ids)} tasks of {5 * KEYS_OF_A_TYPE} keys, made in {time.monotonic() - began:.0f} s")

    shows = [f"{PROJECT}/{instance}/bigkey-task/{task}" for instance, task in ids]
    lists = [f"{PROJECT}/{instance}/bigkey-tasks?limit=10" for instance in range(INSTANCES)]
    for name, paths in (("show", shows), ("list", lists)):
        script = folder / f"{name}.lua"
        script.write_text(
            "paths = {" + ",".join(f'"{path}"' for path in paths) + "}\nat = math.random(#paths)\n"
            "request = function() at = at % #paths + 1\n"
            f'return wrk.format("GET", paths[at], {{["X-Auth-Token"] = "{TOKEN}"}}) end\n'
        )
        cpu_seconds = service.cpu_seconds()
        asked = wrk(service, f"{name}, alone", seconds, script)
        print(f"    the service took {(service.cpu_seconds() - cpu_seconds) / asked * 1e6:.0f} µs of CPU time for each")
        analyses = Client(service)
        with beside(lambda: analyses.task("large")) as failures:
            wrk(service, f"{name}, beside analyses", seconds, script)
        assert not failures, failures
        strangers = subprocess.Popen(
            ["wrk", "-t1", "-c64", f"-d{seconds + 2}s", f"http://127.0.0.1:{service.port}/healthz"], stdout=subprocess.PIPE, text=True
        )
        time.sleep(1)
        wrk(service, f"{name}, beside 64 strangers", seconds, script)
        found = re.search(r"Requests/sec:\s+(\S+)", strangers.communicate()[0])
        print(f"    and the strangers {float(found[1]):,.0f} requests a second")


def wrk(service, name, seconds, script):
    """Prints what wrk found, and returns the number of requests."""
    command = ["wrk", "-t1", "-c8", f"-d{seconds}s", "--latency", "-s", script, f"http://127.0.0.1:{service.port}"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    a_second = float(re.search(r"Requests/sec:\s+(\S+)", said)[1])
    p50, p99 = (re.search(rf"^\s+{percent}%\s+(\S+)", said, re.M)[1] for percent in (50, 99))
    longest = re.search(r"Latency\s+\S+\s+\S+\s+(\S+)", said)[1]
    assert "Non-2xx" not in said and "Socket errors" not in said, said
    print(f"{name}: {a_second:,.0f} requests a second, p50 {p50}, p99 {p99}, longest {longest}; load {os.getloadavg()[0]:.1f}")
    return int(re.search(r"(\d+) requests in", said)[1])


# ---- soak

def soak(service, seconds, _folder):
    conversations = 0

    def converse(client, instance):
        nonlocal conversations
        task = client.task(instance)
        path = f"/{instance}/bigkey-task/{task['id']}"
        assert client.ask("GET", f"/{instance}/bigkey-tasks?limit=1")[1]["records"][0]["id"] == task["id"]
        assert client.ask("DELETE", path) == (200, task)
        for method in ("DELETE", "GET"):
            status, error = client.ask(method, path)
            assert (status, error["error_code"]) == (400, "DCS.4942"), error
        schedule = {"enable_auto_scan": False, "schedule_at": ["21:00"]}
        status, set_to = client.ask("PUT", f"/{instance}/bigkey/autoscan", schedule)
        assert status == 200 and client.ask("GET", f"/{instance}/bigkey/autoscan") == (200, set_to), set_to
        conversations += 1

    def stranger():
        # A head, and half of a body; or not even a head.
        for half in (b"PUT /v2/p/instances/0/bigkey/autoscan HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{", b"GET / HT"):
            with socket.create_connection(("127.0.0.1", service.port)) as stream:
                stream.sendall(half)
                time.sleep(0.05)

    works = [lambda client=Client(service), instance=number: converse(client, instance) for number in range(4)]
    large = Client(service)
    samples = []
    with beside(*works, lambda: large.task("large"), stranger) as failures:
        end = time.monotonic() + seconds
        while time.monotonic() < end and not failures:
            time.sleep(min(10, seconds / 10))
            samples.append(service.status())
            print(f"{conversations} conversations", samples[-1], flush=True)
    quarter = max(1, len(samples) // 4)
    for name, room in (("anon_mib", 16), ("threads", 8), ("descriptors", 8), ("store_mib", 64)):
        first, last = (max(sample[name] for sample in part) for part in (samples[:quarter], samples[-quarter:]))
        if last > first + room:
            failures.append(f"{name} grew from {first} to {last}")
    sys.exit("\n".join(failures + service.errors) or 0)


def main():
    what, bigkeys, dump, *seconds = sys.argv[1:]
    act, default = {"load": (load, 10), "soak": (soak, 600)}[what]
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        service = Service(bigkeys, dump, folder)
        try:
            act(service, int(seconds[0]) if seconds else default, folder)
        finally:
            if code := service.stop():
                sys.exit(f"the service ended with {code}")


main()
