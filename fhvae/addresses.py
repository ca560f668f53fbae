"""Addresses as people may see them: in messages, in logs, in files that are passed on."""

import re

URL = re.compile(
    r"""([a-z][a-z0-9+.-]*://)(?:[^\s/?\#'"]*@)?([^\s?\#'"]*)(?:[?\#][^\s'"]*)?""", re.IGNORECASE
)


def without_secrets(text: str) -> str:
    """Cut user and password, query and fragment out of every URL in a text."""
    return URL.sub(r"\1\2", text)
