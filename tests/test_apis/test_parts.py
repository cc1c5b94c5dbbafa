"""A card and a checkpoint's config are data: whatever they name, nothing off the list is called."""

from __future__ import annotations

import copy
import json
import math
import random
import re
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import registry as mmengine_registry
from mmengine.registry import root as registries
from safetensors.torch import save_file

from mmact_ssl.apis import FeatureInferencer, load_model
from mmact_ssl.apis.allowed_types import ALLOWED_TYPES
from mmact_ssl.apis.card import read_card
from mmact_ssl.apis.downstream import _plain_backbone, _use_network, config_for, saved_network
from mmact_ssl.apis.part_checks import check_pipeline, plain_part
from mmact_ssl.apis.parts import (
    build_model,
    build_pipeline,
    build_without_memory,
    known_class,
    listed_types_only,
)
from mmact_ssl.apis.publish import card_of_checkpoint
from mmact_ssl.engine.saved_config import CARD_KEY
from mmact_ssl.errors import CheckpointError, MMActSSLError
from mmact_ssl.files import reading
from mmact_ssl.registry import MODELS
from tests.shipped import CONFIGS
from tests.test_apis.test_model import change
from tools import evaluate, publish_model

ROOT = Path(CONFIGS).parent
ZOO = ROOT / 'zoo'
RESNET = dict(type='mmaction.ResNet3d', depth=18)
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


