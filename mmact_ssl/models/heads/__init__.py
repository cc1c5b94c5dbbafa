from .classification import ClassificationHead
from .context_matching import ContextMatchingHead
from .contrast import ContrastHead
from .jigsaw import JigsawHead
from .motion_prediction import MotionPredictionHead
from .pose_prediction import PosePredictionHead
from .pretext_head import PretextHead
from .video_generation import VideoGenerationHead

__all__ = [
    'ClassificationHead',
    'ContextMatchingHead',
    'ContrastHead',
    'JigsawHead',
    'MotionPredictionHead',
    'PosePredictionHead',
    'PretextHead',
    'VideoGenerationHead',
]
