"""Losses of the rivals against lightly's, where both define the same thing.

Skipped without lightly (``pip install --no-deps lightly``), of which these need nothing else.
"""

from __future__ import annotations

import pytest
import torch

from mmact_ssl.models.losses.barlow_twins import BarlowTwinsLoss
from mmact_ssl.models.losses.centered_cross_entropy import CenteredCrossEntropyLoss
from mmact_ssl.models.losses.negative_cosine import negative_cosine
from mmact_ssl.models.losses.vicreg import VICRegLoss

pytest.importorskip('lightly')


@pytest.fixture
def views() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, 12, 7, dtype=torch.double, generator=generator)


def test_redundancy_reduction_is_theirs(views):
    from lightly.loss.barlow_twins_loss import BarlowTwinsLoss as TheirBarlowTwins
    from lightly.loss.vicreg_loss import VICRegLoss as TheirVICReg

    theirs = TheirBarlowTwins(lambda_param=0.005)(*views)
    torch.testing.assert_close(BarlowTwinsLoss()(*views)['loss'], theirs)
    torch.testing.assert_close(VICRegLoss()(*views)['loss'], TheirVICReg()(*views))


def test_the_cosine_is_theirs_but_for_a_constant(views):
    from lightly.loss.negative_cosine_similarity import NegativeCosineSimilarity

    ours = negative_cosine(views[:1], views[1:])['loss'].mean() - 1
    torch.testing.assert_close(ours, NegativeCosineSimilarity()(*views))


def test_centered_targets_are_theirs_with_their_center_over_several_steps(views):
    from lightly.loss.dino_loss import DINOLoss

    students, teachers = views.float(), views.flip(1).float()
    theirs = DINOLoss(output_dim=7, teacher_temp=0.04, warmup_teacher_temp=0.04)
    ours = CenteredCrossEntropyLoss(7, target_temperature=0.04)
    for _ in range(3):
        # Theirs compares a student's view with every other view of the teacher.
        loss = ours(students, teachers.flip(0))['loss'].mean()
        torch.testing.assert_close(loss, theirs(list(teachers), list(students), epoch=0))
