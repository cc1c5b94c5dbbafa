"""CSVR's generative pose prediction."""

from __future__ import annotations

from typing import Optional

import torch
from torch import Tensor, nn

from mmact_ssl.models.losses import (
    call_with_frozen_weights,
    hinge_discriminator_loss,
    hinge_generator_loss,
    mean_joint_error,
    weighted_smooth_l1,
)
from mmact_ssl.registry import MODELS

from .pretext_head import PretextHead


class PoseGenerator(nn.Module):
    """Predict the poses of future frames from the dynamic feature and the last observed poses.

    A GRU over future steps; each step moves the previous pose by a predicted displacement. Our choice.

    Args:
        feature_dim: size of the dynamic feature ``f_d``.
        num_joints: joints of the skeleton layout.
        observed_frames: how many of the last observed poses condition the prediction. Few, so that
            the motion has to come from the video.
        noise_dim: size of the noise that makes the generator stochastic, 0 for none.
        hidden_dim: size of the GRU's state.
    """

    def __init__(
        self,
        feature_dim: int,
        num_joints: int,
        observed_frames: int,
        noise_dim: int,
        hidden_dim: int,
    ) -> None:
        super().__init__()
        self.noise_dim = noise_dim
        condition_dim = feature_dim + observed_frames * num_joints * 3 + noise_dim
        self.initial_state = nn.Linear(condition_dim, hidden_dim)
        self.cell = nn.GRUCell(num_joints * 2 + feature_dim, hidden_dim)
        self.displacement = nn.Linear(hidden_dim, num_joints * 2)
        # Starts as "repeat the last pose", the baseline that it has to beat.
        nn.init.zeros_(self.displacement.weight)
        nn.init.zeros_(self.displacement.bias)

    def forward(self, feature: Tensor, observed: Tensor, num_steps: int) -> Tensor:
        """``[B, D]`` and poses ``[B, T_o, V, 3]`` (x, y, weight) to poses ``[B, num_steps, V, 2]``."""
        noise = feature.new_empty(len(feature), self.noise_dim).normal_()
        state = torch.tanh(
            self.initial_state(torch.cat([feature, observed.flatten(1), noise], dim=1))
        )
        pose = observed[:, -1, :, :2].flatten(1)  # (B, V*2)
        poses = []
        for _ in range(num_steps):
            state = self.cell(torch.cat([pose, feature], dim=1), state)
            pose = pose + self.displacement(state)
            poses.append(pose)
        return torch.stack(poses, dim=1).unflatten(2, (-1, 2))


class PoseDiscriminator(nn.Module):
    """Tell real from predicted continuations of a pose sequence.

    Temporal convolutions over (observed, future) poses; the score adds a projection on the detached
    dynamic feature (Miyato and Koyama, ICLR 2018, equation 3). Our choice.

    Args:
        feature_dim: size of the dynamic feature.
        num_joints: joints of the skeleton layout.
        hidden_dim: channels.
    """

    def __init__(self, feature_dim: int, num_joints: int, hidden_dim: int) -> None:
        super().__init__()
        channels = (num_joints * 3, hidden_dim, hidden_dim, hidden_dim)
        layers: list[nn.Module] = []
        for step, (inward, outward) in enumerate(zip(channels, channels[1:])):
            layers += [nn.Conv1d(inward, outward, 3, stride=min(step, 1) + 1, padding=1)]
            layers += [nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers)
        self.score = nn.Linear(hidden_dim, 1)
        self.projection = nn.Linear(feature_dim, hidden_dim, bias=False)

    def forward(self, poses: Tensor, weight: Tensor, feature: Tensor) -> Tensor:
        """Poses ``[B, T, V, 2]`` with weights ``[B, T, V]`` and the feature ``[B, D]`` to ``[B]``."""
        # A joint that nobody saw must look the same in real and predicted poses.
        seen = torch.cat([poses * weight[..., None], weight[..., None]], dim=-1)
        hidden = self.layers(seen.flatten(2).transpose(1, 2)).mean(2)  # (B, hidden)
        return self.score(hidden)[:, 0] + (hidden * self.projection(feature)).sum(1)