@pytest.fixture
def harmless(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A current folder in which code is planted; nothing of it may have run at the end."""
    place = tmp_path / 'current'
    (place / 'victim').mkdir(parents=True)
    (place / 'planted').mkdir()
    for name in ('__init__', 'registry'):
        (place / 'planted' / f'{name}.py').write_text('open("harm", "w")\n')
    monkeypatch.chdir(place)
    monkeypatch.syspath_prepend(str(place))
    yield place
    assert sorted(path.name for path in place.iterdir() if path.suffix != '.safetensors') in (
        ['planted', 'victim'],
        ['planted', 'victim', 'work_dirs'],
    )
    assert 'planted' not in sys.modules


def write_checkpoint(path: Path, backbone: dict[str, Any], dataset: str = 'jhmdb') -> str:
    """Write a checkpoint whose config has a backbone."""
    text = f"backbone_name = 'r3d18-small'\ndataset_name = {dataset!r}\n"
    text += f'model = dict(backbone={backbone!r})\n'
    state = {'backbone.conv1.conv.weight': torch.zeros(2)}
    torch.save(dict(state_dict=state, meta=dict(cfg=text)), path)
    return str(path)


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
    for door in (lambda file: config_for(file, str(labeled_world)), card_of_checkpoint):
        with pytest.raises(CheckpointError, match=refused):
            door(path)
    for tool, arguments in (
        (evaluate, ['knn', path, '--data', str(labeled_world), '--out', str(tmp_path / 'out')]),
        (publish_model, [path, str(tmp_path / 'out'), '--format', 'safetensors']),
    ):
        with pytest.raises(SystemExit, match=refused):
            tool.main(arguments)


def test_what_a_checkpoint_starts_from_is_left_out(labeled_world, tmp_path, harmless):
    backbone = plain_part({**RESNET, **HARM['start']}, 'backbone', 'backbone')
    assert backbone == RESNET


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


NETWORKS = {
    'AAGCN': dict(graph_cfg=dict(layout='coco', mode='spatial')),
    'C3D': {},
    'MViT': {},
    'MobileNetV2': {},
    'MobileNetV2TSM': {},
    'ResNet3dCSN': dict(depth=50, pretrained=None),
    'ResNet3dSlowFast': {},
    'STGCN': dict(graph_cfg=GRAPH),
    'SwinTransformer3D': dict(arch='tiny'),
    'UniFormer': {},
    'VisionTransformer': {},
    'X3D': {},
    'C2D': dict(depth=50),
    'ResNet': dict(depth=50, norm_cfg=dict(type='SyncBN')),
    'ResNet3d': dict(depth=50, act_cfg=dict(type='SiLU')),
    'ResNet3dSlowOnly': dict(depth=50),
    'ResNetTIN': dict(depth=50),
    'ResNetTSM': dict(depth=50),
}


def test_each_listed_network_of_mmaction_can_be_built():
    listed = {name for name in ALLOWED_TYPES['backbone'] if name.startswith('mmaction.')}
    assert listed == {f'mmaction.{name}' for name in NETWORKS}
    for name, arguments in NETWORKS.items():
        config = dict(type=f'mmaction.{name}', **arguments)
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
        [dict(type='mmact_ssl.TurnedCopies', degrees=[1] * 90)] * 3,
        [dict(type='mmact_ssl.TurnedCopies', transforms=[dict(type='mmact_ssl.TurnedCopies')])],
    ],
)  # fmt: skip
def test_a_pipeline_is_bounded(steps):
    with pytest.raises(ValueError, match='refused'):
        check_pipeline(steps)


SHIPPED = (*CONFIGS.glob('_base_/downstream/*.py'), *CONFIGS.glob('downstream/linear_*_*.py'))


@pytest.mark.parametrize('config', sorted(SHIPPED), ids=lambda path: path.stem)
def test_the_shipped_configs_fit_in_the_bounds(config):
    cfg = Config.fromfile(config)
    if 'backbone' in cfg.model:  # not in what several networks share
        plain_part(cfg.model.backbone.to_dict(), 'backbone', 'backbone')
    steps = cfg.test_dataloader.dataset.get('pipeline') or []
    check_pipeline([plain_part(step.to_dict(), 'transform', 'pipeline') for step in steps])


# --- a fuzzer -----------------------------------------------------------------------------------

TREES = 2100
PATHS = (
    'subprocess.call', 'os.system', 'os.mkdir', 'shutil.rmtree', 'importlib.import_module',
    'builtins.eval', 'builtins.exec', 'builtins.open', 'planted.X', 'planted',
    'pathlib.Path.touch',
    'torch.hub.load', 'mmengine.Config.fromfile', 'mmengine.fileio.get', 'torch.nn.Linear',
    'mmact_ssl.registry.MODELS', 'mmaction.apis.init_recognizer', 'mmcv.ConvModule',
    'timm.resnet18',
    'hf_hub:a/b', '../x', '/etc/passwd', 'http://a/b', 'a b', '', '.', 'x' * 3000, '\x1b[2J',
)  # fmt: skip
NUMBERS = (
    0, -1, 1, 2, 3, 7, 64, 257, 9999, 10_000, -10_000, 10_001, 10**6, 10**9, -(10**9), 10**30, 0.5,
    -0.0, 1e-300, 1e308, math.inf, -math.inf, math.nan, True, False, None,
)  # fmt: skip
KEYS = (
    'type', '_scope_', '_delete_', 'init_cfg', 'pretrained', 'checkpoint', 'checkpoint_path',
    'norm_cfg',
    'act_cfg', 'conv_cfg', 'graph_cfg', 'padding_mode', 'order', 'custom_imports', 'io_backend',
    'model_args', 'blending', 'transforms', 'adapters', 'network', 'gcn_norm', 'non_local_cfg',
    'stage_blocks', 'num_layers', 'depth', 'model', '__class__', 'a.b', 3,
)  # fmt: skip


@pytest.fixture(scope='module')
def registered() -> list[str]:
    """Names of everything in the registries of models and transforms, with and without scope."""
    known_class('mmaction.ResNet', 'backbone')
    names = set()
    for parent in (registries.MODELS, registries.TRANSFORMS, registries.HOOKS, registries.DATASETS):
        for registry in (parent, *parent.children.values()):
            registry.import_from_location()
            names |= {*registry.module_dict}
            names |= {f'{registry.scope}.{name}' for name in registry.module_dict}
    return sorted(names)


def nodes(tree: Any) -> Iterator[tuple[Any, Any]]:
    """Each (container, key) in a tree."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, value in list(items):
        yield tree, key
        if isinstance(value, (dict, list)):
            yield from nodes(value)


def mutated(tree: Any, draw: random.Random, names: list[str]) -> Any:
    """A copy of a tree with one to three nodes changed."""
    tree = json.loads(json.dumps(tree))

    def value(depth: int = 0) -> Any:
        kind = draw.randrange(8 if depth < 3 else 4)
        if kind < 2:
            return draw.choice(NUMBERS)
        if kind < 4:
            return draw.choice((draw.choice(PATHS), draw.choice(names)))
        if kind == 4:
            return [value(depth + 1) for _ in range(draw.choice((0, 1, 3, 4)))]
        if kind == 5:
            return draw.choice(([0] * 1200, [[[[[[[[[[[[0]]]]]]]]]]]], [3] * 4))
        part = {draw.choice(KEYS): value(depth + 1) for _ in range(draw.randrange(3))}
        return {'type': draw.choice((draw.choice(PATHS), draw.choice(names))), **part}

    for _ in range(draw.choice((1, 1, 2, 3))):
        places = list(nodes(tree))
        if not places:
            break
        container, key = draw.choice(places)
        if isinstance(container[key], dict) and draw.random() < 0.7:
            container[key][draw.choice(KEYS)] = value()
        elif draw.random() < 0.1:
            del container[key]
        else:
            container[key] = value()
    return tree


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Any]:
    """Lists what Python's audit reports, while it is asked to: code, processes, files written."""
    seen: list[str] = []
    active = [False]
    resolved: list[str] = []
    monkeypatch.setattr(mmengine_registry, 'get_object_from_string', resolved.append)
    harmful = ('subprocess.', 'os.', 'shutil.', 'socket.', 'pty.', 'urllib.', 'ctypes.dlopen')

    def audit(event: str, arguments: tuple) -> None:
        if not active[0]:
            return
        if event == 'open' and isinstance(arguments[1], str) and set(arguments[1]) & set('wax+'):
            seen.append(f'{event} {arguments[0]}')
        elif event.startswith(harmful) and event not in ('os.listdir', 'os.scandir'):
            seen.append(f'{event} {arguments}')
        elif event == 'import' and arguments[0].partition('.')[0] not in PACKAGES:
            seen.append(f'{event} {arguments[0]}')

    sys.addaudithook(audit)

    @contextmanager
    def watching() -> Iterator[None]:
        active[0] = True
        try:
            yield
        finally:
            active[0] = False
        assert not seen and not resolved

    yield watching
    active[0] = False


