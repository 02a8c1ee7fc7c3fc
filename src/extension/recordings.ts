// The command that opens an operation of a recording in the debugger: which recording, which of its programs (those that
// come out otherwise than recorded first), which operation (the first that differs first).
import * as vscode from 'vscode';
import { isRecording, programsOf, type RecordedProgram } from '../conform/format';
import { operationText } from '../conform/listing';
import { type Replayed, Replayer } from '../conform/replay';
import { programOf, readProgram } from './debugging';
import { debugType } from './moments';

/** Programs that are replayed before the window is let go on. */
const slice = 10;

interface Choice<T> extends vscode.QuickPickItem {
  readonly value: T;
}

/** A program, and what became of it in the emulation. */
interface Compared {
  readonly program: RecordedProgram;
  readonly result: Replayed;
}

/** Registers the command. */
export const recordingCommand = (): vscode.Disposable =>
  vscode.commands.registerCommand('coherence.debugRecorded', async (given?: vscode.Uri) => {
    try {
      await debugRecorded(given);
    } catch (error) {
      void vscode.window.showErrorMessage(error instanceof Error ? error.message : String(error));
    }
  });

async function debugRecorded(given: vscode.Uri | undefined): Promise<void> {
  const uri = given ?? (await recordingOf());
  if (uri === undefined) return;
  const path = programOf(uri);
  const programs = programsOf(path, await readProgram(path));
  if (typeof programs === 'string') throw new Error(programs);
  const compared = await compareAll(programs);
  const chosen = compared && (await programFrom(compared));
  const operation = chosen && (await operationFrom(chosen));
  if (operation === undefined) return;
  const recorded = chosen!.program.program;
  await vscode.debug.startDebugging(vscode.workspace.getWorkspaceFolder(uri), {
    type: debugType,
    request: 'launch',
    name: `${recorded}, operation ${operation}`,
    program: path,
    recorded,
    operation,
  });
}

/** One of the recordings in the workspace, else one that the user shows. */
async function recordingOf(): Promise<vscode.Uri | undefined> {
  const active = vscode.window.activeTextEditor?.document.uri;
  if (active !== undefined && isRecording(active.path)) return active;
  const found = await vscode.workspace.findFiles('**/*.{jsonl,jsonl.gz}', '**/node_modules/**');
  if (found.length === 0) {
    const shown = await vscode.window.showOpenDialog({
      title: 'A recording of a real kernel',
      filters: { Recordings: ['jsonl', 'gz'] },
    });
    return shown?.[0];
  }
  const items = found.map(
    (value): Choice<vscode.Uri> => ({
      label: vscode.workspace.asRelativePath(value),
      value,
    }),
  );
  items.sort((a, b) => (a.label < b.label ? -1 : 1));
  return (await vscode.window.showQuickPick(items, { title: 'Which recording?' }))?.value;
}

/** Replays the programs, a few at a time; undefined when the user has had enough of it. */
const compareAll = (programs: readonly RecordedProgram[]): Thenable<Compared[] | undefined> =>
  vscode.window.withProgress(
    {
      location: vscode.ProgressLocation.Notification,
      title: `Comparing ${programs.length} programs with the emulation`,
      cancellable: true,
    },
    async (progress, cancelled) => {
      const replayer = new Replayer();
      const compared: Compared[] = [];
      for (const [i, program] of programs.entries()) {
        if (i % slice === 0) {
          progress.report({ increment: (100 * slice) / programs.length });
          await new Promise((resolve) => setTimeout(resolve, 0));
          if (cancelled.isCancellationRequested) return undefined;
        }
        compared.push({ program, result: replayer.replay(program) });
      }
      return compared;
    },
  );

async function programFrom(compared: readonly Compared[]): Promise<Compared | undefined> {
  const items = compared.map((value): Choice<Compared> => {
    const { failed, total } = value.result;
    const description =
      failed === undefined
        ? `${total} operations, none differs`
        : `differs at operation ${failed.operation.i}, ${failed.operation.op}`;
    return { label: value.program.program, description, value };
  });
  const differs = ({ value }: Choice<Compared>) => value.result.failed !== undefined;
  const sorted = [...items.filter(differs), ...items.filter((item) => !differs(item))];
  const count = items.filter(differs).length;
  const title =
    count === 0 ? 'No program differs; which one?' : `${count} programs differ; which one?`;
  return (await vscode.window.showQuickPick(sorted, { title, matchOnDescription: true }))?.value;
}

async function operationFrom({ program, result }: Compared): Promise<number | undefined> {
  const first = result.failed?.operation.i;
  const items = program.ops.map(
    (op): Choice<number> => ({
      label: `${op.i}`,
      description: `p${op.p ?? 0}: ${operationText(op, program.pages)}`,
      ...(op.i === first && { detail: 'the first that differs' }),
      value: op.i,
    }),
  );
  const sorted = [
    ...items.filter(({ value }) => value === first),
    ...items.filter(({ value }) => value !== first),
  ];
  const title = `Stop before which operation of ${program.program}?`;
  return (await vscode.window.showQuickPick(sorted, { title, matchOnDescription: true }))?.value;
}
