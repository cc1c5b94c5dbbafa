"""Pictures of what the pretext tasks predict, and of how they get along."""

from .conflict import draw_conflict, read_conflict
from .frames import draw_generated_frames
from .poses import draw_predicted_poses

__all__ = ['draw_conflict', 'draw_generated_frames', 'draw_predicted_poses', 'read_conflict']
