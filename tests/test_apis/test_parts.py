"""A card and a checkpoint's config are data: whatever they name, nothing off the list is called."""

from __future__ import annotations

import math
import re
import threading
from typing import Any

import pytest
import torch

from mmact_ssl.allowed_types import ALLOWED_TYPES
from mmact_ssl.apis import FeatureInferencer, load_model
from mmact_ssl.apis.card import read_card
from mmact_ssl.apis.publish import card_of_checkpoint
from mmact_ssl.errors import CheckpointError
from mmact_ssl.evaluation.downstream import config_for
from mmact_ssl.part_checks import check_pipeline, plain_part
from mmact_ssl.parts import build_model, build_without_memory, listed_types_only
from mmact_ssl.registry import MODELS
from mmact_ssl.saved_run import SavedRun
from tests.shipped import DOWNSTREAM, ROOT, load
from tests.test_apis.conftest import write_checkpoint
from tests.test_apis.test_model import RESNET, change
from tools import evaluate, publish_model

GRAPH = dict(layout='coco', mode='stgcn_spatial')


def layer(path: str, argument: Any) -> dict[str, Any]:
    """An activation that is mmcv's ConvModule, whose padding layer is any function."""
    return dict(
        type='ConvModule',
        in_channels=1,
        out_channels=1,
        kernel_size=1,
        padding=argument,
        padding_mode=path,
    )


# A function that does harm, its argument, and where it stands.
HARM = {
    'command': dict(act_cfg=layer('subprocess.call', ['touch', 'harm'])),
    'import': dict(act_cfg=layer('importlib.import_module', 'planted')),
    'removal': dict(act_cfg=layer('shutil.rmtree', 'victim')),
    'package': dict(act_cfg=dict(type='planted.Layer')),
    'norm': dict(norm_cfg=dict(type='os.mkdir', path='harm')),
    'start': dict(init_cfg=dict(type='subprocess.call', args=['touch', 'harm'])),
}


@pytest.mark.parametrize('harm', HARM)
def test_a_card_runs_nothing(published, harmless, harm):
    path = change(published, backbone={**RESNET, **HARM[harm]})
    for door in (load_model, FeatureInferencer, read_card):
        with pytest.raises(CheckpointError, match=r'changed.safetensors: backbone\..* refused'):
            door(str(path))


@pytest.mark.parametrize('harm', [name for name in HARM if name != 'start'])
def test_the_config_of_a_checkpoint_runs_nothing(labeled_world, tmp_path, harmless, harm):
    path = write_checkpoint(tmp_path / 'x.pth', {**RESNET, **HARM[harm]})
    refused = r'x.pth: backbone\..* refused: .*give a downstream config'
    for door in (lambda saved: config_for(saved, str(labeled_world)), card_of_checkpoint):
        with pytest.raises(CheckpointError, match=refused):
            door(SavedRun.read(path))
    for tool, arguments in (
        (evaluate, ['knn', path, '--data', str(labeled_world), '--out', str(tmp_path / 'out')]),
        (publish_model, [path, str(tmp_path / 'out'), '--format', 'safetensors']),
    ):
        with pytest.raises(SystemExit, match=refused):
            tool.main(arguments)


def test_what_a_checkpoint_starts_from_is_left_out(harmless):
    assert plain_part({**RESNET, **HARM['start']}, 'backbone', 'backbone') == RESNET


@pytest.mark.parametrize('name', ['os.system', 'planted.X', 'ConvModule', 'mmaction.Recognizer3D'])
def test_registries_know_the_list_alone(harmless, name):
    """Also where a plain name becomes a type, as ``gcn_norm`` does in mmaction2's STGCN."""
    with listed_types_only(), pytest.raises(ValueError, match='not on the list of types'):
        MODELS.get(name)
    if '.' not in name:
        with pytest.raises(ValueError, match="'ConvModule' is refused"):
            build_model(
                dict(type='mmaction.STGCN', graph_cfg=GRAPH, gcn_norm=name), 'backbone', 'backbone'
            )
    assert MODELS.get('mmaction.Recognizer3D')


def test_other_threads_and_later_builds_keep_their_registries():
    found = []
    with listed_types_only():
        thread = threading.Thread(target=lambda: found.append(MODELS.get('torch.nn.Linear')))
        thread.start()
        thread.join()
    assert [*found, MODELS.get('torch.nn.Linear')] == [torch.nn.Linear] * 2


