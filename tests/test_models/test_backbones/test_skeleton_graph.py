"""Stock graph networks on every layout, and MS2L's heads on their maps."""

from __future__ import annotations

import pytest
import torch

import mmact_ssl  # noqa: F401  the fixes come before any model is imported
from mmact_ssl.datasets.layouts import LAYOUTS
from mmact_ssl.errors import ConfigError
from mmact_ssl.models.backbones.skeleton_graph import build_graph_network, graph_of_layout

from mmaction.models.utils import Graph  # isort: skip

SMALL = dict(base_channels=8, num_stages=3, inflate_stages=[2], down_stages=[2])


@pytest.mark.parametrize('layout', list(LAYOUTS))
def test_limbs_point_to_the_center(layout):
    graph, limbs = graph_of_layout(layout), LAYOUTS[layout].limbs
    assert {frozenset(limb) for limb in graph['inward']} == {frozenset(limb) for limb in limbs}
    steps, border = {graph['center']: 0}, [graph['center']]
    while border:  # outwards, limb by limb
        joint = border.pop(0)
        ends = [end for limb in limbs if joint in limb for end in limb if end not in steps]
        steps.update(dict.fromkeys(ends, steps[joint] + 1))
        border += ends
    assert len(steps) == graph['num_node'] == LAYOUTS[layout].num_joints
    assert all(steps[outer] >= steps[inner] for outer, inner in graph['inward'])
    assert Graph(layout=graph).A.shape == (3, len(steps), len(steps))


def test_centers():
    assert graph_of_layout('ntu25')['center'] == Graph('nturgb+d').center
    assert graph_of_layout('coco17')['center'] == Graph('coco').center
    for layout, name in (('kinect20', 'spine'), ('jhmdb15', 'neck')):
        assert LAYOUTS[layout].names[graph_of_layout(layout)['center']] == name


@pytest.mark.parametrize(
    ('network', 'mode'),
    [
        (dict(type='mmaction.STGCN'), 'stgcn_spatial'),
        (
            dict(type='mmaction.STGCN', gcn_adaptive='init', gcn_with_res=True, tcn_type='mstcn'),
            'spatial',
        ),
        (dict(type='mmaction.AAGCN'), 'spatial'),
    ],
    ids=['ST-GCN', 'ST-GCN++', 'AAGCN'],
)
def test_persons_are_encoded_apart_at_a_lower_rate(network, mode):
    torch.manual_seed(0)
    sizes = {**SMALL, 'num_stages': 2} if network['type'] == 'mmaction.AAGCN' else SMALL
    backbone = build_graph_network({**network, **sizes}, 'kinect20', mode).eval()
    clip = torch.randn(4, 2, 8, 20, 3)
    feature_map = backbone(clip)
    assert feature_map.shape == (4, 2, 16, 4, 20)
    clip[1, 1] = 0
    torch.testing.assert_close(backbone(clip)[:, 0], feature_map[:, 0])
    with pytest.raises(ConfigError, match='--cfg-options model.backbone.network.in_channels=2'):
        backbone(clip[..., :2])
