"""Notebooks: the cells are one program, and each is a document."""

import json

from editor import Document
from lsprotocol import types as t

CELLS = ["import asyncio\nimport time", 'async def poll():\n    print("🐍"); time.sleep(1)', "await poll()"]


def able(capabilities):
    capabilities.notebook_document = t.NotebookDocumentClientCapabilities(
        synchronization=t.NotebookDocumentSyncClientCapabilities(execution_summary_support=True)
    )


def write(editor, cells=CELLS):
    content = {
        "cells": [
            {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None, "source": cell.splitlines(True)}
            for cell in cells
        ],
        "metadata": {"language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return editor.write("n.ipynb", json.dumps(content, indent=1))


def open_notebook(editor, cells=CELLS):
    path = write(editor, cells)
    uris = [f"vscode-notebook-cell:{path}#W{number}" for number in range(len(cells))]
    for uri, cell in zip(uris, cells):
        editor.documents[uri] = Document(uri, cell)
    editor.client.notebook_document_did_open(
        t.DidOpenNotebookDocumentParams(
            notebook_document=t.NotebookDocument(
                uri=path.as_uri(),
                notebook_type="jupyter-notebook",
                version=1,
                cells=[t.NotebookCell(kind=t.NotebookCellKind.Code, document=uri) for uri in uris],
            ),
            cell_text_documents=[t.TextDocumentItem(uri, "python", 1, cell) for uri, cell in zip(uris, cells)],
        )
    )
    return path, [editor.documents[uri] for uri in uris]


async def test_a_problem_in_a_cell(start):
    editor = await start("vscode", able)
    _, cells = open_notebook(editor)
    [found] = await editor.expect(cells[1], ["AF201"])
    assert editor.text_at(cells[1], found.range) == "time.sleep(1)"
    await editor.expect(cells[0], [])
    actions = await editor.actions(cells[1], found.range, ["quickfix"], [found])
    fix = next(one for one in actions if one.title.startswith("Fix: "))
    edit = (await editor.resolved(fix)).edit
    changes = dict(edit.changes or {}) | {one.text_document.uri: one.edits for one in edit.document_changes or []}
    texts = {uri: editor.edited(editor.documents[uri], edits) for uri, edits in changes.items()}
    assert texts[cells[1].uri] == CELLS[1].replace("time.sleep", "await asyncio.sleep")


async def test_pulled_problems_of_a_cell(start):
    editor = await start("neovim", able)
    _, cells = open_notebook(editor)
    await editor.expect(cells[1], ["AF201"])
    await editor.expect(cells[2], [])


async def test_cells_come_change_and_go(start):
    editor = await start("vscode", able)
    path, cells = open_notebook(editor)
    await editor.expect(cells[1], ["AF201"])
    notebook = t.VersionedNotebookDocumentIdentifier(version=2, uri=path.as_uri())
    place = editor.range_of(cells[1], "time.sleep(1)")
    change = t.NotebookDocumentCellContentChanges(
        document=t.VersionedTextDocumentIdentifier(uri=cells[1].uri, version=2),
        changes=[t.TextDocumentContentChangePartial(range=place, text="pass")],
    )
    editor.client.notebook_document_did_change(
        t.DidChangeNotebookDocumentParams(
            notebook, t.NotebookDocumentChangeEvent(cells=t.NotebookDocumentCellChanges(text_content=[change]))
        )
    )
    await editor.expect(cells[1], [])
    # A new cell before the last one.
    uri = f"vscode-notebook-cell:{path}#W9"
    editor.documents[uri] = Document(uri, "poll()")
    structure = t.NotebookDocumentCellChangeStructure(
        array=t.NotebookCellArrayChange(start=2, delete_count=0, cells=[t.NotebookCell(t.NotebookCellKind.Code, uri)]),
        did_open=[t.TextDocumentItem(uri, "python", 1, "poll()")],
    )
    editor.client.notebook_document_did_change(
        t.DidChangeNotebookDocumentParams(
            t.VersionedNotebookDocumentIdentifier(version=3, uri=path.as_uri()),
            t.NotebookDocumentChangeEvent(cells=t.NotebookDocumentCellChanges(structure=structure)),
        )
    )
    await editor.expect(editor.documents[uri], ["AF101"])
    structure = t.NotebookDocumentCellChangeStructure(
        array=t.NotebookCellArrayChange(start=2, delete_count=1, cells=[]), did_close=[t.TextDocumentIdentifier(uri)]
    )
    editor.client.notebook_document_did_change(
        t.DidChangeNotebookDocumentParams(
            t.VersionedNotebookDocumentIdentifier(version=4, uri=path.as_uri()),
            t.NotebookDocumentChangeEvent(cells=t.NotebookDocumentCellChanges(structure=structure)),
        )
    )
    assert await editor.problems(editor.documents[uri], lambda found: not found) == []


async def test_fix_all_in_a_notebook(start):
    editor = await start("vscode", able)
    path, cells = open_notebook(editor, [CELLS[0], CELLS[1], "time.sleep(2)\nasync def g():\n    time.sleep(3)"])
    await editor.expect(cells[1], ["AF201"])
    actions = await editor.actions(cells[1], t.Range(t.Position(0, 0), t.Position(0, 0)), ["source.fixAll"])
    assert actions, "nothing to fix all"
    edit = (await editor.resolved(actions[0])).edit
    changes = dict(edit.changes or {}) | {one.text_document.uri: one.edits for one in edit.document_changes or []}
    texts = {uri: editor.edited(editor.documents[uri], edits) for uri, edits in changes.items()}
    assert "await asyncio.sleep(1)" in texts[cells[1].uri]


async def test_a_closed_notebook(start):
    editor = await start("vscode", able)
    path, cells = open_notebook(editor)
    await editor.expect(cells[1], ["AF201"])
    editor.client.notebook_document_did_close(
        t.DidCloseNotebookDocumentParams(
            t.NotebookDocumentIdentifier(path.as_uri()), [t.TextDocumentIdentifier(cell.uri) for cell in cells]
        )
    )
    assert await editor.problems(cells[1], lambda found: not found) == []
