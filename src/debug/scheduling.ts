// Who can go next, and why the others cannot; what each would do; who is kept from going. Choosing one is a step of the
// run like any other, and an entry of its schedule.
import type { Choice } from '../routine/schedule';
import type { Session } from './session';

/** An agent as it stands. */
export interface AgentState {
  readonly agent: number;
  readonly name: string;
  /** The thread that it is, as the client numbers them; absent for an interrupt. */
  readonly threadId?: number;
  readonly state: 'ready' | 'blocked' | 'finished' | 'idle';
  /** Why it cannot go on. */
  readonly why?: string;
  /** The micro-step that it would make. */
  readonly next?: string;
  /** The ways that it can go, the uneventful one first, where there is more than one. */
  readonly branches?: readonly string[];
  readonly held: boolean;
  /** The one that goes unless another is chosen. */
  readonly preferred: boolean;
}

/** Every agent; an interrupt only while one is pending. */
export function agentsOf(s: Session): AgentState[] {
  const { engine, timeline } = s;
  const { nextAgent } = timeline;
  const found: AgentState[] = [];
  for (let agent = 0; agent < engine.agents; agent++) {
    const task = engine.taskOfAgent(agent);
    const ready = engine.runnable(agent);
    if (task < 0 && engine.pendingOf(agent) === 0) continue;
    if (task >= engine.taskCount - engine.cpus && !ready) continue;
    const common = {
      agent,
      name: task < 0 ? `interrupt on cpu${agent}` : s.threadName(task),
      ...(task >= 0 && { threadId: task + 1 }),
      held: s.held.has(agent),
      preferred: agent === nextAgent,
    };
    if (task < 0) {
      const why = 'interrupts are disabled on its CPU, or an instruction is not over';
      found.push({ ...common, state: ready ? 'ready' : 'blocked', ...(!ready && { why }) });
      continue;
    }
    const over = engine.isFinished(task) || engine.isDead(task);
    const why = over ? undefined : ready ? undefined : s.blockedText(task);
    const ways = ready ? waysOf(s, agent) : [];
    found.push({
      ...common,
      state: over ? 'finished' : ready ? 'ready' : 'blocked',
      ...(why !== undefined && { why }),
      ...(!over && { next: s.operationText(task) ?? '' }),
      ...(ways.length > 1 && { branches: ways }),
    });
  }
  return found;
}

/** The options of the `choose` that an agent stands at; one without a name where it stands at none. */
function waysOf({ engine }: Session, agent: number): readonly string[] {
  const count = engine.branches(agent);
  const op = engine.opOf(engine.taskOfAgent(agent));
  return count > 1 && op !== undefined ? op.options : [''];
}

/** Everybody who can go next, by every way there is, with a name for each. */
export function choicesOf(s: Session): { readonly choice: Choice; readonly label: string }[] {
  const { engine } = s;
  const found: { choice: Choice; label: string }[] = [];
  for (const { agent, name, state, next } of agentsOf(s)) {
    if (state !== 'ready') continue;
    const ways = agent < engine.cpus ? [''] : waysOf(s, agent);
    ways.forEach((way, branch) => {
      const what = way === '' ? (next ?? 'deliver it') : `${next}: ${way}`;
      found.push({ choice: { agent, branch }, label: `${name}: ${what}` });
    });
  }
  return found;
}

/** The agents as text, one a line. */
export function agentsText(s: Session): string {
  return agentsOf(s)
    .map(({ agent, name, state, why, next, branches, held, preferred }) => {
      const marks = `${preferred ? ', goes next' : ''}${held ? ', held' : ''}`;
      const what = why ?? next ?? '';
      const ways = branches === undefined ? '' : ` [${branches.join(' | ')}]`;
      return `${agent} ${name}: ${state}${marks}${what === '' ? '' : `; ${what}`}${ways}`;
    })
    .join('\n');
}
