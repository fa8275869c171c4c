"""Quick fixes, fix all, formatting, hover."""

import re

import pytest
from editor import command_line
from lsprotocol import types as t
from session import ROOT, pitfalls

SLEEP = "import time\n\n\nasync def f():\n    time.sleep(1)\n"
TASK = "async def f(work):\n    asyncio.create_task(work())\n"
TWO = "import asyncio\n\n\n" + TASK + "\n\n" + TASK.replace("def f", "def g")
INPUT = 'async def ask():\n    return input("? ")\n'


def kind_of(action):
    return getattr(action.kind, "value", action.kind)


def only_edit(action):
    """The text edits of an action that changes one file."""
    edit = action.edit
    if edit.changes:
        [edits] = edit.changes.values()
        return edits
    [change] = edit.document_changes
    return change.edits


async def text_after(editor, document, action):
    return editor.edited(document, only_edit(await editor.resolved(action)))


async def test_a_safe_quick_fix(editor):
    document = editor.create("f.py", '"🐍"\n' + SLEEP.replace("time.sleep(1)", 'print("🐍"); time.sleep(1)  # 🐍'))
    [problem] = await editor.expect(document, ["AF201"])
    found = await editor.actions(document, problem.range, ["quickfix"], [problem])
    assert {kind_of(one) for one in found} == {"quickfix"}
    fix = next(one for one in found if one.title.startswith("Fix: "))
    assert fix.is_preferred
    assert [one.code for one in fix.diagnostics] == ["AF201"]
    assert await text_after(editor, document, fix) == document.text.replace("time.sleep", "await asyncio.sleep").replace(
        "import time", "import asyncio"
    )
    assert sum(bool(one.is_preferred) for one in found) == 1


async def test_quick_fixes_are_found_without_the_diagnostics_of_the_editor(editor):
    """Neovim and others ask with an empty list, or at a cursor without a range."""
    document = editor.create("f.py", SLEEP)
    await editor.expect(document, ["AF201"])
    cursor = editor.at(document, "time.sleep(1)", 3)
    titles = [one.title for one in await editor.actions(document, t.Range(cursor, cursor))]
    assert any(title.startswith("Fix: ") for title in titles), titles
    assert not [one for one in await editor.actions(document, t.Range(t.Position(3, 0), t.Position(3, 1)), ["quickfix"])]


async def test_an_unsafe_quick_fix(editor):
    document = editor.create("f.py", INPUT)
    [problem] = await editor.expect(document, ["AF205"])
    found = await editor.actions(document, problem.range, ["quickfix"], [problem])
    [fix] = [one for one in found if one.title.startswith("Fix (unsafe): ")]
    assert not fix.is_preferred
    assert "Enter" in fix.title, "the reason is not said"
    expected = command_line(INPUT, editor.root / "f.py", "--write", "--quiet", "--unsafe-fixes")
    assert await text_after(editor, document, fix) == expected
    for only in ("source.fixAll", "source.fixAll.asyncfix"):
        for whole in await editor.actions(document, problem.range, [only]):
            assert await text_after(editor, document, whole) == INPUT


async def test_unsafe_fixes_can_be_hidden(start):
    editor = await start(settings={"unsafeFixes": False})
    document = editor.create("f.py", INPUT)
    [problem] = await editor.expect(document, ["AF205"])
    titles = [one.title for one in await editor.actions(document, problem.range, ["quickfix"], [problem])]
    assert not [title for title in titles if "unsafe" in title]
    assert [title for title in titles if title.startswith("Suppress AF205")]


async def test_all_of_a_rule(editor):
    text = TWO.replace("import asyncio\n", "import asyncio\nimport time\n") + "\n\nasync def h():\n    time.sleep(1)\n"
    document = editor.create("f.py", text)
    found = await editor.expect(document, ["AF201", "AF801"])
    problem = next(one for one in found if one.code == "AF801")
    actions = await editor.actions(document, problem.range, ["quickfix"], [problem])
    [fix] = [one for one in actions if one.title == "Fix all AF801 in this file"]
    expected = command_line(text, editor.root / "f.py", "--write", "--quiet", "--select", "AF801")
    assert await text_after(editor, document, fix) == expected
    assert not fix.is_preferred


