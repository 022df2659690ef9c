"""Names, regions and numbers of the town: plausible in form, impossible in fact.

US numbers come from the 555-0100..0199 blocks that are reserved for fiction (a large town goes on in
the unassigned 500-2xx numbers), Chinese ones from the unassigned prefix 100. No family bears the names.
"""

from dataclasses import dataclass

import numpy as np

from collections_app.town.streams import stream


@dataclass(frozen=True)
class Region:
    """A region with its share of the town, its zone and its area codes."""

    code: str
    zone: str
    weight: float
    area_codes: tuple[str, ...]


US_REGIONS: tuple[Region, ...] = (
    Region("US-CA", "America/Los_Angeles", 12, ("209", "213", "310", "408", "415", "510", "530", "559", "562",
                                                "619", "626", "650", "661", "707", "714", "760", "805")),
    Region("US-TX", "America/Chicago", 11, ("210", "214", "254", "281", "325", "361", "409", "512", "713",
                                            "806", "817", "830", "903", "936", "940", "956", "972", "979")),
    Region("US-FL", "America/New_York", 8, ("239", "305", "321", "352", "386", "407", "561", "727", "813")),
    Region("US-NY", "America/New_York", 6, ("212", "315", "516", "518", "585", "607", "631", "716", "845")),
    Region("US-PA", "America/New_York", 5, ("215", "412", "570", "610", "717", "724", "814")),
    Region("US-IL", "America/Chicago", 5, ("217", "309", "312", "618", "630", "708", "773", "815")),
    Region("US-OH", "America/New_York", 5, ("216", "330", "419", "440", "513", "614", "740", "937")),
    Region("US-GA", "America/New_York", 4, ("229", "404", "478", "706", "770", "912")),
    Region("US-NC", "America/New_York", 4, ("252", "336", "704", "828", "910", "919")),
    Region("US-MI", "America/Detroit", 4, ("231", "248", "313", "517", "586", "616", "734")),
    Region("US-NJ", "America/New_York", 3, ("201", "609", "732", "856", "908", "973")),
    Region("US-VA", "America/New_York", 3, ("276", "434", "540", "703", "757", "804")),
    Region("US-WA", "America/Los_Angeles", 3, ("206", "253", "360", "425", "509")),
    Region("US-AZ", "America/Phoenix", 3, ("480", "520", "602", "623", "928")),
    Region("US-MA", "America/New_York", 3, ("413", "508", "617", "781", "978")),
    Region("US-TN", "America/Chicago", 3, ("615", "731", "901", "931")),
    Region("US-MO", "America/Chicago", 2, ("314", "417", "573", "636", "816")),
    Region("US-CO", "America/Denver", 2, ("303", "719", "970")),
    Region("US-MN", "America/Chicago", 2, ("218", "320", "507", "612", "651")),
    Region("US-OR", "America/Los_Angeles", 2, ("503", "541")),
)  # fmt: skip
CN_REGIONS: tuple[Region, ...] = tuple(
    Region(code, "Asia/Shanghai", weight, ())
    for code, weight in (("CN-GD", 12), ("CN-JS", 9), ("CN-ZJ", 8), ("CN-SD", 8), ("CN-HA", 7), ("CN-SC", 7),
                         ("CN-HB", 6), ("CN-SH", 6), ("CN-BJ", 5), ("CN-FJ", 5))
)  # fmt: skip

_GIVEN_US = ("Avery", "Blake", "Casey", "Dana", "Ellis", "Frankie", "Gale", "Harper", "Indigo", "Jules",
             "Kendall", "Logan", "Morgan", "Nico", "Oakley", "Parker", "Quinn", "Riley", "Sage", "Umber",
             "Val", "Winter", "Xen", "Yael", "Zephyr", "Marlow", "Lane", "Reese", "Tatum")  # fmt: skip
_STEM_US = ("Sample", "Mock", "Demo", "Proof", "Test", "Draft", "Model", "Specimen", "Pattern", "Fable",
            "Fiction", "Notion", "Replica", "Sketch", "Figment", "Placebo", "Trial", "Mirage")  # fmt: skip
_ENDING_US = ("ton", "well", "ford", "by", "worth", "field", "man", "wood", "ley", "stone", "ridge", "croft")
_FAMILY_CN = ("例", "样", "试", "拟", "虚", "演")
_GIVEN_CN = ("小安", "小北", "大川", "冬青", "二宝", "芳草", "谷雨", "海棠", "吉祥", "开心", "立春",
             "南风", "平安", "青松", "如意", "石榴", "晓光", "雪梅", "一诺", "云朵", "长河")  # fmt: skip


def names(seed: int, is_cn: np.ndarray) -> list[str]:
    """Name every customer; family names say that the person is an example."""
    rng = stream(seed, "names")
    given, stem, ending = (rng.integers(0, 1 << 30, is_cn.size) for _ in range(3))
    return [
        f"{_FAMILY_CN[s % len(_FAMILY_CN)]}{_GIVEN_CN[g % len(_GIVEN_CN)]}"
        if cn
        else f"{_GIVEN_US[g % len(_GIVEN_US)]} {_STEM_US[s % len(_STEM_US)]}{_ENDING_US[e % len(_ENDING_US)]}"
        for cn, g, s, e in zip(is_cn.tolist(), given.tolist(), stem.tolist(), ending.tolist(), strict=True)
    ]


class NumberPlan:
    """Deals telephone numbers that belong to nobody, each once."""

    def __init__(self) -> None:
        self._dealt: dict[str, int] = {}

    def deal(self, region: Region, area_code: str | None = None) -> str:
        """Return the next free number of the region, or of one of its area codes."""
        if not region.area_codes:
            return f"+86100{self._next('cn'):08d}"
        code = area_code or region.area_codes[self._next(region.code) % len(region.area_codes)]
        serial = self._next(code)
        if serial < 100:
            return f"+1{code}55501{serial:02d}"
        return f"+1500{2_000_000 + self._next('us'):07d}"

    def _next(self, key: str) -> int:
        serial = self._dealt.get(key, 0)
        self._dealt[key] = serial + 1
        return serial
