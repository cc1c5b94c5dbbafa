"""An exported file is the backbone alone, and stock mmaction2 loads it whole."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from mmact_ssl import upstream
from mmact_ssl.apis.pth_export import export_backbone
from mmact_ssl.io.student_file import StudentFile
from mmact_ssl.registry import MODELS
from tests.helpers.students import weights_of

BACKBONE = dict(
    type='mmaction.ResNet3d',
    depth=18,
    pretrained=None,
    pretrained2d=False,
    base_channels=4,
    inflate_style='3x3x3',
)


@pytest.fixture
def training_checkpoint(tmp_path: Path) -> Path:
    """Files of a training run: backbone, heads, optimizer, log."""
    torch.manual_seed(0)
    state = weights_of(MODELS.build(BACKBONE))
    state['heads.pose.weight'] = torch.ones(10)
    path = tmp_path / 'epoch_3.pth'
    meta = {'cfg': 'a = 1\n', 'epoch': 3, 'iter': 30, 'seed': 0}
    torch.save({'meta': meta, 'state_dict': state, 'optimizer': {'state': {}}}, path)
    return path


def test_only_the_backbone_leaves(training_checkpoint: Path, tmp_path: Path):
    published = export_backbone(StudentFile.read(training_checkpoint), tmp_path / 'models' / 'csvr')
    loaded = torch.load(published, weights_only=True)
    assert set(loaded) == {'meta', 'state_dict'}
    source = torch.load(training_checkpoint, weights_only=True)['state_dict']
    expected = {key for key in source if key.startswith('backbone.')}
    assert set(loaded['state_dict']) == expected
    assert all(torch.equal(loaded['state_dict'][key], source[key]) for key in expected)
    again = export_backbone(StudentFile.read(training_checkpoint), tmp_path / 'second' / 'csvr.pth')
    digest = hashlib.sha256(published.read_bytes()).hexdigest()
    assert again.name == published.name == f'csvr-{digest[:8]}.pth'


def test_a_view_does_not_drag_its_storage_along(tmp_path: Path):
    large = torch.zeros(1_000_000)
    torch.save({'state_dict': {'backbone.weight': large[:10]}}, tmp_path / 'x.pth')
    exported = export_backbone(StudentFile.read(tmp_path / 'x.pth'), tmp_path / 'y')
    assert exported.stat().st_size < 10_000


def test_stock_mmaction2_loads_it_whole(training_checkpoint: Path, tmp_path: Path):
    """As load_from: no backbone key missing or unexpected.

    A fresh interpreter without mmact_ssl; mmaction2's own broken wheel is the one thing to fix.
    """
    saved = StudentFile.read(training_checkpoint)
    published = export_backbone(saved, tmp_path / 'x')
    backbone = {**BACKBONE, 'type': 'ResNet3d'}
    code = f"""
import importlib.util, sys, torch
path = {str(upstream.__file__)!r}
folders = [path.rpartition('/')[0]]
spec = importlib.util.spec_from_file_location('fixes', path, submodule_search_locations=folders)
sys.modules['fixes'] = fixes = importlib.util.module_from_spec(spec)
spec.loader.exec_module(fixes)
fixes.fix_torchvision_operators(), fixes.fix_missing_drn(), fixes.fix_missing_mmcv_operators()
fixes.fix_multimodal_models()
sys.modules.update(mmdet=None, mmpretrain=None)  # slow to import, and used by other networks alone
from mmengine.registry import init_default_scope
from mmengine.runner import load_checkpoint
from mmaction.registry import MODELS
init_default_scope('mmaction')
path = {str(published)!r}
expected = torch.load(path, weights_only=True)['state_dict']
head = dict(type='I3DHead', num_classes=5, in_channels=32)
model = MODELS.build(dict(type='Recognizer3D', backbone={backbone!r}, cls_head=head))
missing, unexpected = model.load_state_dict(expected, strict=False)
assert not unexpected, unexpected
assert not [key for key in missing if key.startswith('backbone.')], missing
for value in model.backbone.state_dict().values():
    value.fill_(7)
load_checkpoint(model, path)
state = model.state_dict()
assert all(torch.equal(state[key], value) for key, value in expected.items())
assert 'mmact_ssl' not in sys.modules
print('loaded')
"""
    result = subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', code], capture_output=True, text=True, timeout=600
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[-1] == 'loaded'
    output = result.stdout + result.stderr
    assert 'unexpected key' not in output
    assert 'missing keys in source state_dict: backbone' not in output
