"""CLIP networks of open_clip: as that library computes them, from files alone."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from PIL import Image
from safetensors.torch import save_file

from mmact_ssl.errors import ConfigError, DataError
from mmact_ssl.models.teachers import build_teacher
from mmact_ssl.models.teachers.clip import OpenCLIPTeacher, OpenCLIPTextTeacher
from mmact_ssl.models.teachers.preprocessing import FrameInput

open_clip = pytest.importorskip('open_clip')
transformers = pytest.importorskip('transformers')
SENTENCES = ['a person waves one hand', 'Claps.', 'a person sits down', ' '.join(['on'] * 40)]
CONFIG = dict(
    embed_dim=6,
    vision_cfg=dict(image_size=16, layers=1, width=16, head_width=8, patch_size=8),
    text_cfg=dict(context_length=12, vocab_size=49408, width=16, heads=2, layers=2),
)
INPUT = dict(mean=[0.5, 0.4, 0.3], std=[0.2, 0.25, 0.3], resize_mode='squash')


def save(folder: Path, **changes) -> dict[str, str]:
    """Save a small network with random weights as they are published; its arguments."""
    folder.mkdir()
    config = folder / 'open_clip_config.json'
    content = {**CONFIG, **changes}
    config.write_text(json.dumps(dict(model_cfg=content, preprocess_cfg=INPUT)))
    torch.manual_seed(0)
    network = open_clip.create_model(f'local-dir:{folder}', load_weights=False)
    for value in network.parameters():
        if value.ndim > 1:  # apart from each other, as trained ones are
            torch.nn.init.normal_(value, std=0.3)
    save_file(network.state_dict(), folder / 'open_clip_model.safetensors')
    return dict(model=str(config), checkpoint=str(folder / 'open_clip_model.safetensors'))


@pytest.fixture(scope='module', params=['clip', 'custom text'])
def small(request, tmp_path_factory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp('openclip') / 'small'
    return save(folder, **({'custom_text': True} if request.param == 'custom text' else {}))


def library(small: dict[str, str]):
    """The same network, by open_clip's own reading of the folder."""
    return open_clip.create_model(f'local-dir:{Path(small["model"]).parent}').eval()


def test_sentences_are_embedded_as_the_library_does(small):
    tokens = open_clip.get_tokenizer(f'local-dir:{Path(small["model"]).parent}')(SENTENCES)
    with torch.no_grad():
        wanted = library(small).encode_text(tokens)
    found = OpenCLIPTextTeacher(**small, normalize=False).embed(SENTENCES)
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)
    unit = OpenCLIPTextTeacher(**small).embed(SENTENCES)
    torch.testing.assert_close(unit, wanted / wanted.norm(dim=1, keepdim=True))
    assert unit.std(0).mean() > 0.05


def test_frames_are_embedded_as_the_library_does(small, frames):
    network = library(small)
    square = torch.nn.functional.interpolate(frames.float(), (16, 16)).byte()
    settings = open_clip.transform.PreprocessCfg(**network.visual.preprocess_cfg)
    prepare = open_clip.transform.image_transform_v2(settings, is_train=False)
    images = [prepare(Image.fromarray(frame.permute(1, 2, 0).numpy())) for frame in square]
    with torch.no_grad():
        wanted = network.encode_image(torch.stack(images))
    found = OpenCLIPTeacher(**small, normalize=False)(square)
    torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-4)
    unit = OpenCLIPTeacher(**small)(square)
    torch.testing.assert_close(unit, wanted / wanted.norm(dim=1, keepdim=True), atol=1e-4, rtol=0)
    values = (tuple(255 * v for v in INPUT[name]) for name in ('mean', 'std'))
    with torch.no_grad():  # the whole frame is stretched
        wanted = network.encode_image(FrameInput((16, 16), *values)(frames))
    found = OpenCLIPTeacher(**small, normalize=False, batch_size=2)(frames)
    torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-4)


def test_it_is_frozen_and_known_by_its_content(small, tmp_path):
    config = dict(type='OpenCLIPTextTeacher', **small)
    teacher = build_teacher(config).train()
    assert teacher.kind == 'text'
    assert not teacher.state_dict()
    assert not any(module.training for module in teacher.frozen.modules())
    moved = {name: shutil.copy(path, tmp_path) for name, path in small.items()}
    assert build_teacher({**config, **moved}).fingerprint() == teacher.fingerprint()
    assert build_teacher({**config, 'normalize': False}).fingerprint() != teacher.fingerprint()
    weights = library(small).state_dict()
    next(iter(weights.values())).add_(1)
    save_file(weights, moved['checkpoint'])
    assert build_teacher({**config, **moved}).fingerprint() != teacher.fingerprint()


def test_another_tokenizer_and_an_image_tower_of_timm_are_read(tmp_path, bert_folder, frames):
    """As in SigLIP, whose tokenizer is published beside its weights."""
    vision = dict(timm_model_name='test_vit', timm_model_pretrained=True, timm_pool='token')
    text = {**CONFIG['text_cfg'], 'hf_tokenizer_name': 'timm/ViT-B-16-SigLIP', 'vocab_size': 15}
    small = save(
        tmp_path / 'siglip',
        custom_text=True,
        vision_cfg=dict(image_size=160, timm_proj='linear', **vision),
        text_cfg=text,
    )
    assert OpenCLIPTeacher(**small)(frames[:2]).shape == (2, 6)
    with pytest.raises(DataError, match='no file .*tokenizer.json.* beside model'):
        OpenCLIPTextTeacher(**small)
    for name in ('tokenizer.json', 'tokenizer_config.json', 'vocab.txt'):
        shutil.copy(bert_folder / name, tmp_path / 'siglip')
    teacher = OpenCLIPTextTeacher(**small, normalize=False)
    tokenizer = transformers.BertTokenizerFast.from_pretrained(bert_folder)
    tokens = tokenizer(
        ['a person waves'], padding='max_length', max_length=12, return_tensors='pt'
    )['input_ids']
    with torch.no_grad():
        wanted = library(small).encode_text(tokens)
    torch.testing.assert_close(teacher.embed(['a person waves']), wanted, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ('name', 'kind'), [('text', OpenCLIPTextTeacher), ('frames', OpenCLIPTeacher)]
)
def test_the_configs_are_of_weights_that_open_clip_publishes(small, name, kind):
    settings = dict(Config.fromfile(f'configs/teachers/clip-vit-b32_{name}.py').teacher)
    published = open_clip.get_pretrained_cfg(settings['model'], 'laion2b_s34b_b79k')
    start = f'https://huggingface.co/{published["hf_hub"]}resolve/main/open_clip_model.safetensors'
    assert settings['checkpoint'].startswith(start)
    assert re.search('#sha256=[0-9a-f]{64}$', settings['checkpoint'])
    assert not published.get('quick_gelu')
    assert published['mean'] == open_clip.OPENAI_DATASET_MEAN  # which is ours unasked
    assert open_clip.get_model_config(settings['model'])['embed_dim'] == 512
    assert isinstance(build_teacher({**settings, **small}), kind)


def test_mistakes_are_named(small):
    checkpoint = small['checkpoint']
    with pytest.raises(ConfigError, match=r"no network 'ViT-B/32'; did you mean .*'ViT-B-32'"):
        OpenCLIPTextTeacher('ViT-B/32', checkpoint)
    for name in ('roberta-ViT-B-32', 'coca_ViT-B-32'):
        with pytest.raises(ConfigError, match=f'{name}: text towers of transformers and CoCa'):
            OpenCLIPTextTeacher(name, checkpoint)
