"""An editor as the server sees it: it opens texts, changes them, asks, and applies edits.

Its capabilities are those of a real editor, as pytest-lsp has recorded them.
"""

import asyncio
import itertools
import os
import re
import subprocess
import time
from pathlib import Path

from lsprotocol import types as t
from pygls.exceptions import JsonRpcException
from pygls.protocol import default_converter
from pytest_lsp import LanguageClient, client_capabilities
from pytest_lsp.client import DEFAULT_CLIENT_FEATURES, register_lsp_features

BINARY = os.environ["ASYNCFIX"]
# VS Code: positions in UTF-16, problems are pushed. Neovim 0.11: UTF-8, problems are pulled. Emacs: UTF-8, pushed.
EDITORS = {"vscode": "visual_studio_code", "neovim": "neovim@0.11", "emacs": "emacs"}
PATIENCE = float(os.environ.get("PATIENCE", "20"))


def command_line(text, path, *options, root=None):
    """What `asyncfix OPTIONS -` prints for a text."""
    command = [BINARY, *options, "--stdin-filename", str(path), "-"]
    done = subprocess.run(command, input=text.encode(), capture_output=True, cwd=root or Path(path).parent)
    return done.stdout.decode()


def units(text, encoding):
    """How long a text is in an encoding's units."""
    return (
        len(text.encode({"utf-8": "utf-8", "utf-16": "utf-16-le", "utf-32": "utf-32-le"}[encoding]))
        // {"utf-8": 1, "utf-16": 2, "utf-32": 4}[encoding]
    )


class Document:
    def __init__(self, uri, text):
        self.uri, self.text, self.version = uri, text, 1

    def lines(self):
        """As the protocol has them: `\\n`, `\\r\\n` and `\\r` end a line, and nothing else does."""
        return re.split(r"(?<=\n)|(?<=\r)(?!\n)", self.text)


