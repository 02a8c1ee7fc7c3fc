// Commands of a debug session that the protocol has no button for: who goes next, who is held, where the data were lost,
// the schedule and the report as text.
import * as vscode from 'vscode';
import { debugType } from './moments';

interface Agent extends vscode.QuickPickItem {
  readonly agent: number;
}

/** What the adapter says of an agent. */
interface AgentState {
  readonly agent: number;
  readonly name: string;
  readonly state: string;
  readonly why?: string;
  readonly next?: string;
  readonly held: boolean;
}

const session = (): vscode.DebugSession | undefined => {
  const active = vscode.debug.activeDebugSession;
  return active?.type === debugType ? active : undefined;
};

/** Does something with the active session; what it refuses is shown. */
const inSession = (act: (session: vscode.DebugSession) => Promise<void>) => async () => {
  const active = session();
  if (active === undefined) return;
  try {
    await act(active);
  } catch (error) {
    void vscode.window.showErrorMessage(error instanceof Error ? error.message : String(error));
  }
};

async function agentsOf(active: vscode.DebugSession): Promise<(Agent & AgentState)[]> {
  const { agents } = await active.customRequest('coherence/agents');
  return (agents as AgentState[]).map((a) => ({
    ...a,
    label: a.name,
    description: `${a.state}${a.held ? ', held' : ''}`,
    detail: a.why ?? a.next ?? '',
    picked: a.held,
  }));
}

async function chooseNext(active: vscode.DebugSession): Promise<void> {
  const placeHolder = 'Who makes the next micro-step?';
  const picked = await vscode.window.showQuickPick(agentsOf(active), { placeHolder });
  if (picked === undefined) return;
  await active.customRequest('coherence/stepAgent', { agent: picked.agent });
}

async function hold(active: vscode.DebugSession): Promise<void> {
  const placeHolder = 'Who does not go until released?';
  const options = { placeHolder, canPickMany: true } as const;
  const picked = await vscode.window.showQuickPick(agentsOf(active), options);
  if (picked === undefined) return;
  await active.customRequest('coherence/hold', { agents: picked.map(({ agent }) => agent) });
}

async function copy(active: vscode.DebugSession, request: string, field: string): Promise<void> {
  const body = await active.customRequest(request);
  await vscode.env.clipboard.writeText(body[field]);
}

const commands: Readonly<Record<string, (active: vscode.DebugSession) => Promise<void>>> = {
  chooseNext,
  hold,
  copySchedule: (active) => copy(active, 'coherence/time', 'schedule'),
  copyReport: (active) => copy(active, 'coherence/report', 'text'),
  goToLost: async (active) => {
    await active.customRequest('evaluate', { expression: 'goto lost', context: 'repl' });
  },
};

/** Registers them. */
export const registerChoosing = (): vscode.Disposable[] =>
  Object.entries(commands).map(([name, act]) =>
    vscode.commands.registerCommand(`coherence.${name}`, inSession(act)),
  );
