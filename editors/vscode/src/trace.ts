// The output that `asyncfix.trace.server` writes into.

import * as vscode from "vscode";

/**
 * An output whose level follows `asyncfix.trace.server`. The client writes traces only where the level of its output is
 * "trace", which a user would have to set in another place.
 */
export class TraceOutput implements vscode.LogOutputChannel {
  private readonly output = vscode.window.createOutputChannel("asyncfix trace", { log: true });
  private readonly levels = new vscode.EventEmitter<vscode.LogLevel>();
  private readonly watching = vscode.workspace.onDidChangeConfiguration((change) => {
    if (change.affectsConfiguration("asyncfix.trace.server")) this.levels.fire(this.logLevel);
  });

  readonly name = this.output.name;
  readonly onDidChangeLogLevel = this.levels.event;

  get logLevel(): vscode.LogLevel {
    const asked = vscode.workspace.getConfiguration("asyncfix").get<string>("trace.server");
    return asked === undefined || asked === "off" ? vscode.LogLevel.Off : vscode.LogLevel.Trace;
  }

  trace(message: string, ...rest: unknown[]): void {
    // Not as a trace: the output's own level would hide it.
    this.output.info(message, ...rest);
  }

  debug(message: string, ...rest: unknown[]): void {
    this.output.debug(message, ...rest);
  }

  info(message: string, ...rest: unknown[]): void {
    this.output.info(message, ...rest);
  }

  warn(message: string, ...rest: unknown[]): void {
    this.output.warn(message, ...rest);
  }

  error(message: string | Error, ...rest: unknown[]): void {
    this.output.error(message, ...rest);
  }

  append(value: string): void {
    this.output.append(value);
  }

  appendLine(value: string): void {
    this.output.appendLine(value);
  }

  replace(value: string): void {
    this.output.replace(value);
  }

  clear(): void {
    this.output.clear();
  }

  show(): void {
    this.output.show();
  }

  hide(): void {
    this.output.hide();
  }

  dispose(): void {
    this.watching.dispose();
    this.levels.dispose();
    this.output.dispose();
  }
}
