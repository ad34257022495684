"""Personal data with a form of its own: addresses and numbers whose check digits are right; no names."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable

__all__ = ["redact_pii"]

_EMAIL = re.compile(r"\b[\w.+-]{1,64}@(?:[\w-]{1,63}\.){1,8}[A-Za-z]{2,24}\b")
_CARD = re.compile(r"(?<![\d-])\d(?:[ -]?\d){12,18}(?![\d-])")
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?\b")
_US_SSN = re.compile(r"(?<![\d-])(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\d-])")
_PHONE = re.compile(r"(?<![\w.-])(?:\+\d{1,3}[ .-]?)?(?:\(\d{1,5}\)[ .-]?)?\d{2,5}(?:[ .-]\d{2,5}){1,4}(?![\w-])")
_ADDRESS = re.compile(r"(?<![\w.:])(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){3,7})(?![\w:])")
_DATE = re.compile(r"\d{4}[ .-]\d{2}[ .-]\d{2}|\d{1,2}[.-]\d{1,2}[.-]\d{2,4}|\d{4}[ -]\d{4}")


def redact_pii(text: str) -> tuple[str, list[str]]:
    """The text with each address and number replaced by ``[redacted: what it was]``, and what was found."""
    found: list[str] = []

    def take(what: str, holds: Callable[[str], bool]) -> Callable[[re.Match[str]], str]:
        def replace(match: re.Match[str]) -> str:
            if not holds(match.group()):
                return match.group()
            found.append(what)
            return f"[redacted: {what}]"

        return replace

    if "@" in text:
        text = _EMAIL.sub(take("e-mail address", lambda _: True), text)
    if any(map(text.__contains__, "0123456789")):
        text = _IBAN.sub(take("bank account", _iban), text)
        text = _CARD.sub(take("card number", _luhn), text)
        text = _US_SSN.sub(take("social security number", lambda _: True), text)
        text = _ADDRESS.sub(take("network address", _network), text)
        text = _PHONE.sub(take("telephone number", _phone), text)
    return text, found


def _digits(text: str) -> list[int]:
    return [int(char) for char in text if char.isdecimal()]


def _luhn(text: str) -> bool:
    """ISO/IEC 7812-1."""
    doubled = [n if at % 2 == 0 else sum(divmod(2 * n, 10)) for at, n in enumerate(reversed(_digits(text)))]
    return len(set(doubled)) > 1 and sum(doubled) % 10 == 0


def _iban(text: str) -> bool:
    """ISO 13616: the number over 97 leaves 1."""
    plain = text.replace(" ", "")
    return 15 <= len(plain) <= 34 and int("".join(str(int(c, 36)) for c in plain[4:] + plain[:4])) % 97 == 1


def _phone(text: str) -> bool:
    return 7 <= len(_digits(text)) <= 15 and not _DATE.fullmatch(text)


def _network(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
