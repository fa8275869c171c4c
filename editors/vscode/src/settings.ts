// The settings: as the user writes them, and as the server gets them.

import * as os from "node:os";
import * as path from "node:path";
import * as vscode from "vscode";

/** What the server is told: the names of the settings without `asyncfix.`. What is not set is left out. */
export interface ServerSettings {
  enable: boolean;
  select?: string[];
  ignore?: string[];
  unsafeFixes: boolean;
  configuration?: string;
}

/** The settings that apply to a file or folder; without one, those of the window's first folder. */
export function serverSettings(scope?: vscode.Uri): ServerSettings {
  const folder = scope ? vscode.workspace.getWorkspaceFolder(scope) : vscode.workspace.workspaceFolders?.[0];
  const given = vscode.workspace.getConfiguration("asyncfix", scope ?? folder?.uri ?? null);
  const settings: ServerSettings = {
    enable: given.get("enable", true),
    unsafeFixes: given.get("unsafeFixes", true),
  };
  const select = given.get<string[] | null>("select");
  if (select) settings.select = select;
  const ignore = given.get<string[] | null>("ignore");
  if (ignore) settings.ignore = ignore;
  const configuration = given.get<string | null>("configuration");
  if (configuration) settings.configuration = filledInPath(configuration, folder);
  return settings;
}

/** What says which program is started. */
export interface ProgramSettings {
  paths: string[];
  args: string[];
}

export function programSettings(): ProgramSettings {
  const given = vscode.workspace.getConfiguration("asyncfix");
  const at = given.get<string | string[] | null>("path");
  return {
    paths: (typeof at === "string" ? [at] : (at ?? [])).filter((place) => place.trim() !== ""),
    args: given.get("args", []),
  };
}

/** A setting's path with its variables filled in. A relative one starts at the folder. */
export function filledInPath(text: string, folder = vscode.workspace.workspaceFolders?.[0]): string {
  const filled = filledIn(text, folder);
  return folder ? path.resolve(folder.uri.fsPath, filled) : filled;
}

/** A setting's text with `~`, `${userHome}`, `${workspaceFolder}` and `${env:NAME}` filled in. */
export function filledIn(text: string, folder = vscode.workspace.workspaceFolders?.[0]): string {
  const values: Record<string, string | undefined> = {
    userHome: os.homedir(),
    workspaceFolder: folder?.uri.fsPath,
    pathSeparator: path.sep,
  };
  return text
    .replace(/^~(?=$|[\\/])/, () => os.homedir())
    .replace(/\$\{env:([^}]+)\}/g, (_, name: string) => process.env[name] ?? "")
    .replace(/\$\{(\w+)\}/g, (whole, name: string) => values[name] ?? whole);
}
