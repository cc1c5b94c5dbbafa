"""Part layouts: which channel of a part map is which part of a person, and what a flip swaps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class PartLayout:
    """Channel order of one kind of part map [C, h, w].

    Names that begin with ``left_`` and ``right_`` pair up; they are from the person's own point
    of view.
    """

    name: str
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        missing = {self._mirrored(name) for name in self.names} - set(self.names)
        if missing:
            raise ValueError(f'part layout {self.name} lacks {sorted(missing)}')

    @staticmethod
    def _mirrored(name: str) -> str:
        side, _, rest = name.partition('_')
        other = {'left': 'right', 'right': 'left'}.get(side)
        return f'{other}_{rest}' if other and rest else name

    @property
    def num_parts(self) -> int:
        """Number of channels C."""
        return len(self.names)

    @property
    def flip_indices(self) -> np.ndarray:
        """int64 [C]: ``maps[..., flip_indices, :, :]`` exchanges left and right parts."""
        return np.array([self.names.index(self._mirrored(name)) for name in self.names], np.int64)

    def index(self, *names: str) -> list[int]:
        """Channels of the parts called ``names``.

        Raises:
            ValueError: if a name is not a part of this layout.
        """
        unknown = [name for name in names if name not in self.names]
        if unknown:
            raise ValueError(
                f'part layout {self.name} has no part {unknown[0]!r}; '
                f'its parts are {", ".join(self.names)}'
            )
        return [self.names.index(name) for name in names]


PART_LAYOUTS: dict[str, PartLayout] = {
    name: PartLayout(name, tuple(parts.split()))
    for name, parts in {
        # A silhouette: the probability that a pixel shows a person.
        'person': 'person',
        # What the demo world paints, in the order of its LIP labels; `LIP_LABELS` there has them.
        'demo_parts': 'background hair upper_clothes face left_arm right_arm left_leg right_leg '
        'left_shoe right_shoe',
        # Look into Person (Gong et al. 2017).
        'lip': 'background hat hair glove sunglasses upper_clothes dress coat socks pants '
        'jumpsuits scarf skirt face left_arm right_arm left_leg right_leg left_shoe right_shoe',
        # ATR (Liang et al. 2015).
        'atr': 'background hat hair sunglasses upper_clothes skirt pants dress belt left_shoe '
        'right_shoe face left_leg right_leg left_arm right_arm bag scarf',
        # Pascal-Person-Part (Chen et al. 2014), seven coarse parts without sides.
        'pascal_person': 'background head torso upper_arms lower_arms upper_legs lower_legs',
    }.items()
}
