"""Which problems are shown, where, and when."""

import asyncio
import random

import pytest
from editor import PATIENCE, command_line
from lsprotocol import types as t
from session import pitfalls

TASK = "import asyncio\n\n\nasync def f(work):\n    asyncio.create_task(work())\n"
SLEEP = "import time\n\n\nasync def f():\n    time.sleep(1)\n"
INPUT = 'async def ask():\n    return input("? ")\n'


async def test_all_pitfalls(editor):
    document = editor.create("pitfalls.py", pitfalls())
    found = await editor.problems(document, lambda found: len(found) >= 9)
    assert {one.code[2] for one in found} == set("12345678")
    assert {one.source for one in found} == {"asyncfix"}
    assert {one.severity for one in found} == {t.DiagnosticSeverity.Warning}
    first = next(one for one in found if one.code == "AF101")
    assert editor.text_at(document, first.range) == "fetch(1)"
    assert first.message.startswith("missing `await`")
    if getattr(editor.capabilities.text_document.publish_diagnostics, "code_description_support", None):
        assert "AF101" in first.code_description.href


async def test_columns_behind_wide_characters(editor):
    text = SLEEP.replace("    time.sleep(1)", '    s = "ß", "漢字", "🐍👩‍👩‍👧"; time.sleep(1); print(s)')
    document = editor.create("wide.py", text)
    [found] = await editor.expect(document, ["AF201"])
    assert editor.text_at(document, found.range) == "time.sleep(1)"


async def test_changes_are_followed(editor):
    """Incremental changes, several in one notification, with wide characters before and in them."""
    document = editor.create("f.py", '"🐍"\n' + SLEEP)
    await editor.expect(document, ["AF201"])
    editor.replace(document, '"🐍"\n', '"🐍🐍"\n# 🐍\n')
    editor.replace(document, "time.sleep(1)", 'print("🐍"); time.sleep(1)')
    [found] = await editor.expect(document, ["AF201"])
    end = document.text.index("print(")
    first = t.TextDocumentContentChangePartial(range=t.Range(*[editor.position(document, end)] * 2), text='"🐍"; ')
    # The second one counts from the text after the first.
    middle = document.text[:end] + '"🐍"; ' + document.text[end:]
    after = type(document)(document.uri, middle)
    second = t.TextDocumentContentChangePartial(
        range=editor.range_of(after, "time.sleep(1)"), text="pass\n\n\nasync def g():\n    time.sleep(22)"
    )
    editor.change(document, first, second)
    document.text = middle.replace("time.sleep(1)", "pass\n\n\nasync def g():\n    time.sleep(22)")
    found = await editor.problems(document, lambda found: editor.texts(document, found) == ["time.sleep(22)"])
    assert editor.texts(document, found) == ["time.sleep(22)"]
    editor.replace(document, document.text, "")
    await editor.expect(document, [])
    editor.set(document, TASK)
    await editor.expect(document, ["AF801"])


async def test_no_change_is_overlooked(editor):
    """Each one comes right after the report about the one before."""
    document = editor.create("f.py", SLEEP)
    await editor.expect(document, ["AF201"])
    for _ in range(30):
        editor.set(document, "")
        await editor.expect(document, [])
        editor.set(document, TASK)
        await editor.expect(document, ["AF801"])


@pytest.mark.parametrize("seed", range(6))
async def test_random_changes(editor, seed):
    """Changes inside of a string, with all that ends lines and has several units; then the code after it is fixed."""
    chosen = random.Random(seed)
    head = 'S = """\n'
    document = editor.create("f.py", head + "é🐍\r\n漢字\n" * 20 + '"""\n' + SLEEP)
    parts = ["🐍", "\r\n", "\n", "\r", "", "é漢", "time.sleep(1)", "    ", "\u2028", "\x0c", "x"]
    for _ in range(80):
        end_of_string = document.text.index('"""\nimport')
        start = chosen.randrange(len(head), end_of_string + 1)
        end = min(end_of_string, start + chosen.choice([0, 0, 1, 3, 40]))
        # Between `\r` and `\n` is no position.
        if any(document.text[at - 1 : at + 1] == "\r\n" for at in (start, end)):
            continue
        place = t.Range(editor.position(document, start), editor.position(document, end))
        text = "".join(chosen.choices(parts, k=2))
        editor.change(document, t.TextDocumentContentChangePartial(range=place, text=text))
        document.text = document.text[:start] + text + document.text[end:]
    [found] = await editor.expect(document, ["AF201"])
    assert editor.text_at(document, found.range) == "time.sleep(1)"
    assert await editor.formatted(document) == command_line(document.text, editor.root / "f.py", "--write", "--quiet")


