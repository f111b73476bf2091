#!/usr/bin/env python3
"""Makes the dumps that compare.py measures, with a real redis-server.

Three kinds of dump, each at every --scale:

  tiny      20 million keys of 37 bytes in the file: strings and integers, one database
  strings   6 million strings of 20 to 500 bytes and 2,000 of 50 KB to 2 MB, three databases, 30 % with a TTL
  mixed     2 million collections of 5 to 60 elements and 300 of 5,000 to 500,000, all types, four databases

A seeded generator writes ordinary commands, a few megabytes at a time, into a server of its own on a Unix socket; SAVE
at the end makes the file. The keys are the same every time. Their order is not: the server hashes with a random seed.

    python3 benches/dumps.py DIR                 # DIR/tiny.rdb … of 0.7 to 2 GB, and smaller ones; up to 6 GB of memory
    python3 benches/dumps.py DIR --scale 0.01    # DIR/tiny-0.01.rdb …: small ones only, in seconds

Only the standard library is needed, and redis-server 6.2 or later (apt install redis-server; 7.0 was used).
"""

import argparse
import array
import itertools
import math
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

# A batch is large enough that a system call costs nothing, and small enough to stay in the caches.
BATCH_BYTES = 4 << 20

# In the year 2100 and later: no key expires while the dump is made.
TTL_MS_MIN = 4_102_444_800_000
TTL_MS_SPAN = 100_000_000_000

WORDS = (
    "active address amount available balance cancelled category city country created currency customer default "
    "delivered description discount email enabled error european false group history identifier invoice item language "
    "last location message monthly name null number order paid password pending phone premium price product profile "
    "quantity reference region result session shipped standard status street subscription success tax temperature "
    "timestamp token total true type unit updated user value version visitor warehouse weekly"
).split()


# The server ----------------------------------------------------------------------------------------------------------


class Server:
    """A redis-server of our own that keeps nothing and answers on a Unix socket."""

    def __init__(self, binary, folder, file_name):
        # A Unix socket's path is short by law: it does not go into the user's folder.
        self.scratch = tempfile.mkdtemp(prefix="bigkeys-")
        address = os.path.join(self.scratch, "socket")
        self.process = subprocess.Popen(
            [binary, "--port", "0", "--unixsocket", address, "--save", "", "--appendonly", "no"]
            + ["--dir", str(folder), "--dbfilename", file_name, "--loglevel", "warning"],
            stdout=subprocess.DEVNULL,
        )
        self.socket = socket.socket(socket.AF_UNIX)
        for _ in range(200):
            try:
                self.socket.connect(address)
                break
            except OSError:
                if self.process.poll() is not None:
                    raise SystemExit(f"{binary} ended at once, with exit code {self.process.returncode}")
                time.sleep(0.05)
        else:
            self.close()
            raise SystemExit(f"{binary} did not answer within ten seconds")

    def insert(self, commands):
        """Sends commands, an iterable of bytes, while another thread reads what comes back."""
        replies = Replies(self.socket)
        replies.start()
        batch, batch_bytes = [], 0
        for command in commands:
            batch.append(command)
            batch_bytes += len(command)
            if batch_bytes >= BATCH_BYTES:
                self.socket.sendall(b"".join(batch))
                batch, batch_bytes = [], 0
        batch.append(resp("ECHO", Replies.LAST))
        self.socket.sendall(b"".join(batch))
        replies.join()
        if replies.error:
            raise SystemExit(f"the server refused a command: {replies.error.decode(errors='replace')}")

    def ask(self, *words):
        """Sends one command and returns the one line of its reply."""
        self.socket.sendall(resp(*words))
        reply = b""
        while not reply.endswith(b"\r\n"):
            received = self.socket.recv(4096)
            if not received:
                raise SystemExit(f"the server went away at {words[0]}")
            reply += received
        if reply.startswith(b"-"):
            raise SystemExit(f"{words[0]}: {reply[1:].decode().strip()}")
        return reply[1:].decode().strip()

    def close(self):
        self.socket.close()
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.scratch, ignore_errors=True)


