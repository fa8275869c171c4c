// The Python environment that is selected in the window, as the Python extension tells it.

import * as path from "node:path";
import * as vscode from "vscode";

/** The part of the Python extension's interface that is used here. */
interface PythonExtension {
  environments: {
    getActiveEnvironmentPath(resource?: vscode.Uri): EnvironmentPath;
    resolveEnvironment(environment: EnvironmentPath): Promise<Environment | undefined>;
    onDidChangeActiveEnvironmentPath: vscode.Event<unknown>;
  };
}

interface EnvironmentPath {
  id: string;
  path: string;
}

interface Environment {
  executable: { uri?: vscode.Uri; sysPrefix?: string };
}

/** The interface of the Python extension, or nothing where it is not installed. */
async function pythonExtension(): Promise<PythonExtension | undefined> {
  const extension = vscode.extensions.getExtension<Partial<PythonExtension>>("ms-python.python");
  if (!extension) return undefined;
  const exported = await extension.activate();
  return exported.environments ? { environments: exported.environments } : undefined;
}

/** The folders in which the selected environment keeps its programs. */
export async function environmentPrograms(): Promise<string[]> {
  const python = await pythonExtension();
  if (!python) return [];
  const folder = vscode.workspace.workspaceFolders?.[0]?.uri;
  const environment = await python.environments.resolveEnvironment(python.environments.getActiveEnvironmentPath(folder));
  if (!environment) return [];
  const { uri, sysPrefix } = environment.executable;
  const folders: string[] = [];
  if (uri) folders.push(path.dirname(uri.fsPath));
  // A Python of Windows that is no virtual environment stands beside `Scripts`, not in it.
  if (sysPrefix) folders.push(path.join(sysPrefix, process.platform === "win32" ? "Scripts" : "bin"));
  return [...new Set(folders)];
}

/** Calls back when another environment is selected. */
export async function onEnvironmentChange(changed: () => void): Promise<vscode.Disposable> {
  const python = await pythonExtension();
  return python?.environments.onDidChangeActiveEnvironmentPath(changed) ?? new vscode.Disposable(() => undefined);
}
