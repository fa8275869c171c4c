// Which asyncfix is started, and whether it can be a server.

import { execFile } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import * as vscode from "vscode";
import { selectedEnvironment, type Selected } from "./python";
import { filledIn, filledInPath, programSettings } from "./settings";

/** A program that has the command `server`. */
export interface Program {
  path: string;
  /** Where it was found, for the log and the status. */
  origin: "asyncfix.path" | "the Python environment" | "PATH";
  /** What is added to the variables that it is started with. */
  variables: Record<string, string>;
}

/** Why there is no program to start, in a sentence for the user. */
export class NoProgram extends Error {
  constructor(
    readonly kind: "missing" | "setting" | "unusable" | "old",
    message: string,
  ) {
    super(message);
  }
}

/** Finds the program: by the setting, in the selected Python environment, on PATH. */
export async function findProgram(log: vscode.LogOutputChannel): Promise<Program> {
  // A folder that is not trusted may bring an environment with any program in it.
  const environment = vscode.workspace.isTrusted ? await selectedEnvironment().catch(unknownEnvironment(log)) : undefined;
  const program = { ...candidate(environment), variables: environment?.variables ?? {} };
  await checkProgram(program.path);
  return program;
}

function candidate(environment: Selected | undefined): Omit<Program, "variables"> {
  const { paths } = programSettings();
  for (const place of paths) {
    const filled = filledIn(place);
    const found = path.basename(filled) === filled ? inFolders(searchPath(), filled) : existing(filledInPath(place));
    if (found) return { path: found, origin: "asyncfix.path" };
  }
  if (paths.length > 0) {
    throw new NoProgram("setting", `asyncfix.path says ${paths.join(", ")}, and there is no such program.`);
  }
  const inEnvironment = inFolders(environment?.programs ?? [], "asyncfix");
  if (inEnvironment) return { path: inEnvironment, origin: "the Python environment" };
  const onPath = inFolders(searchPath(), "asyncfix");
  if (onPath) return { path: onPath, origin: "PATH" };
  const places = environment?.programs[0] ? `neither in ${environment.programs[0]} nor` : "not";
  const message = `The program asyncfix was not found: it is ${places} on PATH.`;
  throw new NoProgram("missing", `${message} Install it, for example with "pip install asyncfix-cli".`);
}

function unknownEnvironment(log: vscode.LogOutputChannel): (error: unknown) => undefined {
  return (error) => {
    log.warn(`The Python extension does not say which environment is selected: ${String(error)}`);
    return undefined;
  };
}

function searchPath(): string[] {
  return (process.env.PATH ?? "").split(path.delimiter).filter((folder) => path.isAbsolute(folder));
}

function inFolders(folders: string[], name: string): string | undefined {
  return folders.map((folder) => existing(path.join(folder, name))).find((found) => found !== undefined);
}

/** The file of this name that can be run. On Windows, names go without their `.exe`. */
function existing(file: string): string | undefined {
  const names = process.platform === "win32" && path.extname(file) === "" ? [`${file}.exe`] : [file];
  return names.find((name) => {
    try {
      fs.accessSync(name, fs.constants.X_OK);
      return fs.statSync(name).isFile();
    } catch {
      return false;
    }
  });
}

/** Fails unless the program is an asyncfix that has a server. */
async function checkProgram(program: string): Promise<void> {
  if ((await run(program, ["help", "server"])).status === 0) return;
  const version = await run(program, ["--version"]);
  const found = /^asyncfix (\d\S*)/.exec(version.output);
  if (version.status === 0 && found?.[1]) {
    throw new NoProgram("old", `asyncfix ${found[1]} (${program}) is too old: it has no language server. Update it, for example with "pip install --upgrade asyncfix-cli".`);
  }
  throw new NoProgram("unusable", `${program} is not the program that this extension needs, or it does not run here.`);
}

function run(program: string, args: string[]): Promise<{ status: number; output: string }> {
  return new Promise((resolve) => {
    execFile(program, args, { timeout: 20_000 }, (error, output) => {
      resolve({ status: error ? 1 : 0, output });
    });
  });
}
