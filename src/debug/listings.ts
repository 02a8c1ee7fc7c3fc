// Kernel listings: one source per kernel file, printed from the routine tables of a Program. One line is one
// operation, so a place in a listing is a place in a routine and the other way round. Lines count from 0.
import type { Program, RoutineCode } from '../routine/program';
import type { Field } from '../state/layout';

/** An operation of a routine. */
export interface OpPlace {
  readonly code: RoutineCode;
  readonly pc: number;
}

export interface Listing {
  /** The kernel's file. */
  readonly file: string;
  /** Number of the source in this program, from 1. */
  readonly reference: number;
  readonly text: string;
}

interface Made extends Listing {
  /** The operation that each line stands for. */
  readonly ops: readonly (OpPlace | undefined)[];
}

/** A routine of the scenario itself: its operations point into the scenario's text. */
export function isScenario(code: RoutineCode): boolean {
  return code.ops.some((op) => op.span !== undefined);
}

/** The listings of a program. */
export class Listings {
  private readonly made: readonly Made[];
  private readonly lines = new Map<RoutineCode, { listing: Listing; byOp: readonly number[] }>();

  constructor(program: Program) {
    const files = new Map<string, RoutineCode[]>();
    for (const code of program.routines) {
      if (isScenario(code)) continue;
      const { file } = code.routine;
      files.set(file, [...(files.get(file) ?? []), code]);
    }
    this.made = [...files].map(([file, codes], i) => this.print(file, codes, i + 1));
  }

  get all(): readonly Listing[] {
    return this.made;
  }

  byReference(reference: number): Listing | undefined {
    return this.made[reference - 1];
  }

  byFile(file: string): Listing | undefined {
    return this.made.find((m) => m.file === file);
  }

  /** Where an operation stands, unless it is the scenario's. */
  lineOf(code: RoutineCode, pc: number): { listing: Listing; line: number } | undefined {
    const known = this.lines.get(code);
    return known && { listing: known.listing, line: known.byOp[pc] ?? 0 };
  }

  /** The first line at or after `line` that stands for an operation, as far as the routine it is in goes. */
  opFrom(listing: Listing, line: number): { place: OpPlace; line: number } | undefined {
    const { ops, text } = this.made[listing.reference - 1]!;
    const lines = text.split('\n');
    for (let at = line; at < ops.length; at++) {
      const place = ops[at];
      if (place !== undefined) return { place, line: at };
      if (at > line && lines[at] === '}') return undefined;
    }
    return undefined;
  }

  /** Every line from `from` to `to` that stands for an operation. */
  linesWithin(listing: Listing, from: number, to: number): number[] {
    const { ops } = this.made[listing.reference - 1]!;
    return [...ops.keys()].filter((line) => line >= from && line <= to && ops[line] !== undefined);
  }

  private print(file: string, codes: readonly RoutineCode[], reference: number): Made {
    const lines: string[] = [];
    const ops: (OpPlace | undefined)[] = [];
    const line = (text: string, place?: OpPlace) => {
      lines.push(text);
      ops.push(place);
    };
    line(`/* ${file} as it is emulated: each line is one micro-step. */`);
    const made: Made = { file, reference, ops, text: '' };
    for (const code of codes) {
      const byOp: number[] = [];
      line('');
      line(signature(code));
      line('{');
      for (const { text, depth, op } of code.lines) {
        if (op !== undefined) byOp[op] = lines.length;
        line(`${'\t'.repeat(depth)}${text}`, op === undefined ? undefined : { code, pc: op });
      }
      // The return that the author left to the end of the body.
      const last = code.ops.length - 1;
      if (byOp[last] === undefined) byOp[last] = lines.length;
      line('}', code.lines.some((l) => l.op === last) ? undefined : { code, pc: last });
      this.lines.set(code, { listing: made, byOp });
    }
    return Object.assign(made, { text: `${lines.join('\n')}\n` });
  }
}

/** `vm_fault_t handle_mm_fault(struct vm_area_struct *vma, …)`, in C as far as the fields tell. */
export function signature(code: RoutineCode): string {
  const { routine } = code;
  const args = Object.entries(routine.args).map(([name, field]) => {
    const type = typeName(field as Field<unknown>);
    return type.endsWith('*') ? `${type}${name}` : `${type} ${name}`;
  });
  const returns = routine.returns === undefined ? 'void' : typeName(routine.returns);
  return `${returns}${returns.endsWith('*') ? '' : ' '}${routine.name}(${args.join(', ') || 'void'})`;
}

/** The type of a field in C's words. */
export function typeName(field: Pick<Field<unknown>, 'kind' | 'of' | 'element'>): string {
  switch (field.kind) {
    case 'ref':
      return `struct ${field.of} *`;
    case 'embed':
      return `struct ${field.of}`;
    case 'pte':
      return 'pte_t';
    case 'long':
      return 'unsigned long';
    case 'flags':
      return 'unsigned int';
    case 'enum':
      return 'enum';
    case 'fnptr':
      return 'void (*)()';
    case 'bits':
      return 'unsigned long[]';
    case 'lock':
      return field.of ?? 'lock';
    case 'array':
      return `${typeName(field.element!)}[]`;
    default:
      return field.kind;
  }
}
