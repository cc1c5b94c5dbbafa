"""Restoration of a clip from the pooled features of a changed copy."""

from __future__ import annotations

from torch import Tensor

from mmact_ssl.models.heads import PretextHead, Term
from mmact_ssl.models.heads.terms import Terms
from mmact_ssl.models.networks.projector import make_plain_projector
from mmact_ssl.models.skeletons import check_skeleton_shape, find_layout
from mmact_ssl.registry import MODELS


@MODELS.register_module()
class ClipRestorationHead(PretextHead):
    """Restore a clip, in its normalized axes, from the features of a turned and noisy copy.

    A contrast alone discards what the changes of a view hide, such as the direction of a movement.
    To restore the clip, the features must keep it, whatever the view shows::

        loss = mean over frames, joints and coordinates of  (p(s(view)) - body(clip))^2

    with ``s(view)`` the student's pooled features, ``p`` a projector and ``body`` the joints
    relative to their middle in each frame: steps through the room would outweigh all movements of
    the arms. Every joint counts, and a missing one, of zeros, as if it lay there: data must have
    all joints. Denoising from features is old (Vincent et al. 2008); this form is our choice.

    Args:
        in_channels: Size of the pooled features.
        layout: Name of the joint layout.
        num_frames: Frames T of the clip.
        num_persons, coordinates: M and C of the clip.
        view, clip: The changed copy, and the clip to restore, which covers the same time.
        hidden_dim: Hidden size of the projector.
        inputs: Names of ``pooled`` ``(B, in_channels)`` and ``clip`` ``(B, M, T, V, C)``.
    """

    inputs = dict(pooled='{view}.pooled', clip='{clip}')

    def __init__(
        self,
        in_channels: int,
        layout: str,
        num_frames: int,
        num_persons: int = 1,
        coordinates: int = 3,
        view: str = 'one',
        clip: str = 'clip',
        hidden_dim: int = 512,
        inputs: dict[str, str] | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(inputs, None, init_cfg, view=view, clip=clip)
        self.shape = (num_persons, find_layout(layout).num_joints, coordinates)
        size = num_frames * num_persons * self.shape[1] * coordinates
        self.projector = make_plain_projector(in_channels, hidden_dim, size)

    def terms(self, pooled: Tensor, clip: Tensor) -> Terms:
        """Compute the squared error, also that of the batch's mean clip."""
        check_skeleton_shape('ClipRestorationHead', clip, self.shape)
        target = (clip - clip.mean(3, keepdim=True)).flatten(1)
        error = (self.projector(pooled) - target).square().mean(1)
        constant = (target.mean(0) - target).square().mean(1)
        return dict(loss=Term(error), error=Term(error.detach()), error_constant=Term(constant))