async def test_a_suppression(editor):
    document = editor.create("f.py", SLEEP)
    [problem] = await editor.expect(document, ["AF201"])
    found = await editor.actions(document, problem.range, ["quickfix"], [problem])
    [fix] = [one for one in found if one.title == "Suppress AF201 on this line"]
    assert await text_after(editor, document, fix) == SLEEP.replace("sleep(1)", "sleep(1)  # asyncfix: ignore[AF201]")
    editor.apply((await editor.resolved(fix)).edit)
    await editor.expect(document, [])


@pytest.mark.parametrize("only", ["source.fixAll", "source.fixAll.asyncfix", "source"])
async def test_fix_all(editor, only):
    document = editor.create("pitfalls.py", pitfalls())
    [whole] = [one for one in await editor.actions(document, t.Range(t.Position(0, 0), t.Position(0, 0)), [only])]
    assert kind_of(whole) == "source.fixAll.asyncfix"
    expected = command_line(document.text, editor.root / "pitfalls.py", "--write", "--quiet")
    assert await text_after(editor, document, whole) == expected != document.text


async def test_fix_all_is_found_late_only_by_editors_that_ask_again(editor):
    document = editor.create("pitfalls.py", pitfalls())
    [whole] = await editor.actions(document, t.Range(t.Position(0, 0), t.Position(0, 0)), ["source.fixAll"])
    able = editor.capabilities.text_document.code_action
    if not able.resolve_support or "edit" not in able.resolve_support.properties:
        assert whole.edit is not None


async def test_other_kinds_have_none(editor):
    document = editor.create("f.py", SLEEP)
    await editor.expect(document, ["AF201"])
    everything = t.Range(t.Position(0, 0), t.Position(5, 0))
    assert await editor.actions(document, everything, ["source.organizeImports"]) == []
    assert await editor.actions(document, everything, ["refactor"]) == []
    assert {kind_of(one) for one in await editor.actions(document, everything, ["quickfix"])} == {"quickfix"}


async def test_nothing_to_fix(editor):
    document = editor.create("f.py", "import asyncio\n\n\nasync def f():\n    await asyncio.sleep(1)\n")
    await editor.expect(document, [])
    assert await editor.formatted(document) == document.text
    for action in await editor.actions(document, t.Range(t.Position(0, 0), t.Position(5, 0))):
        assert not (await editor.resolved(action)).edit, action.title


async def test_a_fix_over_two_files(start):
    """AF401 makes callers async, in all files at once: one action for both."""
    editor = await start("neovim")
    store = editor.write("store.py", "async def answer():\n    return 1\n\n\ndef upper():\n    return await answer()\n")
    app = editor.write("app.py", "from store import upper\n\n\nasync def main():\n    print(upper())\n")
    document = editor.open("store.py")
    [problem] = await editor.expect(document, ["AF401"])
    actions = await editor.actions(document, problem.range, ["quickfix"], [problem])
    texts = None
    for action in actions:
        if action.title.startswith("Fix"):
            texts = editor.apply((await editor.resolved(action)).edit)
            break
    assert texts is not None, [one.title for one in actions]
    assert "async def upper" in texts[store.as_uri()]
    assert "print(await upper())" in texts[app.as_uri()]


async def test_the_command(editor):
    document = editor.create("pitfalls.py", pitfalls())
    expected = command_line(document.text, editor.root / "pitfalls.py", "--write", "--quiet")
    await editor.client.workspace_execute_command_async(t.ExecuteCommandParams("asyncfix.applyFixAll", [document.uri]))
    assert document.text == expected
    assert len(editor.applied) == 1
    await editor.client.workspace_execute_command_async(t.ExecuteCommandParams("asyncfix.applyFixAll", [document.uri]))
    assert document.text == expected


TEXTS = {
    "pitfalls": pitfalls(),
    "crlf": pitfalls().replace("\n", "\r\n"),
    "no line break at the end": pitfalls().rstrip("\n") + "\n    time.sleep(3)",
    "the last line": SLEEP.rstrip("\n"),
    "tabs": SLEEP.replace("    ", "\t"),
    "a byte order mark": "\ufeff" + SLEEP,
    "empty": "",
    "one line break": "\n",
    "nothing to do": "x = 1\n",
    "mixed line ends": SLEEP.replace("\n", "\r\n", 2),
    "a form feed": SLEEP.replace("\n\n\n", "\n\n\f\n"),
    "line separators in strings": 'S = "\u2028\x0b\x1c\x85"\n' + SLEEP,
    "broken": "async def broken(:\n    time.sleep(1)\n",
}


