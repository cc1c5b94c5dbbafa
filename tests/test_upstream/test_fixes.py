"""Each fix: needed still, works, and does nothing where it is not needed.

A test named ``..._still_needed`` fails once upstream is fixed: then delete the fix.
"""

from __future__ import annotations

import copy
import importlib.util
import pkgutil
import sys
from pathlib import Path

import pytest
import torch

from mmact_ssl import upstream
from mmact_ssl.configs.shipped_configs import CONFIGS
from mmact_ssl.upstream import missing_modules, torch_fixes
from tests.helpers.unfixed import (
    CHECKPOINTS,
    WITH_FIXES,
    WITHOUT_FIXES,
    WITHOUT_PACKAGES,
    fresh,
    run_fixed,
)


def test_the_fixes_are_still_needed():
    """Without them: packages do not import, files are refused, and lists are misread."""
    unfixed, _ = fresh(WITHOUT_FIXES)
    missing = "No module named 'mmaction.models.localizers.drn'"
    assert unfixed['drn'] == f'ModuleNotFoundError: {missing}'
    assert unfixed['config'].startswith('ValueError')
    # mmengine alone refuses its own log history (or, before torch 2.6, runs any pickle).
    assert unfixed['checkpoints'] in (['UnpicklingError'] * 2, ['loaded'] * 2)
    # mmaction2 alone makes the mark a part of the first name, and a sample of the blank line.
    before, after = unfixed['videos']
    assert before == [['\ufeffa.mp4', 1], ['', -1]]
    assert after == [['a.mp4', 1], ['my b.mp4', 0], ['c.mp4', 2]]
    if torch.version.cuda is None:  # only a CPU build of torch breaks torchvision
        assert 'torchvision::nms does not exist' in unfixed['torchvision']
    if 'mmcv._ext' in sys.modules:  # the stand-in, where no compiled mmcv is installed
        assert unfixed['mmcv'] == "ModuleNotFoundError: No module named 'mmcv._ext'"
    if not torch.cuda.device_count():
        assert unfixed['set_device'] != 'none'


def test_with_the_fixes_a_log_history_is_loaded_and_code_refused():
    code = f'{CHECKPOINTS}\n    print(torch.cuda.set_device(0), *loaded)'
    # The lines before are mmengine's log.
    assert run_fixed(code).splitlines()[-1] == 'None loaded CheckpointError'


def test_upstream_is_silent_and_nothing_else_is():
    (_, loud), (_, quiet) = fresh(WITHOUT_FIXES), fresh(WITH_FIXES)
    messages = [*upstream.UPSTREAM_WARNINGS.values(), '"FileClient" will be deprecated']
    assert [message for message in messages if message not in loud] == []  # all are needed still
    assert 'as a joke of mine' in quiet
    quiet = quiet.replace('pkg_resources is deprecated as a joke of mine', '')
    assert [message for message in messages if message in quiet] == []


def test_every_package_imports_with_the_fixes_and_none_before_it_is_used():
    """Registries import their locations on use; importing all of OpenMMLab takes seconds."""
    answers, _ = fresh(WITH_FIXES)
    assert answers['early'] == []
    assert answers['model'] == 'mmaction.models.backbones.resnet3d'
    assert answers['transform'].startswith('mmaction.datasets.transforms')


def test_only_their_teachers_need_the_other_packages_of_openmmlab():
    """Without them and without text libraries every module imports; a config gives the command."""
    answers, _ = fresh(WITHOUT_PACKAGES)
    for teacher, package in (('rtmpose-t_coco', 'mmpose'), ('segformer-b0_ade20k_person', 'mmseg')):
        missing = f'{package} is not installed: mmact-ssl setup openmmlab'
        assert answers[teacher] == f'ConfigError: {missing}'


@pytest.mark.skipif('mmcv._ext' not in sys.modules, reason='compiled mmcv is installed')
def test_calling_a_missing_operator_names_it():
    from mmcv.ops import nms

    with pytest.raises(NotImplementedError, match='mmcv operator nms needs a compiled mmcv'):
        nms(torch.zeros(1, 4), torch.zeros(1), 0.5)


