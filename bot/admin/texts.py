"""Every Russian string that operators see. Exact first, friendly always."""

from __future__ import annotations

from storage.contracts import JobState

COMMANDS = (
    ("admin", "Пульт: нагрузка, оценки, обучение"),
    ("adapters", "Адаптеры: история и откат"),
    ("presets", "Эмоции: добавить, изменить, выключить"),
    ("why", "Откуда взялся ответ"),
    ("audit", "Журнал действий"),
    ("stats", "Статистика"),
)

# Buttons
REFRESH = "🔄 Обновить"
RETRAIN = "🎓 Переобучить"
ADAPTERS = "🧩 Адаптеры"
PRESETS = "🎭 Эмоции"
AUDIT = "📜 Журнал"
DASHBOARD = "📊 Все страницы"
BACK = "← Назад"
TO_PANEL = "← К пульту"
SHOW_JOB = "🎓 Задание: {stage}"
START = "✅ Начать"
CANCEL = "✖️ Отменить"
CANCEL_SURE = "Да, отменить"
TO_CANARY_SHARE = "🐤 {share} %"
TO_LIVE = "🚀 В бой"
REJECT = "🗑 Отклонить"
STOP = "⏹ Остановить"
SURE_CANARY = "Да, канарейка {share} %"
SURE_LIVE = "Да, в бой"
SURE_REJECT = "Да, отклонить"
NO = "Нет, не надо"
OLDER = "Раньше →"
NEWER = "← Позже"

# The gate
PRIVATE_ONLY = "Это делается только в личной переписке с ботом."
UNDONE = "Ничего не изменилось."

# Panel
PANEL = "Пульт"
LOAD = "Нагрузка за час"
LOAD_LINE = "ответов {done} из {asked}, сейчас {rate} в минуту"
LOAD_TIMES = "половина готова за {half}, почти все — за {most}"
LOAD_NONE = "запросов не было"
LOAD_FAILED = "⚠️ не получилось: {failed}"
QUEUE = "Очередь"
QUEUE_LINE = "ждут ответа: {queue}"
WORKERS = "Работники"
WORKERS_NONE = "⚠️ ни один не отвечает: запустите otklik worker"
WORKER_LINE = "{worker}: {loaded}"
WORKER_BEHIND = " (ещё на версии {revision} из {wanted})"
WORKER_OWN = "своя модель"
WORKER_SILENT = "{count} без отчёта о загруженном"
FAULTY_PRESETS = "эмоции"
WORKER_FAULT = "⚠️ {worker}: {adapter} не загрузился — {fault}"
DRAINING = "⏸ Модель уступила место обучению ещё на {left}"
FITS = "Попадание в эмоцию: за сутки · за 7 дней"
FITS_LINE = "{emoji} {title}: {day} · {week}"
FITS_SHARE = "{share} из {count}"
FITS_NONE = "—"
NOTHING_CHECKED = "пока нечего показать"
RATINGS = "Оценки за сутки"
RATINGS_LINE = "👍 {up}   👎 {down}"
RATINGS_STARS = "⭐ {stars} из 5 (оценено подробно: {count})"
SLOTS = "Кто отвечает"
SLOT_LINE = "{slot}: {active}"
SLOT_CANARY = "   🐤 {canary} — {share} диалогов"
SHARED = "общий"
FOR_SHARED = "для общего слота"
FOR_PRESET = "для эмоции «{title}»"
SHARED_SUBJECT = "Общий слот"
PRESET_SUBJECT = "Эмоция «{title}»"
OWN_ADAPTER = "встроенный"
JOBS = "Обучение"
JOB_LINE = "{method} {for_slot}: {stage}"
NO_JOBS = "сейчас ничего не обучается"
UPDATED = "Обновлено {at}"

