"""What ``nats_bench.genotype_utils`` has: the text of a cell as a structure."""

from __future__ import annotations

import re
from itertools import product
from typing import Any

__all__ = ["TopologyStructure", "topology_str2structure"]

Node = tuple[tuple[str, int], ...]
_NODE = re.compile(r"\|(?:[^|~+]+~\d+\|)+", re.ASCII)
_EDGE = re.compile(r"([^|~+]+)~(\d+)", re.ASCII)


class TopologyStructure:
    """A cell: for each node but the first, its incoming edges as (operation, source).

    Args:
        genotype: A list of tuples of such pairs.
    """

    def __init__(self, genotype: Any) -> None:
        self.nodes: list[Node] = [tuple((str(name), int(source)) for name, source in node) for node in genotype]
        self.node_num = len(self.nodes) + 1
        self.node_N = [len(node) for node in self.nodes]  # the original's name

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.node_num} nodes with {self.tostr()})"

    def __len__(self) -> int:
        return self.node_num

    def __getitem__(self, index: int) -> Node:
        return self.nodes[index]

    def node(self, index: int) -> Node:
        """Return the incoming edges of node ``index + 1``, as the original does."""
        if not 0 < index < len(self.nodes):
            raise ValueError(f"invalid index={index} < {len(self.nodes)}")
        return self.nodes[index]

    def tostr(self) -> str:
        """Return the official text."""
        return "+".join("|" + "".join(f"{name}~{source}|" for name, source in node) for node in self.nodes)

    def tolist(self, remove_str: str | None) -> tuple[list[Node] | None, bool]:
        """Return the nodes without edges of one operation, and whether every node keeps an edge."""
        kept = [tuple(edge for edge in node if edge[0] != remove_str) for node in self.nodes]
        return (kept, True) if all(kept) else (None, False)

    def check_valid(self) -> bool:
        """Tell whether a path leads from the first node to the last."""
        reached = {0}
        for target, node in enumerate(self.nodes, start=1):
            if any(name != "none" and source in reached for name, source in node):
                reached.add(target)
        return len(self.nodes) in reached

    def check_valid_op(self, op_names: list[str]) -> bool:
        """Tell whether all operations are among these."""
        return all(name in op_names for node in self.nodes for name, _ in node)

    def to_unique_str(self, consider_zero: bool | None = False) -> str:
        """Return the string that equal topologies share; with ``consider_zero`` edges named none vanish."""
        values = ["0"]
        for node in self.nodes:
            terms = []
            for name, source in node:
                if consider_zero and (name == "none" or values[source] == "#"):
                    terms.append("#")
                else:
                    terms.append(values[source] if name == "skip_connect" else f"({values[source]})@{name}")
            values.append("+".join(sorted(terms)))
        return values[-1]

    @staticmethod
    def str2structure(xstr: Any) -> TopologyStructure:
        """Read the official text.

        Raises:
            ValueError: It is none.
        """
        if isinstance(xstr, TopologyStructure):
            return xstr
        parts = xstr.split("+") if isinstance(xstr, str) else [""]
        if not all(_NODE.fullmatch(part) for part in parts):
            raise ValueError(f"{xstr!r}: no cell, expected |op~0|+|op~0|op~1|+|op~0|op~1|op~2|")
        nodes = [tuple((name, int(source)) for name, source in _EDGE.findall(part)) for part in parts]
        if any(source >= target for target, node in enumerate(nodes, start=1) for _, source in node):
            raise ValueError(f"{xstr!r}: no cell, an edge leads to an earlier node")
        return TopologyStructure(nodes)

    @staticmethod
    def str2fullstructure(xstr: Any, default_name: str = "none") -> TopologyStructure:
        """Read the official text, and add the edges that it lacks, with the default operation.

        Raises:
            ValueError: It is none.
        """
        full = []
        for target, node in enumerate(TopologyStructure.str2structure(xstr).nodes, start=1):
            missing = sorted(set(range(target)) - {source for _, source in node})
            edges = (*node, *((default_name, source) for source in missing))
            full.append(tuple(sorted(edges, key=lambda edge: edge[1])))
        return TopologyStructure(full)

    @staticmethod
    def gen_all(search_space: list[str], num: int, return_ori: bool) -> list[Any]:
        """Return all cells with ``num`` nodes, as lists of nodes, or as structures."""
        pairs = [
            [tuple(zip(names, range(n), strict=True)) for names in product(search_space, repeat=n)]
            for n in range(1, num)
        ]
        found = [list(nodes) for nodes in product(*pairs)]
        return found if return_ori else [TopologyStructure(nodes) for nodes in found]


def topology_str2structure(xstr: Any) -> TopologyStructure:
    """Read the official text of a cell.

    Raises:
        ValueError: It is none.
    """
    return TopologyStructure.str2structure(xstr)
