"""Takes out of a log line what no log may hold: secrets, and what people write.

Our own lines name ids only. This is for what others put into a line: an exception's text, a library's warning.
"""

import re

MASK = "[…]"

_SECRETS = re.compile(
    r"""
    (?P<url>://[^\s:/@]*:)[^\s/@]+(?=@)                                 # redis://user:password@host
    | (?P<query>[?&](?:ticket|token|key|password)=)[^\s&"'#]+           # /ws/chat/?ticket=…
    | (?P<path>/api/invite/|/join/\#)[^\s/?\#"'&]+                     # an invite into a group
    | (?P<header>\b(?:authorization|cookie|set-cookie)['"]?\s*[:=,]\s*b?['"]?)[^\r\n'"]+
    | (?P<scheme>\bToken\s+)[0-9A-Za-z_-]{16,}                          # Authorization: Token …
    """,
    re.VERBOSE | re.IGNORECASE,
)

_STRING = r"""(?:"(?:[^"\\]|\\.)*(?:"|$)|'(?:[^'\\]|\\.)*(?:'|$))"""
_CONTENT = re.compile(
    rf"""(?P<field>["']?\b(?:content|envelope|reply_to|media|display_name|username|password|payload)["']?\s*[:=]\s*)
    (?:{_STRING}|\{{.*)""",
    re.VERBOSE,
)
_CODEC = re.compile(rf"(?P<error>\bUnicode(?:En|De)codeError\('[\w-]+',\s*b?){_STRING}")
"""Its repr quotes all of the text that could not be coded."""

_ROW = re.compile(r"(?P<row>\bFailing row contains \().*", re.DOTALL)
"""PostgreSQL quotes the whole row that breaks a constraint, as it is: where it ends cannot be told."""


def redact(text: str) -> str:
    """The line with secrets and content masked; ids, numbers and everything else stay."""
    for pattern in (_SECRETS, _CONTENT, _CODEC, _ROW):
        text = pattern.sub(_mask, text)
    return text


def _mask(match: re.Match[str]) -> str:
    kept = next((value for value in match.groupdict().values() if value is not None), "")
    return f"{kept}{MASK}"
