// Where the editor starts and stops the extension.

import * as vscode from "vscode";
import { onEnvironmentChange } from "./python";
import { Session, type Running } from "./session";

let session: Session | undefined;

/** What other extensions can ask. */
export interface Exports {
  /** The program that runs; nothing while none does. */
  program(): Running | undefined;
}

export async function activate(context: vscode.ExtensionContext): Promise<Exports> {
  const started = new Session();
  session = started;
  context.subscriptions.push(
    started,
    vscode.commands.registerCommand("asyncfix.restart", () => {
      started.askedByUser();
      return started.restart();
    }),
    vscode.commands.registerCommand("asyncfix.showLog", () => {
      started.log.show();
    }),
    vscode.commands.registerCommand("asyncfix.fixAll", async (given?: vscode.Uri) => {
      const document = given ?? vscode.window.activeTextEditor?.document.uri;
      if (document) await started.fixAll(document);
    }),
    vscode.workspace.onDidChangeConfiguration((change) => {
      const another = ["asyncfix.enable", "asyncfix.path", "asyncfix.args"];
      if (another.some((name) => change.affectsConfiguration(name))) {
        started.askedByUser();
        void started.restart();
      } else if (change.affectsConfiguration("asyncfix")) {
        void started.settingsChanged();
      }
    }),
    vscode.workspace.onDidGrantWorkspaceTrust(() => void started.restart()),
  );
  await started.restart();
  context.subscriptions.push(await onEnvironmentChange(() => void started.environmentChanged()));
  return { program: () => started.running };
}

export function deactivate(): Promise<void> | undefined {
  return session?.stop();
}
