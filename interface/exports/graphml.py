"""A graph as GraphML, which graph tools open: typed keys, nodes by number, names as data."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final
from xml.etree.ElementTree import Element, SubElement, register_namespace, tostring

NAMESPACE: Final = "http://graphml.graphdrawing.org/xmlns"
_NOT_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def graphml(nodes: Sequence[Mapping[str, Any]], edges: Sequence[Mapping[str, Any]]) -> bytes:
    """Nodes have an `id`, edges a `from` and a `to`; all else is data, whole numbers as `long`."""
    register_namespace("", NAMESPACE)
    root = Element(_tag("graphml"))
    keys = {
        **_keys(root, "node", {"name": "", **(nodes[0] if nodes else {})}, {"id"}),
        **_keys(root, "edge", edges[0] if edges else {}, {"from", "to"}),
    }
    graph = SubElement(root, _tag("graph"), edgedefault="directed")
    numbers = {node["id"]: f"n{number}" for number, node in enumerate(nodes)}
    for node in nodes:
        drawn = SubElement(graph, _tag("node"), id=numbers[node["id"]])
        _data(drawn, "node", {"name": node["id"], **node}, keys)
    for edge in edges:
        ends = {"source": numbers[edge["from"]], "target": numbers[edge["to"]]}
        _data(SubElement(graph, _tag("edge"), ends), "edge", edge, keys)
    return bytes(tostring(root, encoding="utf-8", xml_declaration=True))


def _tag(name: str) -> str:
    return f"{{{NAMESPACE}}}{name}"


def _keys(
    root: Element, of: str, example: Mapping[str, Any], without: set[str]
) -> dict[tuple[str, str], str]:
    """Declare what nodes or edges carry."""
    keys = {}
    for name in (name for name in example if name not in without):
        keys[of, name] = id = f"{of}_{name}"
        kind = "long" if isinstance(example[name], int) else "string"
        SubElement(root, _tag("key"), {"id": id, "for": of, "attr.name": name, "attr.type": kind})
    return keys


def _data(
    element: Element, of: str, values: Mapping[str, Any], keys: Mapping[tuple[str, str], str]
) -> None:
    for name, value in values.items():
        if (of, name) in keys:
            data = SubElement(element, _tag("data"), key=keys[of, name])
            data.text = _NOT_XML.sub("\ufffd", str(value))
