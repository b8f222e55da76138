"""Lists of names that grow while a model is imported: what its encoders know of a string."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from zkchain.ir.categories import Categories, Names, merged


@dataclass(eq=False, slots=True)
class Vocabulary:
    """``known``: names in the order in which encoders gave them; ``closed``: some encoder refuses all others."""

    known: dict[str, None] = field(default_factory=dict)
    closed: bool = False

    @classmethod
    def of(cls, names: Sequence[str]) -> Vocabulary:
        """A list that is whole: what a class label may be."""
        return cls(dict.fromkeys(names), closed=True)

    def learn(self, names: Sequence[str], *, others: bool) -> None:
        """An encoder knows these names, and takes others or does not."""
        self.known.update(dict.fromkeys(names))
        self.closed = self.closed or not others

    def names(self) -> Names:
        """The list as circuits have it: None stands for every other string."""
        return tuple(self.known) if self.closed and self.known else (*self.known, None)


Texts = npt.NDArray[np.object_]
"""The Vocabulary of every element of a tensor."""


def columns(shape: tuple[int, ...]) -> Texts:
    """Vocabularies of an input: one for each element of a row, the same for all rows."""
    row = shape[1:] if len(shape) > 1 else shape
    made = np.empty(row, dtype=object)
    for at in np.ndindex(row):
        made[at] = Vocabulary()
    return np.broadcast_to(made, shape)


def categories(texts: Texts) -> Categories:
    """The lists of all elements."""
    return merged([vocabulary.names() for vocabulary in texts.ravel().tolist()])
