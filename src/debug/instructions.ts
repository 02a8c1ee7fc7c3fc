// Micro-steps by address: each operation that a frame can rest on has one, one after the other in the order of the
// program's routines.
import { Code, type Op, type Program } from '../routine/program';

/** The address of the first; a view that pads before it stays above 0. */
const base = 0x1000_0000;

export class Instructions {
  /** Conditions and jumps are no micro-steps. */
  private readonly ops: readonly Op[];
  private readonly numbers = new Map<Op, number>();

  constructor(program: Program) {
    const all = program.routines.flatMap((code) => code.ops);
    this.ops = all.filter(({ code }) => code !== Code.branch && code !== Code.jump);
    for (const [i, op] of this.ops.entries()) this.numbers.set(op, i);
  }

  /** The address of an operation. */
  addressOf(op: Op): string {
    return addressAt(this.numbers.get(op) ?? -1);
  }

  /** The number of an address among the operations, which may have fewer; undefined when it is no address. */
  indexOf(reference: string): number | undefined {
    if (!/^\s*(0x[\da-f]+|\d+)\s*$/i.test(reference)) return undefined;
    const index = Number(reference) - base;
    return Number.isSafeInteger(index) ? index : undefined;
  }

  byNumber(index: number): Op | undefined {
    return this.ops[index];
  }
}

export const addressAt = (index: number): string => `0x${(base + index).toString(16)}`;
