"""The NATS-Bench size space against official samples, published ranges, and a network built here layer by layer."""

from __future__ import annotations

import bz2
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nasbench.errors import InvalidArchitectureError
from nasbench.spaces.nats_sss import CHANNELS, NatsSSS

SPACE = NatsSSS()
SAMPLES = Path(__file__).parents[2] / "../shared/data/nats_sss"
CLASSES = {"cifar10": 10, "cifar100": 100, "ImageNet16-120": 120}


def test_index_order_is_that_of_the_official_list():
    if not SAMPLES.is_dir():
        pytest.skip("the official list is not at hand: no ../shared/data/nats_sss")
    # The strings of the list stand in the pickle as they are.
    data = bz2.decompress((SAMPLES / "meta.pickle.pbz2").read_bytes())
    official = [text.decode() for text in re.findall(rb"\d+:\d+:\d+:\d+:\d+", data)]
    assert [SPACE.format(tuple(a)) for a in SPACE.architectures.tolist()] == official
    assert all(SPACE.index(SPACE.parse(official[i])) == i for i in (0, 11, 284, 32_767))


def test_published_index():
    """facts: index 12 is 8:8:8:16:40, of 0.067378 million parameters; index = sum of (c/8 - 1) 8^(5-i)."""
    assert SPACE.format(tuple(SPACE.architectures[12].tolist())) == "8:8:8:16:40"
    assert SPACE.parameters(SPACE.parse("8:8:8:16:40")) == 67_378
    assert SPACE.size == 32_768


@given(st.tuples(*[st.sampled_from(CHANNELS)] * 5))
@settings(max_examples=100, derandomize=True)
def test_text_and_index_by_their_definitions(widths):
    text = ":".join(map(str, widths))
    architecture = SPACE.parse(text)
    assert SPACE.format(architecture) == text
    assert SPACE.index(architecture) == sum((c // 8 - 1) * 8 ** (4 - i) for i, c in enumerate(widths))
    assert SPACE.graph(architecture).operations == ("input", *(f"{c}_channels" for c in widths), "output")


@pytest.mark.parametrize(
    "text", ["8:8:8:8", "8:8:8:8:8:8", "8:8:8:8:9", "8:8:8:8:72", "8:8:8:8:0", "08:8:8:8:8", "8:8:8:8:8 ", "8-8-8-8-8"]
)
def test_other_texts_are_refused(text):
    with pytest.raises(InvalidArchitectureError, match="expected c1:c2:c3:c4:c5"):
        SPACE.parse(text)


def test_published_ranges():
    parameters = SPACE.parameters_many(SPACE.architectures)
    flops = SPACE.flops_many(SPACE.architectures)
    assert (parameters.min(), parameters.max()) == (11_714, 713_674)
    assert (flops.min(), flops.max()) == (4_481_114, 274_399_882)


def layers(widths):
    """List (kernel, channels in, channels out, side halved how often, followed by batch normalisation)."""
    c1, c2, c3, c4, c5 = widths
    yield 3, 3, c1, 0, True
    for inside, out, halved, kind in ((c1, c1, 0, "cell"), (c1, c2, 1, "residual"), (c2, c3, 1, "cell")):
        yield from block(inside, out, halved, kind)
    for inside, out, halved, kind in ((c3, c4, 2, "residual"), (c4, c5, 2, "cell")):
        yield from block(inside, out, halved, kind)


def block(inside, out, halved, kind):
    if kind == "residual":
        yield from ((3, inside, out, halved, True), (3, out, out, halved, True), (1, inside, out, halved, False))
        return
    genotype = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|"
    for operation, source in re.findall(r"\|?(\w+)~(\d)", genotype):
        width = inside if source == "0" else out
        if operation == "nor_conv_3x3":
            yield 3, width, out, halved, True
        elif width != out:
            yield 1, width, out, halved, True


@pytest.mark.parametrize("dataset", CLASSES)
@pytest.mark.parametrize("widths", [(8, 8, 8, 8, 8), (8, 16, 24, 32, 40), (64, 56, 8, 8, 64), (40, 8, 8, 64, 64)])
def test_costs_of_a_network_counted_layer_by_layer(widths, dataset):
    classes, side = CLASSES[dataset], 16 if dataset == "ImageNet16-120" else 32
    parameters = 2 * widths[-1] + widths[-1] * classes + classes
    flops = widths[-1] * classes + classes
    for kernel, inside, out, halved, normalised in layers(widths):
        parameters += kernel**2 * inside * out + 2 * out * normalised
        flops += kernel**2 * inside * out * (side >> halved) ** 2
    architecture = [SPACE.parse(":".join(map(str, widths)))]
    assert SPACE.parameters_many(architecture, dataset=dataset).tolist() == [parameters]
    assert SPACE.flops_many(architecture, dataset=dataset).tolist() == [flops]
