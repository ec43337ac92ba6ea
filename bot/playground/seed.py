"""Who is there when the playground is opened for the first time. Does not know what the bot does."""

from __future__ import annotations

from bot.playground.world import World

TOKEN = "700700:playground-token-for-this-machine-only"  # noqa: S105 - opens nothing outside the local server


def furnish(world: World, token: str = TOKEN, *, username: str = "otklik_bot", name: str = "Отклик") -> World:
    """Add the bot, and three people and a group unless there is already someone."""
    bot = world.add_bot(token, username, name)
    for chat in world.chats.values():
        if chat.kind != "private" and bot.id not in chat.bots:
            chat.bots[bot.id] = "administrator"
            world.push_membership(world.bots[token], chat, world.user(chat.owner), "left", "administrator")
    if not world.people:
        anna = world.add_person("Аня", last_name="Смирнова", username="anya")
        boris = world.add_person("Борис", last_name="Ким", username="boris")
        vera = world.add_person("Вера", last_name="Орлова", username="vera")
        world.add_group("Друзья", [anna.id, boris.id, vera.id], admins=[boris.id])
    return world
