"""What is kept: the last few, loaded once however many ask, and no failure."""

import asyncio
import platform
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from ui.web.threads import Kept


class Loader:
    """Loads a key in a moment, and counts; "bad" fails the first time."""

    def __init__(self) -> None:
        self.loaded: list[str] = []

    async def __call__(self, key: str) -> str:
        self.loaded.append(key)
        await asyncio.sleep(0.01)
        if key == "bad" and self.loaded.count(key) == 1:
            raise ValueError("bad the first time")
        return key.upper()


def test_who_asks_at_the_same_time_waits_for_the_same() -> None:
    loader = Loader()

    async def main() -> list[str]:
        kept = Kept(loader, size=2)
        return await asyncio.gather(*(kept.get("a") for _ in range(5)))

    assert ["A"] * 5 == asyncio.run(main())
    assert ["a"] == loader.loaded


def test_what_was_asked_for_longest_ago_goes_first() -> None:
    loader = Loader()

    async def main() -> None:
        kept = Kept(loader, size=2)
        for key in ("a", "b", "a", "c", "a", "b"):
            await kept.get(key)

    asyncio.run(main())

    assert ["a", "b", "c", "b"] == loader.loaded


def test_a_failure_is_not_kept() -> None:
    loader = Loader()

    async def main() -> str:
        kept = Kept(loader, size=2)
        with pytest.raises(ValueError, match="bad the first time"):
            await kept.get("bad")
        return await kept.get("bad")

    assert "BAD" == asyncio.run(main())


def test_who_goes_away_takes_nothing_from_the_others() -> None:
    loader = Loader()

    async def main() -> str:
        kept = Kept(loader, size=2)
        leaving = asyncio.create_task(kept.get("a"))
        staying = asyncio.create_task(kept.get("a"))
        await asyncio.sleep(0)
        leaving.cancel()
        return await staying

    assert "A" == asyncio.run(main())
    assert ["a"] == loader.loaded


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="others have one heap anyway")
def test_a_thread_takes_memory_from_the_one_heap(tmp_path: Path) -> None:
    """In a process of its own, as the heap is shared for good."""
    program = f"""
        import ctypes, threading
        from ui.web.threads import share_heap

        libc = ctypes.CDLL(None)
        libc.malloc.restype = libc.fopen.restype = ctypes.c_void_p
        share_heap()
        thread = threading.Thread(target=lambda: libc.malloc(100_000))
        thread.start()
        thread.join()
        file = ctypes.c_void_p(libc.fopen(b"{tmp_path}/heaps.xml", b"w"))
        libc.malloc_info(0, file)
        libc.fclose(file)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(program)], check=True)

    assert 1 == (tmp_path / "heaps.xml").read_text().count("<heap ")
