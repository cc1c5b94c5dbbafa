"""ONNX files as data: one graph of standard operators that holds its own weights."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mmact_ssl.errors import CheckpointError, import_extra
from mmact_ssl.files import reading

FIX = 'download it again, or publish it by tools/publish_model.py --format onnx'
STANDARD = ('', 'ai.onnx')  # names of the domain of ONNX's own operators


def read_onnx(path: str) -> tuple[bytes, dict[str, str]]:
    """Read an ONNX file's content, checked by :func:`check_graph`, and its metadata.

    Raises:
        CheckpointError: The file is missing, damaged or refused.
        ConfigError: The package onnx is not installed.
    """
    onnx = import_extra('onnx', path, 'onnx')
    with reading(path, FIX, CheckpointError):
        with open(path, 'rb') as file:
            content = file.read()
        try:
            model = onnx.load_model_from_string(content)
        except Exception as error:  # protobuf's own
            raise ValueError('it is not an ONNX file, or is cut') from error
        check_graph(model)
        return content, {item.key: item.value for item in model.metadata_props}


def check_graph(model: Any) -> None:
    """Raise ValueError unless a model is one graph of standard operators with its own weights.

    Another domain's operators, and weights beside the file, can read other files. Functions and
    graphs within nodes, which loops and branches need, hide both, and a loop may have no end.
    """
    if model.functions or model.training_info:
        raise ValueError('it is refused: it holds more than one graph')
    for node in model.graph.node:
        if node.domain not in STANDARD:
            raise ValueError(f'it is refused: the operator {node.op_type[:40]!r} is not of ONNX')
        if any(attribute.HasField('g') or attribute.graphs for attribute in node.attribute):
            raise ValueError(f'it is refused: {node.op_type[:40]!r} holds a graph of its own')
    for tensor in _tensors(model.graph):
        if tensor.data_location or tensor.external_data:
            raise ValueError('it is refused: its weights lie in another file')


def _tensors(graph: Any) -> Iterator[Any]:
    yield from graph.initializer
    sparse = [*graph.sparse_initializer]
    for node in graph.node:
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
            sparse += [attribute.sparse_tensor, *attribute.sparse_tensors]
    for tensor in sparse:
        yield from (tensor.values, tensor.indices)
