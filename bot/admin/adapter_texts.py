"""Russian strings of /adapters."""

from __future__ import annotations

ADAPTERS_HEAD = "Адаптеры: {total}"
ADAPTERS_NONE = "Пока ни одного: отвечает встроенный. Новые появляются после переобучения."
OWN_CARD = "Встроенный"
OWN_ABOUT = "Встроенный: то, с чем работник запущен сам. К нему всегда можно вернуться."
TAINTED_MARK = "⚠️"
TAINTED_ABOUT = (
    "⚠️ Эта версия училась и на словах человека, который попросил его забыть. Новое переобучение обойдётся без них."
)
ADAPTER_STATES = {
    "candidate": "ждёт решения",
    "canary": "🐤 канарейка",
    "live": "🚀 отвечает",
    "retired": "отвечал раньше",
    "rejected": "🗑 отклонён",
    "deleted": "файлы удалены",
}
ADAPTER_SERVES = "🚀 отвечает: {slots}"
ADAPTER_PASSED = "✅ проверка пройдена"
ADAPTER_FAILED = "❌ проверка не пройдена"
ADAPTER_HITS = "эмоция {hits}"
ADAPTER_PROMOTED = "в бой: {who}, {at}"
BY_LOOP = "сам"
BY_ADMIN = "администратор {who}"
METRICS = "Измерено"
LINE_PARENT = "Из чего: {parent}"
LINE_BASE = "Основа: {base}"
LINE_JOB = "Задание: {job}"
LINE_DATA = "Данные: {counts}"
LINE_SIZE = "Размер: {size} МиБ"
TO_LIVE_IN = "🚀 В бой…"
TO_CANARY_IN = "🐤 В канарейку…"
END_CANARY = "⏹ Остановить канарейку: {slot}"
RELEASE = "🌐 {slot}: снова общий адаптер"
WHICH_SLOT = "{adapter}: для каких ответов?"
WHICH_SHARE = "{adapter} {for_slot}: какой доле диалогов?"
ADAPTER_QUESTIONS = {
    "live": (
        "Сейчас {for_slot} отвечает {now}. Пустить в бой {adapter}? Его встретят все, прежнего можно вернуть.",
        "Да, в бой",
    ),
    "try": (
        "Сейчас {for_slot} отвечает {now}. Пусть {share} % диалогов встретят {adapter}?",
        "Да, канарейка {share} %",
    ),
    "end": ("Остановить канарейку {adapter} {for_slot}? Все диалоги снова встретят {now}.", "Да, остановить"),
    "free": ("{subject}: больше не через {now}, снова отвечает общий слот. Так?", "Да, общий"),
}
NO_ADAPTER = "Такого адаптера больше нет."
