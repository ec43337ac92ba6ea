"""Check digits of cards, IBANs, СНИЛС and ИНН: which strings of digits are such numbers, and which only look so.

Knows no text: digits in, yes or no out.
"""

from __future__ import annotations

from collections.abc import Sequence

_INN_10 = (2, 4, 10, 3, 5, 9, 4, 6, 8)
_INN_11 = (7, 2, 4, 10, 3, 5, 9, 4, 6, 8)
_INN_12 = (3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8)


def luhn(digits: str) -> bool:
    """Bank cards (ISO/IEC 7812-1, annex B): every second digit from the right is doubled, the sum ends in 0."""
    values = [int(digit) for digit in reversed(digits)]
    return sum(values[::2] + [sum(divmod(2 * value, 10)) for value in values[1::2]]) % 10 == 0


def iban(account: str) -> bool:
    """Bank accounts (ISO 13616, check of ISO 7064): the first four moved to the end, letters as 10…35, is 1 mod 97."""
    return int("".join(str(int(char, 36)) for char in account[4:] + account[:4])) % 97 == 1


def snils(digits: str) -> bool:
    """Insurance numbers: 9 digits weighted 9…1, then that sum modulo 101 (100 counts as 0) as two digits.

    Numbers up to 001-001-998 carry no check digits and are refused.
    """
    if len(digits) != 11 or int(digits[:9]) <= 1_001_998:
        return False
    weighted = sum(int(digit) * weight for digit, weight in zip(digits, range(9, 0, -1), strict=False))
    return weighted % 101 % 100 == int(digits[9:])


def _control(digits: str, weights: Sequence[int]) -> bool:
    """Whether the digit after the weighted ones is their sum modulo 11, modulo 10."""
    weighted = sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=False))
    return weighted % 11 % 10 == int(digits[len(weights)])


def inn(digits: str) -> bool:
    """Taxpayer numbers: 10 digits of an organisation with one check digit, 12 of a person with two."""
    if digits.startswith("00"):
        return False
    if len(digits) == 10:
        return _control(digits, _INN_10)
    return len(digits) == 12 and _control(digits, _INN_11) and _control(digits, _INN_12)
