"""CLIP networks of open_clip: as that library computes them, from files alone."""

from __future__ import annotations

import json
import re
import shutil

import pytest
import torch
from mmengine.config import Config
from PIL import Image
from safetensors.torch import save_file

from mmact_ssl.errors import ConfigError
from mmact_ssl.models.teachers import build_teacher
from mmact_ssl.models.teachers.clip import OpenCLIPTeacher, OpenCLIPTextTeacher
from mmact_ssl.models.teachers.preprocessing import FrameInput

open_clip = pytest.importorskip('open_clip')
SENTENCES = ['a person waves one hand', 'Claps.', 'a person sits down', ' '.join(['on'] * 40)]
CONFIG = dict(
    embed_dim=6,
    vision_cfg=dict(image_size=16, layers=1, width=16, head_width=8, patch_size=8),
    text_cfg=dict(context_length=12, vocab_size=49408, width=16, heads=2, layers=2),
)


KINDS = {
    'plain': {},
    'custom-text': dict(custom_text=True),
    'timm': dict(
        custom_text=True,
        vision_cfg=dict(
            **dict(image_size=160, timm_model_name='test_vit', timm_model_pretrained=True),
            **dict(timm_pool='token', timm_proj='linear'),
        ),
    ),
}


@pytest.fixture(scope='module', params=KINDS)
def small(request, tmp_path_factory) -> dict[str, str]:
    """Arguments of a small network that open_clip knows by name, with random weights in a file."""
    folder = tmp_path_factory.mktemp('openclip')
    name = f'test-{request.param}'
    (folder / f'{name}.json').write_text(json.dumps({**CONFIG, **KINDS[request.param]}))
    open_clip.add_model_config(folder / f'{name}.json')
    torch.manual_seed(0)
    network = open_clip.create_model(name, pretrained_image=False)
    for value in network.parameters():
        if value.ndim > 1:  # apart from each other, as trained ones are
            torch.nn.init.normal_(value, std=0.3)
    save_file(network.state_dict(), folder / 'weights.safetensors')
    return dict(model=name, checkpoint=str(folder / 'weights.safetensors'))


def library(small: dict[str, str]):
    """The same network, by open_clip's own reading of the file."""
    return open_clip.create_model(small['model'], pretrained=small['checkpoint']).eval()


def test_sentences_are_embedded_as_the_library_does(small):
    with torch.no_grad():
        wanted = library(small).encode_text(open_clip.get_tokenizer(small['model'])(SENTENCES))
    found = OpenCLIPTextTeacher(**small).embed(SENTENCES)
    wanted = wanted / wanted.norm(dim=1, keepdim=True)
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)
    assert found.std(0).mean() > 0.05


def test_frames_are_embedded_as_the_library_does(small, frames):
    network = library(small)
    side = network.visual.image_size[0]
    square = torch.nn.functional.interpolate(frames.float(), (side, side)).byte()
    settings = open_clip.transform.PreprocessCfg(size=side, resize_mode='squash')
    prepare = open_clip.transform.image_transform_v2(settings, is_train=False)
    images = [prepare(Image.fromarray(frame.permute(1, 2, 0).numpy())) for frame in square]
    values = (
        tuple(255 * v for v in getattr(open_clip, f'OPENAI_DATASET_{name}'))
        for name in ('MEAN', 'STD')
    )
    whole = FrameInput((side, side), *values)(frames)  # the whole frame is stretched
    teacher = OpenCLIPTeacher(**small, batch_size=2)
    for found, prepared in ((teacher(square), torch.stack(images)), (teacher(frames), whole)):
        with torch.no_grad():
            wanted = network.encode_image(prepared)
        torch.testing.assert_close(
            found, wanted / wanted.norm(dim=1, keepdim=True), atol=1e-4, rtol=0
        )


def test_it_is_frozen_and_known_by_its_content(small, tmp_path):
    config = dict(type='OpenCLIPTextTeacher', **small)
    teacher = build_teacher(config).train()
    assert teacher.kind == 'text'
    assert not teacher.state_dict()
    assert not any(module.training for module in teacher.frozen.modules())
    moved = {**config, 'checkpoint': shutil.copy(small['checkpoint'], tmp_path)}
    assert build_teacher(moved).fingerprint() == teacher.fingerprint()
    weights = library(small).state_dict()
    next(iter(weights.values())).add_(1)
    save_file(weights, moved['checkpoint'])
    assert build_teacher(moved).fingerprint() != teacher.fingerprint()


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
    with pytest.raises(ConfigError, match='SigLIP has its own tokenizer'):
        OpenCLIPTextTeacher('ViT-B-16-SigLIP', checkpoint)
