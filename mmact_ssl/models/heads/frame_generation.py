"""CSVR's generation of current and of future frames."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from mmact_ssl.models.heads.pretext_head import PretextHead, build_loss
from mmact_ssl.models.heads.terms import Term, Terms, mean_term
from mmact_ssl.models.necks.adaptive_instance_norm import adaptive_instance_norm
from mmact_ssl.models.networks.video_gan import (
    LATENT_SIZE,
    VideoDiscriminator,
    VideoGenerator,
    blur,
    resize_frames,
)
from mmact_ssl.registry import MODELS


@MODELS.register_module()
class FrameGenerationHead(PretextHead):
    """Generate the frames of a view, the clip's own or later ones, from the fused features.

    ``f_i = AdaIN(static map, dynamic map)``, averaged over time and pooled to an 8x8 latent map; a
    generator; per resolution a reconstruction and an adversarial loss. That current and future
    frames are generated is published (arXiv 2401.07584, abstract); AdaIN and TGANv2 are as
    reported. For half of the training clips, the generator adds future frames to a blurred last
    frame (4x4 means). This is our choice: with the last frame itself the generator ignored ``f_i``.

    Args:
        channels, discriminator_channels: Channels of the generator at 8x8, and of the
            discriminators' first layer.
        resolutions: Sides of the generated frames.
        frame_stride: Generate every n-th frame of the view.
        adversarial: Loss of the GAN; None leaves plain reconstruction without discriminators.
        inputs: Names of ``static`` and ``dynamic`` ``(B, C, T', H', W')``, of the ``frames``
            ``(B, 3, T, H, W)``, and of ``valid``, bool ``(B, T)``. For frames after the clip also
            of ``continued``, the clip.
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
        """Compute the losses of each resolution, and errors of the frames and trivial answers."""
        pool = nn.AdaptiveAvgPool3d((1, LATENT_SIZE, LATENT_SIZE))
        latent = adaptive_instance_norm(static, dynamic, pool).squeeze(2)  # of f_i
        frames, valid = frames[:, :, :: self.frame_stride], valid[:, :: self.frame_stride]
        last = None if continued is None else continued[:, :, -1]  # (B, 3, H, W)
        levels = self.generator(latent, frames.shape[2], last)
        terms: Terms = {}
        for fake, positions in levels:
            side = fake.shape[-1]
            real = resize_frames(frames[:, :, positions], side)
            weight = valid[:, positions].to(real.dtype)  # (B, T_l)
            seen = weight[:, None, :, None, None]
            distance = self.loss_module(fake, real) / len(levels)  # (B, T_l)
            terms[f'loss_{side}'] = mean_term(distance, weight)
            if self.adversarial is None or not self.needs_losses:
                continue
            # Padded frames are blank in real and fake clips, so that they do not differ.
            pair = (real * seen, fake * seen)
            discriminator = self.discriminators[str(side)]
            sides = self.adversarial(discriminator, *pair, iteration=self.iteration)
            has_frames = weight.any(1).to(weight.dtype)
            terms[f'loss_{side}_generator'] = Term(sides.generator / len(levels), has_frames)
            terms[f'loss_{side}_discriminator'] = Term(
                sides.discriminator / len(levels), has_frames
            )
            terms[f'{side}_accuracy'] = Term(sides.accuracy, has_frames)
        color = (real * seen).sum((0, 2, 3, 4)) / (seen.sum() * side**2).clamp(min=1)  # the mean
        answers = dict(mse=fake.detach(), mse_constant=color[:, None, None, None])
        if last is not None:
            answers['mse_repeat_last'] = resize_frames(last[:, :, None], side)
            answers['mse_blurred'] = blur(last, side)[:, :, None]
        for name, answer in answers.items():
            terms[name] = mean_term((answer - real).square().mean((1, 3, 4)), weight)
        return dict(**terms, frames=fake)
