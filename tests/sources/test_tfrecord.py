import re
import struct
from pathlib import Path

import numpy as np
import pytest
from _plain_tfrecord import checksum, framed, payloads
from _plain_tfrecord import crc32c as plain_crc32c
from hypothesis import given, settings
from hypothesis import strategies as st

from nasbench.errors import ConversionError
from nasbench.sources.readers import tfrecord
from nasbench.sources.readers.tfrecord import LONGEST, TFRecordFile, crc32c

SAMPLES = Path(__file__).resolve().parents[2] / ".." / "shared" / "data"


def read(path: Path) -> list[bytes]:
    return [payload for block in TFRecordFile(path) for payload in block.payloads]


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tfrecord") / "file.tfrecord"


# RFC 3720, appendix B.4, and the check value of the catalogue of parametrised CRC algorithms (CRC-32/ISCSI).
@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"123456789", 0xE3069283),
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(range(31, -1, -1)), 0x113FDB5C),
        (b"", 0),
    ],
)
def test_crc32c_of_published_vectors(data: bytes, expected: int) -> None:
    assert crc32c(data) == plain_crc32c(data) == expected


@settings(derandomize=True, max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=60), min_size=1, max_size=6), st.integers(1, 90))
def test_records_come_back_whatever_the_chunks(scratch: Path, contents: list[bytes], chunk: int) -> None:
    scratch.write_bytes(b"".join(map(framed, contents)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tfrecord, "_CHUNK", chunk)
        blocks = list(TFRecordFile(scratch))
    assert [payload for block in blocks for payload in block.payloads] == contents
    starts = np.cumsum([0] + [len(content) + 16 for content in contents])[:-1].tolist()
    assert [offset for block in blocks for offset in block.offsets] == starts
    assert [block.first + i for block in blocks for i in range(len(block.offsets))] == list(range(len(contents)))
    stored = [struct.unpack("<I", checksum(content))[0] for content in contents]
    assert [crc for block in blocks for crc in block.checksums.tolist()] == stored


def test_progress_and_digest(scratch: Path) -> None:
    import hashlib

    data = framed(b"one") + framed(b"two")
    scratch.write_bytes(data)
    seen: list[tuple[int, int]] = []
    file = TFRecordFile(scratch, progress=lambda done, total: seen.append((done, total)))
    assert sum(len(block.payloads) for block in file) == 2
    assert seen[-1] == (len(data), len(data))
    assert file.sha256 == hashlib.sha256(data).hexdigest()


def test_cut_off_at_every_byte(scratch: Path) -> None:
    records = [framed(b"the first"), framed(b""), framed(b"the third of them")]
    data = b"".join(records)
    ends = np.cumsum([0] + [len(record) for record in records]).tolist()
    for size in range(1, len(data) + 1):
        scratch.write_bytes(data[:size])
        if size in ends:
            assert len(read(scratch)) == ends.index(size)
            continue
        whole = sum(end <= size for end in ends) - 1
        expected = re.escape(
            f"{scratch}: record {whole} at byte {ends[whole]}: the file ends {size - ends[whole]} bytes"
        )
        with pytest.raises(ConversionError, match=expected):
            read(scratch)


def test_any_flipped_bit_is_found_where_it_is(scratch: Path) -> None:
    records = [framed(b"first"), framed(b"the second")]
    data = b"".join(records)
    for bit in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        scratch.write_bytes(damaged)
        number, start = (0, 0) if bit // 8 < len(records[0]) else (1, len(records[0]))
        of = "length" if bit // 8 - start < 12 else "payload"
        expected = re.escape(f"{scratch}: record {number} at byte {start}: the checksum of its {of}")
        with pytest.raises(ConversionError, match=expected):
            read(scratch)


def test_records_before_the_damage_are_yielded(scratch: Path) -> None:
    scratch.write_bytes(framed(b"sound") + framed(b"damaged")[:-1] + b"?")
    blocks = iter(TFRecordFile(scratch))
    assert next(blocks).payloads == [b"sound"]
    with pytest.raises(ConversionError, match=r"record 1 at byte 21: the checksum of its payload is \w{8}, expected"):
        next(blocks)


def test_a_length_is_bounded(scratch: Path) -> None:
    scratch.write_bytes(framed(bytes(LONGEST)))
    assert read(scratch) == [bytes(LONGEST)]
    for length in (LONGEST + 1, 2**63, 2**64 - 1):
        head = struct.pack("<Q", length)
        scratch.write_bytes(framed(b"sound") + head + checksum(head) + b"whatever")
        with pytest.raises(
            ConversionError, match=f"record 1 at byte 21: its payload has {length} bytes, expected at most"
        ):
            read(scratch)


@pytest.mark.parametrize("content", [b"a text, long enough to be read\n", b"\x1f\x8b\x08" + bytes(40), bytes(64)])
def test_other_files_are_refused(scratch: Path, content: bytes) -> None:
    scratch.write_bytes(content)
    with pytest.raises(ConversionError, match="record 0 at byte 0: the checksum of its length is"):
        read(scratch)


def test_empty_missing_and_folder(tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"")
    with pytest.raises(ConversionError, match=r"empty: empty\. Expected a TFRecord file"):
        TFRecordFile(tmp_path / "empty")
    for path in (tmp_path / "missing", tmp_path):
        with pytest.raises(ConversionError, match="no such file"):
            TFRecordFile(path)


@settings(derandomize=True, max_examples=200, deadline=None)
@given(st.one_of(st.binary(min_size=1, max_size=80), st.binary(max_size=20).map(lambda tail: framed(b"sound") + tail)))
def test_any_bytes_are_read_or_refused(scratch: Path, content: bytes) -> None:
    scratch.write_bytes(content)
    try:
        found = read(scratch)
    except ConversionError as error:
        found = str(error)
    if isinstance(found, str):
        assert re.match(rf"{re.escape(str(scratch))}: record \d+ at byte \d+: ", found)
    else:
        assert b"".join(map(framed, found)) == content


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the samples ../shared/data are not here")
@pytest.mark.parametrize(
    ("name", "records"),
    [
        ("nb101_tfrecord/synth_full.tfrecord", 72),
        ("nb101_tfrecord/synth_only108.tfrecord", 18),
        ("ec_nas/energy_4V9E.tfrecord", 1092),
    ],
)
def test_samples_by_other_writers(name: str, records: int) -> None:
    found = read(SAMPLES / name)
    assert len(found) == records
    assert found == payloads((SAMPLES / name).read_bytes())
