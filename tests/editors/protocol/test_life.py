"""The start and the end of a server, and what it says about itself."""

import asyncio

import pytest
from editor import BINARY, Editor, capabilities
from lsprotocol import types as t
from pygls.exceptions import JsonRpcException

SLEEP = "import time\n\n\nasync def f():\n    time.sleep(1)\n"


async def test_capabilities(editor):
    able, info = editor.init.capabilities, editor.init.server_info
    assert info.name == "asyncfix" and info.version
    assert editor.encoding == {"vscode": "utf-16", "neovim": "utf-8", "emacs": "utf-8"}[editor.kind]
    sync = able.text_document_sync
    assert sync.open_close and sync.change == t.TextDocumentSyncKind.Incremental and sync.save
    assert not sync.will_save and not sync.will_save_wait_until
    if editor.pulls:
        assert able.diagnostic_provider.identifier == "asyncfix"
        assert able.diagnostic_provider.inter_file_dependencies
        # Only where the editor's settings want the problems of all files.
        assert not able.diagnostic_provider.workspace_diagnostics
    actions = able.code_action_provider
    assert {"quickfix", "source.fixAll", "source.fixAll.asyncfix"} <= {
        getattr(kind, "value", kind) for kind in actions.code_action_kinds
    }
    assert able.document_formatting_provider and able.document_range_formatting_provider and able.hover_provider
    assert able.workspace.workspace_folders.supported and able.workspace.workspace_folders.change_notifications
    assert "asyncfix.applyFixAll" in able.execute_command_provider.commands


async def test_notebooks_are_asked_for(start):
    def notebooks(able):
        able.notebook_document = t.NotebookDocumentClientCapabilities(
            synchronization=t.NotebookDocumentSyncClientCapabilities(execution_summary_support=True)
        )

    editor = await start("vscode", notebooks)
    [selector] = editor.init.capabilities.notebook_document_sync.notebook_selector
    assert [cell.language for cell in selector.cells] == ["python"]


async def test_utf_8_is_taken_only_when_offered(start):
    def only_utf_16(able):
        able.general.position_encodings = ["utf-16"]

    assert (await start("neovim", only_utf_16)).encoding == "utf-16"


async def test_ends_with_0_after_shutdown(start):
    assert await (await start()).end() == 0


async def test_ends_with_1_without_shutdown(start):
    editor = await start()
    editor.client.exit(None)
    assert await editor.exit_status() == 1


async def test_ends_when_the_editor_is_gone(start):
    editor = await start()
    editor.process.stdin.close()
    assert await editor.exit_status() is not None


@pytest.fixture(autouse=True)
def no_end(monkeypatch, request):
    """A server that has ended is not ended once more."""
    end = Editor.end

    async def once(self):
        return 0 if self.process.returncode is not None else await end(self)

    if "_with_1_" in request.node.name or "_is_gone" in request.node.name or "_with_0_" in request.node.name:
        monkeypatch.setattr(Editor, "end", once)


async def test_a_request_before_initialize_is_an_error(tmp_path):
    editor = Editor("neovim", capabilities("neovim"), tmp_path)
    await editor.client.start_io(BINARY, "server", cwd=tmp_path)
    editor.client.capabilities = editor.capabilities
    try:
        with pytest.raises(JsonRpcException) as raised:
            await asyncio.wait_for(
                editor.client.text_document_hover_async(
                    t.HoverParams(t.TextDocumentIdentifier((tmp_path / "f.py").as_uri()), t.Position(0, 0))
                ),
                10,
            )
        assert raised.value.code == t.ErrorCodes.ServerNotInitialized
    finally:
        await editor.kill()


async def test_a_request_after_shutdown_is_an_error(start):
    editor = await start()
    document = editor.create("f.py", SLEEP)
    await editor.client.shutdown_async(None)
    with pytest.raises(JsonRpcException) as raised:
        await editor.hover(document, t.Position(0, 0))
    assert raised.value.code == t.ErrorCodes.InvalidRequest
    editor.client.exit(None)
    await editor.process.wait()


async def test_unknown_requests_and_notifications(start):
    editor = await start()
    with pytest.raises(JsonRpcException) as raised:
        await editor.client.protocol.send_request_async("asyncfix/unknown", {})
    assert raised.value.code == t.ErrorCodes.MethodNotFound
    editor.client.protocol.notify("$/unknown", {})
    editor.client.protocol.notify("asyncfix/unknown", {})
    await editor.expect(editor.create("f.py", SLEEP), ["AF201"])


@pytest.mark.parametrize(
    "options",
    [
        None,
        {},
        {"settings": None},
        {"settings": []},
        {"settings": {"unknown": 1}},
        {"settings": {"select": None, "ignore": []}},
        {"settings": {"trace": {"server": "off"}, "path": None, "args": []}},
        [],
    ],
)
async def test_starts_with_any_options(start, options):
    """Neovim sends an empty table as a list; VS Code sends all settings of the extension."""
    editor = await start(options=options if options is not None else {})
    await editor.expect(editor.create("f.py", SLEEP), ["AF201"])


@pytest.mark.parametrize("settings", [{"select": ["AF999"]}, {"select": "AF2"}, {"configuration": "no-such-file.toml"}])
async def test_wrong_settings_are_told_and_ended_by_right_ones(start, settings):
    editor = await start(settings=settings)
    document = editor.create("f.py", SLEEP)
    for _ in range(200):
        if editor.client.messages:
            break
        await asyncio.sleep(0.05)
    assert editor.client.messages, "the user is told nothing"
    editor.configure({})
    await editor.expect(document, ["AF201"])


async def test_no_folder(start):
    """A single file is opened, without a folder."""
    editor = await start(folders=[])
    await editor.expect(editor.create("f.py", SLEEP), ["AF201"])


async def test_requests_are_answered_in_any_number(start):
    editor = await start()
    document = editor.create("f.py", SLEEP)
    texts = await asyncio.gather(*[editor.formatted(document) for _ in range(30)])
    assert len(set(texts)) == 1 and "await asyncio.sleep(1)" in texts[0]


async def test_a_cancelled_request_is_answered(start):
    editor = await start()
    document = editor.create("f.py", SLEEP * 1 + "\n\nasync def g():\n    time.sleep(2)\n" * 300)
    options = t.FormattingOptions(tab_size=4, insert_spaces=True)
    number = "to-be-cancelled"
    answer = editor.client.protocol.send_request_async(
        t.TEXT_DOCUMENT_FORMATTING, t.DocumentFormattingParams(editor.identifier(document), options), msg_id=number
    )
    waiting = asyncio.ensure_future(answer)
    await asyncio.sleep(0)
    editor.client.protocol.notify(t.CANCEL_REQUEST, t.CancelParams(id=number))
    try:
        await asyncio.wait_for(asyncio.shield(waiting), 20)
    except JsonRpcException as error:
        assert error.code == t.LSPErrorCodes.RequestCancelled
    # Whether it was in time or not: the server goes on.
    assert "await asyncio.sleep(1)" in await editor.formatted(document)


def test_server_is_in_the_help():
    import subprocess

    done = subprocess.run([BINARY, "help", "server"], capture_output=True, text=True)
    assert done.returncode == 0, "the extension for VS Code tells by this whether there is a server"
