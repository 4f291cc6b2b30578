"""A synthetic ``nasbench_full.tfrecord`` of full size: all 423,624 real cells, four schedules, three repeats.

Cells, parameter counts and the three test accuracies at 108 epochs are the real ones of ``nb101_cifar10.npz`` (of the
three, one is known, and the mean). The other figures are drawn: accuracies that fall with shorter schedules, and
seconds in milliseconds. Each repeat of each schedule is one pass over all cells, in an order that is not sorted.
"""

from __future__ import annotations

from binascii import b2a_base64
from pathlib import Path

import numpy as np

from nasbench.sources.readers.tfrecord import crc32c, mask

RECORDS = 5_083_488
_OPERATIONS = ("conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3")
_EVALUATION = np.dtype(
    [("start", "V2")]
    + [
        item
        for name in ("epoch", "seconds", "train", "valid", "test")
        for item in ((f"{name}_tag", "u1"), (name, "<f8"))
    ]
    + [("path", "V2")]
)


def write_full(path: Path, npz: Path, *, cells: int | None = None, seed: int = 0) -> int:
    """Write the file, or one of its first ``cells`` in the npz, and return the number of records."""
    rng = np.random.default_rng(seed)
    data = np.load(npz)
    n = len(data["hash"]) if cells is None else cells
    heads, middles = _texts(data, n)
    tails = [bytes([0x10, *_varint(int(p)), 0x19]) for p in data["params"][:n]]
    one = np.rint(data["test_acc_one_run_108ep"][:n] * 9984).astype(np.int64)
    rest = np.rint(data["test_acc_mean3_108ep"][:n] * 29952).astype(np.int64) - one
    seconds = np.nan_to_num(data["train_time_s_108ep"][:n], nan=0) + 500 + rng.uniform(0, 1500, n)
    order = rng.permutation(n)
    with path.open("wb") as file:
        for schedule in (4, 12, 36, 108):
            for test in (one, rest // 2, rest - rest // 2):
                final = test - (rng.integers(0, 2500, n) * (108 - schedule) // 108)
                for at in np.array_split(order, max(1, n // 20_000)):
                    messages = _messages(schedule, final[at], seconds[at] * schedule / 108, rng)
                    metrics = [message + tails[i] for message, i in zip(messages, at.tolist(), strict=True)]
                    total = rng.uniform(100, 2000, len(at)).astype("<f8").tobytes()
                    payloads = [
                        b'%s, %d, %s, "%s"]'
                        % (heads[i], schedule, middles[i], b2a_base64(m + total[8 * k : 8 * k + 8], newline=False))
                        for k, (m, i) in enumerate(zip(metrics, at.tolist(), strict=True))
                    ]
                    file.write(_framed(payloads))
    return 12 * n


def _texts(data: np.lib.npyio.NpzFile, n: int) -> tuple[list[bytes], list[bytes]]:
    heads, middles = [], []
    hashes = data["hash"][:n].tobytes().hex()
    for i, (vertices, bits, digits) in enumerate(
        zip(data["vertices"][:n].tolist(), data["bits"][:n].tolist(), data["ops"][:n].tolist(), strict=True)
    ):
        matrix = [["0"] * vertices for _ in range(vertices)]
        for y in range(vertices):
            for x in range(y):
                matrix[x][y] = str(bits >> (x + y * (y - 1) // 2) & 1)
        operations = ["input", *(_OPERATIONS[int(d)] for d in digits.decode()), "output"]
        heads.append(f'["{hashes[32 * i : 32 * i + 32]}"'.encode())
        middles.append(f'"{"".join(map("".join, matrix))}", "{",".join(operations)}"'.encode())
    return heads, middles


def _messages(schedule: int, final: np.ndarray, seconds: np.ndarray, rng: np.random.Generator) -> list[bytes]:
    n = len(final)
    evaluations = np.zeros((n, 3), _EVALUATION)
    evaluations["start"], evaluations["path"] = np.void(b"\x0a\x2f"), np.void(b"\x32\x00")
    for name, tag in (("epoch", 0x09), ("seconds", 0x11), ("train", 0x19), ("valid", 0x21), ("test", 0x29)):
        evaluations[f"{name}_tag"] = tag
    evaluations["epoch"] = (0, schedule / 2, schedule)
    half = np.rint(seconds * 500) / 1000 + rng.integers(0, 999, n) / 1000
    evaluations["seconds"] = np.stack([np.zeros(n), half, np.rint(seconds * 1000) / 1000 + 1], axis=1).astype("f4")
    final = np.clip(final, 940, 9984)
    middle = np.clip(final - rng.integers(0, 1500, n), 940, 9984)
    for name, better in (("test", 0), ("valid", 90), ("train", 500)):
        counts = np.stack([np.full(n, 998), middle, final], axis=1) + better
        if better:
            counts += rng.integers(-60, 61, (n, 3))
        evaluations[name] = np.clip(counts, 0, 9984).astype("f4") / np.float32(9984)
    size = 3 * _EVALUATION.itemsize
    raw = evaluations.tobytes()
    return [raw[i : i + size] for i in range(0, n * size, size)]


def _framed(payloads: list[bytes]) -> bytes:
    lengths = np.array([len(payload) for payload in payloads])
    heads = lengths.astype("<u8").tobytes()
    of_heads = mask(crc32c(heads, 8 * np.arange(len(payloads)), np.full(len(payloads), 8))).astype("<u4").tobytes()
    of_payloads = mask(crc32c(b"".join(payloads), np.cumsum(lengths) - lengths, lengths)).astype("<u4").tobytes()
    return b"".join(
        piece
        for i, payload in enumerate(payloads)
        for piece in (heads[8 * i : 8 * i + 8], of_heads[4 * i : 4 * i + 4], payload, of_payloads[4 * i : 4 * i + 4])
    )


def _varint(value: int) -> list[int]:
    return [value] if value < 0x80 else [value & 0x7F | 0x80, *_varint(value >> 7)]
