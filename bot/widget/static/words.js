// Everything the page says, in both languages.
const EN_KEYS = [
  ["A–D", "go to an answer"], ["← →", "next answer"], ["↑ ↓", "criterion"], ["1–5", "mark"], ["Enter", "pick"],
  ["F2", "edit; Esc: done, Ctrl+Enter: pick"], ["Ctrl+C", "copy the answer"], ["Ctrl+Z", "undo"],
  ["/", "search the knowledge base"], ["?", "these keys"],
];
const RU_KEYS = [
  ["A–D", "перейти к ответу"], ["← →", "соседний ответ"], ["↑ ↓", "критерий"], ["1–5", "оценка"], ["Enter", "взять"],
  ["F2", "править; Esc: готово, Ctrl+Enter: взять"], ["Ctrl+C", "копировать ответ"], ["Ctrl+Z", "отменить"],
  ["/", "искать в базе знаний"], ["?", "эти клавиши"],
];

export const WORDS = {
  ru: {
    title: "Варианты ответа", waiting: "Жду вопроса клиента", thinking: "Готовлю варианты…", question: "Вопрос клиента",
    answer: "Ответ", edited: "исправлен", pick: "Взять", picked: "Взят", edit: "Править", done: "Готово",
    copy: "Копировать", copied: "Скопирован ответ", taken: "Взят ответ", undo: "Отменить", undone: "Отменено",
    saved: "Всё сохранено", queued: "Ждут отправки: ", later: "Нет связи, повторю. Ждут отправки: ",
    expired: "Доступ истёк, жду нового. Ждут отправки: ", refused: "Сервер не принял оценку",
    again: "Повторить", noSession: "Нет доступа: жду его от страницы", help: "Клавиши", fewer: "Одна из моделей не ответила",
    failed: "Не вышло, ошибка ", offline: "Нет связи с сервером", busy: "Сервер занят, повторите чуть позже",
    criteria: { content: "Содержание", grammar: "Грамотность", structure: "Структура", style: "Стиль" }, keys: RU_KEYS,
    knowledge: "База знаний", find: "Найти", attach: "Приложить", remove: "Убрать", attached: "Приложено к вопросу",
    nothing: "Ничего не нашлось", ask: "Спросить заново со статьями", without: "Спросить заново без статей",
    full: "Больше статей не приложить", empty: "В записи нет вопроса", search: "Искать статьи",
  },
  en: {
    title: "Suggested answers", waiting: "Waiting for a client's question", thinking: "Preparing answers…",
    question: "Client's question", answer: "Answer", edited: "edited", pick: "Pick", picked: "Picked", edit: "Edit",
    done: "Done", copy: "Copy", copied: "Copied answer", taken: "Picked answer", undo: "Undo", undone: "Undone",
    saved: "Everything is saved", queued: "Waiting to be sent: ", later: "Offline, will retry. Waiting: ",
    expired: "Access is over, waiting for a new one. Waiting: ", refused: "The server refused a rating",
    again: "Try again", noSession: "No access yet: waiting for the page to give it", help: "Keys",
    fewer: "One of the models did not answer", failed: "That failed, error ", offline: "The server cannot be reached",
    busy: "The server is busy, try again in a moment",
    criteria: { content: "Content", grammar: "Grammar", structure: "Structure", style: "Style" }, keys: EN_KEYS,
    knowledge: "Knowledge base", find: "Find", attach: "Attach", remove: "Remove", attached: "Attached to the question",
    nothing: "Nothing found", ask: "Ask again with the articles", without: "Ask again without articles",
    full: "No more articles can be attached", empty: "This record holds no question", search: "Search articles",
  },
};
