"""CSVR's generative pose prediction."""

from __future__ import annotations

from typing import Optional

import torch
from torch import Tensor, nn

from mmact_ssl.errors import ConfigError
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

    A GRU over future steps; each step moves the previous pose by a predicted displacement. Our
    choice.

    Args:
        feature_dim: Size of the dynamic feature ``f_d``.
        num_joints: Joints of the skeleton layout.
        observed_frames: How many of the last observed poses condition the prediction.
        noise_dim: Size of the noise that makes the generator stochastic, 0 for none.
        hidden_dim: Size of the GRU's state.
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
        """``[B, D]`` and poses ``[B, T_o, V, 3]`` (x, y, weight) to poses ``[B, steps, V, 2]``."""
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
        feature_dim: Size of the dynamic feature.
        num_joints: Joints of the skeleton layout.
        hidden_dim: Channels.
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
        """Poses ``[B, T, V, 2]``, weights ``[B, T, V]`` and the feature ``[B, D]`` to ``[B]``."""
        # A joint that nobody saw must look the same in real and predicted poses.
        seen = torch.cat([poses * weight[..., None], weight[..., None]], dim=-1)
        hidden = self.layers(seen.flatten(2).transpose(1, 2)).mean(2)  # (B, hidden)
        return self.score(hidden)[:, 0] + (hidden * self.projection(feature)).sum(1)


@MODELS.register_module()
class PosePredictionHead(PretextHead):
    """Predict the poses of the future from the dynamic feature, against a discriminator.

    ``loss = joints + from_video_weight * from_video + adversarial_weight * generator``: smooth-L1
    distances of joints weighted by visibility, from the observed poses and from poses that are read
    from the video, and hinge losses for both sides. Frames without a person have weight 0.
    Coordinates are those of
    the view: moved to the frame of the observed body they were predicted better, but the student
    learned less (docs/methods/csvr.md). That CSVR predicts future poses with a conditional GAN is
    published (arXiv 2401.07584, abstract); the networks and losses are our choice.

    Args:
        in_channels: Channels of the dynamic map.
        num_joints: Joints of the poses' layout.
        observed_frames: Last observed poses that the generator sees.
        from_video_weight: Weight of the same prediction from poses that a linear map of ``f_d``
            reads, and of their own distance to the observed ones; 0 for none. Given the observed
            poses, only what they don't tell has to come from the video; without them, everything.
        noise_dim, hidden_dim: See :class:`PoseGenerator`.
        adversarial_weight: 0 leaves a plain regression without discriminator.
        beta: Turning point of the smooth-L1 loss, in units of half the view's side.
        reads: Sources of ``dynamic``, ``observed_pose``, ``observed_valid``, ``future_pose``,
            ``future_valid``.

    Raises:
        ConfigError: the observed view has fewer frames than ``observed_frames``.
    """

    def __init__(
        self,
        in_channels: int,
        num_joints: int = 17,
        observed_frames: int = 8,
        from_video_weight: float = 1.0,
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
        self.from_video_weight = from_video_weight
        self.adversarial_weight = adversarial_weight
        self.beta = beta
        self.generator = PoseGenerator(
            in_channels, num_joints, observed_frames, noise_dim, hidden_dim
        )
        if from_video_weight > 0:
            self.reader = nn.Linear(in_channels, observed_frames * num_joints * 2)
        if adversarial_weight > 0:
            self.discriminator = PoseDiscriminator(in_channels, num_joints, hidden_dim)

    @staticmethod
    def _prepare(pose: Tensor, valid: Tensor) -> Tensor:
        """Poses ``[B, T, V, 3]``: x and y centered to -1..1, weight (visibility, 0 for padding).

        The coordinates of joints without weight become 0: they may carry any number, NaN
        included, and 0 * nan is nan.
        """
        weight = pose[..., 2:].where(valid[..., None, None], 0.0)
        return torch.cat([(pose[..., :2] * 2 - 1).where(weight > 0, 0.0), weight], dim=-1)

    def _generate(self, dynamic: Tensor, observed: Tensor, num_steps: int) -> tuple[Tensor, Tensor]:
        if observed.shape[1] < self.observed_frames:
            raise ConfigError(
                f'observed_frames={self.observed_frames} of the pose head, but the view has '
                f'{observed.shape[1]} frames: lower it or sample more frames'
            )
        feature = dynamic.flatten(2).mean(2)  # f_d: (B, D)
        return self.generator(feature, observed[:, -self.observed_frames :], num_steps), feature

    def _loss_from_video(self, feature: Tensor, observed: Tensor, future: Tensor) -> Tensor:
        """Read the observed poses from the feature by a linear map, and predict from these."""
        known = observed[:, -self.observed_frames :]
        read = self.reader(feature).view(*known.shape[:3], 2)
        condition = torch.cat([read, torch.ones_like(read[..., :1])], dim=-1)
        predicted = self.generator(feature, condition, future.shape[1])
        return weighted_smooth_l1(
            torch.cat([read, predicted], dim=1),
            torch.cat([known[..., :2], future[..., :2]], dim=1),
            torch.cat([known[..., 2], future[..., 2]], dim=1),
            self.beta,
        )

    @staticmethod
    def _errors(prediction: Tensor, observed: Tensor, future: Tensor) -> dict[str, Tensor]:
        """Errors ``[B]`` of the prediction and of repeating the last pose, fractions of the view.

        Both count joints that are seen in the future frame and in the last observed frame, so that
        they are judged on the very same joints.
        """
        target, weight = future[..., :2], future[..., 2]
        both = weight * (observed[:, -1:, :, 2] > 0)
        last = observed[:, -1:, :, :2].expand_as(target)
        return dict(
            error=mean_joint_error(prediction, target, both) / 2,
            error_repeat_last=mean_joint_error(last, target, both) / 2,
        )

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
        observed = self._prepare(observed_pose, observed_valid)
        future = self._prepare(future_pose, future_valid)
        prediction, feature = self._generate(dynamic, observed, future.shape[1])
        target, weight = future[..., :2], future[..., 2]
        losses = dict(loss_joints=weighted_smooth_l1(prediction, target, weight, self.beta))
        if self.from_video_weight > 0:
            losses['loss_from_video'] = self.from_video_weight * self._loss_from_video(
                feature, observed, future
            )
        with torch.no_grad():
            errors = self._errors(prediction, observed, future)
            losses.update({name: value.nanmean() for name, value in errors.items()})
        if self.adversarial_weight > 0:
            weight = torch.cat([observed[..., 2], weight], dim=1)
            real = torch.cat([observed[..., :2], target], dim=1)
            fake = torch.cat([observed[..., :2], prediction], dim=1)
            condition = feature.detach()
            score = call_with_frozen_weights(self.discriminator, fake, weight, condition)
            losses['loss_generator'] = self.adversarial_weight * hinge_generator_loss(score)
            losses['loss_discriminator'] = hinge_discriminator_loss(
                self.discriminator(real, weight, condition),
                self.discriminator(fake.detach(), weight, condition),
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
        """Poses ``[B, T, V, 2]`` in fractions of the view, and errors ``[B]`` in the same unit."""
        observed = self._prepare(observed_pose, observed_valid)
        future = self._prepare(future_pose, future_valid)
        prediction, _ = self._generate(dynamic, observed, future.shape[1])
        return dict(
            poses=(prediction + 1) / 2,
            **self._errors(prediction, observed, future),
        )
