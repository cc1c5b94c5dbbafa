"""Mutated cards and configs of checkpoints: nothing off the list is called, a refusal is a line."""

from __future__ import annotations

import copy
import json
import math
import os
import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
import timm  # noqa: F401  (looks for other packages when it is imported)
import torch
from mmengine.registry import registry as mmengine_registry
from mmengine.registry import root as registries
from safetensors.torch import save_file

from mmact_ssl.apis import load_model
from mmact_ssl.apis.card import read_card
from mmact_ssl.checkpoint_file import CARD_KEY
from mmact_ssl.errors import CheckpointError, MMActSSLError
from mmact_ssl.evaluation.student import require_backbone, with_saved_backbone
from mmact_ssl.files import reading
from mmact_ssl.parts import build_model, build_pipeline, known_class
from mmact_ssl.saved_run import SavedRun
from tests.shipped import ROOT, load
from tests.test_apis.conftest import write_checkpoint

ZOO = ROOT / 'zoo'
# MMACT_SSL_FORGED=2100 takes half a minute.
TREES = int(os.environ.get('MMACT_SSL_FORGED', 900))
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
    assert min(built, complete) > TREES // 42


def test_forged_checkpoints_call_nothing_off_the_list(tmp_path, harmless, registered, watched):
    names = ('csvr_r3d_demo.py', 'ms2l-twoview_gru.py@nwucla', 'ms2l_stgcn.py@nwucla')
    configs = [load(name).model.backbone.to_dict() for name in names]
    downstream = load('downstream/r3d18-small.py@jhmdb')
    path, built = tmp_path / 'forged.pth', 0
    for seed in range(TREES - TREES * 2 // 3):
        draw = random.Random(f'checkpoint {seed}')
        write_checkpoint(path, mutated(draw.choice(configs), draw, registered))
        cfg = copy.deepcopy(downstream)
        is_bare = draw.random() < 0.5  # as of a config without arguments of its own
        with watched():
            try:
                saved = SavedRun.read(path)
                if is_bare:
                    cfg.model.backbone = dict(type=saved.backbone.get('type'))
                require_backbone(saved)
                with_saved_backbone(cfg, saved)
                built += 1
            except CheckpointError as error:
                assert str(error).startswith(f'{path}: ') and '\n' not in str(error), seed
    assert built > TREES // 42
