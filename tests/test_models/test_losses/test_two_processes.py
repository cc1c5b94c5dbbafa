"""Two processes with half a batch each have the loss and gradients of one with the whole batch."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import mmact_ssl  # noqa: F401  the fixes
from mmact_ssl.models.balancers.gradnorm import GradNorm
from mmact_ssl.models.balancers.shared_gradients import SharedGradients
from mmact_ssl.models.balancers.uncertainty import UncertaintyWeights
from mmact_ssl.models.heads.classification import ClassificationHead
from mmact_ssl.models.heads.consistency import ConsistencyHead
from mmact_ssl.models.heads.context_matching import ContextMatchingHead
from mmact_ssl.models.heads.contrast import ContrastHead
from mmact_ssl.models.heads.motion_prediction import MotionPredictionHead
from mmact_ssl.models.heads.parsing_distillation import ParsingDistillationHead
from mmact_ssl.models.heads.pose_prediction import PosePredictionHead
from mmact_ssl.models.heads.prompt_matching import PromptMatchingHead
from mmact_ssl.models.heads.recognition import RecognitionHead
from mmact_ssl.models.heads.teacher_guidance import TeacherGuidanceHead
from mmact_ssl.models.heads.video_generation import VideoGenerationHead
from mmact_ssl.models.losses import global_mean
from mmact_ssl.models.momentum.copy import MomentumCopy

BATCH = 6  # samples of the two processes together


class FrameEncoder(nn.Module):
    """A 2D network without batch normalization, which would see half a batch."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 5, 3, stride=2)

    def forward(self, images: Tensor) -> Tensor:
        return self.convolution(images)


def consistency(kind: str, queue_size: int = 0) -> ConsistencyHead:
    """The batch normalization of its projector would see half a batch, so that rests."""
    head = ConsistencyHead(4, kind, queue_size=queue_size, hidden_dim=8, embedding_dim=5)
    head.projector.eval()
    return head


