from .context_matching import ContextMatchingHead
from .pose_prediction import PosePredictionHead
from .pretext_head import PretextHead
from .video_generation import VideoGenerationHead

__all__ = ['ContextMatchingHead', 'PosePredictionHead', 'PretextHead', 'VideoGenerationHead']
