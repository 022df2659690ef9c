import pytest

from voice.phrases import PhraseError, check_phrase, find, normalise, occurs


@pytest.mark.parametrize(
    ("phrase", "text", "hit"),
    [
        ("sue you", "we will sue you", True),
        ("sue", "this issue is closed", False),
        ("(wife|husband) will", "your husband will know", True),
        ("recorded [line|call]", "a recorded line", True),
        ("to my * account", "to my own bank account", True),
        ("to my * account", "to my dear old friend from the account", False),
        ("# # # #", "it is four oh two one", True),
        ("# # # #", "it is four oh two", False),
    ],
)
def test_a_phrase_matches_whole_words_only(phrase: str, text: str, hit: bool) -> None:
    assert occurs([phrase], text) is hit


def test_a_match_names_the_words_that_it_covers() -> None:
    words = normalise("Pay NOW, or you'll be sorry!").split()
    (match,) = find(["or you'll"], words)
    assert words[match.first : match.end] == ["or", "you'll"]


@pytest.mark.parametrize("phrase", ["", "Upper", "a(b", "x|y"])
def test_an_unreadable_phrase_is_refused(phrase: str) -> None:
    with pytest.raises(PhraseError):
        check_phrase(phrase)
