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
    blur,
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
    reported. The future's frames are added to a blurred last frame, 4x4 means of it (our choice):
    shown the last frame itself, their generator ignored ``f_i`` (docs/studies/csvr.md).

    Args:
        in_channels: Channels of the static and of the dynamic map.
        channels, discriminator_channels: Of the generators at 4x4 and the discriminators' start.
        resolutions: Sides of the generated frames.
        background_dropout: Share of training clips whose future is drawn without the blurred last
            frame; 1 never shows it, not in evaluation either.
        frame_stride: Generate every so many frames of each view.
        loss: Of generated and real frames.
        adversarial: Of the GAN; None leaves plain reconstruction without discriminators.
        inputs: Sources of ``static`` and ``dynamic`` ``[B, C, T', H', W']``, ``current`` and
            ``future`` ``[B, 3, T, H, W]``, and which of their frames are valid, bool ``[B, T]``.
    """

    reference_names = (*PretextHead.reference_names, 'blurred')
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
        background_dropout: float = 0.5,
        frame_stride: int = 1,
        loss: dict = dict(type='FrameLoss'),
        adversarial: Optional[dict] = dict(
            type='HingeGANLoss', weight=0.1, r1_weight=1.0, r1_interval=16
        ),
        inputs: Optional[dict[str, str]] = None,
        init_cfg: Optional[dict] = None,
    ) -> None:
        super().__init__(inputs, loss, init_cfg)
        self.frame_stride = frame_stride
        settings = (in_channels, channels, resolutions)
        self.generators = nn.ModuleDict(
            dict(
                current=VideoGenerator(*settings),
                future=VideoGenerator(*settings, background_dropout),
            )
        )
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
        """Losses of both sides; the future's distances beside those of trivial answers."""
        fused = adaptive_instance_norm(static, dynamic)  # f_i: (B, C, T', H', W')
        latent = nn.functional.adaptive_avg_pool2d(fused.mean(2), LATENT_SIZE)
        last = current[:, :, -1]  # what the future continues
        views = dict(current=(current, current_valid, None), future=(future, future_valid, last))
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
                seen = weight[:, None, :, None, None]
                discriminator = self.discriminators[f'{name}_{side}']
                pair = (real * seen, fake * seen)
                sides = self.adversarial(discriminator, *pair, iteration=self.iteration)
                told = sides.discriminator / len(levels)
                found[f'loss_{name}_{side}_generator'] = Term(sides.generator / len(levels))
                found[f'loss_{name}_{side}_discriminator'] = Term(told)
                found[f'{name}_{side}_accuracy'] = Term(sides.accuracy)
            found[name] = fake
            found[f'{name}_mse'] = mean_square(fake.detach(), real, weight)
            found[f'{name}_mse_constant'] = mean_square(0 * real, real, weight)
        still = last[:, :, None]
        found['future_mse_repeat_last'] = mean_square(resize_frames(still, side), real, weight)
        found['future_mse_blurred'] = mean_square(blur(last, side)[:, :, None], real, weight)
        return found


def mean_square(drawn: Tensor, real: Tensor, weight: Tensor) -> Term:
    """Squared error of frames ``[B, 3, T, R, R]`` that count by ``[B, T]``."""
    return mean_term((drawn - real).square().mean((1, 3, 4)), weight)
