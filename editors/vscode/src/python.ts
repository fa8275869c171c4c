// The Python environment that is selected in the window, as the Python extension tells it.

import * as fs from "node:fs";
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

/** The Python environment of the window. */
export interface Selected {
  /** Where its programs are. */
  programs: string[];
  /** What a program has to be started with to take its packages for the installed ones. */
  variables: Record<string, string>;
}

/** The environment that is selected, or nothing where there is no Python extension. */
export async function selectedEnvironment(): Promise<Selected | undefined> {
  const python = await pythonExtension();
  if (!python) return undefined;
  const folder = vscode.workspace.workspaceFolders?.[0]?.uri;
  const environment = await python.environments.resolveEnvironment(python.environments.getActiveEnvironmentPath(folder));
  if (!environment) return undefined;
  const { uri, sysPrefix } = environment.executable;
  const programs = new Set<string>();
  if (uri) programs.add(path.dirname(uri.fsPath));
  const variables: Record<string, string> = {};
  if (sysPrefix) {
    // A Python of Windows that is no virtual environment stands beside `Scripts`, not in it.
    programs.add(path.join(sysPrefix, process.platform === "win32" ? "Scripts" : "bin"));
    if (fs.existsSync(path.join(sysPrefix, "pyvenv.cfg"))) variables.VIRTUAL_ENV = sysPrefix;
    else if (fs.existsSync(path.join(sysPrefix, "conda-meta"))) variables.CONDA_PREFIX = sysPrefix;
  }
  // For those that are neither, the first `python3` counts.
  variables.PATH = [...programs, process.env.PATH ?? ""].join(path.delimiter);
  return { programs: [...programs], variables };
}

/** Calls back when another environment is selected. */
export async function onEnvironmentChange(changed: () => void): Promise<vscode.Disposable> {
  const python = await pythonExtension();
  return python?.environments.onDidChangeActiveEnvironmentPath(changed) ?? new vscode.Disposable(() => undefined);
}
