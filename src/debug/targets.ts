// What a client may choose from before it moves: lines to go to, ways to step in, frames to begin again. Their numbers are
// void as soon as the run moves, and never given out twice.
import type { DebugProtocol as P } from '@vscode/debugprotocol';
import type { Choice } from '../routine/schedule';
import * as errors from './errors';
import type { Looking } from './looking';
import { opsAtLine } from './placing';
import { choicesOf } from './scheduling';
import type { Session } from './session';
import type { Sources } from './sources';
import type { Motion } from './stepping';
import { toEntry, toOperation } from './travel';

export class Targets {
  private last = 0;
  private readonly lines = new Map<number, () => Motion>();
  private readonly choices = new Map<number, Choice>();

  constructor(
    private readonly looking: Looking,
    private readonly sources: Sources,
  ) {}

  /** The run moves: every number is void. */
  forget(): void {
    this.lines.clear();
    this.choices.clear();
  }

  /** The moments at which a line is come to: the next one and the last one. */
  gotoTargets(s: Session, args: P.GotoTargetsArguments): P.GotoTargetsResponse['body'] {
    const { lineBase } = this.sources;
    const at = this.sources.keyOf(s, args.source);
    const found = at && opsAtLine(s, at, args.line - lineBase);
    if (found === undefined) return { targets: [] };
    const ops = new Set(found.ops);
    const line = found.line + lineBase;
    const target = (label: string, backward: boolean): P.GotoTarget => {
      this.lines.set(++this.last, () => toOperation(s, ops, `line ${line}`, backward));
      return { id: this.last, label, line };
    };
    return {
      targets: [
        target(`the next time that line ${line} is come to`, false),
        target(`the last time that line ${line} was come to`, true),
      ],
    };
  }

  goto(_s: Session, { targetId }: P.GotoArguments): Motion {
    const target = this.lines.get(targetId);
    if (target === undefined) throw errors.noSuchTarget(targetId);
    return target();
  }

  /** Who can make the next micro-step, and which way: an interrupt, another thread, the device, what hardware may do. */
  stepInTargets(
    s: Session,
    { frameId }: P.StepInTargetsArguments,
  ): P.StepInTargetsResponse['body'] {
    const { task } = this.looking.frame(s, frameId);
    const own = s.engine.agentOfTask(task);
    const all = choicesOf(s);
    const sorted = [
      ...all.filter(({ choice }) => choice.agent === own),
      ...all.filter(({ choice }) => choice.agent !== own),
    ];
    return {
      targets: sorted.map(({ choice, label }) => {
        this.choices.set(++this.last, choice);
        return { id: this.last, label };
      }),
    };
  }

  /** The choice that a target of `stepInTargets` is. */
  choice(targetId: number): Choice {
    const choice = this.choices.get(targetId);
    if (choice === undefined) throw errors.noSuchTarget(targetId);
    return choice;
  }

  restartFrame(s: Session, { frameId }: P.RestartFrameArguments): Motion {
    const { task, frame = 0 } = this.looking.frame(s, frameId);
    return toEntry(s, task, frame);
  }
}
