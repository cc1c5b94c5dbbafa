"""Pictures of what the pretext tasks predict."""

from .frames import draw_generated_frames
from .poses import draw_predicted_poses

__all__ = ['draw_generated_frames', 'draw_predicted_poses']
