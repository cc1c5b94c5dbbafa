from .skeleton_graph import build_graph_network, graph_of_layout
from .skeleton_gru import SkeletonGRU

__all__ = ['SkeletonGRU', 'build_graph_network', 'graph_of_layout']
