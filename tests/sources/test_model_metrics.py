import pytest
from _plain_tfrecord import field, message, varint
from hypothesis import given, settings
from hypothesis import strategies as st

from nasbench.sources.nasbench101.model_metrics import Metrics, MetricsReader

DOUBLES = st.floats(allow_nan=False)


def evaluation(numbers: list[float], extra: bytes = b"") -> bytes:
    return field(1, b"".join(field(i, value) for i, value in enumerate(numbers, start=1)) + extra)


def outcome(reader: MetricsReader, data: bytes) -> Metrics | str:
    try:
        return reader.read(data)
    except ValueError as error:
        return str(error)


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    """ModelMetrics with and without energy, paths, further fields in any place, and counts of one to five bytes."""
    energy = draw(st.booleans())
    numbers = st.lists(DOUBLES, min_size=7 if energy else 5, max_size=7 if energy else 5)
    extra = st.sampled_from(
        [b"", field(9, b"text"), field(9, b"more"), field(20, 1), field(20, 200), varint(85) + b"four"]
    )
    path = b"" if energy else field(6, b"")
    parts = [evaluation(draw(numbers), draw(extra) + path) for _ in range(3)]
    parts += [field(2, draw(st.integers(0, 2**35))), field(3, draw(DOUBLES)), draw(extra)]
    return b"".join(parts)


@settings(derandomize=True, max_examples=100, deadline=None)
@given(messages())
def test_numbers_are_those_of_a_plain_reader(data: bytes) -> None:
    fields = message(data)
    evaluations = [dict(message(value)) for number, value in fields if number == 1]
    found = MetricsReader().read(data)
    assert found.parameters == dict(fields)[2]
    assert found.epochs == tuple(part[1] for part in evaluations)
    assert found.accuracies == tuple(part[i] for part in evaluations[1:] for i in (3, 4, 5))
    others = (2, 6, 7) if isinstance(evaluations[1].get(6), float) else (2,)
    assert found.others == tuple(part[i] for part in evaluations[1:] for i in others)


@settings(derandomize=True, max_examples=200, deadline=None)
@given(messages(), st.lists(st.tuples(st.integers(0, 200), st.binary(min_size=1, max_size=3)), max_size=3), messages())
def test_what_was_read_before_changes_nothing(first: bytes, changes: list[tuple[int, bytes]], other: bytes) -> None:
    """The layout that is kept by length serves only messages that have it: each is read as by a reader of its own."""
    second = bytearray(first)
    for place, content in changes:
        second[place : place + len(content)] = content
    reader = MetricsReader()
    for data in (first, bytes(second), other, first, bytes(second)):
        assert repr(outcome(reader, data)) == repr(outcome(MetricsReader(), data))


def test_a_count_that_ends_elsewhere_is_another_layout() -> None:
    # Both have three bytes from the tag of the count on: a count of two bytes, or one of a byte and half a field.
    numbers = [0.0, 1.0, 0.5, 0.5, 0.5]
    reader = MetricsReader()
    head = evaluation(numbers) * 3
    assert reader.read(head + b"\x10\xac\x02" + field(3, 1.0)).parameters == 300
    assert outcome(reader, head + b"\x10\x05\x02" + field(3, 1.0)) == outcome(
        MetricsReader(), head + b"\x10\x05\x02" + field(3, 1.0)
    )
    assert reader.read(head + b"\x10\xac\x02" + field(3, 2.0)).parameters == 300


def test_of_several_values_the_last_counts() -> None:
    # https://protobuf.dev/programming-guides/encoding/#last-one-wins
    numbers = [0.0, 1.0, 0.5, 0.5, 0.5]
    data = evaluation(numbers) * 2 + evaluation(numbers, field(3, 0.25)) + field(2, 1) + field(2, 7)
    assert MetricsReader().read(data) == Metrics(7, (0, 0, 0), (0.5, 0.5, 0.5, 0.25, 0.5, 0.5), (1, 1))


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "no number of parameters and 0 evaluations, expected one and 3"),
        (evaluation([0.0] * 5) * 3, "no number of parameters and 3 evaluations"),
        (evaluation([0.0] * 5) * 2 + field(2, 1), "a number of parameters and 2 evaluations"),
        (evaluation([0.0] * 4) * 3 + field(2, 1), "evaluation 1 has no number in field 5"),
        (field(1, b"") + evaluation([0.0] * 5) * 2 + field(2, 1), "evaluation 0 has no number in field 1"),
        (evaluation([0.0] * 5) * 2 + evaluation([0.0] * 6) + field(2, 1), "evaluation 1 has no number in field 6"),
    ],
)
def test_what_is_missing_is_named(data: bytes, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        MetricsReader().read(data)
