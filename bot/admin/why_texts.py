"""Russian strings of /why and of exact replays."""

from __future__ import annotations

WHY_WHAT = "Ответьте этой командой на сообщение бота, о котором речь (или задайте её сразу после ответа)."
WHY_IN_PRIVATE = "Написал в личку."
WHY_WRITE_ME = "Подробности — только в личке: напишите мне там сначала."
WHY_GONE = "Об этом ответе больше ничего не хранится, повторить его нельзя."
WHY_HEAD = "Откуда этот ответ"
WHY_EMOTION = "Эмоция: {emotion}, сила {intensity}"
WHY_FIT = "Попадание: {fit}"
WHY_UNCHECKED = "не проверялось"
WHY_ARM = "Ветка: {arm}"
ARMS = {"active": "основная", "canary": "🐤 канарейка"}
WHY_UNMADE = "Модель этого не писала."
WHY_ADAPTER = "Адаптер: "
BARE_BASE = "нет, сама основа"
WHY_BASE = "Основа: "
WHY_PROMPT = "Запрос к модели: "
WHY_CLASSIFIER = "Классификатор: "
WHY_SAMPLING = "Выбор слов: {sampling}"
SAMPLING = {
    "temperature": "температура",
    "top_p": "top-p",
    "top_k": "top-k",
    "repetition_penalty": "штраф за повторы",
    "max_new_tokens": "длина до",
}
WHY_SEED = "Зерно {seed}, попыток: {attempts}"
WHY_WORKER = "Работник: {worker}"
WHY_TIMES = "Время: {times}"
TIMINGS = {
    "queue": "в очереди",
    "generate": "сочинение",
    "classify": "проверка эмоции",
    "first_token": "до первого слова",
}
NOTHING = "—"
WHY_CANDIDATES = "Кандидаты: {count}"
WHY_REQUEST = "Запрос: "
REPLAY = "🔁 Повторить точно"
REPLAY_BEGUN = "Повторяю. Напишу, что вышло."
REPLAY_BUSY = "Сначала закончу предыдущий повтор."
REPLAY_FULL = "Очередь полна, повторить сейчас не получится."
REPLAY_NO_WORKER = "Никто из работников не ответил вовремя. Повтор не состоялся."
REPLAY_FAILED = "Повторить не получилось: {state}, {reason}."
REPLAY_SAME = "✅ Повторилось байт в байт"
REPLAY_OTHER = "≠ Вышло иначе"
REPLAY_TOOK = "за {seconds} с; разговор и оценки этого не заметили"
REPLAY_WHY = "Отличается: {names}."
REPLAY_NO_REASON = "Всё то же самое, а текст другой: дело в вычислениях (другая машина или другой состав пачки)."
DIFFERENCES = {
    "base_model": "основа",
    "adapter": "адаптер",
    "prompt_version": "запрос к модели",
    "classifier": "классификатор",
    "sampling": "выбор слов",
    "seed": "зерно",
}
