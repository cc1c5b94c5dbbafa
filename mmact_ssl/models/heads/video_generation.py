"""CSVR's generation of current and future frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Optional

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmact_ssl.models.losses import (
    call_with_frozen_weights,
    global_mean,
    hinge_discriminator_loss,
    hinge_generator_loss,
    r1_penalty,
)
from mmact_ssl.models.necks import adaptive_instance_norm
from mmact_ssl.models.networks.video_gan import (
    LATENT_SIZE,
    GeneratedLevel,
    VideoDiscriminator,
    VideoGenerator,
    resize_frames,
)
from mmact_ssl.registry import MODELS

from .pretext_head import PretextHead


@MODELS.register_module()
class VideoGenerationHead(PretextHead):
    """Generate the current and the future frames from the fused static and dynamic features.

    ``f_i = AdaIN(static map, dynamic map)``, averaged over time and pooled to a 4x4 latent map; two
    generators after TGANv2; per resolution a smooth-L1 reconstruction and a hinge adversarial loss,
    with an R1 penalty every ``r1_interval`` steps. Generating both current and future frames is
    published (arXiv 2401.07584, abstract); AdaIN and TGANv2 are as reported; the rest is our
    choice. The latent keeps its spatial axes because the global mean of an AdaIN map is the style's
    mean, whatever the content is. The future's generator draws the change of the last observed
    frame.

    Args:
        in_channels: Channels of the static and of the dynamic map.
        channels: Of the generators at 4x4.
        discriminator_channels: Of the discriminators' first block.
        resolutions: Sides of the generated frames.
        frame_stride: Generate every so many frames of each view, to save time.
        adversarial_weight: 0 leaves plain reconstruction without discriminators.
        r1_weight, r1_interval: Weight and interval of the R1 penalty; weight 0 for none.
        reads: Sources of ``static``, ``dynamic``, ``current``, ``current_valid``, ``future``,
            ``future_valid``.
    """

    def __init__(
        self,
        in_channels: int,
        channels: int = 256,
        discriminator_channels: int = 32,
        resolutions: Sequence[int] = (16, 32, 64),
        frame_stride: int = 1,
        adversarial_weight: float = 0.01,
        r1_weight: float = 1.0,
        r1_interval: int = 16,
        reads: Optional[dict[str, str]] = None,
        init_cfg: Optional[dict] = None,
    ) -> None:
        defaults = dict(
            static='clip.static',
            dynamic='clip.dynamic',
            current='clip',
            current_valid='clip_valid',
            future='future',
            future_valid='future_valid',
        )
        super().__init__({**defaults, **(reads or {})}, init_cfg)
        self.frame_stride = frame_stride
        self.adversarial_weight = adversarial_weight
        self.r1_weight = r1_weight
        self.r1_interval = r1_interval
        self.generators = nn.ModuleDict(
            dict(
                current=VideoGenerator(in_channels, channels, resolutions, residual=False),
                future=VideoGenerator(in_channels, channels, resolutions, residual=True),
            )
        )
        self.steps = 0
        if adversarial_weight > 0:
            self.discriminators = nn.ModuleDict(
                {
                    f'{name}_{side}': VideoDiscriminator(side, discriminator_channels)
                    for name in self.generators
                    for side in resolutions
                }
            )

    def get_extra_state(self) -> Tensor:
        """Steps taken so far, so that a resumed run penalizes in the same steps."""
        return torch.tensor(self.steps)

    def set_extra_state(self, state: Tensor) -> None:
        self.steps = int(state)

    def _wanted(self, frames: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """The frames to generate, ``[B, 3, T / stride, H, W]``, and whether they are real."""
        return frames[:, :, :: self.frame_stride], valid[:, :: self.frame_stride]

    def _generate(
        self, static: Tensor, dynamic: Tensor, last: Tensor, num_current: int, num_future: int
    ) -> dict[str, list[GeneratedLevel]]:
        fused = adaptive_instance_norm(static, dynamic)  # f_i: (B, C, T', H', W')
        latent = nn.functional.adaptive_avg_pool2d(fused.mean(2), LATENT_SIZE)
        return dict(
            current=self.generators['current'](latent, num_current),
            future=self.generators['future'](latent, num_future, background=last[:, :, 0]),
        )

    def loss(
        self,
        static: Tensor,
        dynamic: Tensor,
        current: Tensor,
        current_valid: Tensor,
        future: Tensor,
        future_valid: Tensor,
    ) -> dict[str, Tensor]:
        """Losses of both sides, and how far the future is, beside repeating the last frame.

        Args:
            static, dynamic: ``[B, C, T', H', W']``.
            current, future: ``[B, 3, T, H, W]``, normalized.
            current_valid, future_valid: bool ``[B, T]``, False for padding, which no loss counts.
        """
        last = current[:, :, -1:]  # what the future continues
        real = dict(
            current=self._wanted(current, current_valid), future=self._wanted(future, future_valid)
        )
        lengths = [frames.shape[2] for frames, _ in real.values()]
        generated = self._generate(static, dynamic, last, *lengths)
        penalize = self.r1_weight > 0 and self.steps % self.r1_interval == 0
        losses: dict[str, Tensor] = {}
        for name, levels in generated.items():
            frames, valid = real[name]
            reconstruction, fooling, judging = [], [], []
            for fake, positions in levels:
                target = resize_frames(frames[:, :, positions], fake.shape[-1])
                weight = valid[:, positions].to(target.dtype)  # (B, T_l)
                distance = F.smooth_l1_loss(fake, target, reduction='none').mean(
                    (1, 3, 4)
                )  # (B, T_l)
                reconstruction.append(global_mean(distance, weight))  # (B, T_l) both
                if self.adversarial_weight > 0:
                    # Padded frames are blank on both sides, so that they tell nothing apart.
                    shown = weight[:, None, :, None, None]
                    discriminator = self.discriminators[f'{name}_{fake.shape[-1]}']
                    score = call_with_frozen_weights(discriminator, fake * shown)
                    fooling.append(hinge_generator_loss(score))
                    judging.append(
                        self._judge(discriminator, target * shown, fake.detach() * shown, penalize)
                    )
            losses[f'loss_{name}'] = torch.stack(reconstruction).mean()
            if self.adversarial_weight > 0:
                losses[f'loss_{name}_generator'] = (
                    self.adversarial_weight * torch.stack(fooling).mean()
                )
                losses[f'loss_{name}_discriminator'] = torch.stack(judging).mean()
        with torch.no_grad():
            # The last level's frames and targets are still in scope.
            still = resize_frames(last, target.shape[-1])
            losses.update(
                {
                    name: (values * weight).sum() / weight.sum().clamp(min=1)
                    for name, values in _distances(fake, still, target).items()
                }
            )
            if self.training:
                self.steps += 1
        return losses

    def _judge(
        self, discriminator: nn.Module, real: Tensor, fake: Tensor, penalize: bool
    ) -> Tensor:
        if not penalize:
            return hinge_discriminator_loss(discriminator(real), discriminator(fake))
        # Second derivatives overflow half precision.
        with torch.autocast(real.device.type, enabled=False):
            real = real.detach().float().requires_grad_()
            score = discriminator(real)
            penalty = self.r1_weight * self.r1_interval * r1_penalty(score, real)
            return hinge_discriminator_loss(score, discriminator(fake.float())) + penalty

    def predict(
        self,
        static: Tensor,
        dynamic: Tensor,
        current: Tensor,
        current_valid: Tensor,
        future: Tensor,
        future_valid: Tensor,
    ) -> dict[str, Tensor]:
        """Normalized frames ``[B, 3, T / stride, R, R]``, and the future's distances ``[B]``."""
        last = current[:, :, -1:]
        current, _ = self._wanted(current, current_valid)
        future, future_valid = self._wanted(future, future_valid)
        generated = self._generate(static, dynamic, last, current.shape[2], future.shape[2])
        frames = {name: levels[-1].frames for name, levels in generated.items()}
        side = frames['future'].shape[-1]
        target = resize_frames(future, side)
        last = resize_frames(last, side)
        weight = future_valid.to(target.dtype)
        count = weight.sum(1)  # 0 / 0 marks a clip without a future
        distances = _distances(frames['future'], last, target)
        return dict(
            current=frames['current'],
            future=frames['future'],
            **{name: (values * weight).sum(1) / count for name, values in distances.items()},
        )


def _distances(fake: Tensor, last: Tensor, real: Tensor) -> dict[str, Tensor]:
    """Mean absolute and squared distances ``[B, T]``, also of repeating the last frame."""
    pairs = {'': fake - real, '_repeat_last': last - real}
    return {
        f'{name}{baseline}': values.mean((1, 3, 4))
        for baseline, difference in pairs.items()
        for name, values in (('l1', difference.abs()), ('mse', difference.square()))
    }
