"""CSVR's generation of current and of future frames."""

from __future__ import annotations

from collections.abc import Sequence

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

from .pretext_head import PretextHead, build_loss
from .terms import Term, Terms, mean_term


@MODELS.register_module()
class FrameGenerationHead(PretextHead):
    """Generate the frames of a view, the clip's own or later ones, from the fused features.

    ``f_i = AdaIN(static map, dynamic map)``, averaged over time and pooled to an 8x8 latent map; a
    generator; per resolution a reconstruction and an adversarial loss. That current and future
    frames are generated is published (arXiv 2401.07584, abstract); AdaIN and TGANv2 are as
    reported. Frames after the clip are added to a blurred last frame, 4x4 means of it, for half of
    the training clips (our choice): shown the last frame itself, their generator ignored ``f_i``
    (docs/studies/csvr.md).

    Args:
        in_channels: Channels of the static and of the dynamic map.
        channels, discriminator_channels: Of the generator at 8x8 and the discriminators' start.
        resolutions: Sides of the generated frames.
        frame_stride: Generate every so many frames of the view.
        loss: Loss of generated and real frames.
        adversarial: Loss of the GAN; None leaves plain reconstruction without discriminators.
        inputs: Names of ``static`` and ``dynamic`` ``(B, C, T', H', W')``, of the ``frames``
            ``(B, 3, T, H, W)``, and which of them are ``valid``, bool ``(B, T)``. For frames after
            the clip also of the clip, ``continued``.
    """

    reference_names = (*PretextHead.reference_names, 'blurred')
    inputs = dict(
        static='clip.static', dynamic='clip.dynamic', frames='clip', valid='targets.clip.valid'
    )

    def __init__(
        self,
        in_channels: int,
        channels: int = 256,
        discriminator_channels: int = 32,
        resolutions: Sequence[int] = (16, 32, 64),
        frame_stride: int = 1,
        loss: dict = dict(type='FrameLoss'),
        adversarial: dict | None = dict(
            type='HingeGANLoss', weight=0.1, r1_weight=1.0, r1_interval=16
        ),
        inputs: dict[str, str] | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(inputs, loss, init_cfg)
        self.frame_stride = frame_stride
        self.generator = VideoGenerator(in_channels, channels, resolutions)
        self.adversarial: nn.Module | None = None
        if adversarial is not None:
            self.adversarial = build_loss(adversarial)
            self.discriminators = nn.ModuleDict(
                {
                    str(side): VideoDiscriminator(side, discriminator_channels)
                    for side in resolutions
                }
            )

    def terms(
        self,
        static: Tensor,
        dynamic: Tensor,
        frames: Tensor,
        valid: Tensor,
        continued: Tensor | None = None,
    ) -> Terms:
        """Losses of both sides of each resolution; the distance beside those of trivial answers."""
        pool = nn.AdaptiveAvgPool3d((1, LATENT_SIZE, LATENT_SIZE))
        latent = adaptive_instance_norm(static, dynamic, pool).squeeze(2)  # of f_i
        frames, valid = frames[:, :, :: self.frame_stride], valid[:, :: self.frame_stride]
        last = None if continued is None else continued[:, :, -1]  # (B, 3, H, W)
        levels = self.generator(latent, frames.shape[2], last)
        found: Terms = {}
        for fake, positions in levels:
            side = fake.shape[-1]
            real = resize_frames(frames[:, :, positions], side)
            weight = valid[:, positions].to(real.dtype)  # (B, T_l)
            distance = self.loss_module(fake, real) / len(levels)  # (B, T_l)
            found[f'loss_{side}'] = mean_term(distance, weight)
            if self.adversarial is None or not self.needs_losses:
                continue
            # Padded frames are blank on both sides, so that they tell nothing apart.
            seen = weight[:, None, :, None, None]
            pair = (real * seen, fake * seen)
            discriminator = self.discriminators[str(side)]
            sides = self.adversarial(discriminator, *pair, iteration=self.iteration)
            has_frames = weight.any(1).to(weight.dtype)
            found[f'loss_{side}_generator'] = Term(sides.generator / len(levels), has_frames)
            found[f'loss_{side}_discriminator'] = Term(
                sides.discriminator / len(levels), has_frames
            )
            found[f'{side}_accuracy'] = Term(sides.accuracy, has_frames)
        answers = dict(mse=fake.detach(), mse_constant=0 * real)
        if last is not None:
            answers['mse_repeat_last'] = resize_frames(last[:, :, None], side)
            answers['mse_blurred'] = blur(last, side)[:, :, None]
        for name, answer in answers.items():
            found[name] = mean_term((answer - real).square().mean((1, 3, 4)), weight)
        return dict(**found, frames=fake)
