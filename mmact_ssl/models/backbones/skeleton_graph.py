"""mmaction2's graph networks on any joint layout, by name."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from scipy.sparse.csgraph import shortest_path
from torch import nn

from mmact_ssl.errors import ConfigError
from mmact_ssl.models.skeletons import find_layout
from mmact_ssl.registry import MODELS


def graph_of_layout(layout: str) -> dict[str, Any]:
    """Describe a layout as mmaction2's ``Graph`` reads it.

    The center is, of the joints that are neither left nor right, the one with the smallest sum of
    distances, in edges, to all joints (our choice). ``inward`` has the edges as pairs (outer joint,
    inner joint). ``ntu25`` and ``coco17`` give mmaction2's own graphs.

    A network keeps its graph among its weights: one that was trained with other edges computes
    with those wherever it is loaded.
    """
    skeleton = find_layout(layout)
    num_joints = skeleton.num_joints
    adjacency = np.zeros((num_joints, num_joints))
    adjacency[tuple(zip(*skeleton.edges))] = 1
    distance = shortest_path(adjacency, directed=False)  # (V, V)
    middle_joints = np.flatnonzero(skeleton.flip_indices == np.arange(num_joints)).tolist()
    center = min(middle_joints, key=lambda joint: distance[joint].sum())
    from_center = distance[center]
    inward = [(a, b) if from_center[a] >= from_center[b] else (b, a) for a, b in skeleton.edges]
    return dict(num_node=num_joints, inward=inward, center=center)


@MODELS.register_module(name='SkeletonGraphNetwork')
def build_graph_network(network: dict, layout: str, mode: str = 'spatial') -> nn.Module:
    """Build a graph network of mmaction2 for a layout of this package.

    The result is mmaction2's own module, so that its weights load in a stock config, whose
    ``graph_cfg['layout']`` then is the dict of :func:`graph_of_layout`. These networks are
    convolutions over padding too: give them clips of one length (``ResampleFrames``).

    Args:
        network: Config of ``mmaction.STGCN`` or ``mmaction.AAGCN`` without ``graph_cfg``. ST-GCN++
            is ``STGCN`` with ``gcn_adaptive='init'``, ``gcn_with_res=True``, ``tcn_type='mstcn'``.
        mode: Of mmaction2's ``Graph``: ``'stgcn_spatial'`` for ST-GCN, ``'spatial'`` for AAGCN and
            ST-GCN++.
    """
    graph = dict(layout=graph_of_layout(layout), mode=mode)
    built = MODELS.build({**network, 'graph_cfg': graph})
    built.register_forward_pre_hook(partial(_check_channels, network.get('in_channels', 3)))
    return built


def _check_channels(in_channels: int, network: nn.Module, inputs: tuple) -> None:
    found = inputs[0].shape[-1]
    if found != in_channels:
        raise ConfigError(
            f'{type(network).__name__} got clips of {found} values per joint but is built for '
            f'{in_channels}: give --cfg-options model.backbone.network.in_channels={found}'
        )
