"""A robot's line as TwiML, without the vendor's SDK: the web may render it."""

from xml.etree import ElementTree as Xml

from voice.dialogue.engine import Step

_VOICE = "alice"


def render(step: Step, *, action_url: str, language: str) -> str:
    """Say the line, then listen (speech or keys) and post what was heard; the last line hangs up.

    ``actionOnEmptyResult`` makes silence a turn too, so that the script can ask again.
    """
    response = Xml.Element("Response")
    if step.settled is None:
        gather = Xml.SubElement(
            response,
            "Gather",
            input="speech dtmf",
            action=action_url,
            method="POST",
            timeout="5",
            speechTimeout="auto",
            actionOnEmptyResult="true",
            language=language,
        )
        _say(gather, step.say, language)
    else:
        _say(response, step.say, language)
        Xml.SubElement(response, "Hangup")
    return '<?xml version="1.0" encoding="UTF-8"?>' + Xml.tostring(response, encoding="unicode")


def _say(parent: Xml.Element, text: str, language: str) -> None:
    if text:
        Xml.SubElement(parent, "Say", language=language, voice=_VOICE).text = text