@pytest.fixture
def openmmlab_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A whole mmaction2, a compiled mmcv, torchvision and torch both with CUDA, and a GPU."""
    for name in ('mmaction/models/localizers/drn', 'mmcv', 'torchvision'):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / 'mmcv/_ext.cpython-311-x86_64-linux-gnu.so').touch()
    (tmp_path / 'torchvision/_C.so').write_bytes(b'\x7fELF libtorch_cuda.so')
    for module in (missing_modules, torch_fixes):
        monkeypatch.setattr(module, 'package_root', lambda name: tmp_path / name)
    monkeypatch.setattr(torch_fixes, '_libraries', [])
    for module in list(sys.modules):
        if module.startswith(('mmaction.models.localizers.drn', 'mmcv._ext')):
            monkeypatch.delitem(sys.modules, module)
    monkeypatch.delitem(sys.modules, 'torchvision', raising=False)
    monkeypatch.setattr(torch.version, 'cuda', '12.1')
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 1)
    monkeypatch.setattr(torch.cuda, 'set_device', lambda device: device)
    return tmp_path


def test_a_working_environment_is_left_alone(openmmlab_environment: Path):
    set_device = torch.cuda.set_device
    modules = set(sys.modules)
    assert upstream.apply_fixes() == []
    assert torch.cuda.set_device is set_device
    assert set(sys.modules) == modules
    assert torch_fixes._libraries == []


def test_each_missing_piece_is_noticed(
    openmmlab_environment: Path, monkeypatch: pytest.MonkeyPatch
):
    """The same environment with one piece broken at a time: exactly that fix acts."""
    monkeypatch.setitem(sys.modules, 'mmcv._ext', None)  # restored after the test
    monkeypatch.delitem(sys.modules, 'mmcv._ext')
    (openmmlab_environment / 'mmcv/_ext.cpython-311-x86_64-linux-gnu.so').unlink()
    assert upstream.apply_fixes() == ['fix_missing_mmcv_operators']
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 0)
    assert upstream.apply_fixes() == ['fix_cuda_set_device']


def test_pycocotools_takes_the_place_of_xtcocotools(monkeypatch: pytest.MonkeyPatch):
    import pycocotools.coco

    for module in ('', '.coco', '.cocoeval', '.mask'):  # restored after the test
        monkeypatch.setitem(sys.modules, f'xtcocotools{module}', None)
        del sys.modules[f'xtcocotools{module}']
    monkeypatch.setattr(importlib.util, 'find_spec', lambda name: None)
    assert upstream.fix_missing_xtcocotools()
    import xtcocotools.mask as mask
    from xtcocotools.coco import COCO
    from xtcocotools.cocoeval import COCOeval

    assert COCO is pycocotools.coco.COCO
    assert COCOeval.__module__ == 'pycocotools.cocoeval'
    assert callable(mask.decode)
    assert not upstream.fix_missing_xtcocotools()


def test_mmengine_finds_packages_without_pkg_resources():
    answers, _ = fresh(WITHOUT_PACKAGES)
    assert answers['installed'] == [True, False]
    assert answers['path'] == str(Path(importlib.util.find_spec('mmaction').origin).parent)
    assert answers['config'] == 'Recognizer3D'
    path, scope = answers['config path']
    assert path.endswith('45e_ucf101-rgb.py') and scope == 'mmaction'
    assert answers['no package'] == 'ModuleNotFoundError: no_such_package is not installed'


def test_multimodal_models_are_left_out_beside_a_later_transformers(
    monkeypatch: pytest.MonkeyPatch,
):
    from mmaction.utils import dependency

    for version, acts in (('4.51.3', False), ('4.52.0', True), ('5.1', True)):
        monkeypatch.setattr(dependency, 'WITH_MULTIMODAL', True)
        monkeypatch.setattr(missing_modules, 'version_of', lambda name, version=version: version)
        assert upstream.fix_multimodal_models() == acts
        assert dependency.WITH_MULTIMODAL is not acts


def test_a_config_may_inherit_one_of_this_package(tmp_path: Path):
    from mmengine.config import Config

    other = tmp_path / 'other.py'
    other.write_text("_base_ = 'mmact_ssl::_base_/sets/jhmdb.py'\nnum_classes = 3\n")
    wanted = Config.fromfile(CONFIGS / '_base_/sets/jhmdb.py').to_dict()
    assert Config.fromfile(other).to_dict() == {**wanted, 'num_classes': 3}


def test_synchronized_normalization_fix_is_still_needed():
    """mmengine alone takes the activations out of a network of timm."""
    pytest.importorskip('timm')
    from mmengine.model import convert_sync_batchnorm
    from mmengine.runner import runner
    from timm.models.efficientnet import tf_efficientnet_lite0

    network = tf_efficientnet_lite0().eval()
    images = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        wanted = network(images)
        fixed = runner.convert_sync_batchnorm(copy.deepcopy(network), 'torch')
        torch.testing.assert_close(fixed.eval()(images), wanted)
        assert not torch.allclose(convert_sync_batchnorm(network, 'torch')(images), wanted)
    plain = [layer for layer in fixed.modules() if isinstance(layer, torch.nn.BatchNorm2d)]
    assert not plain and any(isinstance(x, torch.nn.SyncBatchNorm) for x in fixed.modules())


def test_mmengine_looks_for_operators_without_find_loader(monkeypatch):
    """Python 3.14 has none."""
    monkeypatch.delattr(pkgutil, 'find_loader', raising=False)
    assert upstream.fix_missing_find_loader() and not upstream.fix_missing_find_loader()
    from mmengine.utils.dl_utils.misc import mmcv_full_available

    assert mmcv_full_available() in (True, False)
    assert pkgutil.find_loader('no_such_package') is None
    assert pkgutil.find_loader('json').name == 'json'
    del pkgutil.find_loader
