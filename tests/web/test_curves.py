"""Points over two axes to places on a small sheet."""

from datetime import date
from itertools import pairwise

import pytest

from collections_app.web.curves import FORMS, Axis, Curve, curve_plot


def test_the_axes_hold_every_point_and_every_interval_between_round_numbers() -> None:
    plot = curve_plot(
        "Calibration", "", "calibration", x=Axis("told", "percent", low=0.0), y=Axis("happened", "percent", low=0.0),
        curves=[Curve("happened", [(0.1, 0.2), (0.5, 0.6)], "dots", [(0.15, 0.25), (0.4, 0.93)])],
    )  # fmt: skip
    assert [m.text for m in plot.ticks_x] == ["0%", "10%", "20%", "30%", "40%", "50%"]
    assert [m.text for m in plot.ticks_y] == ["0%", "20%", "40%", "60%", "80%", "100%"]
    (curve,) = plot.curves
    # (0, 0) is the lower left corner; half of the way up is half of the axis.
    assert (plot.ticks_x[0].x, plot.ticks_y[0].y) == (plot.left, plot.bottom)
    assert curve.dots[1].x == plot.right
    assert curve.dots[0].y == pytest.approx(plot.bottom - 0.2 * (plot.bottom - plot.top))
    assert curve.whiskers[1].high == pytest.approx(plot.bottom - 0.93 * (plot.bottom - plot.top), abs=0.06)
    assert curve.whiskers[1].high < curve.dots[1].y < curve.whiskers[1].low
    assert curve.dots[1].hint == "happened 60% at told 50%"


def test_a_plot_fits_a_phone_with_its_names() -> None:
    plot = curve_plot("x", "", "x", x=Axis("x"), y=Axis("y"), curves=[Curve("with event", [(0, 0), (1, 1)])])
    assert plot.width <= 358
    letters = len("with event") * 7
    assert plot.curves[0].label.x + letters <= plot.width


def test_names_do_not_lie_on_each_other_and_guides_have_no_rank() -> None:
    plot = curve_plot(
        "Gains", "", "gains", x=Axis("x"), y=Axis("y"),
        curves=[Curve("at random", [(0, 0), (1, 1)], "guide"), Curve("a", [(0, 0), (1, 1)]), Curve("b", [(1, 1)]),
                Curve("none", [])],
    )  # fmt: skip
    guide, a, b = plot.curves
    places = sorted(c.label.y for c in plot.curves)
    assert all(later - earlier >= 14 for earlier, later in pairwise(places))
    assert (a.rank, b.rank) == (1, 2)
    assert guide.dots == ()


def test_long_names_stand_in_a_legend_and_not_beyond_the_sheet() -> None:
    names = ("observed", "observed, paid off taken for lost")
    plot = curve_plot("x", "", "x", x=Axis("x"), y=Axis("y"), curves=[Curve(n, [(0, 0), (1, 1)]) for n in names])
    assert tuple((key.name, key.rank) for key in plot.legend) == ((names[0], 1), (names[1], 2))
    assert [c.label.text for c in plot.curves] == ["", ""]
    short = curve_plot("x", "", "x", x=Axis("x"), y=Axis("y"), curves=[Curve("observed", [(0, 0), (1, 1)])])
    assert (short.legend, short.curves[0].label.text) == ((), "observed")


def test_one_value_gets_room_and_nothing_is_drawn_as_nothing() -> None:
    plot = curve_plot("x", "", "x", x=Axis("x"), y=Axis("y"), curves=[Curve("a", [(3.0, 0.4)], "dots")])
    assert plot.left < plot.curves[0].dots[0].x < plot.right
    assert plot.top < plot.curves[0].dots[0].y < plot.bottom
    assert curve_plot("x", "", "x", x=Axis("x"), y=Axis("y"), curves=[]).curves == ()


def test_days_stand_on_their_axis() -> None:
    first = date(2026, 1, 21).toordinal()
    plot = curve_plot(
        "PSI", "", "runs", x=Axis("day", "day", steps=3), y=Axis("PSI"),
        curves=[Curve("PSI", [(first, 0.1), (first + 30, 0.2)])],
    )  # fmt: skip
    assert [m.text for m in plot.ticks_x] == ["21 Jan", "31 Jan", "10 Feb", "20 Feb"]
    assert plot.ticks_x[0].x == plot.left
    assert plot.ticks_x[-1].x == plot.right


@pytest.mark.parametrize(
    ("form", "value", "step", "text"),
    [("percent", 0.375, 0.025, "37.5%"), ("percent", 0.4, 0.1, "40%"), ("number", 2.5, 2.5, "2.5"),
     ("number", 1200.0, 200.0, "1,200"), ("number", 0.05, 0.05, "0.05"), ("number", -0.0, 0.5, "0.0")],
)  # fmt: skip
def test_a_tick_is_written_with_the_decimals_that_its_step_needs(
    form: str, value: float, step: float, text: str
) -> None:
    assert FORMS[form](value, step) == text
