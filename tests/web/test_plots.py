"""Numbers to places on a sheet."""

import pytest

from collections_app.web.plots import LINES, Rate, bar_plot, heat_map, line_plot, per_cent


def test_a_cell_holds_its_number_and_is_the_deeper_the_larger_it_is() -> None:
    plot = heat_map("Moves", ["M0", "M1"], ["M0", "M1"], {("M0", "M0"): (0.9, 9), ("M0", "M1"): (0.1, 1)})
    stay, roll, empty, _ = plot.cells
    assert (stay.text, roll.text, empty.text) == ("90.0%", "10.0%", "")
    assert stay.depth > roll.depth > empty.depth == 0
    assert stay.depth <= 0.55, "ink must stay readable on the deepest cell"
    assert roll.hint == "M0 to M1: 1"
    # The first cell of the second row lies under the first of the first; columns go to the right.
    assert (empty.x, roll.y) == (stay.x, stay.y)
    assert (roll.x, empty.y) == (stay.x + plot.cell_width, stay.y + plot.cell_height)
    assert plot.cells[-1].x + plot.cell_width <= plot.width


def test_a_bar_is_as_long_as_its_rate_and_carries_its_interval() -> None:
    # The scale ends at a round number that holds the highest interval, 0.8 -> 0.8; 0.4 is half of it.
    plot = bar_plot("Kept", [Rate("2026-01", 0.4, 10, 0.2, 0.8), Rate("2026-02", None, 0)])
    known, unknown = plot.bars
    assert known.low is not None
    assert known.high is not None
    assert known.width == 170
    assert (known.low - plot.left, known.high - plot.left) == (85, 340)
    assert (known.end.text, unknown.end.text) == ("40.0% of 10", "not known")
    assert (unknown.width, unknown.low) == (0, None)


def test_a_curve_ends_where_knowledge_ends_and_names_do_not_lie_on_each_other() -> None:
    series = {"a": [(0, 0.0), (1, 0.1), (2, None)], "b": [(0, 0.0), (1, 0.1), (2, 0.2)], "c": [(0, 0.0), (1, 0.1)],
              "d": [(0, None)]}  # fmt: skip
    plot = line_plot("Vintage", "Months", series, {0: "0", 1: "1", 2: "2"})
    assert [(line.label.text, len(line.dots)) for line in plot.lines] == [("a", 2), ("b", 3), ("c", 2)]
    a, b, c = plot.lines
    assert a.dots[-1].y == c.dots[-1].y
    assert abs(a.label.y - c.label.y) >= 14
    assert a.depth < b.depth < c.depth == 1.0
    # The axis: 0 at the bottom, 20 % at the top, the middle half-way.
    assert [tick.text for tick in plot.ticks_y] == ["0%", "5%", "10%", "15%", "20%"]
    assert (b.dots[0].y, b.dots[2].y) == (plot.bottom, plot.ticks_y[-1].y)
    assert b.dots[1].x == pytest.approx((b.dots[0].x + b.dots[2].x) / 2)


def test_of_many_curves_the_latest_are_drawn() -> None:
    plot = line_plot("Vintage", "Months", {str(i): [(0, 0.1)] for i in range(20)}, {0: "0"})
    assert [line.label.text for line in plot.lines] == [str(i) for i in range(20 - LINES, 20)]


def test_nothing_to_draw_is_drawn_as_nothing() -> None:
    assert bar_plot("Kept", []).bars == ()
    assert line_plot("Vintage", "Months", {}, {}).lines == ()
    assert heat_map("Moves", [], [], {}).cells == ()


@pytest.mark.parametrize(
    ("value", "text"), [(0.5, "50.0%"), (0.0012, "0.1%"), (0.00125, "0.1%"), (1.535, "153.5%"), (0.0, "0.0%")]
)
def test_a_rate_is_written_in_per_cent(value: float, text: str) -> None:
    assert per_cent(value) == text