def cases() -> dict[str, tuple[nn.Module, dict[str, Tensor]]]:
    """Modules and whole batches, in which the second half has far more of what counts."""
    torch.manual_seed(0)
    few = torch.zeros(BATCH, 3, dtype=torch.bool)
    few[0, 1] = True
    few[3:] = True
    few[4, 0] = False
    maps = dict(static=torch.randn(BATCH, 4, 2, 4, 4), dynamic=torch.randn(BATCH, 4, 2, 4, 4))
    clips = dict(
        query=torch.randn(BATCH, 4, 1, 2, 2),
        key=torch.randn(BATCH, 4, 1, 2, 2),
        video=torch.tensor([1, 2, 3, 4, 2, 6]),
    )
    speeds = dict(
        query_speed=torch.tensor([1, 1, 2, 2, 1, 2]),
        key_speed=torch.tensor([2, 1, 2, 1, 2, 1]),
        query_valid=torch.tensor([[True], [False], [False], [True], [True], [True]]),
        key_valid=torch.ones(BATCH, 1, dtype=torch.bool),
    )
    pose = torch.rand(2, BATCH, 3, 5, 3)
    pose[:, : BATCH // 2, ..., 2] *= 0.1
    # In evaluation no frames are drawn by chance; the penalty is due at iteration 0.
    video = VideoGenerationHead(4, 16, 4, resolutions=(8, 16)).eval()
    video.adversarial.train()
    for render in video.generators['future'].render.values():
        nn.init.normal_(render.change.weight, std=0.1)  # the start does not depend on the features
    # Only the projectors' batch normalization would see half a batch.
    guidance = TeacherGuidanceHead(
        4,
        teachers=dict(image=dict(channels=5), pose=dict(joints=7, deviation=True)),
        weights=dict(type='LearnedTeacherWeights'),
        hidden_dim=8,
    ).eval()
    guidance.pooled_targets.train()
    options = dict(alpha_max=0.6, schedule='constant', cross_consistency=True)
    prompts = PromptMatchingHead(4, 5, hidden_dim=8, embedding_dim=6, **options)
    return dict(
        context=(
            ContextMatchingHead(4, dict(type=FrameEncoder), 5, embedding_dim=6, hidden_dim=8),
            dict(
                static=maps['static'],
                keyframes=torch.randn(BATCH, 3, 3, 8, 8),
                valid=few,
            ),
        ),
        pose=(
            PosePredictionHead(4, num_joints=5, noise_dim=0, observed_frames=2, hidden_dim=8),
            dict(
                dynamic=maps['dynamic'],
                observed=pose[0],
                observed_valid=torch.ones(BATCH, 3, dtype=torch.bool),
                future=pose[1],
                future_valid=few,
            ),
        ),
        motion=(
            MotionPredictionHead(4, 'jhmdb15', coordinates=2, hidden_size=6),
            dict(
                feature_map=torch.randn(BATCH, 1, 4, 3, 1),
                clip=torch.randn(BATCH, 1, 3, 15, 2),
                # Clips of one frame, then of three.
                valid=(few | torch.tensor([True, False, False]))[:, None].cummin(2).values,
            ),
        ),
        contrast=(
            # Batch normalization would see half a batch.
            ContrastHead(4, ('one', 'two', 'three'), hidden_dim=8, embedding_dim=6).eval(),
            {view: torch.randn(BATCH, 4) for view in ('one', 'two', 'three')},
        ),
        appearance=(consistency('appearance'), clips),
        consistent_motion=(consistency('motion'), {**clips, **speeds}),
        # The queue's first half is what a step before has left.
        queue=(filled(consistency('motion', queue_size=9)), {**clips, **speeds}),
        parsing=(
            ParsingDistillationHead(4, 3, (4, 4), frames_per_step=1, hidden_dim=8),
            dict(
                features=torch.randn(BATCH, 4, 3, 2, 2),
                parts=torch.rand(BATCH, 3, 3, 4, 4).softmax(2),
                valid=few,
            ),
        ),
        prompts=(
            prompts,
            dict(
                pooled=torch.randn(BATCH, 4),
                momentum_pooled=torch.randn(BATCH, 4),
                prompt=torch.randn(BATCH, 1, 5),
                valid=few.any(1),
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
            dict(
                feature_map=torch.randn(BATCH, 4, 2, 2, 2), label=torch.tensor([-1, 2, -1, 0, 1, 1])
            ),
        ),
        guidance=(
            guidance,
            {
                **{view: torch.randn(BATCH, 4) for view in ('clip', 'clip_b')},
                **{f'{view}_valid': torch.ones_like(few) for view in ('clip', 'clip_b')},
                **{f'{view}_image': torch.randn(BATCH, 3, 5) for view in ('clip', 'clip_b')},
                # Somebody in one clip of the first half only.
                'clip_pose': torch.rand(BATCH, 3, 7, 3) * few.any(1)[:, None, None, None],
                'clip_b_pose': torch.rand(BATCH, 3, 7, 3),
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


def filled(head: ConsistencyHead) -> ConsistencyHead:
    """Four keys are in the queue, as every process has them."""
    queue = head.queue
    queue.features[:4] = torch.randn(4, 5)
    queue.labels[:4] = torch.tensor([[7, 1, 1], [2, 2, 1], [8, 2, 0], [9, 1, 1]])
    queue.filled[:4] = True
    queue.pointer.fill_(4)
    return head


def losses_and_gradients(rank: int, world_size: int) -> dict[str, dict[str, Tensor]]:
    """Of this process's share of each batch: each loss, and the gradient of their sum."""
    results = {}
    for case, (module, batch) in cases().items():
        own = {name: value.chunk(world_size)[rank] for name, value in batch.items()}
        losses = {name: v for name, v in module.loss(**own).items() if 'loss' in name}
        sum(losses.values()).backward()
        results[case] = {name: value.detach() for name, value in losses.items()}
        if case == 'queue':
            queues = {name: value.clone() for name, value in module.queue.state_dict().items()}
            results['queue after'] = queues
        for name, parameter in module.named_parameters():
            if not parameter.requires_grad:  # a momentum copy
                continue
            results[case][f'gradient of {name}'] = parameter.grad
    results['copy after'] = momentum_copy_after(rank, world_size)
    results['chance'] = chance_of_prompts(rank, world_size)
    results['gradnorm'] = gradnorm_after(rank, world_size)
    results['uncertainty'] = uncertainty_after(rank, world_size)
    return results


def chance_of_prompts(rank: int, world_size: int) -> dict[str, Tensor]:
    """Chance to find the sentence of one's own clips, NaN without a sentence."""
    head, batch = cases()['prompts']
    own = {name: value.chunk(world_size)[rank] for name, value in batch.items()}
    return dict(chance=head.predict(**own)['chance'])


def gradnorm_after(rank: int, world_size: int) -> dict[str, Tensor]:
    """GradNorm after two batches: of the second task one process has nothing, then both have."""
    torch.manual_seed(2)
    backbone = nn.Linear(3, 2)
    balancer = GradNorm(rate=0.1, tasks=('every', 'few'))
    share = BATCH // world_size
    for counts in (torch.arange(BATCH) < BATCH // 2, torch.zeros(BATCH, dtype=torch.bool)):
        features = backbone(torch.randn(BATCH, 3)[rank * share : (rank + 1) * share])
        own = counts[rank * share : (rank + 1) * share]
        few = (features[:, 1].square() * own).mean()
        losses = dict(every=features[:, 0].square().mean(), few=few)
        gradients = SharedGradients(losses, [features], backbone)
        balancer(losses, 0.0, gradients, losses)
    return balancer.state_dict()


def uncertainty_after(rank: int, world_size: int) -> dict[str, Tensor]:
    """Gradients of the log variances: of one task one process has nothing, of another both have."""
    balancer = UncertaintyWeights(tasks=('every', 'few', 'none'))
    counted = dict(
        every=torch.ones(BATCH),
        few=(torch.arange(BATCH) < BATCH // 2).float(),
        none=torch.zeros(BATCH),
    )
    losses = {
        task: global_mean(torch.arange(1.0, BATCH + 1).chunk(world_size)[rank], own)
        for task, own in ((t, c.chunk(world_size)[rank]) for t, c in counted.items())
    }
    balancer(losses, 0.0, None, losses).backward()
    return {name: parameter.grad for name, parameter in balancer.named_parameters()}


def momentum_copy_after(rank: int, world_size: int) -> dict[str, Tensor]:
    """A momentum copy after two steps, in which each process's student saw its own samples."""
    torch.manual_seed(1)
    student = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    copy = MomentumCopy(student, 0.5)
    copy.start(student)
    for samples in torch.randn(2, BATCH, 3):
        student(samples.chunk(world_size)[rank])
        copy.follow(student)
    return {name: value.clone() for name, value in copy.module.state_dict().items()}


@pytest.fixture(scope='module')
def halves(tmp_path_factory: pytest.TempPathFactory, in_two_processes) -> list[dict]:
    """What two processes saw: this file, run as a program, twice."""
    folder = tmp_path_factory.mktemp('two')
    in_two_processes(__file__, folder)
    return [torch.load(folder / f'{rank}.pt') for rank in range(2)]


@pytest.fixture(scope='module')
def whole() -> dict:
    return losses_and_gradients(0, 1)


CASES = (
    *('context', 'pose', 'motion', 'contrast', 'appearance', 'consistent_motion', 'queue'),
    *('parsing', 'prompts', 'classification', 'recognition', 'guidance', 'video'),
)


@pytest.mark.parametrize('case', CASES)
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


def test_every_process_has_the_queue_of_one(halves: list[dict], whole: dict):
    expected = whole['queue after']
    assert expected['pointer'] == (4 + BATCH) % 9 and expected['filled'].all()
    for name, value in expected.items():
        assert torch.equal(halves[0]['queue after'][name], halves[1]['queue after'][name]), name
        torch.testing.assert_close(halves[0]['queue after'][name], value)


def test_every_process_has_the_same_momentum_copy(halves: list[dict], whole: dict):
    """Though batch normalization has other statistics in each."""
    first, second = (half['copy after'] for half in halves)
    for name, value in first.items():
        assert torch.equal(value, second[name]), name
    # The mean of both halves' means is that of the whole; of variances it is not.
    torch.testing.assert_close(first['1.running_mean'], whole['copy after']['1.running_mean'])


def test_chance_is_among_the_sentences_that_are_searched(halves: list[dict], whole: dict):
    chance = torch.cat([half['chance']['chance'] for half in halves])
    torch.testing.assert_close(chance, whole['chance']['chance'], equal_nan=True)
    assert (chance[~chance.isnan()] == 1 / 4).all(), 'four of the six clips have a sentence'


def test_every_process_leaves_the_same_tasks_out(halves: list[dict], whole: dict):
    first, second = (half['gradnorm'] for half in halves)
    for name, value in whole['gradnorm'].items():
        assert torch.equal(first[name], second[name]), name
        torch.testing.assert_close(first[name], value)
    assert whole['gradnorm']['states.few.first_loss'] > 0
    assert whole['gradnorm']['states.few.weight'] != 1


def test_a_process_without_a_task_that_others_have_still_learns_its_uncertainty(
    halves: list[dict], whole: dict
):
    """Distributed training takes the mean of both: by that of all samples, 1 - loss."""
    first, second = (half['uncertainty'] for half in halves)
    for task, loss in dict(every=3.5, few=2.0, none=1.0).items():
        name = f'log_variances.{task}'
        assert float(whole['uncertainty'][name]) == pytest.approx(1 - loss)
        assert float(first[name] + second[name]) / 2 == pytest.approx(1 - loss)
    # That of the process with nothing: left out by it alone, the mean would be half as large.
    assert float(second['log_variances.few']) == 1


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
