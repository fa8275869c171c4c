// The life of the server: it is started, told about changes, started again, and stopped.

import * as vscode from "vscode";
import {
  CloseAction,
  ErrorAction,
  LanguageClient,
  RevealOutputChannelOn,
  State,
  type CloseHandlerResult,
  type ErrorHandler,
} from "vscode-languageclient/node";
import { findProgram, NoProgram, type Program } from "./program";
import { programSettings, serverSettings } from "./settings";
import { TraceOutput } from "./trace";

/** What the server looks at. */
export const SELECTOR = [
  { scheme: "file", language: "python" },
  { scheme: "untitled", language: "python" },
  { scheme: "vscode-notebook-cell", language: "python" },
];

const DOCUMENTATION = "https://asyncfix.github.io/asyncfix/editors/#vs-code";
/** After so many crashes in so many milliseconds, the server is not started again. */
const CRASHES = 5;
const CRASH_TIME = 180_000;

/** The program that runs, and which version it says it is. */
export interface Running extends Program {
  version: string | undefined;
}

/** A client that leaves it to the session to tell the user what went wrong. */
class QuietClient extends LanguageClient {
  override error(message: string, data?: unknown): void {
    super.error(message, data, false);
  }
}

export class Session implements vscode.Disposable {
  readonly log = vscode.window.createOutputChannel("asyncfix", { log: true });
  private readonly trace = new TraceOutput();
  private readonly status = vscode.languages.createLanguageStatusItem("asyncfix.status", SELECTOR);
  private client: LanguageClient | undefined;
  /** Nothing while no server runs. */
  running: Running | undefined;
  /** Starts and stops go one after the other. */
  private queue: Promise<void> = Promise.resolve();
  /** What was last said in a message, so that it is not said with every file. */
  private said = "";

  constructor() {
    this.status.name = "asyncfix";
    this.status.command = { command: "asyncfix.showLog", title: "Show the Log" };
    this.show("stopped", "");
  }

  /** Starts the server, or starts it again with the settings of now. */
  restart(): Promise<void> {
    this.queue = this.queue.then(async () => {
      await this.stopNow();
      await this.startNow();
    });
    return this.queue;
  }

  stop(): Promise<void> {
    this.queue = this.queue.then(() => this.stopNow());
    return this.queue;
  }

  /** Starts the server again if another environment is selected than the one that it was started for. */
  async environmentChanged(): Promise<void> {
    await this.queue;
    const program = await findProgram(this.log).catch(() => undefined);
    const same = program?.path === this.running?.path && program?.variables.PATH === this.running?.variables.PATH;
    if (!same) await this.restart();
  }

  /** Forgets which messages were shown: the user asks anew. */
  askedByUser(): void {
    this.said = "";
  }

  /** Tells the server the settings. */
  async settingsChanged(): Promise<void> {
    if (!this.client?.isRunning()) return;
    await this.client.sendNotification("workspace/didChangeConfiguration", { settings: { asyncfix: serverSettings() } });
  }

  /** Applies all safe fixes to a document. */
  async fixAll(document: vscode.Uri): Promise<void> {
    await this.queue;
    if (!this.client?.isRunning()) {
      await this.say("The asyncfix server is not running.", ["Show the Log", "Restart"]);
      return;
    }
    const uri = this.client.code2ProtocolConverter.asUri(document);
    await this.client.sendRequest("workspace/executeCommand", { command: "asyncfix.applyFixAll", arguments: [uri] });
  }

  dispose(): void {
    this.status.dispose();
    this.trace.dispose();
    this.log.dispose();
  }

  private async startNow(): Promise<void> {
    if (!serverSettings().enable) {
      this.show("off", "asyncfix.enable is false");
      return;
    }
    this.show("busy", "");
    let program: Program;
    try {
      program = await findProgram(this.log);
    } catch (error) {
      this.explain(error);
      return;
    }
    const args = ["server", ...programSettings().args];
    this.log.info(`Starting ${[program.path, ...args].join(" ")} (from ${program.origin})`);
    const client = this.newClient(program, args);
    this.client = client;
    try {
      await client.start();
    } catch (error) {
      this.log.error(error instanceof Error ? error : String(error));
      this.show("failed", program.path);
      void this.say(`${program.path} was started, and stopped before it answered. The log says more.`, [
        "Show the Log",
        "Restart",
      ]);
    }
  }

  private async stopNow(): Promise<void> {
    const client = this.client;
    this.client = undefined;
    if (client?.needsStop()) {
      // A server that does not answer is ended after two seconds.
      await client.stop().catch((error: unknown) => {
        this.log.warn(`Stopping the server: ${String(error)}`);
      });
    }
    await client?.dispose().catch(() => undefined);
    this.show("stopped", "");
  }

