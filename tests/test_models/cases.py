"""Every head on a small whole batch, for tests of what holds for all of them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

import mmact_ssl  # noqa: F401  the fixes
from mmact_ssl.models.heads.classification import ClassificationHead, SpeedHead
from mmact_ssl.models.heads.consistency import ConsistencyHead
from mmact_ssl.models.heads.context_matching import ContextMatchingHead
from mmact_ssl.models.heads.frame_generation import FrameGenerationHead
from mmact_ssl.models.heads.guidance import FrameGuidanceHead, TeacherGuidanceHead
from mmact_ssl.models.heads.masked_places import (
    LatentPredictionHead,
    MaskedMotionHead,
    MaskedPixelHead,
)
from mmact_ssl.models.heads.motion_prediction import MotionPredictionHead
from mmact_ssl.models.heads.parsing_distillation import ParsingDistillationHead
from mmact_ssl.models.heads.pose_prediction import PosePredictionHead
from mmact_ssl.models.heads.prompt_matching import PromptMatchingHead
from mmact_ssl.models.heads.recognition import RecognitionHead
from mmact_ssl.models.heads.views import ContrastHead, RedundancyHead, SelfDistillationHead
from tests.helpers.masks import joint_mask, tube_mask

BATCH = 6


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


def self_distillation(**settings) -> SelfDistillationHead:
    """In evaluation, as batch normalization would see half a batch, but for the loss's state."""
    sizes = dict(hidden_dim=8, embedding_dim=5, predictor_dim=7)
    head = SelfDistillationHead(4, ('one', 'two'), **{**sizes, **settings}).eval()
    head.losses.train()
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
    # In evaluation no frames or backgrounds are drawn by chance; the penalty is due at iteration 0.
    frames = FrameGenerationHead(4, 16, 4, resolutions=(16, 32)).eval()
    frames.adversarial.train()
    # Only the projectors' batch normalization would see half a batch.
    guidance = TeacherGuidanceHead(
        4,
        teachers=dict(image=dict(channels=5), pose=dict(joints=7, deviation=True)),
        weights=dict(type='LearnedTeacherWeights'),
        hidden_dim=8,
    ).eval()
    guidance.pooled_targets.train()
    options = dict(alpha_max=0.6, cross_consistency=True)
    prompts = PromptMatchingHead(4, 5, hidden_dim=8, embedding_dim=6, **options)
    prompts.progress = 1.0
    decoder = dict(hidden_dim=12, depth=1, num_heads=2)
    masked = dict(mask=tube_mask((3, 2, 2), 2, BATCH), valid=few)
    two_views = {view: torch.randn(BATCH, 4) for view in ('one', 'two')}
    aims = {f'{view}_target': torch.randn(BATCH, 4) for view in two_views}
    dino = dict(type='CenteredCrossEntropyLoss', channels=6)
    return dict(
        byol=(self_distillation(), {**two_views, **aims}),
        simsiam=(self_distillation(momentum=None, final_bn=True), two_views),
        dino=(
            self_distillation(predictor_dim=None, prototypes=6, loss=dino, streams=2),
            {**two_views, **aims},
        ),
        barlow=(RedundancyHead(4, tuple(two_views), 8, embedding_dim=5).eval(), two_views),
        vicreg=(
            RedundancyHead(
                4, tuple(two_views), 8, embedding_dim=5, streams=2, loss=dict(type='VICRegLoss')
            ).eval(),
            two_views,
        ),
        speed=(
            SpeedHead(4, strides=(1, 3)),
            dict(
                pooled=torch.randn(BATCH, 4),
                label=torch.tensor([1, 3, 3, 1, 1, 3]),
                valid=few | (torch.arange(BATCH) > 3)[:, None],
            ),
        ),
        context=(
            ContextMatchingHead(4, dict(type=FrameEncoder), 5, embedding_dim=6, hidden_dim=8),
            dict(static=maps['static'], keyframes=torch.randn(BATCH, 3, 3, 8, 8), valid=few),
        ),
        pose=(
            PosePredictionHead(
                4, 5, noise_dim=0, observed_frames=2, hidden_dim=8, hint_dropout=0.0
            ),
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
                masked=torch.randn(BATCH, 1, 3, 15, 2),
                clip=torch.randn(BATCH, 1, 3, 15, 2),
                # Clips of one frame, then of three.
                valid=(few | torch.tensor([True, False, False]))[:, None].cummin(2).values,
            ),
        ),
        masked_pixels=(
            MaskedPixelHead(4, (1, 2, 2), **decoder),
            dict(
                masked,
                feature_map=torch.randn(BATCH, 4, 3, 2, 2),
                frames=torch.randn(BATCH, 3, 3, 4, 4),
            ),
        ),
        masked_motion=(
            MaskedMotionHead(4, segment=2, coordinates=2, **decoder),
            dict(
                feature_map=torch.randn(BATCH, 2, 4, 3, 5),
                clip=torch.randn(BATCH, 2, 6, 5, 2),
                mask=joint_mask((BATCH, 2, 3, 5), 4),
                known=torch.ones(BATCH, 2, 3, 5, 1, dtype=torch.bool),
                # Nobody in two clips of the first half.
                valid=few.any(1)[:, None, None].repeat(1, 2, 6),
            ),
        ),
        latent=(
            LatentPredictionHead(4, **decoder),
            dict(
                masked,
                feature_map=torch.randn(BATCH, 4, 3, 2, 2),
                target=torch.randn(BATCH, 4, 3, 2, 2),
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
            # Only the second half has labels.
            RecognitionHead(
                dict(
                    type='mmaction.I3DHead',
                    num_classes=3,
                    in_channels=4,
                    dropout_ratio=0.0,
                    loss_cls=dict(type='CrossEntropyLoss', class_weight=[1.0, 5.0, 0.2]),
                )
            ),
            dict(
                feature_map=torch.randn(BATCH, 4, 2, 2, 2),
                label=torch.tensor([-1, -1, -1, 0, 1, 2]),
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
        future=(
            frames,
            dict(
                maps,
                frames=torch.randn(BATCH, 3, 3, 32, 32),
                valid=few,
                continued=torch.randn(BATCH, 3, 3, 32, 32),
            ),
        ),
        frame_guidance=(
            FrameGuidanceHead(4, channels=5),
            dict(
                feature_map=torch.randn(BATCH, 4, 2, 2, 2),
                target=torch.randn(BATCH, 3, 5),
                valid=few,
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
