"""CSVR's generative pose prediction."""

from __future__ import annotations

from typing import Optional

import torch
from torch import Tensor, nn

from mmact_ssl.models.losses.distances import centered, joint_distance
from mmact_ssl.models.networks.pose_gan import PoseDiscriminator, PoseGenerator
from mmact_ssl.registry import MODELS

from .pretext_head import PretextHead, Term, Terms, build_loss, mean_term


@MODELS.register_module()
class PosePredictionHead(PretextHead):
    """Predict the poses of the future from the dynamic feature, against a discriminator.

    ``loss = joints + from_video_weight * from_video + adversarial``: distances of joints weighted
    by visibility, from the observed poses and from poses that are read from the video, and losses
    of both sides of a GAN. Coordinates are those of the view: in the frame of the observed body
    they were predicted better, but the student learned less (docs/studies/csvr.md). A conditional
    GAN for future poses is published (arXiv 2401.07584, abstract); its form is our choice.

    Args:
        in_channels: Channels of the dynamic map.
        num_joints: Joints of the poses' layout.
        observed_frames: Last observed poses that the generator sees.
        from_video_weight: Weight of the same prediction from poses that a linear map of ``f_d``
            reads, and of their own distance to the observed ones; 0 for none.
        noise_dim, hidden_dim: See :class:`PoseGenerator`.
        loss: Of joints, in units of half the view's side.
        adversarial: Of the GAN; None leaves a plain regression without discriminator.
        inputs: Sources of ``dynamic`` ``[B, C, T', H', W']``, ``observed`` and ``future``
            ``[B, T, V, 3]`` (x, y as fractions of the view, visibility), and their valid frames,
            bool ``[B, T]``.
    """

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
        from_video_weight: float = 1.0,
        noise_dim: int = 8,
        hidden_dim: int = 256,
        loss: dict = dict(type='JointLoss', beta=0.05),
        adversarial: Optional[dict] = dict(type='HingeGANLoss', weight=0.01),
        inputs: Optional[dict[str, str]] = None,
        init_cfg: Optional[dict] = None,
    ) -> None:
        super().__init__(inputs, loss, init_cfg)
        self.observed_frames = observed_frames
        self.from_video_weight = from_video_weight
        self.generator = PoseGenerator(
            in_channels, num_joints, observed_frames, noise_dim, hidden_dim
        )
        if from_video_weight > 0:
            self.reader = nn.Linear(in_channels, observed_frames * num_joints * 2)
        self.adversarial: Optional[nn.Module] = None
        if adversarial is not None:
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
        """Losses of both sides; errors beside that of repeating the last pose; the poses."""
        known, known_weight = centered(observed, observed_valid)  # (B, T, V, 2), (B, T, V)
        target, weight = centered(future, future_valid)
        feature = dynamic.flatten(2).mean(2)  # f_d: (B, D)
        last = torch.cat([known, known_weight[..., None]], -1)[:, -self.observed_frames :]
        poses = self.generator(feature, last, target.shape[1])
        found: Terms = dict(loss_joints=mean_term(self.loss_module(poses, target, weight), weight))
        if self.from_video_weight > 0 and self.needs_losses:
            # The observed poses read from the feature by a linear map, and the future from these.
            read = self.reader(feature).view(*last.shape[:3], 2)
            condition = torch.cat([read, torch.ones_like(read[..., :1])], dim=-1)
            continued = self.generator(feature, condition, target.shape[1])
            all_weights = torch.cat([last[..., 2], weight], 1)
            distance = self.loss_module(
                torch.cat([read, continued], 1), torch.cat([last[..., :2], target], 1), all_weights
            )
            found['loss_from_video'] = mean_term(self.from_video_weight * distance, all_weights)
        if self.adversarial is not None and self.needs_losses:
            sides = self.adversarial(
                self.discriminator,
                torch.cat([known, target], 1),
                torch.cat([known, poses], 1),
                torch.cat([known_weight, weight], 1),
                feature.detach(),
                iteration=self.iteration,
            )
            found.update({f'loss_{side}': Term(loss) for side, loss in sides.items()})
        with torch.no_grad():
            # Both errors count joints that are seen in the future frame and in the last observed.
            both = weight * (known_weight[:, -1:] > 0)
            for name, predicted in (('error', poses), ('error_repeat_last', known[:, -1:])):
                distance = joint_distance(predicted, target, both) / 2  # fractions of the view
                error = mean_term(distance, both).value
                found[name] = Term(error, both.flatten(1).any(1).to(error.dtype))
        return dict(**found, poses=(poses + 1) / 2)
