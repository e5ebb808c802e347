"""Takes secrets out of lines of text. Pure."""
# ruff: noqa: INP001 - Ansible finds it by its folder
# Runs on the hosts, with whatever Python they have: 3.8 on JetPack 5.

from __future__ import annotations

import re
from urllib.parse import unquote

HIDDEN = "***"
SHORTEST = 6
"""A shorter secret that is known is taken out only where it stands as one: else half the text would go."""
KEY_LINES_MOST = 200
"""Of a private key: one whose end is missing does not hide the rest of the log."""

_NAMES = (
    r"pass(?:word|wd|phrase|wort|code)|pass(?![a-z])|pwd|secret|kek|signature|credential"
    r"|(?:secret|access|private|api|shared|encryption)[ _-]?key|token"
)
_ASSIGNED = re.compile(
    # Such a name, what its word has behind it, a quote that may close it, and = or :
    rf"((?:{_NAMES})[\w-]{{0,40}}[\"'\\]{{0,2}}[ \t]{{0,8}}(?:=>|[=:])[ \t]{{0,8}})"
    # A value in quotes, escaped or not and closed or not; or what follows up to a blank.
    r"(\\?\"(?:\\.|[^\"\\])*(?:\\?\"|\\?$)|\\?'(?:\\.|[^'\\])*(?:\\?'|\\?$)|[^\s]+)",
    re.IGNORECASE,
)
_OPTION = re.compile(rf"(-[\w-]{{0,40}}(?:{_NAMES})[\w-]{{0,40}}[ \t]{{1,8}})([^\s]+)", re.IGNORECASE)
_HEADER = re.compile(
    r"((?:proxy-)?authorization[\"']?[ \t]*[:=][ \t]*|(?:bearer|basic|digest)[ \t]+)(.+)", re.IGNORECASE
)
_IN_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://[^\s/:@\"']*):([^\s\"']*)@")
_ACCESS_KEY = re.compile(r"\b(?:AKIA|ASIA|AGPA|AIDA|AROA|ANPA|ANVA|ABIA|ACCA)[A-Z0-9]{12,124}\b")
_SECRET_KEY = re.compile(
    r"(?<![A-Za-z0-9+/=])(?![0-9a-f]{40}(?![A-Za-z0-9+/=]))[A-Za-z0-9+/]{40}(?![A-Za-z0-9+/=])"
)
_TOKEN = re.compile(r"\beyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*){1,2}")
_BASE64_LINE = re.compile(r"\s*[A-Za-z0-9+/]{44,}={0,2}\s*")

_KEY = r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----"
_KEY_END = r"-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----"
_WHOLE_KEY = re.compile(_KEY + r".*?" + _KEY_END, re.DOTALL)
_KEY_BEGINS = re.compile(_KEY + r".*", re.DOTALL)
_KEY_ENDS = re.compile(r".*?" + _KEY_END, re.DOTALL)


class Redaction:
    """Takes secrets out of the lines of one source, in their order.

    Args:
        known: secrets of this host, as they are written; wherever they stand they are taken out.
    """

    def __init__(self, known: frozenset[str] = frozenset()) -> None:
        long = sorted(
            {form for each in known for form in (each, unquote(each)) if len(form) >= SHORTEST}, key=len
        )
        self._known = re.compile("|".join(map(re.escape, reversed(long)))) if long else None
        self._key_lines = 0

    def line(self, text: str) -> str:
        """Return a line without its secrets."""
        if self._known is not None:
            text = self._known.sub(HIDDEN, text)
        text = self._without_keys(text)
        text = _IN_URL.sub(rf"\1:{HIDDEN}@", text)
        text = _HEADER.sub(rf"\1{HIDDEN}", text)
        text = _ASSIGNED.sub(rf"\1{HIDDEN}", text)
        text = _OPTION.sub(rf"\1{HIDDEN}", text)
        for shape in (_ACCESS_KEY, _SECRET_KEY, _TOKEN):
            text = shape.sub(HIDDEN, text)
        return text

    def _without_keys(self, text: str) -> str:
        if self._key_lines:
            ended = _KEY_ENDS.match(text)
            self._key_lines = 0 if ended else self._key_lines - 1
            text = HIDDEN + text[ended.end() :] if ended else HIDDEN
        text = _WHOLE_KEY.sub(HIDDEN, text)
        begins = _KEY_BEGINS.search(text)
        if begins:
            self._key_lines = KEY_LINES_MOST
            return text[: begins.start()] + HIDDEN
        # The middle of a key whose begin is not there.
        return HIDDEN if _BASE64_LINE.fullmatch(text) else text


def passwords_in(text: str) -> frozenset[str]:
    """Return the passwords of all URLs in a text."""
    return frozenset(found[2] for found in _IN_URL.finditer(text) if found[2])


def words_of_a_secret(text: str, shortest: int = 16) -> frozenset[str]:
    """Return what can be a key in a file of secrets: the long words in it."""
    return frozenset(re.findall(rf"[A-Za-z0-9+/=]{{{shortest},}}", text))
