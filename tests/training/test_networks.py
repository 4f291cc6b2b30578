"""Networks against plain computations written out here, and what drawing weights promises."""

from __future__ import annotations

import math
import subprocess
import sys

import pytest

pytest.importorskip("torch", reason="the extra train is not installed")

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812  its usual name

import nasbench
from nasbench.errors import InvalidArchitectureError, TrainingError, UnknownNameError
from nasbench.spaces.nb101 import NB101
from nasbench.spaces.nb201 import NB201
from nasbench.training.networks import build, initialise, macro, nats
from nasbench.training.networks import nb101 as nb101_networks
from nasbench.training.recipes import RECIPES

EXAMPLES = {
    "nb101": "0>1,0>2,1>2,1>3,2>4,0>6,3>6,4>6,2>6 conv3x3,conv1x1,maxpool3x3,conv3x3,conv3x3",
    "nb201": "|nor_conv_3x3~0|+|skip_connect~0|nor_conv_1x1~1|+|avg_pool_3x3~0|none~1|nor_conv_3x3~2|",
    "nats_sss": "8:16:8:24:40",
    "nb_macro": "01221020",
    "conv5": "3s1relu-5s2silu-1s1leaky_relu-3s2tanh-3s1relu",
}
DEAD = "|nor_conv_3x3~0|+|none~0|none~1|+|none~0|none~1|nor_conv_1x1~2|"
"""The input does not reach the output, which is a convolution of zeros."""


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def on_meta(space, architecture, **arguments):
    with torch.device("meta"):  # shapes without numbers
        return build(space, architecture, **arguments)


# Plain computations, from the papers, with the network's weights in the order in which they are used.


class Weights:
    """Hands out weights in the order in which a network has them, and says whether all were used."""

    def __init__(self, network):
        self.state = [(n.rsplit(".", 1), t) for n, t in network.state_dict().items() if not n.endswith("tracked")]

    def next(self, *kinds):
        taken, self.state = self.state[: len(kinds)], self.state[len(kinds) :]
        assert [name[1] for name, _ in taken] == list(kinds)
        return [tensor for _, tensor in taken]

    def convolution(self, x, stride=1, groups=1):
        (w,) = self.next("weight")
        return F.conv2d(x, w, stride=stride, padding=w.shape[-1] // 2, groups=groups)

    def normalisation(self, x):
        scale, offset, mean, variance = (t[:, None, None] for t in self.next(*NORM))
        return (x - mean) / torch.sqrt(variance + 1e-5) * scale + offset

    def head(self, x):
        weight, bias = self.next("weight", "bias")
        assert not self.state
        return x.mean(dim=(2, 3)) @ weight.T + bias


NORM = ("weight", "bias", "running_mean", "running_var")


def with_random_statistics(network):
    """As after training: normalisation has other values than 0 and 1."""
    generator = torch.Generator().manual_seed(5)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight.data, module.running_var):
                tensor.uniform_(0.5, 1.5, generator=generator)
            for tensor in (module.bias.data, module.running_mean):
                tensor.uniform_(-0.3, 0.3, generator=generator)
    return network.eval().double()


