"""Real models end to end: queue, worker, transformers engine with adapters, BERT classifier, reply."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from models.build import build_responder
from models.settings import ModelsSettings
from models.worker import Worker
from storage.contracts import ReplyState
from storage.conversation import Conversation
from storage.presets import load_presets
from tests.models.conftest import Replies
from tests.models.line import make_request
from tests.models.tiny import save_adapter, save_classifier, save_model

pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning")


async def test_requests_of_different_adapters_and_emotions(
    conversation: Conversation, replies: Replies, tmp_path: Path
) -> None:
    base = save_model("llama", tmp_path / "base")
    for index in range(2):
        save_adapter("llama", base, tmp_path / "adapters" / f"lora-{index}", index)
    classifier = save_classifier(tmp_path / "classifier")
    (classifier / "thresholds.json").write_text(json.dumps({"joy": 0.3, "sadness": 0.3, "neutral": 0.3}))
    settings = ModelsSettings(
        base=str(base),
        adapters=(tmp_path / "adapters",),
        active_adapter="lora-1",
        classifier=str(classifier),
        device="cpu",
        max_new_tokens=10,
        candidates=3,
    )
    with ThreadPoolExecutor(1) as thread:
        responder = thread.submit(build_responder, settings, load_presets(), worker="real").result()
        stop = asyncio.Event()
        worker = Worker(conversation, responder, thread, worker_id="real", rows=32, rows_each=3)
        running = asyncio.create_task(worker.run(stop))
        arms = ["active", "base", "lora-0", "lora-1"]
        for index in range(12):
            emotion = ["joy", "sadness", "neutral", "auto"][index // 3]
            await conversation.ask(
                make_request(f"r{index}", f"Сообщение {index}", arm=arms[index % 4], emotion=emotion)
            )
        found = await replies(12, patience=60)
        stop.set()
        await running
    assert all(reply.state is ReplyState.DONE for reply in found.values())
    for index in range(12):
        reply = found[f"r{index}"]
        made = reply.provenance
        assert made is not None
        assert made.adapter == ["lora-1", None, "lora-0", "lora-1"][index % 4]
        assert reply.fit is not None and reply.fit_ok is not None
        assert len(reply.candidates) == 3 * made.attempts
        assert made.base_model.startswith("tmp") or "base@" in made.base_model
        assert made.classifier and made.classifier.startswith("classifier-")
        assert made.timings.first_token is not None and made.timings.generate > 0