  private newClient(program: Program, args: string[]): LanguageClient {
    const crashes: number[] = [];
    let started = false;
    const errorHandler: ErrorHandler = {
      error: (error) => {
        this.log.warn(`Talking to the server: ${error.message}`);
        return { action: ErrorAction.Continue, handled: true };
      },
      closed: (): CloseHandlerResult => {
        // A server that never answered is explained by the one who started it.
        if (!started) return { action: CloseAction.DoNotRestart, handled: true, message: "The server stopped." };
        const now = Date.now();
        crashes.push(now);
        if (crashes.filter((time) => now - time < CRASH_TIME).length < CRASHES) {
          return { action: CloseAction.Restart, handled: true, message: "The server crashed and is started again." };
        }
        const message = `The asyncfix server crashed ${String(CRASHES)} times within three minutes, and is not started again.`;
        this.askedByUser();
        void this.say(message, ["Show the Log", "Restart", "Report It"]);
        return { action: CloseAction.DoNotRestart, handled: true, message };
      },
    };
    const client = new QuietClient(
      "asyncfix",
      "asyncfix",
      { command: program.path, args, options: { env: { ...process.env, ...program.variables } } },
      {
        documentSelector: SELECTOR,
        diagnosticCollectionName: "asyncfix",
        outputChannel: this.log,
        traceOutputChannel: this.trace,
        revealOutputChannelOn: RevealOutputChannelOn.Never,
        initializationOptions: () => ({ settings: serverSettings() }),
        errorHandler,
        middleware: {
          workspace: {
            configuration: async (params, token, next) => {
              const answers: unknown = await next(params, token);
              return params.items.map((item, index): unknown => {
                if (item.section !== "asyncfix") return Array.isArray(answers) ? answers[index] : null;
                return serverSettings(item.scopeUri === undefined ? undefined : vscode.Uri.parse(item.scopeUri));
              });
            },
            // `settingsChanged` does it, whether the server asks for it or not.
            didChangeConfiguration: () => Promise.resolve(),
          },
        },
      },
    );
    client.onDidChangeState(({ newState }) => {
      if (this.client !== client) return;
      if (newState === State.Running) {
        started = true;
        const version = client.initializeResult?.serverInfo?.version;
        this.running = { ...program, version };
        this.show("running", `${program.path}, from ${program.origin}`, version);
        this.log.info(`asyncfix ${version ?? "of an unknown version"} is running`);
      } else if (newState === State.Starting) {
        this.show("busy", program.path);
      } else {
        this.show("failed", program.path);
      }
    });
    return client;
  }

  /** Says in the status what the server does. */
  private show(state: "off" | "stopped" | "busy" | "running" | "failed", detail: string, version?: string): void {
    if (state !== "running") this.running = undefined;
    const { Information, Error: Failed } = vscode.LanguageStatusSeverity;
    const texts = {
      off: "asyncfix is off",
      stopped: "asyncfix has stopped",
      busy: "asyncfix starts",
      running: version ? `asyncfix ${version}` : "asyncfix",
      failed: "asyncfix does not run",
    };
    this.status.text = texts[state];
    this.status.detail = detail;
    this.status.busy = state === "busy";
    this.status.severity = state === "failed" ? Failed : Information;
  }

  /** Says why there is no program, and what to do. */
  private explain(error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    this.log.error(message);
    this.show("failed", message);
    const kind = error instanceof NoProgram ? error.kind : "unusable";
    const actions: Record<NoProgram["kind"], Action[]> = {
      missing: ["How to Install It", "Set Its Path"],
      setting: ["Set Its Path", "How to Install It"],
      old: ["How to Update It", "Set Its Path"],
      unusable: ["How to Install It", "Set Its Path", "Show the Log"],
    };
    void this.say(message, actions[kind]);
  }

  private async say(message: string, actions: Action[]): Promise<void> {
    if (this.said === message) return;
    this.said = message;
    const chosen = await vscode.window.showErrorMessage(message, ...actions);
    if (chosen) await ACTIONS[chosen]();
  }
}

const ACTIONS = {
  "How to Install It": () => open(DOCUMENTATION),
  "How to Update It": () => open(DOCUMENTATION),
  "Report It": () => open("https://github.com/asyncfix/asyncfix/issues/new"),
  "Set Its Path": () => vscode.commands.executeCommand("workbench.action.openSettings", "asyncfix.path"),
  "Show the Log": () => vscode.commands.executeCommand("asyncfix.showLog"),
  Restart: () => vscode.commands.executeCommand("asyncfix.restart"),
};
type Action = keyof typeof ACTIONS;

function open(address: string): Thenable<unknown> {
  return vscode.env.openExternal(vscode.Uri.parse(address));
}
