// Runs inside the extension host, with the whole interface of extensions. What it sees goes into $TESTS.

const fs = require("fs");
const path = require("path");
const vscode = require("vscode");

const folder = () => vscode.workspace.workspaceFolders[0].uri;
const file = (name) => vscode.Uri.joinPath(folder(), name);
const lines = [];
const say = (line) => {
  lines.push(line);
  fs.writeFileSync(process.env.TESTS, lines.join("\n") + "\n");
};
const check = (what, good, detail = "") => {
  say(`${good ? "ok" : "not ok"}: ${what}`);
  if (!good) say(`    ${String(detail).replace(/\n/g, "\n    ")}`);
};
const waitFor = async (condition, milliseconds = 12000) => {
  const end = Date.now() + milliseconds;
  for (;;) {
    const value = await condition();
    if (value || Date.now() > end) return value;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
};
const code = (diagnostic) => String(diagnostic.code?.value ?? diagnostic.code);
const diagnostics = (uri) => vscode.languages.getDiagnostics(uri).filter((one) => one.source === "asyncfix");
const codes = (uri) => [...new Set(diagnostics(uri).map(code))].sort().join(" ");
const show = async (name) => {
  const document = await vscode.workspace.openTextDocument(file(name));
  return vscode.window.showTextDocument(document, { preview: false });
};
const set = (name, value, target = vscode.ConfigurationTarget.Workspace) =>
  vscode.workspace.getConfiguration("asyncfix").update(name, value, target);
const actions = (uri, range, kind) => vscode.commands.executeCommand("vscode.executeCodeActionProvider", uri, range, kind, 20);
/** The program that runs, as the extension tells it. */
const program = () => vscode.extensions.getExtension("asyncfix.asyncfix").exports?.program();

const TESTS = {
  async inside() {
    const expected = fs.readFileSync(file("expected.txt").fsPath, "utf8");
    const extension = vscode.extensions.getExtension("asyncfix.asyncfix");
    check("the extension is installed", extension, "");
    const editor = await show("pitfalls.py");
    const document = editor.document;
    const { uri } = document;
    check("all eight pitfalls are shown", await waitFor(() => new Set(diagnostics(uri).map((one) => code(one)[2])).size >= 8), codes(uri));
    check("a Python file activates the extension", await waitFor(() => extension.isActive));
    const first = diagnostics(uri).find((one) => code(one) === "AF101");
    check("its place is the call", first && document.getText(first.range) === "fetch(1)", first && document.getText(first.range));
    check("its code leads to the rule's page", /AF101/.test(first?.code?.target?.toString() ?? ""), JSON.stringify(first?.code));
    check("it is a warning", first?.severity === vscode.DiagnosticSeverity.Warning, first?.severity);
    const wide = diagnostics(uri).find((one) => document.lineAt(one.range.start.line).text.includes("🐍"));
    check("columns are right behind wide characters", wide && document.getText(wide.range).startsWith("time.sleep(2"), wide && document.getText(wide.range));

    const hovers = await vscode.commands.executeCommand("vscode.executeHoverProvider", uri, first.range.start);
    const hover = hovers.flatMap((one) => one.contents.map((content) => content.value ?? content)).join("\n");
    check("hover shows the rule", /AF101|forgotten-await/.test(hover), hover);

    // There are two of AF201.
    const fixes = await actions(uri, wide.range, "quickfix");
    const titles = fixes.map((one) => one.title).join(" | ");
    check("quick fixes are offered", ["Fix: ", "Fix all AF201", "Suppress AF201"].every((start) => fixes.some((one) => one.title.startsWith(start))), titles);
    const preferred = fixes.filter((one) => one.isPreferred);
    check("one of them is preferred", preferred.length === 1 && preferred[0].title.startsWith("Fix: "), titles);
    check("no unsafe fix is preferred", !fixes.some((one) => one.isPreferred && /unsafe/i.test(one.title)), titles);

    const edits = await vscode.commands.executeCommand("vscode.executeFormatDocumentProvider", uri, { tabSize: 4, insertSpaces: true });
    const formatted = await show("format.py");
    const change = new vscode.WorkspaceEdit();
    change.set(formatted.document.uri, edits ?? []);
    await vscode.workspace.applyEdit(change);
    check("formatting gives what the command line writes", formatted.document.getText() === expected, formatted.document.getText());
    await vscode.commands.executeCommand("workbench.action.files.revert");
    const all = vscode.ConfigurationTarget.Workspace;
    await vscode.workspace.getConfiguration("editor", { languageId: "python" }).update("defaultFormatter", "asyncfix.asyncfix", all, true);
    await vscode.workspace.getConfiguration("editor", { languageId: "python" }).update("formatOnSave", true, all, true);
    await waitFor(() => diagnostics(formatted.document.uri).length);
    await formatted.edit((edit) => edit.insert(new vscode.Position(0, 0), " "));
    await formatted.edit((edit) => edit.delete(new vscode.Range(0, 0, 0, 1)));
    check("formats on save", (await formatted.document.save()) && fs.readFileSync(formatted.document.fileName, "utf8") === expected, formatted.document.getText());
    check("after that no problem is left", await waitFor(() => diagnostics(formatted.document.uri).length === 0), codes(formatted.document.uri));
    await vscode.workspace.getConfiguration("editor", { languageId: "python" }).update("formatOnSave", undefined, all, true);

    const second = await show("all.py");
    await waitFor(() => diagnostics(second.document.uri).length);
    await vscode.commands.executeCommand("asyncfix.fixAll");
    check("the command fixes all", await waitFor(() => second.document.getText() === expected), second.document.getText());
    await second.document.save();

    const third = await show("action.py");
    await waitFor(() => diagnostics(third.document.uri).length);
    const start = new vscode.Range(0, 0, 0, 0);
    const [whole] = await actions(third.document.uri, start, "source.fixAll.asyncfix");
    check("source.fixAll.asyncfix is offered", whole?.edit, JSON.stringify(whole));
    if (whole?.edit) await vscode.workspace.applyEdit(whole.edit);
    check("it fixes all", third.document.getText() === expected, third.document.getText());
    await third.document.save();
    check("other kinds of source action have none", (await actions(uri, start, "source.organizeImports")).length === 0);

    await show("pitfalls.py");
    await set("select", ["AF801"]);
    check("asyncfix.select counts at once", await waitFor(() => codes(uri) === "AF801"), codes(uri));
    await set("select", undefined);
    check("without it all are back", await waitFor(() => diagnostics(uri).length >= 8), codes(uri));
    await set("ignore", ["AF1", "AF2"]);
    check("asyncfix.ignore counts at once", await waitFor(() => diagnostics(uri).length && !/AF[12]/.test(codes(uri))), codes(uri));
    await set("ignore", undefined);
    await waitFor(() => /AF101/.test(codes(uri)));
    fs.writeFileSync(file("only.toml").fsPath, 'select = ["AF201"]\n');
    await set("configuration", "${workspaceFolder}/only.toml");
    check("asyncfix.configuration counts at once", await waitFor(() => codes(uri) === "AF201"), codes(uri));
    await set("configuration", undefined);
    await waitFor(() => /AF101/.test(codes(uri)));

    await set("enable", false);
    check("asyncfix.enable false: nothing is shown", await waitFor(() => diagnostics(uri).length === 0), codes(uri));
    await set("enable", true);
    check("and true: it is back", await waitFor(() => diagnostics(uri).length >= 8), codes(uri));
    await set("args", ["--select", "AF8"]);
    check("asyncfix.args are given to the server", await waitFor(() => codes(uri) === "AF801"), codes(uri));
    await set("args", undefined);
    await waitFor(() => diagnostics(uri).length >= 8);
    const before = program();
    await vscode.commands.executeCommand("asyncfix.restart");
    check("the command starts the server again", program() && before && program() !== before, JSON.stringify(program()));
    check("it knows the version", /^\d+\.\d+\.\d+/.test(program()?.version ?? ""), JSON.stringify(program()));
    check("problems are back", await waitFor(() => diagnostics(uri).length >= 8), codes(uri));
    await set("trace.server", "verbose");
    await vscode.commands.executeCommand("asyncfix.showLog");
    await vscode.commands.executeCommand("workbench.action.closePanel");

    await set("trace.server", undefined);
    const broken = await show("pitfalls.py");
    await broken.edit((edit) => edit.insert(new vscode.Position(0, 0), "async def broken(:\n"));
    const none = await vscode.commands.executeCommand("vscode.executeFormatDocumentProvider", uri, { tabSize: 4, insertSpaces: true });
    check("a text that does not parse is not formatted", (none ?? []).length === 0, JSON.stringify(none));
    await vscode.commands.executeCommand("workbench.action.files.revert");

    const app = await show("app.py");
    await waitFor(() => program());
    const store = await show("store.py");
    await store.edit((edit) => edit.insert(new vscode.Position(0, 0), "async "));
    check("an unsaved file counts in another one", await waitFor(() => codes(app.document.uri) === "AF101"), codes(app.document.uri));
    await vscode.commands.executeCommand("workbench.action.files.revert");
    check("no longer when it is reverted", await waitFor(() => codes(app.document.uri) === ""), codes(app.document.uri));
    fs.writeFileSync(file("store.py").fsPath, "async def fetch():\n    return 2\n");
    check("a change on disk counts", await waitFor(() => codes(app.document.uri) === "AF101"), codes(app.document.uri));
    fs.writeFileSync(file("asyncfix.toml").fsPath, 'select = ["AF8"]\n');
    check("a configuration on disk counts", await waitFor(() => codes(app.document.uri) === ""), codes(app.document.uri));
    fs.rmSync(file("asyncfix.toml").fsPath);
    check("and no longer when it is removed", await waitFor(() => codes(app.document.uri) === "AF101"), codes(app.document.uri));

    const untitled = await vscode.workspace.openTextDocument({ language: "python", content: "import time\n\n\nasync def f():\n    time.sleep(1)\n" });
    await vscode.window.showTextDocument(untitled);
    check("a file without a name is looked at", await waitFor(() => codes(untitled.uri) === "AF201"), codes(untitled.uri));
    await vscode.commands.executeCommand("workbench.action.revertAndCloseActiveEditor");
  },

  async notebook() {
    const uri = file("poll.ipynb");
    const notebook = await vscode.workspace.openNotebookDocument(uri);
    await vscode.window.showNotebookDocument(notebook);
    const cell = () => notebook.cellAt(2).document;
    check("a notebook activates the extension", await waitFor(() => vscode.extensions.getExtension("asyncfix.asyncfix").isActive));
    check("a problem is shown in its cell", await waitFor(() => codes(cell().uri) === "AF201"), codes(cell().uri));
    const [found] = diagnostics(cell().uri);
    check("its place is in the cell", found && cell().getText(found.range) === "time.sleep(1)", found && cell().getText(found.range));
    const others = notebook.getCells().filter((one) => one.index !== 2).flatMap((one) => diagnostics(one.document.uri));
    check("the other cells have none", others.length === 0, others.map((one) => one.message).join(" | "));
    const fixes = await actions(cell().uri, found?.range ?? new vscode.Range(1, 4, 1, 4), "quickfix");
    check("a fix is offered", fixes.some((one) => one.title.startsWith("Fix: ")), fixes.map((one) => one.title).join(" | "));
    const fix = fixes.find((one) => one.title.startsWith("Fix: "));
    if (fix?.edit) await vscode.workspace.applyEdit(fix.edit);
    check("it is applied to the cell", cell().getText().includes("await asyncio.sleep(1)"), cell().getText());
    await notebook.save();
    const saved = JSON.parse(fs.readFileSync(uri.fsPath, "utf8")).cells.map((one) => one.source.join(""));
    check("it is saved", saved[2].includes("await asyncio.sleep(1)"), JSON.stringify(saved));
    check("the problem is gone", await waitFor(() => diagnostics(cell().uri).length === 0), codes(cell().uri));
    // Back to the mistake, and the command for the whole notebook.
    const change = new vscode.WorkspaceEdit();
    change.replace(cell().uri, new vscode.Range(0, 0, cell().lineCount, 0), "async def poll():\n    time.sleep(2)");
    await vscode.workspace.applyEdit(change);
    await waitFor(() => codes(cell().uri) === "AF201");
    vscode.window.activeNotebookEditor.selection = new vscode.NotebookRange(1, 2);
    await vscode.commands.executeCommand("notebook.cell.edit");
    await vscode.commands.executeCommand("asyncfix.fixAll");
    check("the command fixes the whole notebook", await waitFor(() => cell().getText().includes("await asyncio.sleep(2)")), cell().getText());
  },

  async environment() {
    const { document } = await show("pitfalls.py");
    check("the environment's program runs", await waitFor(() => diagnostics(document.uri).length >= 8), codes(document.uri));
    const at = (name) => path.join(folder().fsPath, name, "bin", "asyncfix");
    const said = () => JSON.stringify(program());
    check("it says where it is from", program()?.path === at("first") && program()?.origin === "the Python environment", said());
    const uses = await vscode.workspace.openTextDocument(file("uses.py"));
    await vscode.window.showTextDocument(uses);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    check("a package that it has not is unknown", diagnostics(uses.uri).length === 0, codes(uses.uri));
    await vscode.commands.executeCommand("standin.select", "other");
    check("another environment, another program", await waitFor(() => program()?.path === at("other")), said());
    check("its packages are known", await waitFor(() => codes(uses.uri) === "AF101"), codes(uses.uri));
    await show("pitfalls.py");
    check("it runs", await waitFor(() => diagnostics(document.uri).length >= 8), codes(document.uri));
    await set("path", "${workspaceFolder}/first/bin/asyncfix");
    check("asyncfix.path goes first", await waitFor(() => program()?.origin === "asyncfix.path"), said());
    await set("path", undefined);
    check("without it, the environment again", await waitFor(() => program()?.path === at("other")), said());
  },
};

exports.run = async () => {
  try {
    const name = fs.readFileSync(file("test-name").fsPath, "utf8");
    say(`VS Code ${vscode.version}`);
    await TESTS[name]();
    say("end: good");
  } catch (error) {
    say(String(error?.stack ?? error));
    say("end: bad");
    throw error;
  }
};
