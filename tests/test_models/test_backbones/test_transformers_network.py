"""Features of networks of transformers, against transformers itself on the frames of a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import transformers

from mmact_ssl.apis.feature_inferencer import FeatureInferencer
from mmact_ssl.datasets.video_reader import VideoReader
from tests.helpers.hf_networks import KINDS, save_network
from tests.helpers.videos import write_video

IMAGES = ('dinov2', 'clip', 'siglip')


def clip_indices(total: int, frames: int, stride: int) -> list[np.ndarray]:
    """Frames of three clips, the first at the start of a video and the last at its end."""
    last = max(total - (frames - 1) * stride - 1, 0)
    starts = [0, round(last / 2), last]
    return [np.minimum(start + stride * np.arange(frames), total - 1) for start in starts]


def expected_feature(folder: str, kind: str, path: Path, frames: int, stride: int) -> np.ndarray:
    """The feature of a video by transformers alone, one clip and one image after the other."""
    is_video = kind == 'vjepa2'
    loader = transformers.AutoVideoProcessor if is_video else transformers.AutoImageProcessor
    processor = loader.from_pretrained(folder)
    network = transformers.AutoModel.from_pretrained(folder)
    found = []
    with VideoReader(path) as reader, torch.no_grad():
        for inds in clip_indices(reader.total_frames, frames, stride):
            decoded = reader.read(inds)
            images = [decoded[int(index)] for index in inds]
            if kind in IMAGES:
                for image in images:
                    values = processor(image, return_tensors='pt')['pixel_values']
                    if kind == 'dinov2':
                        found.append(network(values).pooler_output[0])
                    else:
                        found.append(network.vision_model(values).pooler_output[0])
            elif is_video:
                given = processor(np.stack(images), return_tensors='pt', do_sample_frames=False)
                found.append(network(**given, skip_predictor=True).last_hidden_state[0].mean(0))
            else:
                tokens = network(**processor(images, return_tensors='pt')).last_hidden_state[0]
                found.append(tokens.mean(0) if kind == 'videomae' else tokens[0])
    return torch.stack(found).mean(0).numpy()


def relative(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


# Odd sizes, portrait, and fewer frames than a clip spans.
VIDEOS = [
    dict(width=75, height=53, pix_fmt='yuv444p', num_frames=41),
    dict(width=48, height=90, num_frames=9),
]


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize(('side', 'frames', 'width'), [(32, 16, 32), (48, 64, 48)])
def test_features_of_a_file_are_those_of_transformers(kind, side, frames, width, tmp_path):
    folder = save_network(tmp_path / 'network', kind, side, frames, width)
    length = 8 if kind in IMAGES else frames
    inferencer = FeatureInferencer(f'hf-video,model={folder},stride=2', device='cpu')
    config = inferencer.encoder.config
    assert (config.name, config.options['frames']) == ('hf-video-network', length)
    for number, settings in enumerate(VIDEOS):
        path = write_video(tmp_path / f'{number}.mp4', **settings)
        found = inferencer(path)['features'][0]
        expected = expected_feature(folder, kind, path, length, 2)
        assert found.shape == expected.shape == (config.channels,)
        assert relative(found, expected) < 1e-5
