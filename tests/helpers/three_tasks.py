"""A model of three tasks on two views, and frames to train it on."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mmact_ssl.models.heads import PretextHead, Term

LOADER = dict(collate_fn=dict(type='pseudo_collate'))


class Backbone(nn.Module):
    """Has what measuring could disturb: batch statistics and random numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv3d(3, 4, 1)
        self.norm = nn.BatchNorm3d(4)
        self.last = nn.Conv3d(4, 4, 1)

    def forward(self, frames: Tensor) -> Tensor:
        return self.last(nn.functional.dropout(self.norm(self.stem(frames)).relu(), 0.3))


class Head(PretextHead):
    """Draws random numbers and counts its steps, as heads do."""

    def __init__(self, view: str, aim: float) -> None:
        super().__init__(dict(feature_map=f'{view}.feature_map'))
        self.aim = aim
        self.norm = nn.BatchNorm3d(4)
        self.classifier = nn.Conv3d(4, 1, 1)

    def terms(self, feature_map: Tensor) -> dict[str, Term]:
        features = nn.functional.dropout(self.norm(feature_map), 0.2)
        noise = 0.1 * torch.rand(())
        distance = (self.classifier(features) - self.aim - noise).square()
        return dict(loss=Term(distance.flatten(1).mean(1)))


class Frames(torch.utils.data.Dataset):
    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> dict:
        generator = torch.Generator().manual_seed(index)
        views = torch.randint(256, (2, 3, 2, 4, 4), generator=generator, dtype=torch.uint8)
        return dict(inputs=dict(clip=views[0], clip_b=views[1]), targets={}, data_samples=None)


def config(**changes) -> dict:
    """A model of three tasks on two views."""
    heads = dict(up=('clip', 2.0), down=('clip_b', -2.0), third=('clip', 0.5))
    views = ('clip', 'clip_b')
    scale = dict(mean=[128.0] * 3, std=[64.0] * 3)
    return dict(
        backbone=dict(type=Backbone),
        heads={t: dict(type=Head, view=view, aim=aim) for t, (view, aim) in heads.items()},
        data_preprocessor=dict(type='mmact_ssl.PretextDataPreprocessor', views=views, **scale),
        encode=views,
        **changes,
    )
