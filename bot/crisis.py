"""placeholder"""

import re


def is_crisis(text: str) -> bool:
    """x"""
    return bool(re.search("покончить с собой|не хочу жить", text.lower()))