@pytest.mark.parametrize("name", TEXTS)
async def test_formatting_is_what_the_command_line_writes(editor, name):
    document = editor.create("f.py", TEXTS[name])
    expected = command_line(document.text, editor.root / "f.py", "--write", "--quiet")
    assert await editor.formatted(document) == expected


async def test_formatting_of_the_cases(start):
    """The first ❌ block of each case of each rule."""
    editor = await start("emacs")
    checked = 0
    for page in sorted((ROOT / "tests" / "cases").glob("AF*.md")):
        blocks = re.findall(r"^❌[^\n]*\n+```python\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
        for number, block in enumerate(blocks[:6]):
            document = editor.open(f"{page.stem}_{number}.py", block)
            expected = command_line(block, editor.root / f"{page.stem}_{number}.py", "--write", "--quiet")
            assert await editor.formatted(document) == expected, f"{page.name}, block {number}"
            editor.close(document)
            checked += 1
    assert checked > 100


async def test_formatting_of_a_range(editor):
    document = editor.create(
        "f.py", "import time\n\n\nasync def f():\n    time.sleep(1)\n\n\nasync def g():\n    time.sleep(2)\n"
    )
    second = editor.range_of(document, "async def g():\n    time.sleep(2)\n")
    expected = document.text.replace("time.sleep(2)", "await asyncio.sleep(2)").replace(
        "import time\n", "import asyncio\nimport time\n"
    )
    assert await editor.formatted(document, second) == expected
    first_line = t.Range(t.Position(0, 0), t.Position(1, 0))
    assert await editor.formatted(document, first_line) == document.text
    everything = t.Range(t.Position(0, 0), editor.position(document, len(document.text)))
    assert await editor.formatted(document, everything) == command_line(document.text, editor.root / "f.py", "--write", "--quiet")


async def test_formatting_again_changes_nothing(editor):
    document = editor.create("pitfalls.py", pitfalls())
    editor.set(document, await editor.formatted(document))
    assert await editor.formatted(document) == document.text
    await editor.expect(document, [])


async def test_saving_and_closing(editor):
    document = editor.create("f.py", SLEEP)
    editor.set(document, await editor.formatted(document))
    editor.save(document)
    await editor.expect(document, [])
    editor.close(document)
    again = editor.open("f.py")
    await editor.expect(again, [])


async def test_hover_on_a_problem(editor):
    document = editor.create("f.py", SLEEP)
    await editor.expect(document, ["AF201"])
    shown = await editor.hover(document, editor.at(document, "time.sleep(1)", 6))
    assert shown and "AF201" in shown and "blocking-sleep" in shown
    assert await editor.hover(document, editor.at(document, "async def f")) is None


@pytest.mark.parametrize(
    "comment, inside, rule",
    [
        ("# asyncfix: ignore[AF201]", "AF201", "AF201"),
        ("# asyncfix: ignore[blocking-sleep]", "blocking-sleep", "AF201"),
        ("# noqa: AF201", "AF201", "AF201"),
        ("# asyncfix: ignore[AF201, AF801]", "AF801", "AF801"),
    ],
)
async def test_hover_on_a_suppression(start, comment, inside, rule):
    editor = await start("vscode")
    document = editor.create("f.py", SLEEP.replace("sleep(1)", f"sleep(1)  {comment}"))
    shown = await editor.hover(document, editor.at(document, inside, 2))
    assert shown and rule in shown


async def test_hover_is_text_for_editors_without_markdown(start):
    def plain(able):
        able.text_document.hover.content_format = [t.MarkupKind.PlainText]

    editor = await start("neovim", plain)
    document = editor.create("f.py", SLEEP)
    await editor.expect(document, ["AF201"])
    found = await editor.client.text_document_hover_async(
        t.HoverParams(editor.identifier(document), editor.at(document, "time.sleep(1)", 6))
    )
    assert found.contents.kind == t.MarkupKind.PlainText
