"""Generator and discriminator of poses."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class PoseGenerator(nn.Module):
    """Predict the poses of future frames from the dynamic feature and the last observed poses.

    A GRU over future steps; each step moves the previous pose by a predicted displacement. The
    last ``observed_frames`` poses and noise of size ``noise_dim`` (0: none) condition it. Our
    choice.
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
        condition = torch.cat([feature, observed.flatten(1), noise], dim=1)
        state = torch.tanh(self.initial_state(condition))
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
        # A joint that is not seen must look the same in real and predicted poses.
        seen = torch.cat([poses * weight[..., None], weight[..., None]], dim=-1)
        hidden = self.layers(seen.flatten(2).transpose(1, 2)).mean(2)  # (B, hidden)
        return self.score(hidden)[:, 0] + (hidden * self.projection(feature)).sum(1)