async def test_a_change_in_crlf(editor):
    document = editor.create("f.py", SLEEP.replace("\n", "\r\n"))
    [found] = await editor.expect(document, ["AF201"])
    assert editor.text_at(document, found.range) == "time.sleep(1)"
    editor.replace(document, "async def f():\r\n", "async def f():\r\n    # one more\r\n")
    found = await editor.problems(document, lambda found: found and found[0].range.start.line == 5)
    assert editor.text_at(document, found[0].range) == "time.sleep(1)"


async def test_the_reason_stands_in_the_message(editor):
    document = editor.create("f.py", INPUT)
    [found] = await editor.expect(document, ["AF205"])
    assert "`input` blocks the event loop" in found.message and "Enter" in found.message


async def test_a_chain_is_related_information(editor):
    editor.write("helper.py", "import time\n\n\ndef load():\n    time.sleep(1)\n\n\ndef outer():\n    load()\n")
    document = editor.create("app.py", "from helper import outer\n\n\nasync def main():\n    outer()\n")
    [found] = await editor.expect(document, ["AF206"])
    if not getattr(editor.capabilities.text_document.publish_diagnostics, "related_information", None):
        assert not found.related_information
        return
    places = {(one.location.uri.rsplit("/", 1)[1], one.location.range.start.line) for one in found.related_information}
    assert {name for name, _ in places} >= {"helper.py"}
    # The functions on the way, by their names.
    assert ("helper.py", 3) in places and ("helper.py", 7) in places, places


async def test_an_unsaved_file_counts_in_others(editor):
    """`fetch` becomes a coroutine function in another editor window, and nothing is saved."""
    editor.write("store.py", "def fetch():\n    return 1\n")
    document = editor.create("app.py", "from store import fetch\n\n\nasync def main():\n    fetch()\n")
    await editor.expect(document, [])
    store = editor.open("store.py")
    editor.replace(store, "def fetch", "async def fetch")
    await editor.expect(document, ["AF101"])
    editor.replace(store, "async def fetch", "def fetch")
    await editor.expect(document, [])
    editor.replace(store, "def fetch", "async def fetch")
    await editor.expect(document, ["AF101"])
    # Not saved, and closed: what is on disk counts again.
    editor.close(store)
    await editor.expect(document, [])


async def test_a_new_file_that_is_only_in_the_editor(editor):
    document = editor.create("app.py", "from store import fetch\n\n\nasync def main():\n    fetch()\n")
    await editor.expect(document, [])
    editor.open("store.py", "async def fetch():\n    return 1\n")
    await editor.expect(document, ["AF101"])


async def test_a_file_that_changes_on_disk(editor):
    store = editor.write("store.py", "def fetch():\n    return 1\n")
    document = editor.create("app.py", "from store import fetch\n\n\nasync def main():\n    fetch()\n")
    await editor.expect(document, [])
    store.write_text("async def fetch():\n    return 1\n")
    editor.changed_on_disk(store)
    await editor.expect(document, ["AF101"])
    store.unlink()
    editor.changed_on_disk(store, kind=t.FileChangeType.Deleted)
    await editor.expect(document, [])
    store.write_text("async def fetch():\n    return 1\n")
    editor.changed_on_disk(store, kind=t.FileChangeType.Created)
    await editor.expect(document, ["AF101"])


@pytest.mark.parametrize("told_by", ["open", "save"])
async def test_without_watching(start, told_by):
    """Neovim on Linux watches no files: what happens on disk is seen when a file is opened or saved."""
    editor = await start("neovim")
    document = editor.create("app.py", "from store import fetch\n\n\nasync def main():\n    fetch()\n")
    await editor.expect(document, [])
    editor.write("store.py", "async def fetch():\n    return 1\n")
    if told_by == "save":
        editor.save(document)
    else:
        editor.close(document)
        document = editor.open("app.py")
    await editor.expect(document, ["AF101"])


async def test_files_are_watched(editor):
    """An editor that can be asked to watch files is asked for Python files and for configurations."""
    watched = editor.capabilities.workspace.did_change_watched_files
    if not (watched and watched.dynamic_registration):
        pytest.skip("this editor watches no files")
    await editor.expect(editor.create("f.py", SLEEP), ["AF201"])
    registration = editor.registered[t.WORKSPACE_DID_CHANGE_WATCHED_FILES]
    patterns = str(registration.register_options)
    for part in ("py", "pyproject.toml", "asyncfix.toml"):
        assert part in patterns, patterns


