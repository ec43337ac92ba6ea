from collections.abc import Iterator

import pytest

from tests.training.evaluation.judging.local_server import Server, serving


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as made:
        yield made
