"""What a customer can be seen doing: in the lender's app, with the bound card, with money (domain brief §3.3)."""

from enum import StrEnum


class CustomerEventKind(StrEnum):
    """A kind of customer event. Lenders map their own names to these; models know them by these words."""

    LOGIN = "login"
    REPAY_PAGE = "repay_page"
    CARD_BOUND = "card_bound"
    CARD_UNBOUND = "card_unbound"
    SPEND = "spend"
