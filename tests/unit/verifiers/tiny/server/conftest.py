"""The server's tests share one untrained LLaVA of the bundled size."""

from pathlib import Path

import pytest

from tests.tiny_verifier import save_untrained_verifier


@pytest.fixture(scope="session")
def weights_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_untrained_verifier(tmp_path_factory.mktemp("verifier"))
