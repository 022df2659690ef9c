"""The stages of a model's life, and the moves a person may order."""

from enum import StrEnum


class Stage(StrEnum):
    """Where a model version stands. Only the champion decides; shadow and challenger are scored beside it."""

    DEV = "dev"
    SHADOW = "shadow"
    CHALLENGER = "challenger"
    CHAMPION = "champion"
    RETIRED = "retired"


SCORED = (Stage.CHAMPION, Stage.CHALLENGER, Stage.SHADOW)
"""Stages that the daily scoring looks at."""

MOVES: dict[Stage, frozenset[Stage]] = {
    Stage.DEV: frozenset({Stage.SHADOW, Stage.CHALLENGER, Stage.CHAMPION, Stage.RETIRED}),
    Stage.SHADOW: frozenset({Stage.DEV, Stage.CHALLENGER, Stage.CHAMPION, Stage.RETIRED}),
    Stage.CHALLENGER: frozenset({Stage.SHADOW, Stage.CHAMPION, Stage.RETIRED}),
    Stage.CHAMPION: frozenset({Stage.RETIRED}),
    Stage.RETIRED: frozenset({Stage.SHADOW, Stage.CHALLENGER, Stage.CHAMPION}),
}
"""From a stage to those it may move to. A champion ends by retiring, or because another takes its place."""
