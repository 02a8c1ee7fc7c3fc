// A debug session in VS Code, as the suites drive it: started on an example, moved by requests, waited for at stops.
import * as assert from 'node:assert/strict';
import * as vscode from 'vscode';
import { type Moved, movedEvent } from '../../src/protocol/messages';

export function exampleUri(name: string): vscode.Uri {
  const folder = vscode.workspace.workspaceFolders?.[0];
  assert.ok(folder, 'a folder is open');
  return vscode.Uri.joinPath(folder.uri, name);
}

/** Waits until `find` yields something: panels and editors follow a run on their own time. */
export async function eventually<T>(find: () => T | undefined, what: () => string): Promise<T> {
  for (let i = 0; i < 100; i++) {
    const found = find();
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.fail(what());
}

export class Run {
  private constructor(
    readonly session: vscode.DebugSession,
    /** The thread that stopped last. */
    public thread: number,
  ) {}

  /** Starts debugging a scenario; it stands at its entry. */
  static async start(program: string): Promise<Run> {
    const { session } = await stopAfter(() =>
      vscode.debug.startDebugging(undefined, {
        type: 'coherence',
        request: 'launch',
        name: 'test',
        program,
      }),
    );
    const { threads } = await session.customRequest('threads');
    return new Run(session, threads[0].id);
  }

  /** Sends a request that moves the run, and waits for the stop; what the stop says. */
  async move(command: string): Promise<string> {
    const act = () => this.session.customRequest(command, { threadId: this.thread });
    const { text, thread } = await stopAfter(act);
    this.thread = thread;
    return text;
  }

  /** Switches exception filters on, each perhaps with a condition, and all others off. */
  async filter(...wanted: (string | [id: string, condition: string])[]): Promise<void> {
    const filterOptions = wanted.map((one) =>
      typeof one === 'string' ? { filterId: one } : { filterId: one[0], condition: one[1] },
    );
    await this.session.customRequest('setExceptionBreakpoints', { filters: [], filterOptions });
  }

  /** The call stack of the thread, innermost first. */
  async stack(): Promise<{ id: number; name: string; source?: { path: string }; line: number }[]> {
    const { stackFrames } = await this.session.customRequest('stackTrace', {
      threadId: this.thread,
    });
    return stackFrames;
  }

  /** Ends the session, if it has not ended yet, and closes what it opened. */
  async end(): Promise<void> {
    if (vscode.debug.activeDebugSession !== undefined) {
      const end = once(vscode.debug.onDidTerminateDebugSession);
      await vscode.debug.stopDebugging(this.session);
      await end;
    }
    await vscode.commands.executeCommand('workbench.action.closeAllEditors');
  }
}

export const once = <T>(event: vscode.Event<T>, filter: (value: T) => boolean = () => true) =>
  new Promise<T>((resolve) => {
    const subscription = event((value) => {
      if (!filter(value)) return;
      subscription.dispose();
      resolve(value);
    });
  });

async function stopAfter(act: () => Thenable<unknown>) {
  const moved = once(
    vscode.debug.onDidReceiveDebugSessionCustomEvent,
    ({ event }) => event === movedEvent,
  );
  const focused = once(
    vscode.debug.onDidChangeActiveStackItem,
    (item) => item?.threadId !== undefined,
  );
  await act();
  const { session, body } = await moved;
  const item = await focused;
  return { session, text: (body as Moved).text, thread: item?.threadId ?? 1 };
}
