"""What collections learnt in earlier episodes, as features of the B-cards (domain brief §3.9).

The feed (docs/models.md, the way back) has one row per episode with ``available_from``; a row counts from the
day after that instant on, and only if its episode was over by then. Everything is unknown for an account that
never was in collections: no earlier episode is not a good one.
"""

from datetime import date

import polars as pl

from models.schema import Direction, FeatureSpec, RawFrames

_EFFORT = {"self": 0, "reminder": 1, "robot": 2, "agent": 3, "promise": 4}
"""How much it took to cure the account, least first (services/feedback: the strongest thing that happened)."""

_UP, _DOWN, _FREE = Direction.RISKIER, Direction.SAFER, Direction.FREE
_NEVER = "never in collections"

FEEDBACK_FEATURES: tuple[FeatureSpec, ...] = (
    FeatureSpec("fb_max_dpd", "feedback", _NEVER, _UP, "earlier_episodes"),
    FeatureSpec("fb_cure_dpd", "feedback", _NEVER + ", or not cured", _UP, "earlier_episodes"),
    FeatureSpec("fb_cure_effort", "feedback", _NEVER + ", or not cured", _FREE, "earlier_episodes"),
    FeatureSpec("fb_rpc", "feedback", _NEVER, _FREE, "hard_to_reach"),
    FeatureSpec("fb_kept_ratio", "feedback", _NEVER + ", or no promise judged", _DOWN, "promises_broken"),
    FeatureSpec("fb_hardship", "feedback", _NEVER, _UP, "hardship_before"),
    FeatureSpec("fb_lost", "feedback", _NEVER, _UP, "hard_to_reach"),
    FeatureSpec("fb_complaint", "feedback", _NEVER, _FREE, "earlier_episodes"),
    FeatureSpec("fb_qa_flags", "feedback", _NEVER, _FREE, "earlier_episodes"),
)

FEEDBACK_NAMES: tuple[str, ...] = tuple(f.name for f in FEEDBACK_FEATURES)


def feedback_features(frames: RawFrames, as_of: date) -> pl.DataFrame:
    """Return one row per account with an earlier episode: ``account_id`` and FEEDBACK_NAMES.

    The latest episode speaks for how it ended, all of them together for what happened at all.
    """
    known = frames.feedback.filter((pl.col("ended_on") < as_of) & (pl.col("available_on") < as_of))
    return (
        known.sort("account_id", "ended_on")
        .group_by("account_id", maintain_order=True)
        .agg(
            fb_max_dpd=pl.col("max_dpd").max(),
            fb_cure_dpd=pl.col("cure_dpd").drop_nulls().last(),
            fb_cure_effort=pl.col("cure_mode")
            .replace_strict(_EFFORT, default=None, return_dtype=pl.Int64)
            .drop_nulls()
            .last(),
            fb_rpc=pl.col("n_rpc").last(),
            fb_kept_ratio=pl.col("ptp_kept_ratio").mean(),
            fb_hardship=pl.col("hardship_flag").any(),
            fb_lost=pl.col("lost_flag").any(),
            fb_complaint=pl.col("complaint_flag").any(),
            fb_qa_flags=pl.col("qa_flags").sum(),
        )
        .select("account_id", *FEEDBACK_NAMES)
    )
