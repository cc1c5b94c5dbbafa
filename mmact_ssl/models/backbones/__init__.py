from .adapted_backbone import AdaptedBackbone
from .skeleton_graph import build_graph_network, graph_of_layout
from .skeleton_gru import SkeletonGRU
from .skeleton_streams import SkeletonStreams

__all__ = [
    'AdaptedBackbone',
    'SkeletonGRU',
    'SkeletonStreams',
    'build_graph_network',
    'graph_of_layout',
]
