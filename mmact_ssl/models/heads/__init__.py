from mmact_ssl.models.balancers.teacher_weights import (
    ConfidenceTeacherWeights,
    FixedTeacherWeights,
    LearnedTeacherWeights,
)

from .classification import ClassificationHead
from .consistency import ConsistencyHead
from .context_matching import ContextMatchingHead
from .contrast import ContrastHead
from .jigsaw import JigsawHead
from .motion_prediction import MotionPredictionHead
from .parsing_distillation import ParsingDistillationHead
from .pose_prediction import PosePredictionHead
from .pretext_head import PretextHead
from .prompt_matching import PromptMatchingHead
from .recognition import RecognitionHead
from .teacher_guidance import TeacherGuidanceHead
from .video_generation import VideoGenerationHead

__all__ = [
    'ClassificationHead',
    'ConfidenceTeacherWeights',
    'ConsistencyHead',
    'ContextMatchingHead',
    'ContrastHead',
    'FixedTeacherWeights',
    'JigsawHead',
    'LearnedTeacherWeights',
    'MotionPredictionHead',
    'ParsingDistillationHead',
    'PosePredictionHead',
    'PretextHead',
    'PromptMatchingHead',
    'RecognitionHead',
    'TeacherGuidanceHead',
    'VideoGenerationHead',
]