async def test_a_configuration_that_changes(editor):
    document = editor.create("f.py", SLEEP + "\n\n" + TASK.replace("f(work)", "g(work)"))
    await editor.expect(document, ["AF201", "AF801"])
    file = editor.write("asyncfix.toml", 'select = ["AF8"]\n')
    editor.changed_on_disk(file, kind=t.FileChangeType.Created)
    await editor.expect(document, ["AF801"])
    file.write_text('select = ["AF2"]\n')
    editor.changed_on_disk(file)
    await editor.expect(document, ["AF201"])
    file.write_text("select = [\n")
    editor.changed_on_disk(file)
    for _ in range(200):
        if editor.client.messages:
            break
        await asyncio.sleep(0.05)
    assert any("asyncfix.toml" in message.message for message in editor.client.messages), "nobody is told"
    file.unlink()
    editor.changed_on_disk(file, kind=t.FileChangeType.Deleted)
    await editor.expect(document, ["AF201", "AF801"])


async def test_settings_that_change(editor):
    document = editor.create("f.py", SLEEP + "\n\n" + TASK.replace("f(work)", "g(work)"))
    await editor.expect(document, ["AF201", "AF801"])
    editor.configure({"select": ["AF8"]})
    await editor.expect(document, ["AF801"])
    editor.configure({"ignore": ["AF8"]})
    await editor.expect(document, ["AF201"])
    editor.configure({"enable": False})
    await editor.expect(document, [])
    only = editor.write("other/only.toml", 'select = ["AF2"]\n')
    editor.configure({"configuration": str(only), "enable": True})
    await editor.expect(document, ["AF201"])
    editor.configure({})
    await editor.expect(document, ["AF201", "AF801"])


async def test_settings_at_the_start(start):
    editor = await start(settings={"select": ["AF8"]})
    await editor.expect(editor.create("f.py", SLEEP + "\n\n" + TASK.replace("f(work)", "g(work)")), ["AF801"])


async def test_settings_that_are_asked_for(start):
    """An editor that says nothing at the start, and has an answer when it is asked."""
    editor = await start("vscode", options={}, configuration={"select": ["AF8"]})
    document = editor.create("f.py", SLEEP + "\n\n" + TASK.replace("f(work)", "g(work)"))
    editor.client.workspace_did_change_configuration(t.DidChangeConfigurationParams(settings=None))
    await editor.expect(document, ["AF801"])


async def test_folders(start, tmp_path):
    """Each folder has its configuration; a folder may come and go."""
    one, two = tmp_path / "one", tmp_path / "two"
    for folder, rules in ((one, "AF2"), (two, "AF8")):
        folder.mkdir()
        (folder / "asyncfix.toml").write_text(f'select = ["{rules}"]\n')
        (folder / "f.py").write_text(SLEEP + "\n\n" + TASK.replace("f(work)", "g(work)"))
    editor = await start("neovim", root=one, folders=[one])
    await editor.expect(editor.open("f.py"), ["AF201"])
    folder = t.WorkspaceFolder(uri=two.as_uri(), name="two")
    editor.client.workspace_did_change_workspace_folders(
        t.DidChangeWorkspaceFoldersParams(t.WorkspaceFoldersChangeEvent(added=[folder], removed=[]))
    )
    other = editor.open(str(two / "f.py"))
    await editor.expect(other, ["AF801"])
    editor.client.workspace_did_change_workspace_folders(
        t.DidChangeWorkspaceFoldersParams(t.WorkspaceFoldersChangeEvent(added=[], removed=[folder]))
    )
    await editor.expect(other, ["AF801"])


async def test_a_syntax_error_keeps_the_problems(editor):
    document = editor.create("f.py", SLEEP)
    await editor.expect(document, ["AF201"])
    editor.replace(document, "async def f():", "x = (\n\n\nasync def f():")
    # While somebody types, what was found stays.
    await asyncio.sleep(0.3)
    found = await editor.problems(document, lambda found: any(one.code == "AF201" for one in found))
    assert any(one.code == "AF201" for one in found)
    assert await editor.formatted(document) == document.text
    everywhere = t.Range(t.Position(0, 0), editor.position(document, len(document.text)))
    for action in await editor.actions(document, everywhere, diagnostics=found):
        resolved = await editor.resolved(action)
        assert not resolved.edit or not (resolved.edit.changes or resolved.edit.document_changes), action.title
    editor.replace(document, "x = (\n\n\n", "")
    await editor.expect(document, ["AF201"])