@MODELS.register_module()
class PosePredictionHead(PretextHead):
    """Predict the poses of the future from the dynamic feature, against a discriminator.

    ``loss = joint_loss + adversarial_weight * generator_loss``, with ``joint_loss`` the smooth-L1
    distance of joints weighted by visibility, and hinge losses for both sides. Frames without a
    person have weight 0. That CSVR predicts future poses with a conditional GAN is published (arXiv
    2401.07584, abstract); the networks and losses are our choice.

    Args:
        in_channels: channels of the dynamic map.
        num_joints: joints of the poses' layout.
        observed_frames: last observed poses that the generator sees.
        noise_dim, hidden_dim: see :class:`PoseGenerator`.
        adversarial_weight: 0 leaves a plain regression without discriminator.
        beta: turning point of the smooth-L1 loss, in units of half the view's side.
        reads: sources of ``dynamic``, ``observed_pose``, ``observed_valid``, ``future_pose``,
            ``future_valid``.
    """

    def __init__(
        self,
        in_channels: int,
        num_joints: int = 17,
        observed_frames: int = 1,
        noise_dim: int = 8,
        hidden_dim: int = 256,
        adversarial_weight: float = 0.01,
        beta: float = 0.05,
        reads: Optional[dict[str, str]] = None,
        init_cfg: Optional[dict] = None,
    ) -> None:
        defaults = dict(
            dynamic='clip.dynamic',
            observed_pose='clip_pose',
            observed_valid='clip_valid',
            future_pose='future_pose',
            future_valid='future_valid',
        )
        super().__init__({**defaults, **(reads or {})}, init_cfg)
        self.observed_frames = observed_frames
        self.adversarial_weight = adversarial_weight
        self.beta = beta
        self.generator = PoseGenerator(
            in_channels, num_joints, observed_frames, noise_dim, hidden_dim
        )
        if adversarial_weight > 0:
            self.discriminator = PoseDiscriminator(in_channels, num_joints, hidden_dim)

    @staticmethod
    def _prepare(pose: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """Centre coordinates to -1..1 and fold padding into the weight; unseen joints become 0."""
        weight = pose[..., 2] * valid[..., None]
        centred = pose[..., :2] * 2 - 1
        return centred.where(weight[..., None] > 0, centred.new_zeros(())), weight

    def _generate(
        self, dynamic: Tensor, observed_pose: Tensor, observed_valid: Tensor, num_steps: int
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        feature = dynamic.flatten(2).mean(2)  # f_d: (B, D)
        observed, observed_weight = self._prepare(observed_pose, observed_valid)
        condition = torch.cat([observed, observed_weight[..., None]], dim=-1)
        prediction = self.generator(feature, condition[:, -self.observed_frames :], num_steps)
        return prediction, feature, observed, observed_weight

    def loss(
        self,
        dynamic: Tensor,
        observed_pose: Tensor,
        observed_valid: Tensor,
        future_pose: Tensor,
        future_valid: Tensor,
    ) -> dict[str, Tensor]:
        """Losses of both sides, and the error beside that of repeating the last pose.

        Args:
            dynamic: ``[B, C, T', H', W']``.
            observed_pose, future_pose: ``[B, T, V, 3]``: x, y as fractions of the view, visibility.
            observed_valid, future_valid: bool ``[B, T]``, False for padding.
        """
        future, weight = self._prepare(future_pose, future_valid)
        prediction, feature, observed, observed_weight = self._generate(
            dynamic, observed_pose, observed_valid, future.shape[1]
        )
        losses = dict(loss_joints=weighted_smooth_l1(prediction, future, weight, self.beta))
        with torch.no_grad():
            last = observed[:, -1:].expand_as(future)
            both = weight * (observed_weight[:, -1:] > 0)
            losses['error'] = mean_joint_error(prediction, future, both).nanmean() / 2
            losses['error_repeat_last'] = mean_joint_error(last, future, both).nanmean() / 2
        if self.adversarial_weight > 0:
            whole_weight = torch.cat([observed_weight, weight], dim=1)
            real = torch.cat([observed, future], dim=1)
            fake = torch.cat([observed, prediction], dim=1)
            condition = feature.detach()
            score = call_with_frozen_weights(self.discriminator, fake, whole_weight, condition)
            losses['loss_generator'] = self.adversarial_weight * hinge_generator_loss(score)
            losses['loss_discriminator'] = hinge_discriminator_loss(
                self.discriminator(real, whole_weight, condition),
                self.discriminator(fake.detach(), whole_weight, condition),
            )
        return losses

    def predict(
        self,
        dynamic: Tensor,
        observed_pose: Tensor,
        observed_valid: Tensor,
        future_pose: Tensor,
        future_valid: Tensor,
    ) -> dict[str, Tensor]:
        """Poses ``[B, T, V, 2]`` in fractions of the view, and errors in the same unit ``[B]``.

        The errors count joints that are seen in the future frame and in the last observed frame, so
        that repeating the last pose is judged on the very same joints.
        """
        future, weight = self._prepare(future_pose, future_valid)
        prediction, _, observed, observed_weight = self._generate(
            dynamic, observed_pose, observed_valid, future.shape[1]
        )
        both = weight * (observed_weight[:, -1:] > 0)
        last = observed[:, -1:].expand_as(future)
        return dict(
            poses=(prediction + 1) / 2,
            error=mean_joint_error(prediction, future, both) / 2,
            error_repeat_last=mean_joint_error(last, future, both) / 2,
        )
