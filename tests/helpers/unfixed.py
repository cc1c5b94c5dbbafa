"""Programs that ask packages with and without the fixes of ``mmact_ssl.upstream``."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

from mmact_ssl import upstream
from tests.helpers.processes import Process

# Begins a program whose last line of output is its answers.
ANSWERS = """
    import json, sys, types, warnings
    answers = {}
    def ask(name, statement):
        try:
            exec(statement, globals())
            answers[name] = 'none'
        except BaseException as error:
            answers[name] = f'{type(error).__name__}: {error}'
"""

# What upstream warns of while it is used.
NOISY = """
    import mmcv.cnn.bricks.transformer, timm.models.layers, mmpose.apis
    from mmengine.fileio import FileClient
    from mmpose.datasets.datasets.utils import parse_pose_metainfo
    from mmseg.models.builder import build_loss
    parse_pose_metainfo(dict(from_file='configs/_base_/datasets/coco.py'))
    build_loss(dict(type='CrossEntropyLoss'))
    FileClient('disk')
    warnings.warn('pkg_resources is deprecated as a joke of mine')
"""

CHECKPOINTS = """
    import os, tempfile, torch
    from mmengine.logging import HistoryBuffer
    from mmengine.runner.checkpoint import CheckpointLoader
    class Code:
        def __reduce__(self):
            return print, ('ran code',)
    def load(value):
        path = os.path.join(tempfile.mkdtemp(), 'x.pth')
        torch.save(dict(log=value), path)
        try:
            CheckpointLoader.load_checkpoint(path, map_location='cpu')
        except Exception as error:
            return type(error).__name__
        return 'loaded'
    loaded = [load(HistoryBuffer([1.0], [1])), load(Code())]
"""


# Without what mmact_ssl's __init__.py does; each fix is made after what fails without it.
WITHOUT_FIXES = f"""
    package = types.ModuleType('mmact_ssl')
    package.__path__ = [{str(Path(upstream.__file__).parents[1])!r}]
    sys.modules['mmact_ssl'] = package
    from mmact_ssl import upstream
    ask('set_device', 'import torch; torch.cuda.set_device(0)')
    ask('torchvision', 'import torchvision')
    upstream.fix_torchvision_operators()
    ask('mmcv', 'import mmcv.ops')
    upstream.fix_missing_mmcv_operators(), upstream.fix_multimodal_models()
    ask('drn', 'import mmaction.models')
    upstream.fix_missing_drn(), upstream.fix_missing_xtcocotools()
    upstream.fix_missing_pkg_resources()
    path = 'mmact_ssl::csvr_r3d_k400.py'
    ask('config', 'from mmengine.config import Config; Config._get_cfg_path(path, "a.py")')
    {CHECKPOINTS}
    answers['checkpoints'] = loaded

    from mmaction.datasets import VideoDataset
    def read(content):
        with tempfile.NamedTemporaryFile() as file:
            file.write(content), file.flush()
            samples = VideoDataset(file.name, []).load_data_list()
        return [[os.path.basename(s['filename']), s['label']] for s in samples]
    answers['videos'] = [read(b'\\xef\\xbb\\xbfa.mp4 1\\n\\n')]
    import mmact_ssl.datasets
    answers['videos'] += [read(b'\\xef\\xbb\\xbfa.mp4 1\\n\\nmy b.mp4 0\\nc.mp4\\t2\\n')]

    {NOISY}
"""

WITH_FIXES = f"""
    import mmact_ssl
    from mmact_ssl.registry import MODELS, TRANSFORMS
    heavy = ['mmaction.models', 'mmpose', 'mmseg', 'mmdet', 'mmpretrain.models']
    heavy.append('mmact_ssl.models')
    answers['early'] = [name for name in heavy if name in sys.modules]
    answers['model'] = MODELS.get('mmaction.ResNet3d').__module__
    answers['transform'] = TRANSFORMS.get('mmaction.Flip').__module__
    import mmaction.models, mmseg.models, mmdet.models, mmpose.models, mmpretrain.models
    import torchvision, mmpose.apis
    {NOISY}
"""

# Those that embed sentences.
TEXT_LIBRARIES = ('transformers', 'sentence_transformers', 'open_clip')

# As if these were not installed.
WITHOUT_PACKAGES = f"""
    TEXT_LIBRARIES = {TEXT_LIBRARIES}
    for name in ('mmpose', 'mmdet', 'mmpretrain', 'mmseg', 'pkg_resources', *TEXT_LIBRARIES):
        sys.modules[name] = None
    import mmact_ssl
    from mmaction.utils import dependency
    dependency.WITH_MULTIMODAL = False
    from mmact_ssl.models.teachers import build_teacher
    from mmact_ssl.registry import import_submodules
    import_submodules('mmact_ssl', mmact_ssl.__path__)
    for teacher in ('rtmpose-t_coco', 'segformer-b0_ade20k_person'):
        ask(teacher, f'build_teacher("mmact_ssl::teachers/{{teacher}}.py")')

    from mmengine.config import Config
    from mmengine.hub import get_config
    from mmengine.utils import get_installed_path, is_installed
    name = 'mmaction::recognition/c3d/c3d_sports1m-pretrained_8xb30-16x1x1-45e_ucf101-rgb.py'
    answers['installed'] = [is_installed('mmaction2'), is_installed('no_such_package')]
    answers['path'] = str(get_installed_path('mmaction2'))
    answers['config'] = get_config(name).model.type
    answers['config path'] = Config._get_cfg_path(name, 'a.py')
    ask('no package', 'get_installed_path("no_such_package")')
"""


@functools.cache
def fresh(code: str) -> tuple[dict[str, Any], str]:
    """The answers of a program in a fresh interpreter, and all that it printed and warned."""
    program = f'{textwrap.dedent(ANSWERS)}\n{textwrap.dedent(code)}\nprint(json.dumps(answers))'
    result = subprocess.run(
        [sys.executable, '-W', 'default', '-c', program],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
    )
    assert result.returncode == 0, result.stdout
    (answers,) = (line for line in result.stdout.splitlines() if line.startswith('{"'))
    return json.loads(answers), result.stdout


def run_fixed(code: str) -> str:
    """Run code where ``mmact_ssl`` is imported already, and return what it printed."""
    return Process.program('-c', textwrap.dedent(code)).wait().out.strip()
