// The disassembly of a program: micro-steps as instructions, with the lines of the listings that they stand for. Padding
// stands where there is no operation.
import type { DebugProtocol as P } from '@vscode/debugprotocol';
import type { Op } from '../routine/program';
import { addressAt } from './instructions';
import { isScenario } from './listings';
import { spanRange } from './placing';
import type { Session } from './session';
import type { Sources } from './sources';

/** So many instructions are given at a time. */
const most = 100_000;

/** The instructions around an address; undefined when it is none. */
export function disassemble(
  s: Session,
  sources: Sources,
  args: P.DisassembleArguments,
): P.DisassembledInstruction[] | undefined {
  const { memoryReference, offset = 0, instructionOffset = 0, instructionCount } = args;
  const index = s.instructions.indexOf(memoryReference);
  if (index === undefined) return undefined;
  const first = index + offset + instructionOffset;
  let before: string | undefined;
  return Array.from({ length: Math.max(0, Math.min(instructionCount, most)) }, (_, i) => {
    const op = s.instructions.byNumber(first + i);
    const address = addressAt(first + i);
    if (op === undefined) return { address, instruction: '', presentationHint: 'invalid' as const };
    const { location, ...line } = place(s, sources, op);
    const told = location && JSON.stringify(location);
    const again = told === before;
    before = told;
    const begins = s.instructions.byNumber(first + i - 1)?.of !== op.of;
    return {
      address,
      instruction: op.text,
      ...(begins && { symbol: op.of.routine.name }),
      ...(location !== undefined && !again && { location }),
      ...line,
    };
  });
}

function place(s: Session, sources: Sources, op: Op): Partial<P.DisassembledInstruction> {
  const { lineBase, columnBase } = sources;
  if (isScenario(op.of)) {
    if (op.span === undefined) return {};
    const { path, start, end } = spanRange(s, op.span);
    return {
      location: sources.of(s, { kind: 'scenario', path }),
      line: start.line + lineBase,
      column: start.column + columnBase,
      endLine: end.line + lineBase,
      endColumn: end.column + columnBase,
    };
  }
  const where = s.listings.lineOf(op.of, op.of.ops.indexOf(op));
  if (where === undefined) return {};
  const { file } = where.listing;
  return { location: sources.of(s, { kind: 'listing', file }), line: where.line + lineBase };
}