# Ordering a refit
METHODS = {
    "auto": "Авто",
    "kto": "KTO — по 👍 и 👎",
    "dpo": "DPO — по парам",
    "simpo": "SimPO — по парам, не поощряя длину",
    "sft": "SFT — по исправлениям",
    "rlhf": "RLHF — с моделью предпочтений",
}
METHOD_NAMES = {"auto": "авто", "kto": "KTO", "dpo": "DPO", "simpo": "SimPO", "sft": "SFT", "rlhf": "RLHF"}
RETRAIN_HEAD = "Переобучение"
RETRAIN_ROWS = "Есть для обучения (с согласия людей):"
ROWS = {
    "answers": "исправления и ответы на 5 ⭐",
    "corrections": "исправления",
    "five_stars": "ответы на 5 ⭐",
    "pairs": "пары «лучше — хуже»",
    "feedback": "ответы с 👍 или 👎",
    "thumbs": "ответы с 👍 или 👎",
    "liked": "ответы с 👍",
    "disliked": "ответы с 👎",
    "ai_pairs": "пары от классификатора (сами в дело не идут)",
}
ROWS_LINE = "{what}: {count}"
ROWS_NONE = "пока ничего"
PEOPLE_LINE = "людей: {people}, новых оценок с прошлого раза: {ratings}"
WOULD_DO = "«Авто» сделает: {method}"
WOULD_DO_NOTHING = "«Авто» пока ничего не станет делать"
SUMMARY_AT = "Сводка: {ago}"
NO_SUMMARY = "Сводки данных ещё нет: тренер её пока не прислал."
NO_TRAINER = "⚠️ Тренер не запущен: нужен otklik trainer. Задание можно поставить и сейчас, оно его дождётся."
CHOOSE_METHOD = "Каким способом учить?"
CHOOSE_SLOT = "Способ: {method}. Для каких ответов? «Общий» отвечает за все эмоции, у которых нет своего адаптера."
CONFIRM_ORDER = (
    "Начать переобучение: {method}, {for_slot}?\n\n"
    "Сразу бот по-новому отвечать не начнёт: новая версия сначала пройдёт проверку, а потом подождёт решения "
    "(если тренеру не разрешено решать самому)."
)
ALREADY_OPEN = "{For_slot} уже есть задание: {stage}. Вот оно."
BUTTON_OLD = "Эта кнопка устарела: вот что сейчас."

# A job
JOB_HEAD = "Переобучение: {method} {for_slot}"
JOB_CHOSEN = "«Авто» выбрало: {method}"
TRIGGERS = {
    "schedule": "по расписанию",
    "ratings": "накопились оценки",
    "admin": "из Telegram",
    "command": "из командной строки",
}
JOB_ASKED = "Запущено {trigger}, {at}"
STAGES = {
    JobState.QUEUED: "ждёт тренера",
    JobState.PREPARING: "готовит данные",
    JobState.TRAINING: "учится",
    JobState.EVALUATING: "сравнивает со старой",
    JobState.GATED: "ждёт решения",
    JobState.CANARY: "канарейка",
    JobState.LIVE: "в бою",
    JobState.REJECTED: "отклонено",
    JobState.FAILED: "не получилось",
    JobState.CANCELLED: "отменено",
}
STEPS = (
    (JobState.QUEUED, "Очередь"),
    (JobState.PREPARING, "Данные"),
    (JobState.TRAINING, "Обучение"),
    (JobState.EVALUATING, "Сравнение со старой"),
)
JOB_STEP = "шаг {step} из {steps}"
JOB_LOSS = "ошибка (loss) {loss}"
JOB_LEFT = "осталось {left}"
JOB_WAITS = "Тренер ещё не взялся за задание."
JOB_CANCELLING = "Отменяю: тренер остановится на ближайшем шаге."
JOB_LATER = "Сообщение обновляется само."
JOB_ENDS = {
    JobState.GATED: "⚖️ Решение за вами: 🐤 показать доле диалогов, 🚀 пустить в бой или 🗑 отклонить.",
    JobState.CANARY: "🐤 Новая версия отвечает части диалогов.",
    JobState.LIVE: "🚀 Новая версия отвечает людям.",
    JobState.REJECTED: "🗑 Новая версия отклонена. Отвечает прежняя.",
    JobState.FAILED: "⚠️ Не получилось. Отвечает прежняя версия.",
    JobState.CANCELLED: "✖️ Отменено. Отвечает прежняя версия.",
}
JOB_ERROR = "Причина: {error}"
CANCEL_QUESTION = "Отменить это переобучение? Сделанное пропадёт; люди ничего не заметят."
CANCELLED_TOAST = "Отменяю."
TOO_LATE = "Уже поздно: {stage}."
NO_JOB = "Такого задания больше нет."
JOB_STARTED = "Задание поставлено."

