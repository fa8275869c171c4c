// The part of the Python extension's interface that asyncfix uses. `standin.select` selects another folder.
const fs = require("fs");
const path = require("path");
const vscode = require("vscode");

exports.activate = (context) => {
  const changed = new vscode.EventEmitter();
  let selected = "first";
  const folder = () => path.join(vscode.workspace.workspaceFolders?.[0]?.uri.fsPath ?? "", selected);
  const select = (name) => {
    selected = name;
    changed.fire({});
  };
  context.subscriptions.push(vscode.commands.registerCommand("standin.select", select));
  return {
    environments: {
      getActiveEnvironmentPath: () => ({ id: folder(), path: folder() }),
      resolveEnvironment: async ({ path: at }) => {
        if (!fs.existsSync(at)) return undefined;
        return { executable: { uri: vscode.Uri.file(path.join(at, "bin", "python")), sysPrefix: at } };
      },
      onDidChangeActiveEnvironmentPath: changed.event,
    },
  };
};
