"""TFRecords and protocol buffers written and read plainly, byte by byte: what the converters are compared with."""

import base64
import json
import struct
from typing import Any


def crc32c(data: bytes) -> int:
    register = 0xFFFFFFFF
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ (0x82F63B78 if register & 1 else 0)
    return register ^ 0xFFFFFFFF


def checksum(data: bytes) -> bytes:
    crc = crc32c(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17 & 0xFFFFFFFF) + 0xA282EAD8) & 0xFFFFFFFF)


def framed(payload: bytes) -> bytes:
    length = struct.pack("<Q", len(payload))
    return length + checksum(length) + payload + checksum(payload)


def payloads(data: bytes) -> list[bytes]:
    """Read a sound file, without its checksums."""
    found = []
    while data:
        length = struct.unpack("<Q", data[:8])[0]
        found.append(data[12 : 12 + length])
        data = data[16 + length :]
    return found


def varint(value: int) -> bytes:
    return bytes([value]) if value < 128 else bytes([value % 128 + 128]) + varint(value // 128)


def field(number: int, value: int | float | bytes) -> bytes:
    if isinstance(value, float):
        return varint(number * 8 + 1) + struct.pack("<d", value)
    if isinstance(value, bytes):
        return varint(number * 8 + 2) + varint(len(value)) + value
    return varint(number * 8) + varint(value)


def number(data: bytes, at: int) -> tuple[int, int]:
    """Read the varint at a place; return it and the place behind it."""
    value = shift = 0
    while data[at] >= 128:
        value += (data[at] - 128) << shift
        shift, at = shift + 7, at + 1
    return value + (data[at] << shift), at + 1


def message(data: bytes) -> list[tuple[int, Any]]:
    """Read a sound message."""
    at, found = 0, []
    while at < len(data):
        tag, at = number(data, at)
        value: int | float | bytes
        if tag % 8 == 0:
            value, at = number(data, at)
        elif tag % 8 == 1:
            value, at = struct.unpack("<d", data[at : at + 8])[0], at + 8
        else:
            size, at = number(data, at) if tag % 8 == 2 else (4, at)
            value, at = data[at : at + size], at + size
        found.append((tag // 8, value))
    return found


def trainings(data: bytes) -> list[dict[str, Any]]:
    """Read a sound NAS-Bench-101 or EC-NAS file: one dictionary a record, evaluations as {field: number}."""
    found = []
    for payload in payloads(data):
        name, epochs, adjacency, operations, metrics = json.loads(payload)
        fields = message(base64.b64decode(metrics))
        found.append(
            {
                "hash": name,
                "epochs": epochs,
                "adjacency": adjacency,
                "operations": operations,
                "parameters": next(value for number, value in fields if number == 2),
                "evaluations": [dict(message(value)) for number, value in fields if number == 1],
            }
        )
    return found
