"""Which lines of public text may teach the model: pure decisions about one line or one dialogue.

Knows nothing of files, tokenizers or emotions.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

# Roots, not words: Russian profanity inflects and takes prefixes. Insults and slurs are included, because what a
# small model reads it repeats.
_PROFANE = re.compile(
    r"(?:^|[^а-яё])(?:"
    r"(?:на|по|о|ни|до|а|за|от)?ху[йеёяию]|[а-яё]{0,6}пизд|(?:за|вы|у|на|до|про|пере|недо|(?:под|раз|об|с|в|от)ъ)?[её]ба[лнтшхц]|[её]бу|[её]бл|заеб|выеб|уеб|наеб|"
    r"бляд|бля(?:$|[^а-яё])|мудак|мудил|муда|залуп|гандон|г[ао]нд[ао]н|долбо|дроч|минет|мандав|пид[оа]р|педик|педераст|"
    r"(?:(?:по|при|до|про|пере|мозго|долб[оа])|(?:под|раз|об|с|в|от)ъ)[её]б|[её](?:б|пт)(?:$|[^а-яё])|[её]б(?:[её]т|ись|ищ|ен|ош|ыр|ит|н)|"
    r"у[её]б|за[её]б|вы[её]б|на[её]б|мудо|муде[нп]|(?:от|про)муд|блят|выбляд|сучар|сучен|сучий|сукин|пидр|"
    r"ху(?:л[еи])(?:$|[^а-яё])|хер(?:$|[^а-яё])|хер[но]|(?:на|по|до|о)хер|отсоси|елд[аоу]|манд[аыеу](?:$|[^а-яё])|целк[аиу]|"
    r"падл[аоуы]|шалав|потаскух|курв[аыу]|мраз[ьио]|ублюд|вырод(?:ок|к)|петушар|чмо(?:$|[^а-яё]|шн)|лошар|дебил|сволоч|стерв[аоуы]|"
    r"задрот|бзде|перд[еия]|(?:вы|про|у|пере|ис)сра[лтн]|(?:об|на|по|при|за|у)?о?сса(?:л|т|н)|ссы[тшк]|ссу(?:$|[^а-яё])|"
    r"шлюх|проститу|путан[аыу]|сук[аиуой](?:$|[^а-яё])|суч[кь]|[а-яё]{0,6}жоп(?!лин)|сра[лтн]|срите|сри(?:$|[^а-яё])|сра(?:$|[^а-яё])|обосра|насра|засра|говн|"
    r"дерьм|пердн|член[аоуе]?(?:$|[^а-яё])(?!семь)|вагин|пенис|сперм|оргазм|эрек|секс|порно|трах(?!е[яюийе])|сиськ|титьк|"
    r"изнасил|инцест|импотен|презерватив|гей(?:$|[^а-яё])|лесби|"
    r"еврей|евре[яеию]|жид(?!к|еньк)|негр(?!омк)|ниггер|чурк|хач(?!ап)|хохл(?!ом)|хохол(?!ок)|кацап|москал|чукч|цыган|узкогл|таджик|гитлер|нацис|фашис|"
    r"путин|сталин|ленин|ельцин|медведев|навальн|зеленск|трамп|обам|порошенк|янукович|"
    r"самоубий|суицид|повес(?:ься|иться|ился)|зарезать|расчлен"
    r")",
    re.IGNORECASE,
)
_JUNK = re.compile(r"<[A-ZА-Я]+>|https?:|www\.|[{}\[\]\\|#*_=<>@^~]|\.\.\.\.\.|\d{5,}")
_LETTERS = re.compile(r"[A-Za-zА-Яа-яЁё]")
_CYRILLIC = re.compile(r"[А-Яа-яЁё]")
_SPACES = re.compile(r"\s+")
_QUOTES = str.maketrans({"“": "«", "”": "»", "„": "«", "’": "'", "`": "'", "−": "—", "–": "—", "…": "…", "\u00a0": " "})


def tidy(text: str) -> str:
    """One line with ordinary spaces, one kind of dash and ellipsis, no leading dash of a dialogue."""
    text = _SPACES.sub(" ", text.translate(_QUOTES)).strip()
    text = text.removeprefix("— ").removeprefix("- ").replace(" - ", " — ").replace(" -- ", " — ").replace("--", "—")
    text = re.sub(r"\.{2,}", "…", text)
    return re.sub(r"\s+([,.!?…])", r"\1", text).strip()


def profane(text: str) -> bool:
    """Whether a line carries profanity, slurs, sex or politics."""
    return bool(_PROFANE.search(" " + text))


def teachable(text: str, longest: int = 240) -> bool:
    """Whether a tidied line is everyday Russian that a small model may learn to say. `longest` in characters."""
    letters = len(_LETTERS.findall(text))
    if not 2 <= len(text) <= longest or letters < 2 or _JUNK.search(text):
        return False
    if len(_CYRILLIC.findall(text)) < 0.97 * letters or letters < 0.55 * len(text):
        return False
    shouted = letters > 6 and text == text.upper()
    return not shouted and not profane(text)


def usable_dialogue(turns: Sequence[str], longest: int = 240, most: int = 8) -> list[str]:
    """The longest leading run of teachable turns, at most `most`; empty if fewer than two are left."""
    kept: list[str] = []
    for turn in turns[:most]:
        line = tidy(turn)
        if not teachable(line, longest) or (kept and line.lower() == kept[-1].lower()):
            break
        kept.append(line)
    return kept if len(kept) >= 2 else []


def windows(turns: Sequence[str], size: int = 6) -> list[list[str]]:
    """A long scene as dialogues of at most `size` turns; runs of teachable turns only."""
    found: list[list[str]] = []
    position = 0
    while position < len(turns) - 1:
        run = usable_dialogue(turns[position:], most=size)
        if run:
            found.append(run)
        position += max(len(run), 1)
    return found
