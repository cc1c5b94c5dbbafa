"""CSVR's generative pose prediction."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mmact_ssl.models.heads.pretext_head import PretextHead, build_loss
from mmact_ssl.models.heads.terms import Term, Terms, mean_term
from mmact_ssl.models.losses.common import of_another_sample
from mmact_ssl.models.losses.distances import centered, draw_errors
from mmact_ssl.models.networks.pose_gan import PoseDiscriminator, PoseGenerator
from mmact_ssl.registry import MODELS

DRAWS = 8  # futures of each clip in evaluation


@MODELS.register_module()
class PosePredictionHead(PretextHead):
    """Predict future poses from the dynamic feature ``f_d``, against a discriminator.

    ``loss = read + joints + adversarial``. ``read`` is the error of observed poses that a linear
    map computes from ``f_d``. ``joints`` is the error of the best of some drawn futures, which
    continue this pose (variety loss, Gupta et al., CVPR 2018). ``adversarial`` are both sides of a
    GAN; its discriminator must also reject real futures under another clip's ``f_d``. A conditional
    GAN for future poses is published (arXiv 2401.07584, abstract); its form is our choice.

    Args:
        num_joints: Joints of the poses' layout.
        observed_frames: Number of last observed poses that the linear map computes.
        noise_dim, hidden_dim: See :class:`PoseGenerator`.
        samples: Futures of each clip in training.
        hint_dropout: Share of training clips whose futures start at the computed pose, as all do in
            evaluation; the others start at the last observed pose.
        loss: In units of half the view's side.
        inputs: Names of ``dynamic`` ``(B, C, T', H', W')``, ``observed`` and ``future``
            ``(B, T, V, 3)`` (x, y as fractions of the view, visibility), and their valid frames,
            bool ``(B, T)``.
    """

    reference_names = (*PretextHead.reference_names, 'discriminator')
    inputs = dict(
        dynamic='clip.dynamic',
        observed='targets.clip.pose',
        observed_valid='targets.clip.valid',
        future='targets.future.pose',
        future_valid='targets.future.valid',
    )

    def __init__(
        self,
        in_channels: int,
        num_joints: int = 17,
        observed_frames: int = 8,
        noise_dim: int = 8,
        hidden_dim: int = 256,
        samples: int = 4,
        hint_dropout: float = 0.5,
        loss: dict = dict(type='JointLoss', beta=0.05),
        adversarial: dict = dict(type='HingeGANLoss', weight=0.03),
        inputs: dict[str, str] | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(inputs, loss, init_cfg)
        self.observed_frames = observed_frames
        self.samples = samples
        self.hint_dropout = hint_dropout
        self.reader = nn.Linear(in_channels, observed_frames * num_joints * 2)
        self.generator = PoseGenerator(in_channels, num_joints, noise_dim, hidden_dim)
        self.adversarial = build_loss(adversarial)
        self.discriminator = PoseDiscriminator(in_channels, num_joints, hidden_dim)

    def terms(
        self,
        dynamic: Tensor,
        observed: Tensor,
        observed_valid: Tensor,
        future: Tensor,
        future_valid: Tensor,
    ) -> Terms:
        """Compute the losses, the errors of the draws, and the discriminator's accuracy."""
        last = slice(-self.observed_frames, None)
        known, known_weight = centered(observed[:, last], observed_valid[:, last])
        target, weight = centered(future, future_valid)  # (B, T, V, 2), (B, T, V)
        feature = dynamic.flatten(2).mean(2)  # f_d: (B, D)
        read = self.reader(feature).view_as(known)
        dropout = self.hint_dropout if self.training else 1.0
        hinted = torch.rand(len(feature), 1, device=feature.device) >= dropout
        shown = hinted & (known_weight[:, -1] > 0)  # (B, V)
        start = known[:, -1].where(shown[..., None], read[:, -1])
        count = self.samples if self.training else DRAWS
        draws = self.generator(feature, start, shown, target.shape[1], count)
        # All draws are one batch, because a GPU has a fixed cost for each operation.
        targets, weights = (x.expand(count, *x.shape).flatten(0, 1) for x in (target, weight))
        distances = mean_term(self.loss_module(draws.flatten(0, 1), targets, weights), weights)
        best = distances.value.unflatten(0, (count, -1)).amin(0)
        condition, has_future = feature.detach(), weight.flatten(1).any(1).to(weight.dtype)
        poses = (self.discriminator, target, draws[0], weight, condition)
        wrong = (weight, of_another_sample(condition))
        sides = self.adversarial(*poses, wrong=wrong, iteration=self.iteration)
        terms: Terms = dict(
            loss_read=mean_term(self.loss_module(read, known, known_weight), known_weight),
            loss_joints=Term(best, weight.flatten(1).sum(1)),
            loss_generator=Term(sides.generator, has_future),
            loss_discriminator=Term(sides.discriminator, has_future),
            discriminator_accuracy=Term(sides.accuracy, has_future),
            discriminator_matched=Term(sides.matched, has_future),
        )
        # Errors are over clips without a hint, and joints that are also seen in the last frame.
        both = weight * ((known_weight[:, -1] > 0) & ~hinted)[:, None]
        has_both = both.flatten(1).any(1).to(both.dtype)
        for name, error in draw_errors(draws, target, both, known[:, -1:]).items():
            terms[name] = Term(error, has_both)
        return dict(**terms, poses=(draws[0] + 1) / 2)