def test_a_type_of_ones_own_is_added_by_name(monkeypatch):
    @MODELS.register_module(force=True)
    class OwnBackbone(torch.nn.Identity):
        pass

    own = dict(type='mmact_ssl.OwnBackbone')
    with pytest.raises(ValueError, match='not on the list'):
        build_model(own, 'backbone', 'backbone')
    extended = {*ALLOWED_TYPES['backbone'], 'mmact_ssl.OwnBackbone'}
    monkeypatch.setitem(ALLOWED_TYPES, 'backbone', extended)
    assert isinstance(build_model(own, 'backbone', 'backbone'), OwnBackbone)
    MODELS.module_dict.pop('OwnBackbone')


def test_the_security_page_shows_the_list():
    page = (ROOT / 'SECURITY.md').read_text()
    rows = re.findall(r'^\| `([a-z ]+)` \| (.*) \|$', page, re.M)
    shown = {place: set(re.findall('`([^`]+)`', types)) for place, types in rows}
    assert shown == ALLOWED_TYPES


# Arguments of those that cannot be built without any, and of some more.
NETWORKS = {
    **{name: dict(depth=50) for name in ('C2D', 'ResNet3dSlowOnly', 'ResNetTIN', 'ResNetTSM')},
    'ResNet3dCSN': dict(depth=50, pretrained=None),
    'STGCN': dict(graph_cfg=GRAPH),
    'SwinTransformer3D': dict(arch='tiny'),
    'ResNet': dict(depth=50, norm_cfg=dict(type='SyncBN')),
    'ResNet3d': dict(depth=50, act_cfg=dict(type='SiLU')),
}


def test_each_listed_network_of_mmaction_can_be_built():
    listed = {name for name in ALLOWED_TYPES['backbone'] if name.startswith('mmaction.')}
    assert listed > {f'mmaction.{name}' for name in NETWORKS}
    for name in listed:
        config = dict(NETWORKS.get(name.partition('.')[2], {}), type=name)
        assert build_without_memory(config, 'backbone', 2**31).state_dict()


@pytest.mark.parametrize(
    ('change_of', 'answer'),
    [
        (dict(stage_blocks=[10**6] * 4), 'stage_blocks.0. is 1000000, refused'),
        (dict(stage_blocks=[9999] * 4), 'larger than the file'),
        (dict(conv1_kernel=[math.inf] * 3), 'conv1_kernel.0. is inf, refused'),
        (dict(conv1_kernel=[math.nan] * 3), 'conv1_kernel.0. is nan, refused'),
        (dict(out_indices=list(range(1001))), 'holds 100. values, more than 1000'),
        (dict(base_channels=10**400), 'base_channels is 1000000.*refused'),
        (dict(conv1_kernel=[[[[[[[[[[3]]]]]]]]]]), 'more than 8 levels deep'),
    ],
)
def test_plain_numbers_neither_hang_nor_fill_the_memory(change_of, answer):
    with pytest.raises(ValueError, match=answer):
        build_without_memory({**RESNET, **change_of}, 'backbone', 10**6)


@pytest.mark.parametrize(
    'steps',
    [
        [dict(type='mmaction.SampleFrames', clip_len=9999, num_clips=9999)],
        [dict(type='mmaction.SampleFrames', clip_len=10**9)],
        [
            dict(type='mmaction.SampleFrames', clip_len=32),
            dict(type='mmaction.Resize', scale=(-1, 9999)),
        ],
        [dict(type='mmaction.Resize', scale=99.0)],
        [dict(type='mmaction.FormatGCNInput', num_person=10**4)],
    ],
)  # fmt: skip
def test_a_pipeline_is_bounded(steps):
    with pytest.raises(ValueError, match='refused'):
        check_pipeline(steps)


@pytest.mark.parametrize('name', DOWNSTREAM)
def test_the_shipped_configs_fit_in_the_bounds(name):
    cfg = load(name)
    plain_part(cfg.model.backbone.to_dict(), 'backbone', 'backbone')
    steps = cfg.test_dataloader.dataset.pipeline
    check_pipeline([plain_part(step.to_dict(), 'transform', 'pipeline') for step in steps])
