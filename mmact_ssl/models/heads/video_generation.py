"""CSVR's generation of current and future frames."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Optional

from torch import Tensor, nn

from mmact_ssl.models.necks.adaptive_instance_norm import adaptive_instance_norm
from mmact_ssl.models.networks.video_gan import (
    LATENT_SIZE,
    VideoDiscriminator,
    VideoGenerator,
    resize_frames,
)
from mmact_ssl.registry import MODELS

from .pretext_head import PretextHead, Term, Terms, build_loss, mean_term


@MODELS.register_module()
class VideoGenerationHead(PretextHead):
    """Generate the current and the future frames from the fused static and dynamic features.

    ``f_i = AdaIN(static map, dynamic map)``, averaged over time and pooled to a 4x4 latent map; two
    generators; per resolution a reconstruction and an adversarial loss. That current and future
    frames are generated is published (arXiv 2401.07584, abstract); AdaIN and TGANv2 are as
    reported. The future's generator draws the change of the last frame (our choice).

    Args:
        in_channels: Channels of the static and of the dynamic map.
        channels, discriminator_channels: Of the generators at 4x4 and the discriminators' start.
        resolutions: Sides of the generated frames.
        frame_stride: Generate every so many frames of each view.
        loss: Of generated and real frames.
        adversarial: Of the GAN; None leaves plain reconstruction without discriminators.
        inputs: Sources of ``static`` and ``dynamic`` ``[B, C, T', H', W']``, ``current`` and
            ``future`` ``[B, 3, T, H, W]``, and which of their frames are valid, bool ``[B, T]``.
    """

    inputs = dict(
        static='clip.static',
        dynamic='clip.dynamic',
        current='clip',
        current_valid='targets.clip.valid',
        future='future',
        future_valid='targets.future.valid',
    )

    def __init__(
        self,
        in_channels: int,
        channels: int = 256,
        discriminator_channels: int = 32,
        resolutions: Sequence[int] = (16, 32, 64),
        frame_stride: int = 1,
        loss: dict = dict(type='FrameLoss'),
        adversarial: Optional[dict] = dict(
            type='HingeGANLoss', weight=0.01, r1_weight=1.0, r1_interval=16
        ),
        inputs: Optional[dict[str, str]] = None,
        init_cfg: Optional[dict] = None,
    ) -> None:
        super().__init__(inputs, loss, init_cfg)
        self.frame_stride = frame_stride
        self.generators = nn.ModuleDict()
        for name in ('current', 'future'):
            residual = name == 'future'
            self.generators[name] = VideoGenerator(in_channels, channels, resolutions, residual)
        self.adversarial: Optional[nn.Module] = None
        if adversarial is not None:
            self.adversarial = build_loss(adversarial)
            self.discriminators = nn.ModuleDict()
            for name, side in product(self.generators, resolutions):
                discriminator = VideoDiscriminator(side, discriminator_channels)
                self.discriminators[f'{name}_{side}'] = discriminator

    def terms(
        self,
        static: Tensor,
        dynamic: Tensor,
        current: Tensor,
        current_valid: Tensor,
        future: Tensor,
        future_valid: Tensor,
    ) -> Terms:
        """Losses of both sides; the future's distances beside those of repeating the last frame."""
        fused = adaptive_instance_norm(static, dynamic)  # f_i: (B, C, T', H', W')
        latent = nn.functional.adaptive_avg_pool2d(fused.mean(2), LATENT_SIZE)
        last = current[:, :, -1:]  # what the future continues
        views = dict(
            current=(current, current_valid, None), future=(future, future_valid, last[:, :, 0])
        )
        found: Terms = {}
        for name, (frames, valid, background) in views.items():
            frames, valid = frames[:, :, :: self.frame_stride], valid[:, :: self.frame_stride]
            levels = self.generators[name](latent, frames.shape[2], background)
            for fake, positions in levels:
                side = fake.shape[-1]
                real = resize_frames(frames[:, :, positions], side)
                weight = valid[:, positions].to(real.dtype)  # (B, T_l)
                distance = self.loss_module(fake, real) / len(levels)  # (B, T_l)
                found[f'loss_{name}_{side}'] = mean_term(distance, weight)
                if self.adversarial is None or not self.needs_losses:
                    continue
                # Padded frames are blank on both sides, so that they tell nothing apart.
                shown = weight[:, None, :, None, None]
                discriminator = self.discriminators[f'{name}_{side}']
                pair = (real * shown, fake * shown)
                sides = self.adversarial(discriminator, *pair, iteration=self.iteration)
                for role, loss in sides.items():
                    found[f'loss_{name}_{side}_{role}'] = Term(loss / len(levels))
            found[name] = fake
        for baseline, drawn in (('', fake.detach()), ('_repeat_last', resize_frames(last, side))):
            difference = (drawn - real).transpose(1, 2).flatten(2)  # (B, T_l, 3*R*R)
            found[f'l1{baseline}'] = mean_term(difference.abs().mean(2), weight)
            found[f'mse{baseline}'] = mean_term(difference.square().mean(2), weight)
        return found
