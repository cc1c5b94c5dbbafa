"""Small teachers of every family, with random weights on disk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from mmengine.config import Config
from torch import nn

from mmact_ssl.models.teachers.mmlab_config import build_network


def randomize(network: nn.Module, seed: int = 0) -> nn.Module:
    """Random weights and batch-norm statistics, so that every layer matters."""
    generator = torch.Generator().manual_seed(seed)
    for name, value in network.state_dict().items():
        if name.endswith('running_var') or (value.ndim == 1 and name.endswith('weight')):
            value.uniform_(0.5, 1.5, generator=generator)
        elif value.is_floating_point():
            # Activations keep their size from layer to layer (He et al. 2015).
            deviation = (2 / value[0].numel()) ** 0.5 if value.ndim > 1 else 0.1
            value.normal_(0, deviation, generator=generator)
    return network.eval()


NORMALIZE = {'mean': [123.675, 116.28, 103.53], 'std': [58.395, 57.12, 57.375]}
SMALL = {'type': 'ResNet', 'depth': 18, 'base_channels': 8, 'stem_channels': 8}
SMALL_3D = {
    'type': 'ResNet3d',
    'depth': 18,
    'base_channels': 8,
    'pretrained2d': False,
    'conv_cfg': {'type': 'Conv3d'},
    'norm_eval': False,
}
VIDEO_NORMALIZE = {'type': 'ActionDataPreprocessor', **NORMALIZE}
MODELS = {
    'mmpretrain': {
        'type': 'ImageClassifier',
        'backbone': SMALL,
        'neck': {'type': 'GlobalAveragePooling'},
        'head': {'type': 'LinearClsHead', 'num_classes': 7, 'in_channels': 64},
    },
    'mmaction_2d': {
        'type': 'Recognizer2D',
        'backbone': {'type': 'mmpretrain.ResNet', **{k: SMALL[k] for k in SMALL if k != 'type'}},
        'cls_head': {'type': 'TSNHead', 'num_classes': 5, 'in_channels': 64},
        'data_preprocessor': {**VIDEO_NORMALIZE, 'format_shape': 'NCHW'},
    },
    'mmaction_3d': {
        'type': 'Recognizer3D',
        'backbone': SMALL_3D,
        'cls_head': {'type': 'I3DHead', 'num_classes': 5, 'in_channels': 64},
        'data_preprocessor': {**VIDEO_NORMALIZE, 'format_shape': 'NCTHW'},
    },
    'mmpose': {
        'type': 'TopdownPoseEstimator',
        'data_preprocessor': {'type': 'PoseDataPreprocessor', **NORMALIZE, 'bgr_to_rgb': True},
        'backbone': SMALL,
        'head': {
            'type': 'HeatmapHead',
            'in_channels': 64,
            'out_channels': 17,
            'deconv_out_channels': [8],
            'deconv_kernel_sizes': [4],
        },
    },
    'mmseg': {
        'type': 'EncoderDecoder',
        'data_preprocessor': {'type': 'SegDataPreProcessor', **NORMALIZE, 'bgr_to_rgb': True},
        'backbone': {'type': 'ResNetV1c', **{k: SMALL[k] for k in SMALL if k != 'type'}},
        'decode_head': {
            'type': 'FCNHead',
            'in_channels': 64,
            'channels': 16,
            'num_classes': 4,
            'num_convs': 1,
            'norm_cfg': {'type': 'SyncBN'},
        },
        'auxiliary_head': {
            'type': 'FCNHead',
            'in_channels': 32,
            'in_index': 2,
            'channels': 8,
            'num_classes': 4,
        },
        'test_cfg': {'mode': 'whole'},
    },
}
# The steps of test pipelines that a teacher reads.
PIPELINES = {
    'mmaction_3d': [{'type': 'SampleFrames', 'clip_len': 4, 'frame_interval': 2}],
    'mmpose': [{'type': 'TopdownAffine', 'input_size': (24, 32)}],
}


@pytest.fixture(scope='session')
def small_model(tmp_path_factory: pytest.TempPathFactory):
    """Writes a small model of a family: its config, its checkpoint, and the network itself."""
    made: dict[str, SimpleNamespace] = {}

    def make(family: str) -> SimpleNamespace:
        if family not in made:
            folder = tmp_path_factory.mktemp(family)
            scope = family.split('_')[0]
            loader = {'dataset': {'type': 'Any', 'pipeline': PIPELINES.get(family, [])}}
            settings = {'default_scope': scope, 'model': MODELS[family], 'test_dataloader': loader}
            if family == 'mmpretrain':
                settings['data_preprocessor'] = {**NORMALIZE, 'to_rgb': True, 'num_classes': 7}
            Config(settings).dump(str(folder / 'config.py'))
            network = randomize(build_network(MODELS[family], scope))
            torch.save({'state_dict': network.state_dict()}, folder / 'checkpoint.pth')
            files = {name: str(folder / f) for name, f in FILES.items()}
            made[family] = SimpleNamespace(files=files, network=network, folder=Path(folder))
        return made[family]

    return make


FILES = {'config': 'config.py', 'checkpoint': 'checkpoint.pth'}
VOCABULARY = '[PAD] [UNK] [CLS] [SEP] a person waves one hand both claps sits down stands up'


@pytest.fixture(scope='session')
def save_text_network() -> Callable[..., Path]:
    """Saves a network of transformers, its weights made random, and a tokenizer of VOCABULARY."""
    transformers = pytest.importorskip('transformers')

    def save(folder: Path, network: Any) -> Path:
        folder.mkdir(exist_ok=True)
        (folder / 'vocab.txt').write_text(VOCABULARY.replace(' ', '\n'))
        vocabulary = str(folder / 'vocab.txt')
        tokenizer = transformers.BertTokenizerFast(vocab_file=vocabulary, model_max_length=512)
        tokenizer.save_pretrained(folder)
        randomize(network).save_pretrained(folder)
        return folder

    return save


@pytest.fixture(scope='session')
def bert_folder(save_text_network, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small BERT with random weights, saved as transformers saves."""
    import transformers

    config = transformers.BertConfig(
        vocab_size=len(VOCABULARY.split()),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
    )
    return save_text_network(tmp_path_factory.mktemp('bert'), transformers.BertModel(config))


@pytest.fixture(scope='session')
def frames() -> torch.Tensor:
    """uint8 (5, 3, 45, 60), smooth enough that resizing keeps something."""
    generator = torch.Generator().manual_seed(1)
    coarse = torch.rand(5, 3, 9, 12, generator=generator)
    return (torch.nn.functional.interpolate(coarse, (45, 60), mode='bilinear') * 255).byte()


@pytest.fixture(scope='session')
def clips(frames: torch.Tensor) -> torch.Tensor:
    """uint8 (5, 4, 3, 45, 60): four frames of each clip."""
    return torch.stack([frames.roll(-step, 0) for step in range(4)], dim=1)