async def test_a_file_that_never_parsed(editor):
    document = editor.create("f.py", "async def broken(:\n    time.sleep(1)\n")
    assert await editor.formatted(document) == document.text
    editor.set(document, SLEEP)
    await editor.expect(document, ["AF201"])


async def test_a_closed_file_is_cleared(start):
    editor = await start("vscode")
    document = editor.create("f.py", SLEEP)
    await editor.expect(document, ["AF201"])
    editor.close(document)
    assert await editor.problems(document, lambda found: not found) == []


async def test_a_pushed_report_names_its_version(start):
    def versions(able):
        able.text_document.publish_diagnostics.version_support = True

    editor = await start("vscode", versions)
    document = editor.create("f.py", SLEEP)
    await editor.expect(document, ["AF201"])
    editor.replace(document, "time.sleep(1)", "pass")
    await editor.expect(document, [])
    assert editor.pushed[document.uri].version == document.version


async def test_a_report_that_is_the_same(start):
    editor = await start("neovim")
    document = editor.create("f.py", SLEEP)
    await editor.expect(document, ["AF201"])
    report = await editor.pull(document)
    if report.result_id is None:
        pytest.skip("reports have no names")
    again = await editor.pull(document, report.result_id)
    assert again.kind == "unchanged" and again.result_id
    editor.replace(document, "time.sleep(1)", "pass")
    after = await editor.pull(document, report.result_id)
    assert after.kind == "full" and after.items == []


async def test_the_whole_workspace(start):
    """Files that are not open, too."""
    editor = await start("neovim")
    editor.write("closed.py", SLEEP)
    document = editor.create("open.py", TASK)
    await editor.expect(document, ["AF801"])
    report = await asyncio.wait_for(
        editor.client.workspace_diagnostic_async(t.WorkspaceDiagnosticParams(previous_result_ids=[], identifier="asyncfix")),
        PATIENCE,
    )
    found = {one.uri.rsplit("/", 1)[1]: {item.code for item in one.items} for one in report.items if one.items}
    assert found.get("closed.py") == {"AF201"}
    assert found.get("open.py") in ({"AF801"}, None)


async def test_other_editors_are_asked_to_pull_again(start):
    """A change in one file may change the problems of another that is shown beside it."""

    def refresh(able):
        able.workspace.diagnostics = t.DiagnosticWorkspaceClientCapabilities(refresh_support=True)

    editor = await start("neovim", refresh)
    document = editor.create("f.py", SLEEP)
    await editor.expect(document, ["AF201"])
    before = editor.client.diagnostic_refresh_count
    editor.configure({"select": ["AF8"]})
    for _ in range(200):
        if editor.client.diagnostic_refresh_count > before:
            break
        await asyncio.sleep(0.05)
    assert editor.client.diagnostic_refresh_count > before


@pytest.mark.parametrize("name", ["my folder/a file.py", "größe/día.py", "a%20b/c#d.py", "plus+and&.py"])
async def test_names_that_have_to_be_quoted(start, name):
    editor = await start("neovim")
    await editor.expect(editor.create(name, SLEEP), ["AF201"])


async def test_a_text_without_a_file(start):
    editor = await start("vscode")
    document = editor.open("untitled:Untitled-1", SLEEP)
    await editor.expect(document, ["AF201"])
    assert "await asyncio.sleep(1)" in await editor.formatted(document)


async def test_excluded_files_have_none(editor):
    editor.write("asyncfix.toml", 'extend-exclude = ["generated"]\n')
    document = editor.create("generated/f.py", SLEEP)
    other = editor.create("f.py", SLEEP)
    await editor.expect(other, ["AF201"])
    expected = command_line(SLEEP, editor.root / "generated/f.py", "--write", "--quiet", "--force-exclude", root=editor.root)
    assert expected == SLEEP
    await editor.expect(document, [])
    assert await editor.formatted(document) == SLEEP


async def test_suppressed_problems_are_not_shown(editor):
    document = editor.create("f.py", SLEEP.replace("sleep(1)", "sleep(1)  # asyncfix: ignore[AF201]"))
    await editor.expect(document, [])
    editor.replace(document, "AF201]", "AF801]")
    await editor.expect(document, ["AF001", "AF201"])