class Editor:
    def __init__(self, kind, capabilities, root):
        self.kind, self.capabilities, self.root = kind, capabilities, root
        self.client = LanguageClient(converter_factory=default_converter)
        # Reports are kept whole here, with their versions.
        register_lsp_features(
            self.client,
            {
                method: answer
                for method, answer in DEFAULT_CLIENT_FEATURES.items()
                if method != t.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS
            },
        )
        self.documents: dict[str, Document] = {}
        self.registered: dict[str, t.Registration] = {}
        self.applied: list[t.WorkspaceEdit] = []
        self.shown: dict[str, list[t.Diagnostic]] = {}
        self.pushed: dict[str, t.PublishDiagnosticsParams] = {}

        @self.client.feature(t.CLIENT_REGISTER_CAPABILITY)
        def register(params: t.RegistrationParams):
            for registration in params.registrations:
                self.registered[registration.method] = registration

        @self.client.feature(t.CLIENT_UNREGISTER_CAPABILITY)
        def unregister(params: t.UnregistrationParams):
            for registration in params.unregisterations:
                self.registered.pop(registration.method, None)

        @self.client.feature(t.WORKSPACE_APPLY_EDIT)
        def apply(params: t.ApplyWorkspaceEditParams):
            self.applied.append(params.edit)
            self.apply(params.edit)
            return t.ApplyWorkspaceEditResult(applied=True)

        @self.client.feature(t.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)
        def push(params: t.PublishDiagnosticsParams):
            self.pushed[params.uri] = params

    # Start and end.

    async def start(self, settings=None, folders=None, options=None, configuration=None):
        await self.client.start_io(BINARY, "server", cwd=self.root)
        if configuration is not None:
            self.client.set_configuration({"asyncfix": configuration})
        options = {"settings": settings or {}} if options is None else options
        folders = [self.root] if folders is None else folders
        parameters = t.InitializeParams(
            capabilities=self.capabilities,
            process_id=os.getpid(),
            root_uri=self.root.as_uri(),
            initialization_options=options,
            workspace_folders=[t.WorkspaceFolder(uri=folder.as_uri(), name=folder.name) for folder in folders],
        )
        self.init = await asyncio.wait_for(self.client.initialize_session(parameters), PATIENCE)
        encoding = self.init.capabilities.position_encoding or "utf-16"
        self.encoding = getattr(encoding, "value", encoding)
        return self

    @property
    def process(self):
        return self.client._server

    async def end(self):
        """Ends the server as an editor does; its exit status."""
        if self.process.returncode is None:
            await asyncio.wait_for(self.client.shutdown_async(None), PATIENCE)
            self.client.exit(None)
        return await self.exit_status()

    async def exit_status(self):
        status = await asyncio.wait_for(self.process.wait(), PATIENCE)
        await self.client.stop()
        return status

    async def kill(self):
        if self.process and self.process.returncode is None:
            self.process.kill()
            await self.client.stop()

    # Documents.

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
        return path

    def open(self, name, text=None, language="python"):
        """Opens a file of the root, which is written first unless a text is given that stands only in the editor."""
        path = self.root / name
        if text is None:
            text = path.read_bytes().decode()
        uri = path.as_uri() if "://" not in name and not name.startswith("untitled:") else name
        document = self.documents[uri] = Document(uri, text)
        item = t.TextDocumentItem(uri=uri, language_id=language, version=1, text=text)
        self.client.text_document_did_open(t.DidOpenTextDocumentParams(text_document=item))
        return document

    def create(self, name, text):
        self.write(name, text)
        return self.open(name)

    def replace(self, document, old, new):
        """One incremental change: the first place of a text."""
        start = document.text.index(old)
        edit = t.Range(self.position(document, start), self.position(document, start + len(old)))
        self.change(document, t.TextDocumentContentChangePartial(range=edit, text=new))
        document.text = document.text[:start] + new + document.text[start + len(old) :]

    def set(self, document, text):
        self.change(document, t.TextDocumentContentChangeWholeDocument(text=text))
        document.text = text

    def change(self, document, *changes):
        document.version += 1
        self.client.text_document_did_change(
            t.DidChangeTextDocumentParams(
                text_document=t.VersionedTextDocumentIdentifier(uri=document.uri, version=document.version),
                content_changes=list(changes),
            )
        )

    def save(self, document):
        Path(document.uri.removeprefix("file://")).write_bytes(document.text.encode())
        self.client.text_document_did_save(t.DidSaveTextDocumentParams(text_document=self.identifier(document)))

    def close(self, document):
        del self.documents[document.uri]
        self.client.text_document_did_close(t.DidCloseTextDocumentParams(text_document=self.identifier(document)))

    def changed_on_disk(self, *paths, kind=t.FileChangeType.Changed):
        self.client.workspace_did_change_watched_files(
            t.DidChangeWatchedFilesParams(changes=[t.FileEvent(uri=path.as_uri(), type=kind) for path in paths])
        )

    @staticmethod
    def identifier(document):
        return t.TextDocumentIdentifier(uri=document.uri)

    # Places.

    def position(self, document, offset):
        before = Document("", document.text[:offset]).lines()
        return t.Position(line=len(before) - 1, character=units(before[-1], self.encoding))

    def offset(self, document, position):
        lines = document.lines()
        if position.line >= len(lines):
            assert position.line == len(lines), "a position behind the end"
            return len(document.text)
        before = sum(map(len, lines[: position.line]))
        line = lines[position.line]
        for index in range(len(line) + 1):
            if units(line[:index], self.encoding) == position.character:
                return before + index
        raise AssertionError(f"{position} is not between two characters of {line!r}")

    def at(self, document, part, inside=0):
        """The position of a text, or of a character in it."""
        return self.position(document, document.text.index(part) + inside)

    def range_of(self, document, part):
        start = document.text.index(part)
        return t.Range(self.position(document, start), self.position(document, start + len(part)))

    def text_at(self, document, place):
        return document.text[self.offset(document, place.start) : self.offset(document, place.end)]

    def texts(self, document, found):
        """The texts of problems; nothing where they are still those of an older text."""
        try:
            return [self.text_at(document, one.range) for one in found]
        except AssertionError:
            return None

    # Edits.

    def edited(self, document, edits):
        """A document's text with edits applied; they must not touch one another."""
        text, places = document.text, []
        for edit in edits or []:
            places.append((self.offset(document, edit.range.start), self.offset(document, edit.range.end), edit.new_text))
        places.sort(key=lambda place: place[:2])
        for (_, end, _), (start, _, _) in itertools.pairwise(places):
            assert end <= start, "two edits overlap"
        for start, end, new in reversed(places):
            text = text[:start] + new + text[end:]
        return text

    def apply(self, workspace_edit):
        """Applies the edits of open documents, and gives the texts by URI, also those of files that are not open."""
        changes = dict(workspace_edit.changes or {})
        for change in workspace_edit.document_changes or []:
            known = self.documents.get(change.text_document.uri)
            if known and change.text_document.version is not None:
                assert change.text_document.version == known.version, "an edit for another version"
            changes.setdefault(change.text_document.uri, []).extend(change.edits)
        texts = {}
        for uri, edits in changes.items():
            document = self.documents.get(uri) or Document(uri, Path(uri.removeprefix("file://")).read_bytes().decode())
            texts[uri] = self.edited(document, edits)
            if uri in self.documents:
                self.set(document, texts[uri])
        return texts

    # Questions.

    @property
    def pulls(self):
        return self.capabilities.text_document.diagnostic is not None

    async def pull(self, document, previous=None):
        return await asyncio.wait_for(
            self.client.text_document_diagnostic_async(
                t.DocumentDiagnosticParams(
                    text_document=self.identifier(document), previous_result_id=previous, identifier="asyncfix"
                )
            ),
            PATIENCE,
        )

    async def pulled(self, document):
        """What an editor shows after it has pulled: what it had before, if the server says that it has nothing new."""
        try:
            self.shown[document.uri] = (await self.pull(document)).items
        except JsonRpcException as error:
            assert error.code == t.LSPErrorCodes.ServerCancelled and error.data["retriggerRequest"] is False, error
        return self.shown.get(document.uri, [])

    async def problems(self, document, good):
        """The problems of a document as soon as they are good; those of the last try otherwise."""
        end, found = time.monotonic() + PATIENCE, None
        while True:
            if self.pulls:
                found = await self.pulled(document)
            else:
                found = self.pushed[document.uri].diagnostics if document.uri in self.pushed else None
            if (found is not None and good(found)) or time.monotonic() > end:
                return found
            await asyncio.sleep(0.03)

    async def expect(self, document, codes):
        """Waits until these are the codes of a document's problems."""
        found = await self.problems(document, lambda found: sorted({one.code for one in found}) == sorted(codes))
        assert sorted({one.code for one in found or []}) == sorted(codes)
        return found

    async def actions(self, document, place, only=None, diagnostics=()):
        context = t.CodeActionContext(diagnostics=list(diagnostics), only=only)
        return (
            await asyncio.wait_for(
                self.client.text_document_code_action_async(
                    t.CodeActionParams(text_document=self.identifier(document), range=place, context=context)
                ),
                PATIENCE,
            )
            or []
        )

    async def resolved(self, action):
        """An action with its edit."""
        if action.edit is None:
            action = await asyncio.wait_for(self.client.code_action_resolve_async(action), PATIENCE)
        return action

    async def formatted(self, document, place=None):
        """A document's text after formatting it, or a part of it."""
        options = t.FormattingOptions(tab_size=4, insert_spaces=True)
        identifier = self.identifier(document)
        if place is None:
            request = self.client.text_document_formatting_async(t.DocumentFormattingParams(identifier, options))
        else:
            request = self.client.text_document_range_formatting_async(
                t.DocumentRangeFormattingParams(identifier, place, options)
            )
        edits = await asyncio.wait_for(request, PATIENCE) or []
        # Some editors put an edit that ends behind the last line break into the wrong line.
        lines = document.lines()
        for edit in edits:
            if len(lines) > 1 and lines[-1] == "" and edit.range.start != edit.range.end:
                assert edit.range.end.line < len(lines) - 1 or edit.range.start.line == len(lines) - 1, (
                    "an edit ends behind the last line"
                )
        return self.edited(document, edits)

    async def hover(self, document, position):
        found = await asyncio.wait_for(
            self.client.text_document_hover_async(t.HoverParams(self.identifier(document), position)), PATIENCE
        )
        if found is None:
            return None
        return found.contents.value if hasattr(found.contents, "value") else str(found.contents)

    def configure(self, settings):
        """The user changes the settings: told, and given when the server asks."""
        self.client.set_configuration({"asyncfix": settings})
        self.client.workspace_did_change_configuration(t.DidChangeConfigurationParams(settings={"asyncfix": settings}))


def capabilities(kind):
    return client_capabilities(EDITORS[kind])