# What a refit came to
CARD_HEAD = "Новая версия: {method} {for_slot}"
CARD_ADAPTER = "Адаптер {adapter}"
CARD_PAIRS = "Было → стало"
CARD_PAIR = "{what}: {old} → {new}"
CLAIMS = {
    "emotion_hit": "попадание в эмоцию",
    "preference": "модель предпочтений",
    "judge": "судья",
}
VERDICT_PASSED = "✅ Проверка пройдена"
VERDICT_FAILED = "❌ Проверка не пройдена"
SURE_ASK_LIVE = "Пустить в бой? Все ответы {for_slot} станет давать {adapter}. Прежнюю версию можно будет вернуть."
SURE_ASK_CANARY = "Запустить канарейку? {share} % диалогов {for_slot} встретят {adapter}, остальные — прежнюю версию."
SURE_ASK_REJECT = "Отклонить {adapter}? Никто её не встретит. Файлы со временем удалятся."
DONE = "Готово."
OVERTAKEN = "Не получилось: пока вы решали, всё изменилось. Сейчас: {stage}."
OVERTAKEN_SLOT = "Не получилось: пока вы решали, здесь уже что-то изменили. Вот как сейчас."
REFUSED_TAINTED = (
    "Так нельзя: эта версия училась и на словах человека, который попросил его забыть. Переобучите без него."
)
REFUSED_REJECTED = "Так нельзя: эта версия отклонена."
REFUSED_GONE = "Так нельзя: файлов этой версии больше нет."
REFUSED_OTHERWISE = "Реестр не разрешает: {error}"
# By the cause that a refusal of the registry names (storage/registry_rules.py).
REFUSED_BY_REGISTRY = {
    "unknown": "Так нельзя: такого адаптера нет.",
    "gone": REFUSED_GONE,
    "tainted": REFUSED_TAINTED,
    "rejected": REFUSED_REJECTED,
    "damaged": "Так нельзя: файлы {adapter} повреждены. Добавьте их заново (otklik adapters add) или возьмите другой.",
    "answers_already": "Так нельзя: {adapter} здесь уже отвечает всем.",
    "answers": "Так нельзя: {adapter} сейчас отвечает людям. Сначала верните прежний, потом отклоняйте.",
    "no_canary": "Канарейка здесь уже не идёт.",
    "shared": "Так нельзя: по общему слоту отвечают остальные. Верните в него встроенный.",
    "released": "Эта эмоция и так отвечает по общему слоту.",
    "nothing_before": "Вернуть нечего: здесь ещё ничего не меняли.",
    "share": "Доля канарейки — от 0 до 100 %.",
}
REFUSED_STORE = "Не получилось: хранилище адаптеров не отвечает. Попробуйте позже."
NOTE_GAVE_WAY = "место заняла другая версия"
NOTE_BY = "администратор {who}"

# What operators are told
NEWS_QUEUED = "🎓 Переобучение поставлено: {method} {for_slot} ({trigger})"
NEWS_REJECTED = "🗑 Новая версия отклонена: {method} {for_slot}"
NEWS_FAILED = "⚠️ Переобучение не получилось: {method} {for_slot}"
NEWS_CANCELLED = "✖️ Переобучение отменено: {method} {for_slot}"
NEWS_SHOW = "Показать"
NEWS_SLOT = {
    "promote": "🚀 {subject}: теперь отвечает {after} (прежде {before})",
    "rollback": "↩️ {subject}: откат к {after} (прежде {before})",
    "canary": "🐤 {subject}: {after} отвечает {share} % диалогов",
    "share": "🐤 {subject}: канарейка {after} теперь отвечает {share} % диалогов",
    "stop": "⏹ {subject}: канарейка {before} остановлена",
    "release": "🌐 {subject}: снова отвечает общий слот (прежде {before})",
}
# A canary that waits for a decision; the pointer has not moved.
NEWS_DECIDE = {
    "won": "🏆 {subject}: канарейка {after} выигрывает ({share} % диалогов). Пустить её в бой?",
    "stale": "🤷 {subject}: канарейка {after} ничем не отличается ({share} % диалогов). Решите, что с ней делать.",
}
NEWS_REASON = "Почему: {reason}"
NEWS_BY = "Решение: администратор {who}"
NEWS_BY_LOOP = "Само, без администратора"

# The audit
AUDIT_HEAD = "Журнал действий"
AUDIT_NONE = "пока пусто"
AUDIT_SERVER = "командная строка"
AUDIT_ACTIONS = {
    "train": "запустил переобучение",
    "cancel": "отменил переобучение",
    "promote": "пустил в бой",
    "rollback": "откатил",
    "canary": "запустил канарейку",
    "share": "сменил долю канарейки",
    "end_canary": "остановил канарейку",
    "reject": "отклонил",
    "release": "вернул к общему адаптеру",
    "replay": "повторил ответ",
    "preset_off": "выключил эмоцию",
    "preset_on": "включил эмоцию",
    "preset_save": "изменил эмоцию",
    "preset_add": "добавил эмоцию",
    "preset_file": "вернул исходную эмоцию",
    "preset_remove": "удалил эмоцию",
    "forget": "удалил данные человека",
    "key_make": "сделал ключ API",
    "key_revoke": "отозвал ключ API",
}
AUDIT_DETAILS = {
    "slot": "слот {value}",
    "percent": "доля {value} %",
    "method": "способ {value}",
    "job": "задание {value}",
    "why": "{value}",
    "who": "{value}",
    "key": "ключ {value}",
    "tainted": "помечено версий: {value}",
    "scopes": "права {value}",
}
AUDIT_VALUES = {
    "shared": "общий",
    "auto": "авто",
    "not_admin": "не администратор",
    "not_private": "не в личке",
    "not_theirs": "чужая кнопка",
    "malformed": "непонятная кнопка",
    "client": "клиент",
    "operator": "оператор",
    "unnamed": "без имени",
}
