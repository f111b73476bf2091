"""Small dumps for tests, made of their bytes."""

import struct
from collections.abc import Iterable


def length(number: int) -> bytes:
    if number < 64:
        return bytes([number])
    if number < 1 << 14:
        return bytes([0x40 | number >> 8, number & 0xFF])
    return b"\x80" + struct.pack(">I", number)


def string(text: bytes) -> bytes:
    return length(len(text)) + text


def key(name: bytes, value: bytes) -> bytes:
    return b"\x00" + string(name) + string(value)


def hash_of(name: bytes, fields: Iterable[tuple[bytes, bytes]]) -> bytes:
    fields = list(fields)
    return b"\x04" + string(name) + length(len(fields)) + b"".join(string(f) + string(v) for f, v in fields)


def select(db: int) -> bytes:
    return b"\xfe" + length(db)


def dump(*records: bytes) -> bytes:
    """With a checksum of zeros, which is none."""
    return b"REDIS0011" + b"".join(records) + b"\xff" + bytes(8)


def node(number: int) -> bytes:
    """One of a fleet: no two are alike."""
    strings = [key(b"session:%d:%d" % (number, at), b"x" * (at * number % 90)) for at in range(50)]
    hashes = [hash_of(b"user:%d:%d" % (number, at), [(b"f%d" % f, b"v" * at) for f in range(at + 1)]) for at in range(5)]
    return dump(select(0), *strings, select(number % 3), *hashes)


def misleading() -> dict[str, bytes]:
    """Dumps in whose middle there is what looks like records and is not."""
    keys = [key(b"inner:%d" % at, b"value %d" % at) for at in range(2000)]
    whole = dump(select(5), *keys)
    around = [key(b"outer:%d" % at, b"%d" % at) for at in range(300)]
    return {
        "a dump in a string": dump(select(1), *around, key(b"copy", whole), select(2), *around),
        "a dump in a hash": dump(select(1), hash_of(b"h", [(b"%d" % at, whole[at * 100 :]) for at in range(9)]), *around),
        "zeros": dump(select(3), key(b"zeros", bytes(50_000)), *around),
        "an end that is none": dump(select(0), key(b"end", (b"\xff" + bytes(8)) * 3000), *around),
        "another database selected in a string": dump(select(0), key(b"s", (select(9) + keys[0]) * 900), *around),
    }