def images(n=2, side=16):
    return torch.randn(n, 3, side, side, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def check(name, plain, side=16):
    network = with_random_statistics(build(name, EXAMPLES[name], side=side))
    x = images(side=side)
    with torch.no_grad():
        expected = plain(Weights(network), x)
        torch.testing.assert_close(network(x), expected, rtol=1e-9, atol=1e-12)
    assert expected.std(dim=0).max() > 1e-6, "the images make no difference"


def test_values_of_conv5():
    def plain(w, x):
        x = w.normalisation(w.convolution(x)).clamp(min=0)
        x = w.normalisation(w.convolution(x, 2))
        x = x / (1 + torch.exp(-x))
        x = w.normalisation(w.convolution(x))
        x = torch.where(x < 0, x / 100, x)
        x = torch.tanh(w.normalisation(w.convolution(x, 2)))
        return w.head(w.normalisation(w.convolution(x)).clamp(min=0))

    check("conv5", plain)


def test_values_of_macro():
    def bottleneck(w, x, expansion, stride=1):
        inside = x.shape[1]
        y = w.normalisation(w.convolution(x)).clamp(min=0)
        y = w.normalisation(w.convolution(y, stride, groups=expansion * inside)).clamp(min=0)
        y = w.normalisation(w.convolution(y))
        return y if stride == 2 else x + y

    def plain(w, x):
        x = w.normalisation(w.convolution(x)).clamp(min=0)
        x = w.normalisation(w.convolution(x, 2))  # 0, where the shape changes
        x = bottleneck(w, x, 3)  # 1
        x = bottleneck(w, x, 6, stride=2)  # 2
        x = bottleneck(w, x, 6)  # 2
        x = bottleneck(w, x, 3)  # 1
        x = w.normalisation(w.convolution(x, 2))  # 0
        x = bottleneck(w, x, 6)  # 2
        # 0: nothing
        return w.head(w.normalisation(w.convolution(x)).clamp(min=0))

    check("nb_macro", plain)


def relu_conv_bn(w, x, stride=1):
    return w.normalisation(w.convolution(x.clamp(min=0), stride))


def residual(w, x):
    y = relu_conv_bn(w, relu_conv_bn(w, x, 2))
    n, c, side, _ = x.shape
    return y + w.convolution(x.reshape(n, c, side // 2, 2, side // 2, 2).mean(dim=(3, 5)))


def average_3x3(x):
    """The mean over those of the nine pixels that there are."""
    ones = torch.ones_like(x[:1, :1])
    kernel = torch.ones(x.shape[1], 1, 3, 3, dtype=x.dtype)
    return F.conv2d(x, kernel, padding=1, groups=x.shape[1]) / F.conv2d(ones, kernel[:1], padding=1)


def test_values_of_nb201():
    def cell(w, x):
        node1 = relu_conv_bn(w, x)
        node2 = x + relu_conv_bn(w, node1)
        return average_3x3(x) + relu_conv_bn(w, node2)

    def plain(w, x):
        x = w.normalisation(w.convolution(x))
        for stage in range(3):
            if stage:
                x = residual(w, x)
            for _ in range(5):
                x = cell(w, x)
        return w.head(w.normalisation(x).clamp(min=0))

    check("nb201", plain)


def test_values_of_nats_sss():
    def cell(w, x, widens):
        node1 = relu_conv_bn(w, x)
        node2 = relu_conv_bn(w, x) + relu_conv_bn(w, node1)
        # A widening skip is a 1x1 convolution, without ReLU, and a normalisation (FactorizedReduce with stride 1).
        skip = w.normalisation(w.convolution(x)) if widens else x
        return skip + relu_conv_bn(w, node1) + relu_conv_bn(w, node2)

    def plain(w, x):
        x = w.normalisation(w.convolution(x))
        x = cell(w, x, False)
        x = cell(w, residual(w, x), True)
        x = cell(w, residual(w, x), True)
        return w.head(w.normalisation(x).clamp(min=0))

    check("nats_sss", plain)


def test_values_of_nb101():
    """Three vertices share the output's channels: 128 are 43, 43 and 42, so that vertex 4 drops one of vertex 2."""

    def conv(w, x):
        return w.normalisation(w.convolution(x)).clamp(min=0)

    def pool(x, kernel, stride, padding):
        x = F.pad(x, [padding] * 4, value=-math.inf)
        return x.unfold(2, kernel, stride).unfold(3, kernel, stride).amax(dim=(4, 5))

    def cell(w, x, out):
        a, b = out - 2 * (out // 3) - (out % 3 == 2), out // 3 + (out % 3 == 2)
        c = out // 3
        assert a + b + c == out
        # Vertices 2, 3 and 4 feed the output, in this order; 1 feeds 2 and 3, 2 feeds 4. Weights: projections first.
        widths = {2: a, 3: b, 4: c}
        from1, from2, to_output = conv(w, x), conv(w, x), conv(w, x)
        assert from1.shape[1] == max(a, b)
        assert from2.shape[1] == a
        vertex1 = conv(w, from1)
        vertex2 = conv(w, vertex1[:, :a] + from2)
        vertex3 = pool(vertex1[:, :b], 3, 1, 1)
        vertex4 = conv(w, vertex2[:, :c])
        assert [v.shape[1] for v in (vertex2, vertex3, vertex4)] == list(widths.values())
        return torch.cat([vertex2, vertex3, vertex4], dim=1) + to_output

    def plain(w, x):
        x = conv(w, x)
        for stack, out in enumerate((128, 256, 512)):
            if stack:
                x = pool(x, 2, 2, 0)
            for _ in range(3):
                x = cell(w, x, out)
        return w.head(x)

    check("nb101", plain, side=8)


def test_the_smallest_cell_of_nb101_is_a_projection():
    network = build("nb101", "0>6 conv3x3,conv3x3,conv3x3,conv3x3,conv3x3", side=4)
    assert [tuple(p.shape) for p in network.body[1].parameters()] == [(128, 128, 1, 1), (128,), (128,)]
    assert network(torch.zeros(2, 3, 4, 4)).shape == (2, 10)


def test_momentum_and_epsilon():
    """facts: TensorFlow's momentum of 0.997 in NAS-Bench-101, epsilon 1e-5; PyTorch's defaults elsewhere."""
    for name, momentum in {"nb101": 0.003, "nb201": 0.1, "nats_sss": 0.1, "nb_macro": 0.1, "conv5": 0.1}.items():
        norms = [m for m in on_meta(name, EXAMPLES[name]).modules() if isinstance(m, nn.BatchNorm2d)]
        assert norms
        assert {round(norm.momentum, 12) for norm in norms} == {momentum}
        assert {norm.eps for norm in norms} == {1e-5}


@pytest.mark.parametrize("name", EXAMPLES)
def test_only_the_head_has_a_bias(name):
    biased = [
        key
        for key, module in on_meta(name, EXAMPLES[name]).named_modules()
        if isinstance(module, (nn.Conv2d, nn.Linear)) and module.bias is not None
    ]
    assert biased == ["head"]


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_gradient_reaches_every_parameter(name):
    network = build(name, EXAMPLES[name], side=16)
    F.cross_entropy(network(images(4).float()), torch.tensor([0, 1, 2, 3])).backward()
    for key, parameter in network.named_parameters():
        assert parameter.grad is not None, key
        assert parameter.grad.isfinite().all(), key
        assert parameter.grad.abs().max() > 0, key


@pytest.mark.parametrize("name", EXAMPLES)
def test_channels_last_gives_the_same(name):
    network = build(name, EXAMPLES[name], side=16).eval()
    x = images().float()
    expected = network(x)
    found = network.to(memory_format=torch.channels_last)(x.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_one_graph_for_the_compiler():
    matrix, operations = NB101().cell(NB101().parse(EXAMPLES["nb101"]))
    dead = NB201().parse(DEAD)
    pieces = [
        (nb101_networks.Cell(matrix, operations, 8, 16), 8),
        (nats.Cell(dead, 8, 8), 8),
        (nats.Cell(nats.SIZE_CELL, 8, 16), 8),
        (nats.Residual(8, 16), 8),
        (macro.InvertedBottleneck(8, 8, 1, 3, 3), 8),
        (build("conv5", EXAMPLES["conv5"], side=8), 3),
    ]
    for piece, channels in pieces:
        x = torch.randn(2, channels, 8, 8, generator=torch.Generator().manual_seed(1))
        compiled = torch.compile(piece, backend="eager", fullgraph=True)  # which raises where the graph breaks
        torch.testing.assert_close(compiled(x), piece(x))


def test_a_cell_whose_output_is_not_connected_predicts_a_constant():
    for text in (DEAD, "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"):
        network = with_random_statistics(build("nb201", text, side=16))
        logits = network(images())
        torch.testing.assert_close(logits[0], logits[1], rtol=0, atol=0)
        assert logits.isfinite().all()
    network = build("nb201", DEAD, side=16).train()
    network(images().float()).sum().backward()  # trains
    assert network.head.bias.grad is not None


# Weights.


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_seed_decides_the_weights(name):
    recipe = RECIPES["nb201" if name == "nats_sss" else name]

    def drawn(seed, network):
        initialise(network, recipe, torch.Generator().manual_seed(seed))
        return torch.cat([tensor.flatten().double() for tensor in network.state_dict().values()])

    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    network = build(name, EXAMPLES[name], side=16)
    first = drawn(3, network)
    network(images().float())  # the running statistics move
    torch.manual_seed(2)
    assert torch.equal(drawn(3, network), first)
    assert torch.equal(drawn(3, network.to(memory_format=torch.channels_last)), first)
    assert not torch.equal(drawn(4, network), first)
    torch.manual_seed(1)
    assert torch.equal(torch.random.get_rng_state(), before), "torch's global generator was used"


def test_building_is_deterministic_and_leaves_the_global_generator_alone():
    torch.manual_seed(7)
    before = torch.random.get_rng_state()
    first, second = (build("conv5", EXAMPLES["conv5"]).state_dict() for _ in range(2))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(first[key], second[key]) for key in first)


@pytest.mark.parametrize("name", ["nb201", "nb_macro", "conv5"])
def test_pytorchs_distribution(name):
    """Within the bound of nn.Conv2d's and nn.Linear's own reset, and uniform up to it; normalisation 1, 0, 0, 1."""
    network = build(name, EXAMPLES[name])
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            bound = 1 / math.sqrt(module.weight[0].numel())
            weight = module.weight.detach() / bound
            assert weight.abs().max() <= 1
            if weight.numel() > 2_000:
                assert weight.abs().max() > 0.99
                assert float(weight.std()) == pytest.approx(1 / math.sqrt(3), rel=0.05)
        if isinstance(module, nn.BatchNorm2d):
            for tensor, value in ((module.weight, 1), (module.bias, 0), (module.running_mean, 0)):
                assert (tensor == value).all()
            assert (module.running_var == 1).all()


def test_tensorflows_distribution():
    """Of variance 1 / inputs after it was cut at two standard deviations; the linear layer Glorot, with no bias."""
    network = build("nb101", EXAMPLES["nb101"])
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            weight = module.weight.detach() * math.sqrt(module.weight[0].numel())
            assert weight.abs().max() <= 2 / 0.87962566
            if weight.numel() > 50_000:
                assert float(weight.var()) == pytest.approx(1, rel=0.03)
                assert weight.abs().max() > 2
    limit = math.sqrt(6 / (512 + 10))
    weight = network.head.weight.detach()
    assert 0.99 * limit < weight.abs().max() <= limit
    assert (network.head.bias == 0).all()


def test_what_cannot_be_drawn_is_refused():
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.PReLU())
    with pytest.raises(TrainingError, match="weights of 1, a PReLU: known are convolutions"):
        initialise(network, RECIPES["nb201"], torch.Generator())


# The public name, and what it refuses.


def test_the_public_name():
    network = nasbench.network(EXAMPLES["nb201"])
    assert (network.space, network.architecture, network.classes, network.side) == ("nb201", EXAMPLES["nb201"], 10, 32)
    assert EXAMPLES["nb201"] in repr(network)
    assert nasbench.network((0,) * 6)(torch.zeros(2, 3, 32, 32)).shape == (2, 10)
    assert nasbench.network("8:8:8:8:8", "nats_sss", classes=7, side=8)(torch.zeros(2, 3, 8, 8)).shape == (2, 7)


@pytest.mark.parametrize(
    ("arguments", "keywords", "error", "message"),
    [
        (("nothing",), {}, InvalidArchitectureError, "'nothing' is no NAS-Bench-201 cell"),
        (((0,) * 5,), {}, InvalidArchitectureError, "no architecture of nb201"),
        (((0,) * 26, "nb101"), {}, InvalidArchitectureError, "disconnected"),
        (((0,) * 6, "nb21"), {}, UnknownNameError, "Did you mean 'nb201'"),
        (((0,) * 6,), {"classes": 0}, TrainingError, "positive whole number of classes, not 0"),
        (((0,) * 6,), {"classes": 2.0}, TrainingError, "positive whole number of classes, not 2.0"),
        (((0,) * 6,), {"side": 18}, TrainingError, "a multiple of 4, not 18"),
        (((0,) * 15, "conv5"), {"side": 0}, TrainingError, "at least 1, not 0"),
    ],
)
def test_what_is_no_network_is_refused(arguments, keywords, error, message):
    with pytest.raises(error, match=message):
        nasbench.network(*arguments, **keywords)


def test_without_pytorch_it_says_what_to_install():
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "import nasbench\n"
        "try: nasbench.network((0,) * 6)\n"
        "except nasbench.NasbenchError as error: print(type(error).__name__, error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("MissingPackageError networks need PyTorch")
    assert "pip install 'nasbench-suite[train]'" in done.stdout
