// Numbers that stand for frames and variables until the run goes on. They are never given out twice in a session, so
// one from before a step is refused and cannot come to mean something else.
import type { Children } from './variables';

/** A frame of a stack, by its address. */
export interface FrameKey {
  readonly task: number;
  readonly at: number;
}

export class References {
  private last = 0;
  private readonly frames = new Map<number, FrameKey>();
  private readonly known = new Map<string, number>();
  private readonly variables = new Map<number, Children>();

  /** A frame keeps its number as long as the run stands, however often its stack is asked for. */
  frame(key: FrameKey): number {
    const name = `${key.task} ${key.at}`;
    let id = this.known.get(name);
    if (id === undefined) {
      id = ++this.last;
      this.known.set(name, id);
      this.frames.set(id, key);
    }
    return id;
  }

  variable(children: Children): number {
    this.variables.set(++this.last, children);
    return this.last;
  }

  frameOf(id: number): FrameKey | undefined {
    return this.frames.get(id);
  }

  childrenOf(id: number): Children | undefined {
    return this.variables.get(id);
  }

  /** The run goes on: every number is void. */
  clear(): void {
    this.frames.clear();
    this.known.clear();
    this.variables.clear();
  }
}
