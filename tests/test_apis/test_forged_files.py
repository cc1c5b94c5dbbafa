"""Two hundred forged files: each loads or is refused in one line, and nothing of it is built."""

from __future__ import annotations

import json
import math
import random
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.registry import Registry
from safetensors.torch import save_file

import mmact_ssl
from mmact_ssl.apis.feature_inferencer import FeatureInferencer
from mmact_ssl.configs.shipped_configs import CONFIGS
from mmact_ssl.encoders.encoder import Encoder
from mmact_ssl.errors import MMActSSLError
from mmact_ssl.evaluation.recognizer_config import read_evaluation
from mmact_ssl.io.checkpoint_file import CARD_KEY
from mmact_ssl.io.student_file import StudentFile
from tests.test_forged_values import STRANGE as VALUES
from tests.test_forged_values import mutate, time_limit

SEEDS = range(200)
# What stands in a record in place of a value.
STRANGE = [
    *VALUES,
    *('gru', '$side', 'mmact_ssl', 'planted', 'mmdet::x.py', 'os.system', '/etc/passwd'),
    *('mmact_ssl::encoders/gru.py', 'mmact_ssl::encoders/../../secret.py'),
    *({'side': 10**9}, {'layout': '../x'}),
    {'config': 'mmact_ssl::encoders/r3d18-small.py', 'options': {'side': True}},
    {'config': 'mmact_ssl::encoders/vit-b.py', 'options': {}},
    {'config': 'mmact_ssl::encoders/gru.py', 'options': {'layout': 'unknown'}},
    {'config': 'planted.py', 'options': {}},
]


def mutate_weights(weights: dict[str, torch.Tensor], generator: random.Random) -> None:
    """Change one weight in a third of the files."""
    key = generator.choice(sorted(weights))
    kind = generator.randint(0, 20)
    if kind == 0:
        del weights[key]
    elif kind == 1:
        weights[key] = weights[key].flatten()[:1].clone()
    elif kind == 2:
        weights['backbone.extra'] = torch.zeros(3)
    elif kind == 3:
        weights[key] = weights[key].to(torch.int8)
    elif kind == 4:
        weights[key] = torch.full_like(weights[key], math.nan, dtype=torch.float32)
    elif kind == 5:
        weights['backbone.\x1b[2J\n'] = torch.zeros(3)
    elif kind == 6:
        weights['backbone.' + 'x' * 10_000] = torch.zeros(3)


@pytest.fixture
def opened() -> Iterator[list[str]]:
    """Paths of the files that are opened while the fixture is watched; its end stops that."""
    paths: list[str] = []
    watching = [True]

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if watching[0] and event == 'open' and isinstance(args[0], (str, bytes)):
            paths.append(args[0] if isinstance(args[0], str) else args[0].decode(errors='replace'))

    sys.addaudithook(hook)
    yield paths
    watching[0] = False


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Types that a registry builds."""
    types: list[str] = []
    build = Registry.build

    def record(self: Registry, cfg: Any, *args: Any, **kwargs: Any) -> Any:
        types.append(str(cfg.get('type')))
        return build(self, cfg, *args, **kwargs)

    monkeypatch.setattr(Registry, 'build', record)
    return types


def doors(path: Path) -> list[Callable[[], Any]]:
    """Each way in for a stranger's file."""
    return [
        lambda: Encoder.load(path),
        lambda: Encoder.load(path.parent) if path.suffix == '.pth' else Encoder.load(path),
        lambda: FeatureInferencer(path),
        lambda: read_evaluation(StudentFile.read(path), dataset='jhmdb'),
    ]


@pytest.mark.parametrize('kind', ['.pth', '.safetensors'])
def test_a_forged_file_loads_or_is_refused_in_one_line(
    kind, student_checkpoint, publish, tmp_path, monkeypatch, opened, built
):
    """A third of them also have other weights, and some end too early."""
    source = torch.load(student_checkpoint)
    published = publish(student_checkpoint, tmp_path / 'good')
    card = json.loads(_metadata(published)[CARD_KEY])
    weights = {k: v for k, v in source['state_dict'].items() if k.startswith('backbone.')}
    (tmp_path / 'planted.py').write_text('open("harm", "w")\n')
    monkeypatch.chdir(tmp_path)
    for name in ('r3d18-small', 'gru', 'vit-b'):
        _ = Encoder.load(name).transform
    allowed = set(built)
    folder = tmp_path / 'forged'
    folder.mkdir()
    path = folder / f'epoch_1{kind}'
    loaded = 0
    for seed in SEEDS:
        generator = random.Random(seed)
        state = dict(weights)
        mutate_weights(state, generator)
        if kind == '.pth':
            record = mutate(source['meta']['record'], generator, STRANGE)
            torch.save(dict(state_dict=state, meta=dict(record=record, iter=1)), path)
        else:
            text = json.dumps(mutate(card, generator, STRANGE))
            save_file(state, path, metadata={CARD_KEY: text})
        if seed % 10 == 0:
            path.write_bytes(path.read_bytes()[: generator.randint(0, path.stat().st_size - 1)])
        door = doors(path)[seed % 4]
        opened.clear()
        built.clear()
        try:
            with time_limit(60):
                door()
            loaded += 1
        except MMActSSLError as error:
            check_line(str(error), path)
        assert set(built) <= allowed, (seed, set(built) - allowed)
        assert not _strange(opened, path), (seed, _strange(opened, path)[:3])
    assert 5 < loaded < len(SEEDS) - 50, 'some are harmless, most are not'
    assert not (tmp_path / 'harm').exists() and 'planted' not in sys.modules


@pytest.mark.parametrize(
    'text',
    ['', '3', 'NaN', '[{}]', '{', '[' * 100_000, '{"encoder":' * 50_000, '9' * 100_000],
    ids=lambda text: text[:10],
)
@pytest.mark.parametrize('door', [0, 2, 3])
def test_a_text_that_is_no_card_is_refused_in_one_line(text, door, tmp_path):
    path = tmp_path / 'forged.safetensors'
    save_file({'backbone.a': torch.ones(1)}, path, metadata={CARD_KEY: text})
    with time_limit(60), pytest.raises(MMActSSLError) as error:
        doors(path)[door]()
    check_line(str(error.value), path)


def check_line(message: str, path: Path) -> None:
    """A message is one short line that names the file, or the set that it does not go with."""
    assert message.isprintable() and len(message) < 800, message[:200]
    assert str(path.parent) in message or 'and jhmdb holds videos' in message, message


def _metadata(path: Path) -> dict[str, str]:
    from safetensors import safe_open

    with safe_open(path, 'pt') as file:
        return file.metadata()


def _strange(paths: list[str], path: Path) -> list[str]:
    """Opened files that are not the model, the package's, Python's, or mmengine's copy of a config.

    mmengine copies each config to a temporary folder before it parses it.
    """
    package, copies = Path(mmact_ssl.__file__).parent, f'{tempfile.gettempdir()}/tmp'
    folders = [package, CONFIGS, CONFIGS.resolve(), sys.prefix, sys.base_prefix, '/proc', '/sys']
    own = (str(path), copies, *(f'{folder}/' for folder in folders))
    return [one for one in paths if not one.startswith(own)]
