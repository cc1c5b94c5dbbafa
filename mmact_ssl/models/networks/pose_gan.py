"""Generator and discriminator of poses."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn


class PoseGenerator(nn.Module):
    """Predict the poses of future frames from the dynamic feature and noise.

    It is a GRU over future steps; each step adds a predicted displacement to the previous pose,
    from a start pose on. Our choice.
    """

    def __init__(self, feature_dim: int, num_joints: int, noise_dim: int, hidden_dim: int) -> None:
        super().__init__()
        self.noise_dim = noise_dim
        condition_dim = feature_dim + noise_dim
        self.initial_state = nn.Linear(condition_dim + num_joints, hidden_dim)
        self.cell = nn.GRUCell(num_joints * 2 + condition_dim, hidden_dim)
        self.displacement = nn.Linear(hidden_dim, num_joints * 2)
        # Before training it repeats the start pose.
        nn.init.zeros_(self.displacement.weight)
        nn.init.zeros_(self.displacement.bias)

    def forward(
        self, feature: Tensor, start: Tensor, shown: Tensor, num_steps: int, num_draws: int
    ) -> Tensor:
        """Draw futures ``(draws, B, steps, V, 2)``, each with its own noise.

        Args:
            feature: ``(B, D)``.
            start: ``(B, V, 2)``.
            shown: ``(B, V)``, True for observed joints of ``start``, False for computed ones.
            num_steps, num_draws: Future frames, and futures of each clip.
        """
        feature, start, shown = (
            value.expand(num_draws, *value.shape).flatten(0, 1) for value in (feature, start, shown)
        )
        noise = feature.new_empty(len(feature), self.noise_dim).normal_()
        condition = torch.cat([feature, noise], dim=1)
        state = torch.tanh(self.initial_state(torch.cat([condition, shown], dim=1)))
        pose = start.flatten(1)  # (draws*B, V*2)
        poses = []
        for _ in range(num_steps):
            state = self.cell(torch.cat([pose, condition], dim=1), state)
            pose = pose + self.displacement(state)
            poses.append(pose)
        return torch.stack(poses, dim=1).view(num_draws, -1, num_steps, pose.shape[1] // 2, 2)


class PoseDiscriminator(nn.Module):
    """Discriminator of future poses: real or predicted, of this clip or of another one.

    It has temporal convolutions over poses, and a score with a projection on the detached dynamic
    feature (Miyato and Koyama, ICLR 2018). It does not see the observed poses, because their
    distance to the first future pose would reveal fakes without the feature. Our choice.
    """

    def __init__(self, feature_dim: int, num_joints: int, hidden_dim: int) -> None:
        super().__init__()
        channels = (num_joints * 3, hidden_dim, hidden_dim, hidden_dim)
        layers: list[nn.Module] = []
        for step, (inward, outward) in enumerate(itertools.pairwise(channels)):
            layers += [nn.Conv1d(inward, outward, 3, stride=min(step, 1) + 1, padding=1)]
            layers += [nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers)
        self.score = nn.Linear(hidden_dim, 1)
        # The feature's scale changes while the student learns.
        self.projection = nn.Sequential(
            nn.LayerNorm(feature_dim), nn.Linear(feature_dim, hidden_dim, bias=False)
        )

    def forward(self, poses: Tensor, weight: Tensor, feature: Tensor) -> Tensor:
        """Poses ``(B, T, V, 2)``, weights ``(B, T, V)`` and the feature ``(B, D)`` to ``(B,)``."""
        # Unseen joints must be equal in real and predicted poses.
        seen = torch.cat([poses * weight[..., None], weight[..., None]], dim=-1)
        hidden = self.layers(seen.flatten(2).transpose(1, 2)).mean(2)  # (B, hidden)
        return self.score(hidden)[:, 0] + (hidden * self.projection(feature)).sum(1)
