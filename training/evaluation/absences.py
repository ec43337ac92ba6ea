"""Why a figure is absent, in Russian: reasons are made in English, where they arise, and told in the reader's language.

Knows sentences; no metric. What another library says, in brackets, stays as it said it.
"""

from __future__ import annotations

import re

RUSSIAN = {
    r"no answer could be measured: the prompts have no reference, or no emotion": (
        "ни один ответ измерить нельзя: у запросов нет эталона или эмоции"
    ),
    r"not measured for this system": "для этой системы не измерялось",
    r"not measured": "не измерялось",
    r"no checkpoint is named; give --bleurt FOLDER or a hub id": (
        "модель не указана: задайте --bleurt ПАПКА или имя на хабе"
    ),
    r"the checkpoint (.*?) cannot be loaded \((.*)\)": r"модель \1 не загружается (\2)",
    r"no encoder is named; give --bertscore FOLDER or a hub id": (
        "кодировщик не указан: задайте --bertscore ПАПКА или имя на хабе"
    ),
    r"the encoder (.*?) cannot be loaded \((.*)\)": r"кодировщик \1 не загружается (\2)",
    r"no classifier is named; give --acceptability FOLDER \((.*?) makes one\)": (
        r"классификатор не указан: задайте --acceptability ПАПКА (его обучает \1)"
    ),
    r"(.*) has no label for acceptable \((.*)\)": r"у \1 нет метки «приемлемо» (\2)",
    r"the package (.*?) is not installed: pip install (.*)": r"пакет \1 не установлен: pip install \2",
    r"the answers were not shown to a picking classifier; give --picker": (
        "ответы не показаны выбирающему классификатору: задайте --picker"
    ),
    r"no verdict, or lengths too far apart to tell length from merit": (
        "нет решений судьи, или длины слишком разные, чтобы отделить длину от качества"
    ),
    r"it is what the judge compared the others with": "с ней судья сравнивал остальных",
}


def told(reason: str, language: str) -> str:
    """The reason in `ru`, or as it is: in any other language, and where it has no Russian."""
    if language != "ru":
        return reason
    for pattern, russian in RUSSIAN.items():
        if match := re.fullmatch(pattern, reason, re.DOTALL):
            return match.expand(russian)
    return reason
