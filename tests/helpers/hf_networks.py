"""Small networks of Hugging Face's transformers with random weights, in folders as of the hub."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers

KINDS = ('videomae', 'vjepa2', 'timesformer', 'vivit', 'dinov2', 'clip', 'siglip')


def save_network(folder: Path, kind: str, side: int = 32, frames: int = 16, width: int = 32) -> str:
    """Write a network of two layers and its preprocessing, and return its folder."""
    tower: dict[str, Any] = dict(
        hidden_size=width, num_hidden_layers=2, num_attention_heads=4, intermediate_size=2 * width
    )
    patch: dict[str, Any] = dict(image_size=side, patch_size=side // 2)
    words: dict[str, Any] = dict(**tower, vocab_size=50, bos_token_id=0, eos_token_id=1)
    crop: dict[str, Any] = dict(
        size=dict(shortest_edge=side + 4), crop_size=dict(height=side, width=side)
    )
    t: Any = transformers
    if kind == 'videomae':
        config = t.VideoMAEConfig(**tower, **patch, num_frames=frames, use_mean_pooling=side > 32)
        processor = t.VideoMAEImageProcessor(**crop)
    elif kind == 'vjepa2':
        config = t.VJEPA2Config(
            **tower | dict(hidden_size=12 * width // 8),
            crop_size=side,
            patch_size=side // 2,
            frames_per_clip=frames,
            pred_hidden_size=24,
            pred_num_attention_heads=2,
            pred_num_hidden_layers=1,
        )
        processor = t.VJEPA2VideoProcessor(crop_size=side)
    elif kind == 'timesformer':
        config = t.TimesformerConfig(**tower, **patch, num_frames=frames)
        processor = t.VideoMAEImageProcessor(**crop, image_mean=[0.45] * 3, image_std=[0.225] * 3)
    elif kind == 'vivit':
        tubelet = [2, side // 2, side // 2]
        config = t.VivitConfig(**tower, image_size=side, num_frames=frames, tubelet_size=tubelet)
        processor = t.VivitImageProcessor(**crop)
    elif kind == 'dinov2':
        config = t.Dinov2Config(**tower, **patch)
        processor = t.BitImageProcessor(**crop, resample=3)
    elif kind == 'clip':
        config = t.CLIPConfig(text_config=words, vision_config=tower | patch, projection_dim=16)
        processor = t.CLIPImageProcessor(**crop)
    else:
        config = t.SiglipConfig(text_config=words, vision_config=tower | patch)
        processor = t.SiglipImageProcessor(size=dict(height=side, width=side))
    torch.manual_seed(0)
    network = t.AutoModel.from_config(config)
    for parameter in network.parameters():  # initial weights of 0 and 1 hide what is left out
        parameter.data += 0.1 * torch.randn_like(parameter)
    network.save_pretrained(folder)
    processor.save_pretrained(folder)
    return str(folder)
