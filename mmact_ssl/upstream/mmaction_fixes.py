"""Fix of mmaction2's data set of videos, applied when this package's own are imported."""

from __future__ import annotations

from collections.abc import Callable


def fix_video_lists(read_list: Callable[[str, str], list[dict]]) -> bool:
    """Make mmaction2's VideoDataset read lists as this package does.

    mmaction2 reads a byte order mark as a part of the first name, and fails on blank lines, tabs
    and names with blanks.

    Args:
        read_list: Reads a list's path and the folder of its videos to mmaction2's dicts.
    """
    from mmaction.datasets import VideoDataset

    read = VideoDataset.load_data_list
    if read.__module__ == __name__:
        return False

    def load_data_list(self: VideoDataset) -> list[dict]:
        if self.multi_class or self.delimiter != ' ' or '://' in self.ann_file:
            return read(self)
        return read_list(self.ann_file, self.data_prefix.get('video') or '')

    VideoDataset.load_data_list = load_data_list
    return True
