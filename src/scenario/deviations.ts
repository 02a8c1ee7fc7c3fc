// What is said of a deviation that no operation answers to.
import { didYouMean } from '../base/suggest';
import { deviationId } from '../kernel/variants';
import { calleesIn, type Program } from '../routine/program';
import type { Deviation } from '../routine/routine';

/** Why nothing comes of it: there is no such function, it does not call that one, or not both beside each other. */
export function missedText(program: Program, deviation: Deviation): string {
  const { of, callees } = deviation;
  const id = deviationId(deviation);
  const code = program.named(of);
  if (code === undefined)
    return `${id}: this machine has no function \`${of}\`${didYouMean(of, program.names())}`;
  const called = [...new Set(code.ops.flatMap(({ text }) => calleesIn(text)))];
  const absent = callees.find((callee) => !called.includes(callee));
  if (absent === undefined)
    return `${id}: in \`${of}\` the two do not stand beside each other, so they cannot change places`;
  const list = called.map((name) => `\`${name}\``).join(', ');
  return `${id}: \`${of}\` does not call \`${absent}\`; it calls ${list || 'nothing'}`;
}