# Packages that building a listed network may import, beside the standard library.
PACKAGES = {*sys.stdlib_module_names} - {'planted'} | {
    'mmact_ssl', 'mmaction', 'mmcv', 'mmengine', 'numpy', 'scipy', 'timm', 'torch', 'torchvision',
    'safetensors',
}  # fmt: skip


def forged_cards(number: int, names: list[str]) -> Iterator[dict[str, Any]]:
    found = [json.loads(read_card(path).to_json()) for path in sorted(ZOO.glob('*.safetensors'))]
    by_network = {card['backbone_name']: card for card in found}
    # Those of skeletons are built in a tenth of the time.
    cards = [*by_network.values(), *[by_network['gru-streams']] * 4]
    assert len(by_network) >= 3
    for seed in range(number):
        draw = random.Random(f'card {seed}')
        card = copy.deepcopy(draw.choice(cards))
        if draw.random() < 0.1:
            card = mutated(card, draw, names)
        else:
            place = draw.choice(('backbone', 'backbone', 'preprocessor', 'pipeline', 'pooling'))
            card[place] = mutated(
                card[place] or dict(type='mmact_ssl.SkeletonPooling'), draw, names
            )
        yield card


def test_forged_cards_call_nothing_off_the_list(tmp_path, harmless, registered, watched):
    path, built, complete = tmp_path / 'forged.safetensors', 0, 0
    for number, card in enumerate(forged_cards(TREES * 2 // 3, registered)):
        text = json.dumps(card)
        save_file({'backbone.x': torch.zeros(1)}, path, metadata={CARD_KEY: text})
        with watched(), pytest.raises(MMActSSLError) as error:
            load_model(path)
        message = str(error.value)
        assert message.startswith(f'{path}: ') and '\n' not in message, (number, message)
        if 'weights do not fit' in message:  # the network was built
            built += 1
            card = read_card(path)
            with watched(), suppress(CheckpointError), reading(path, 'fix', CheckpointError):
                build_pipeline(card.pipeline)
                build_model(card.preprocessor, 'preprocessor', 'preprocessor')
                complete += 1
    assert built > 50 and complete > 50


def test_forged_checkpoints_call_nothing_off_the_list(tmp_path, harmless, registered, watched):
    stems = ('csvr_r3d_demo', 'dtg_r3d_utdmhad', 'ms2l-twoview_gru_nwucla', 'ms2l_aagcn_nwucla')
    configs = [Config.fromfile(CONFIGS / f'{stem}.py').model.backbone.to_dict() for stem in stems]
    downstream = Config.fromfile(CONFIGS / 'downstream' / 'linear_r3d_jhmdb.py')
    path, built = tmp_path / 'forged.pth', 0
    for seed in range(TREES - TREES * 2 // 3):
        draw = random.Random(f'checkpoint {seed}')
        write_checkpoint(path, mutated(draw.choice(configs), draw, registered))
        cfg = copy.deepcopy(downstream)
        if draw.random() < 0.5:  # as of a config without arguments of its own
            cfg.model.backbone = {}
        with watched():
            try:
                _use_network(
                    cfg, _plain_backbone(saved_network(str(path))[1], str(path)), str(path)
                )
                built += 1
            except CheckpointError as error:
                assert str(error).startswith(f'{path}: ') and '\n' not in str(error), seed
    assert built > 50
