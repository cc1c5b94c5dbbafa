"""Pictures of what the pretext tasks predict, how they get along, and what sentences find."""

from .conflict import draw_conflict, read_conflict, summarize_conflict
from .frames import draw_generated_frames
from .gallery import Hit, draw_gallery
from .parts import draw_part_maps
from .poses import draw_predicted_poses

__all__ = [
    'Hit',
    'draw_conflict',
    'draw_gallery',
    'draw_generated_frames',
    'draw_part_maps',
    'draw_predicted_poses',
    'read_conflict',
    'summarize_conflict',
]