class Replies(threading.Thread):
    """Reads replies until the last one, and keeps the first error."""

    LAST = b"that-was-the-last-command"

    def __init__(self, connection):
        super().__init__(daemon=True)
        self.connection = connection
        self.error = None

    def run(self):
        tail = b""
        while not tail.endswith(self.LAST + b"\r\n"):
            received = self.connection.recv(1 << 18)
            if not received:
                self.error = self.error or b"it closed the connection"
                return
            tail = tail[-len(self.LAST) - 2 :] + received
            if self.error is None and b"-" in received:
                found = re.search(rb"(?:^|\r\n)-([A-Z]+ [^\r\n]*)", tail)
                self.error = found and found.group(1)


def resp(*words):
    """A command as the server reads it."""
    return b"".join([b"*%d\r\n" % len(words), *map(bulk, words)])


def bulk(word):
    word = word if isinstance(word, bytes) else str(word).encode()
    return b"$%d\r\n%b\r\n" % (len(word), word)


# Random values -------------------------------------------------------------------------------------------------------


def numbers(rng, count):
    """`count` random numbers of 64 bits."""
    return array.array("Q", rng.randbytes(8 * count))


def log_uniform(rng, low, high):
    """A size as real ones are spread: as many from 10 to 100 as from 100 to 1,000."""
    return int(low * math.exp(rng.random() * math.log(high / low)))


