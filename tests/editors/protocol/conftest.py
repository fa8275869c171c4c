import sys
from pathlib import Path

import pytest_asyncio

sys.path.append(str(Path(__file__).resolve().parent.parent))
from editor import EDITORS, Editor, capabilities


@pytest_asyncio.fixture
async def start(tmp_path):
    """Starts a server for an editor; each is ended after the test, and has to end well."""
    started = []

    async def begin(kind="neovim", change=None, root=None, **more):
        able = capabilities(kind)
        if change:
            change(able)
        root = root or tmp_path / f"root{len(started)}"
        root.mkdir(exist_ok=True)
        if not (root / "pyproject.toml").exists():
            (root / "pyproject.toml").write_text('[project]\nname = "probe"\nrequires-python = ">=3.10"\n')
        editor = Editor(kind, able, root)
        started.append(editor)
        return await editor.start(**more)

    yield begin
    for editor in started:
        try:
            assert await editor.end() == 0
        finally:
            await editor.kill()


@pytest_asyncio.fixture(params=list(EDITORS))
async def editor(request, start):
    """One run for each editor."""
    return await start(request.param)
