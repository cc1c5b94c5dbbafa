"""mmaction2's graph network for any joint layout of this package."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from scipy.sparse.csgraph import shortest_path
from torch import nn

from mmact_ssl.models.skeletons import check_skeleton_shape, find_layout
from mmact_ssl.registry import MODELS


def graph_of_layout(layout: str) -> dict[str, Any]:
    """Describe a layout in the form of mmaction2's ``Graph``.

    The center is the middle joint (neither left nor right) with the smallest sum of distances, in
    edges, to all joints (our choice). ``inward`` contains the edges as pairs (outer joint, inner
    joint). ``ntu25`` and ``coco17`` give mmaction2's own graphs.

    A network stores its graph with its weights: loaded weights of a network with other edges bring
    these edges along.
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

    The result is mmaction2's own module, so that its weights load in a stock config with the dict
    of :func:`graph_of_layout` as ``graph_cfg['layout']``. These networks also convolve padding:
    give them clips of equal length (``ResampleFrames``).

    Args:
        network: Config of ``mmaction.STGCN`` without ``graph_cfg``. ST-GCN++ is ``STGCN`` with
            ``gcn_adaptive='init'``, ``gcn_with_res=True``, ``tcn_type='mstcn'``.
        mode: Mode of mmaction2's ``Graph``: ``'stgcn_spatial'`` for ST-GCN, ``'spatial'`` for
            ST-GCN++.
    """
    graph = dict(layout=graph_of_layout(layout), mode=mode)
    graph_network = MODELS.build({**network, 'graph_cfg': graph})
    check = partial(_check_channels, network.get('in_channels', 3))
    graph_network.register_forward_pre_hook(check)
    return graph_network


def _check_channels(in_channels: int, network: nn.Module, inputs: tuple) -> None:
    check_skeleton_shape(type(network).__name__, inputs[0], (None, None, in_channels))
