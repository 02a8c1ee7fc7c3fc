// The table of events that expressions can ask about names the tracepoints of the emulator, with their arguments.
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { tracepoints } from '../../src/scenario/tracepoints';
import { reserved } from '../../src/syntax/forms';

const folders = ['src/hardware', 'src/kernel', 'src/user', 'src/contract'];

interface Declared {
  readonly name: string;
  readonly fields: Readonly<Record<string, { readonly kind: string }>>;
}

/** Arguments that are no numbers or say where something stands in the emulator, and words that cannot be names. */
const isLeftOut = (name: string, kind: string): boolean =>
  kind === 'ref' ||
  kind === 'shape' ||
  ['root', 'bo', 'mm', 'index'].includes(name) ||
  reserved.has(name);

async function declared(): Promise<Record<string, Record<string, string>>> {
  const found: Record<string, Record<string, string>> = {};
  for (const folder of folders)
    for (const file of readdirSync(folder, { recursive: true }).map(String)) {
      if (!file.endsWith('.ts')) continue;
      const module: Record<string, unknown> = await import(path.resolve(folder, file));
      for (const value of Object.values(module)) {
        const point = value as Declared | undefined;
        const isPoint =
          typeof point === 'object' &&
          point !== null &&
          Object.keys(point).sort().join() === 'fields,name';
        if (!isPoint) continue;
        const args = Object.entries(point.fields)
          .filter(([name, { kind }]) => !isLeftOut(name, kind))
          .map(([name, { kind }]) => [name, kind === 'bool' ? 'boolean' : 'number']);
        found[point.name] = Object.fromEntries(args);
      }
    }
  return found;
}

test('every tracepoint is in the table, and each of the table is one', async () => {
  const own = { assertion: {} }; // the scenario's own
  const table = Object.entries(tracepoints).map(([name, { args }]) => [name, args]);
  expect(Object.fromEntries(table)).toEqual({ ...(await declared()), ...own });
});
