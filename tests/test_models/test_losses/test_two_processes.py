"""Two processes with half a batch each have the loss and gradients of one with the whole batch."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import mmact_ssl  # noqa: F401  the mends
from mmact_ssl.models.heads import (
    ClassificationHead,
    ContextMatchingHead,
    ContrastHead,
    MotionPredictionHead,
    PosePredictionHead,
    PromptMatchingHead,
    RecognitionHead,
    TeacherGuidanceHead,
    VideoGenerationHead,
)
from mmact_ssl.models.losses import multi_instance_info_nce, weighted_smooth_l1

BATCH = 6  # samples of the two processes together


class FrameEncoder(nn.Module):
    """A 2D network without batch normalisation, which would see half a batch."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 5, 3, stride=2)

    def forward(self, images: Tensor) -> Tensor:
        return self.convolution(images)


class InfoNCE(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.query, self.key = nn.Linear(4, 5), nn.Linear(4, 5)

    def loss(self, queries: Tensor, keys: Tensor, valid: Tensor) -> dict[str, Tensor]:
        return multi_instance_info_nce(self.query(queries), self.key(keys), valid, 0.2)


class SmoothL1(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 2)

    def loss(self, poses: Tensor, target: Tensor, weight: Tensor) -> dict[str, Tensor]:
        return dict(loss=weighted_smooth_l1(self.layer(poses), target, weight, 0.1))


def cases() -> dict[str, tuple[nn.Module, dict[str, Tensor]]]:
    """Modules and whole batches, in which the second half has far more of what counts."""
    torch.manual_seed(0)
    few = torch.zeros(BATCH, 3, dtype=torch.bool)
    few[0, 1] = True
    few[3:] = True
    few[4, 0] = False
    maps = dict(static=torch.randn(BATCH, 4, 2, 4, 4), dynamic=torch.randn(BATCH, 4, 2, 4, 4))
    pose = torch.rand(2, BATCH, 3, 5, 3)
    pose[:, : BATCH // 2, ..., 2] *= 0.1
    # In evaluation no frames are drawn by chance; at step 0 the R1 penalty is due.
    video = VideoGenerationHead(4, 16, 4, resolutions=(8, 16)).eval()
    for render in video.generators['future'].render.values():
        nn.init.normal_(render.change.weight, std=0.1)  # the start does not depend on the features
    # Only the projectors' batch normalisation would see half a batch.
    guidance = TeacherGuidanceHead(
        4,
        teachers=dict(image=dict(channels=5), pose=dict(channels=21, deviation=True)),
        weights=dict(type='LearnedTeacherWeights'),
        hidden_dim=8,
    ).eval()
    guidance.standardisers.train()
    prompts = PromptMatchingHead(4, 5, cross_consistency=True, hidden_dim=8, embedding_dim=6)
    prompts.alpha = 0.6
    return dict(
        info_nce=(
            InfoNCE(),
            dict(queries=torch.randn(BATCH, 4), keys=torch.randn(BATCH, 3, 4), valid=few),
        ),
        smooth_l1=(
            SmoothL1(),
            dict(poses=pose[0, ..., :2], target=pose[1, ..., :2], weight=pose[1, ..., 2]),
        ),
        context=(
            ContextMatchingHead(4, dict(type=FrameEncoder), 5, embedding_dim=6, hidden_dim=8),
            dict(
                static=maps['static'],
                keyframes=torch.randn(BATCH, 3, 3, 8, 8),
                keyframes_valid=few,
            ),
        ),
        pose=(
            PosePredictionHead(4, num_joints=5, noise_dim=0, observed_frames=2, hidden_dim=8),
            dict(
                dynamic=maps['dynamic'],
                observed_pose=pose[0],
                observed_valid=torch.ones(BATCH, 3, dtype=torch.bool),
                future_pose=pose[1],
                future_valid=few,
            ),
        ),
        motion=(
            MotionPredictionHead(4, 'jhmdb15', coordinates=2, hidden_size=6),
            dict(
                trunk=torch.randn(BATCH, 1, 4, 3, 1),
                clip=torch.randn(BATCH, 1, 3, 15, 2),
                # Clips of one frame, then of three.
                clip_valid=(few | torch.tensor([True, False, False]))[:, None].cummin(2).values,
            ),
        ),
        contrast=(
            # Batch normalisation would see half a batch.
            ContrastHead(4, ('one', 'two', 'three'), hidden_dim=8, embedding_dim=6).eval(),
            {view: torch.randn(BATCH, 4) for view in ('one', 'two', 'three')},
        ),
        prompts=(
            prompts,
            dict(
                pooled=torch.randn(BATCH, 4),
                momentum_pooled=torch.randn(BATCH, 4),
                prompt=torch.randn(BATCH, 1, 5),
                prompt_valid=few.any(1),
            ),
        ),
        classification=(
            ClassificationHead(4, num_classes=3),
            dict(pooled=torch.randn(BATCH, 4), label=torch.tensor([-1, 2, -1, 0, 1, 1])),
        ),
        recognition=(
            RecognitionHead(
                dict(type='mmaction.I3DHead', num_classes=3, in_channels=4, dropout_ratio=0.0)
            ),
            dict(trunk=torch.randn(BATCH, 4, 2, 2, 2), label=torch.tensor([-1, 2, -1, 0, 1, 1])),
        ),
        guidance=(
            guidance,
            {
                **{view: torch.randn(BATCH, 4) for view in ('clip', 'other')},
                **{f'{view}_valid': torch.ones_like(few) for view in ('clip', 'other')},
                **{f'{view}_image': torch.randn(BATCH, 3, 5) for view in ('clip', 'other')},
                **{f'{view}_pose': torch.randn(BATCH, 3, 7, 3) for view in ('clip', 'other')},
            },
        ),
        video=(
            video,
            dict(
                maps,
                current=torch.randn(BATCH, 3, 3, 16, 16),
                current_valid=few | torch.tensor([True, False, False]),
                future=torch.randn(BATCH, 3, 3, 16, 16),
                future_valid=few,
            ),
        ),
    )


def losses_and_gradients(rank: int, world_size: int) -> dict[str, dict[str, Tensor]]:
    """Of this process's share of each batch: each loss, and the gradient of their sum."""
    results = {}
    for case, (module, batch) in cases().items():
        own = {name: value.chunk(world_size)[rank] for name, value in batch.items()}
        losses = {name: v for name, v in module.loss(**own).items() if 'loss' in name}
        sum(losses.values()).backward()
        results[case] = {name: value.detach() for name, value in losses.items()}
        trained = ((n, p) for n, p in module.named_parameters() if p.requires_grad)
        for name, parameter in trained:
            results[case][f'gradient of {name}'] = parameter.grad
    return results


@pytest.fixture(scope='module')
def halves(tmp_path_factory: pytest.TempPathFactory) -> list[dict]:
    """What two processes saw: this file, run as a program, twice."""
    folder = tmp_path_factory.mktemp('two')
    processes = [
        subprocess.Popen(
            [sys.executable, __file__, str(rank), str(folder)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(2)
    ]
    outputs = [process.communicate(timeout=600)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], '\n'.join(outputs)
    return [torch.load(folder / f'{rank}.pt') for rank in range(2)]


@pytest.fixture(scope='module')
def whole() -> dict:
    return losses_and_gradients(0, 1)


@pytest.mark.parametrize(
    'case',
    [
        'info_nce',
        'smooth_l1',
        'context',
        'pose',
        'motion',
        'contrast',
        'prompts',
        'classification',
        'video',
    ],
)
def test_means_of_two_processes_equal_one_process(case: str, halves: list[dict], whole: dict):
    """Distributed training takes the mean of both, as is done here."""
    assert sum('gradient' in name for name in whole[case]) >= 2
    for name, expected in whole[case].items():
        mean = (halves[0][case][name] + halves[1][case][name]) / 2
        torch.testing.assert_close(
            mean, expected, rtol=1e-3, atol=1e-5, msg=lambda m, n=name: f'{n}: {m}'
        )
    assert any(
        not torch.allclose(halves[0][case][name], expected)
        for name, expected in whole[case].items()
    ), 'the halves are not alike, or the test could not fail'


def work(rank: int, folder: Path) -> None:
    torch.distributed.init_process_group(
        'gloo', init_method=f'file://{folder}/rendezvous', rank=rank, world_size=2
    )
    torch.save(losses_and_gradients(rank, 2), folder / f'{rank}.pt')
    torch.distributed.barrier()
    # Not destroy_process_group: on a busy machine its join of gloo's threads may wait for ever.
    os._exit(0)


if __name__ == '__main__':
    work(int(sys.argv[1]), Path(sys.argv[2]))