def text(rng, size):
    """Records of an application, which LZF makes about a third as large."""
    phrases = [b'"%b":"%b"' % (word.encode(), rng.choice(WORDS).encode()) for word in WORDS]
    return b",".join(rng.choices(phrases, k=size // 12))[:size]


# tiny ----------------------------------------------------------------------------------------------------------------

# 37 bytes in the file: a type, two lengths, then 34 bytes of name and value. An integer's length says that it is one,
# and its value takes 1, 2 or 4 bytes. Strings of up to 20 bytes are never compressed, random ones cannot be.
TINY_PER_COMMAND = 1000
TINY_STRINGS = b"$18\r\nuser:%013d\r\n$16\r\n%016x\r\n"
TINY_INTEGERS = [
    (b"$33\r\nhits:%016x:%011d\r\n$2\r\n%d\r\n", 10, 90),
    (b"$32\r\nhits:%016x:%010d\r\n$5\r\n%d\r\n", 10_000, 20_000),
    (b"$30\r\nhits:%016x:%08d\r\n$9\r\n%d\r\n", 100_000_000, 900_000_000),
]


def tiny(rng, scale):
    commands = max(1, round(20_000 * scale))
    head = b"*%d\r\n$4\r\nMSET\r\n" % (2 * TINY_PER_COMMAND + 1)
    strings = head + TINY_STRINGS * TINY_PER_COMMAND
    integers = [(head + pair * TINY_PER_COMMAND, low, span) for pair, low, span in TINY_INTEGERS]
    first = 0
    for command in range(commands):
        serials = range(first, first + TINY_PER_COMMAND)
        first += TINY_PER_COMMAND
        values = numbers(rng, TINY_PER_COMMAND)
        if command % 2 == 0:
            yield strings % tuple(itertools.chain.from_iterable(zip(serials, values)))
        else:
            template, low, span = integers[command // 2 % len(integers)]
            small = [low + value % span for value in values]
            yield template % tuple(itertools.chain.from_iterable(zip(values, serials, small)))


# strings -------------------------------------------------------------------------------------------------------------


NAMES = [b"user:profile", b"session", b"cache:page:product", b"token:refresh", b"tenant:42:invoice", b"idempotency"]


def strings(rng, scale):
    small, large, databases = round(6_000_000 * scale), round(2000 * scale), 3
    noise, prose = rng.randbytes(32 << 20), text(rng, 32 << 20)
    serial = 0
    for db in range(databases):
        yield resp("SELECT", db)
        # More in the first database than in the last, as it is in practice.
        share = (0.6, 0.3, 0.1)[db]
        each = round(small * share)
        every = max(1, round(each / max(1, round(large * share))))
        for at in range(each):
            serial += 1
            is_large = at % every == every // 2
            size = log_uniform(rng, 50_000, 2_000_000) if is_large else log_uniform(rng, 20, 500)
            pool = prose if rng.random() < 0.6 else noise
            start = rng.randrange(len(pool) - size)
            value = pool[start : start + size]
            prefix = b"page" if is_large else NAMES[serial % len(NAMES)]
            name = b"%b:%d" % (prefix, serial * 2_654_435_761 % (1 << 40))
            if rng.random() < 0.3:
                at_ms = TTL_MS_MIN + int(rng.random() * TTL_MS_SPAN)
                yield b"*5\r\n$3\r\nSET\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n$4\r\nPXAT\r\n$13\r\n%d\r\n" % (
                    len(name), name, size, value, at_ms,
                )
            else:
                yield b"*3\r\n$3\r\nSET\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n" % (len(name), name, size, value)


# mixed ---------------------------------------------------------------------------------------------------------------

STREAM_NAME = b"@@@@@@@@@@@@@@@@"


class Pool:
    """Elements as they go into commands, made once; a collection's are a slice.

    The generator's cost is then one slice a collection, whatever its size, and the server's is that of real commands.
    """

    def __init__(self, command, words_each, elements):
        self.command = bulk(command)
        self.words_each = words_each
        self.bytes = b"".join(elements)
        self.starts = array.array("Q", itertools.accumulate(map(len, elements), initial=0))

    def insert(self, name, first, count):
        """Commands that put `count` elements, from the pool's `first` on, under `name`."""
        for at in range(first, first + count, 2000):
            elements = min(2000, first + count - at)
            words = 2 + elements * self.words_each
            slice_ = self.bytes[self.starts[at] : self.starts[at + elements]]
            yield b"*%d\r\n%b%b%b" % (words, self.command, bulk(name), slice_)


class StreamPool(Pool):
    """XADD takes one entry: here an element is a whole command, with a name of 16 bytes to be replaced."""

    def insert(self, name, first, count):
        yield self.bytes[self.starts[first] : self.starts[first + count]].replace(STREAM_NAME, name)


def pools(rng, size):
    """Pools of `size` different elements, each with the share of the packed collections that are made of it."""
    every = range(size)
    words = [word.encode() for word in WORDS]
    phrases = [b" ".join(rng.choices(words, k=3)) for _ in range(1024)]

    def phrase():
        return bulk(phrases[int(rng.random() * 1024)])

    def tokens(bytes_each):
        """Random hexadecimal digits; the number in front makes each different."""
        noise = rng.randbytes(size * 8).hex().encode()
        return [bulk(b"%x%b" % (at, noise[16 * at : 16 * at + bytes_each])) for at in every]

    def stream_entry(at):
        entry_id = b"%d-%d" % (1_700_000_000_000 + 250 * at, at % 3)
        return resp("XADD", STREAM_NAME, entry_id, "sensor", at % 100, "temperature", int(rng.random() * 600) / 10)

    # Half are like what people keep, which LZF compresses, and half are random, which it cannot.
    return [
        (18, Pool("HSET", 2, [bulk(b"%b_%d" % (words[at % len(words)], at)) + phrase() for at in every])),
        (17, Pool("HSET", 2, [field + value for field, value in zip(tokens(8), tokens(16))])),
        (10, Pool("ZADD", 2, [bulk(int(rng.random() * 10**6)) + bulk(b"player:%d" % at) for at in every])),
        (10, Pool("ZADD", 2, [bulk(rng.random()) + member for member in tokens(12)])),
        (10, Pool("RPUSH", 1, [phrase() for _ in every])),
        (10, Pool("RPUSH", 1, tokens(16))),
        (10, Pool("SADD", 1, [bulk(at * 4099 % 2_000_000_011) for at in every])),
        (10, Pool("SADD", 1, [bulk(b"tag:%d:%b" % (at, words[at % 7])) for at in every])),
        (5, StreamPool("XADD", 1, [stream_entry(at) for at in every])),
    ]


def mixed(rng, scale):
    packed, unpacked, databases = round(2_000_000 * scale), max(9, round(300 * scale)), 4
    # A pool is as large as the largest collection, so that none has an element twice. Small dumps get smaller giants.
    largest = 500_000 if scale >= 0.1 else 50_000
    shares, kinds = zip(*pools(rng, largest))
    serial = 0
    for db in range(databases):
        yield resp("SELECT", db)
        share = (0.5, 0.25, 0.15, 0.1)[db]
        for pool in rng.choices(kinds, shares, k=round(packed * share)):
            serial += 1
            count = rng.randint(5, 60)
            yield from pool.insert(b"object:%09d" % serial, int(rng.random() * (largest - count)), count)
        for _ in range(max(1, round(unpacked * share))):
            serial += 1
            count = log_uniform(rng, 5000, largest)
            first = int(rng.random() * (largest - count))
            yield from kinds[serial % len(kinds)].insert(b"giant!:%09d" % serial, first, count)


# The command ---------------------------------------------------------------------------------------------------------

DUMPS = {"tiny": tiny, "strings": strings, "mixed": mixed}


def make(binary, folder, name, scale):
    path = folder / (f"{name}.rdb" if scale == 1 else f"{name}-{scale:g}.rdb")
    # Not under its own name: a server begins with the keys of the dump that it finds.
    partial = path.with_name(path.name + ".partial")
    partial.unlink(missing_ok=True)
    started = time.perf_counter()
    server = Server(binary, folder, partial.name)
    try:
        # The name and the scale are the seed: the same keys every time, others in another dump.
        server.insert(DUMPS[name](random.Random(f"{name} {scale:g}"), scale))
        filled = time.perf_counter()
        server.ask("SAVE")
        saved = time.perf_counter()
        keys = {}
        for db in range(16):
            server.ask("SELECT", db)
            keys[f"db{db}"] = int(server.ask("DBSIZE"))
    finally:
        server.close()
    partial.rename(path)
    in_databases = ", ".join(f"{db} {count:,}" for db, count in keys.items() if count)
    print(
        f"{path}: {sum(keys.values()):,} keys ({in_databases}), {path.stat().st_size:,} bytes; "
        f"{filled - started:.0f} s to fill the server, {saved - filled:.0f} s to save",
        flush=True,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("folder", type=Path, metavar="DIR", help="where the dumps go; made if need be")
    parser.add_argument("--scale", type=float, nargs="+", default=[0.01, 0.1, 1.0], metavar="S",
                        help="sizes, as parts of the full ones (default: 0.01 0.1 1)")
    parser.add_argument("--only", nargs="+", choices=DUMPS, default=list(DUMPS), metavar="NAME",
                        help=f"some of the dumps only: {', '.join(DUMPS)}")
    parser.add_argument("--redis-server", default="redis-server", metavar="PATH", help="the server to fill")
    options = parser.parse_args()
    binary = shutil.which(options.redis_server)
    if binary is None:
        print(f"{options.redis_server} is not there: apt install redis-server (7.0 was used)", file=sys.stderr)
        sys.exit(2)
    print(subprocess.run([binary, "--version"], capture_output=True, text=True, check=True).stdout.strip())
    options.folder.mkdir(parents=True, exist_ok=True)
    for scale in sorted(options.scale):
        for name in options.only:
            make(binary, options.folder.resolve(), name, scale)


if __name__ == "__main__":
    main()
