// The launch arguments of the debug type `coherence`: read from whatever a client sends, or refused in one sentence.
import { nearest } from '../base/suggest';
import { parseSchedule } from '../routine/schedule';
import type { RunOptions } from './debuggee';

export interface Launch {
  readonly program: string;
  readonly stopOnEntry: boolean;
  readonly noDebug: boolean;
  /** Bytes of history to keep. */
  readonly history: number;
  readonly options: RunOptions;
}

/** MiB of history that are kept unless the launch says otherwise. */
const historyDefault = 256;

const own = [
  'program',
  'scenario',
  'recorded',
  'operation',
  'stopOnEntry',
  'with',
  'without',
  'kernel',
  'schedule',
  'noDebug',
  'history',
];

/** The launch that the arguments ask for, or what is wrong with them. */
export function parseLaunch(given: unknown): Launch | string {
  const isObject = typeof given === 'object' && given !== null && !Array.isArray(given);
  const args = (isObject ? given : {}) as Record<string, unknown>;
  const text = (name: string): string | undefined =>
    typeof args[name] === 'string' ? args[name] : undefined;
  for (const name of ['scenario', 'kernel', 'schedule']) {
    if (args[name] !== undefined && typeof args[name] !== 'string')
      return `launch: "${name}" is a text`;
  }
  for (const name of ['stopOnEntry', 'noDebug']) {
    if (args[name] !== undefined && typeof args[name] !== 'boolean')
      return `launch: "${name}" is true or false`;
  }
  for (const name of ['with', 'without']) {
    if (args[name] !== undefined && !isTexts(args[name]))
      return `launch: "${name}" is a list of variant ids`;
  }
  const { history = historyDefault } = args;
  if (typeof history !== 'number' || !(history > 0))
    return `launch: "history" is how many MiB of history are kept, such as ${historyDefault}`;
  const { recorded, operation } = args;
  if (recorded !== undefined && typeof recorded !== 'string' && typeof recorded !== 'number')
    return `launch: "recorded" is the name of a program in the recording, or its number from 1`;
  if (operation !== undefined && typeof operation !== 'number')
    return `launch: "operation" is the number of an operation of the recorded program`;
  const program = text('program');
  if (program === undefined || program === '') {
    const slip = Object.keys(args).find(
      (key) => !own.includes(key) && nearest(key, own) === 'program',
    );
    const hint = slip === undefined ? '' : ` ("${slip}" is not known)`;
    return `launch: "program" names the scenario or recording to debug, such as "\${file}"${hint}`;
  }
  const schedule = parseSchedule(text('schedule') ?? '');
  if (typeof schedule === 'string') return `launch: "schedule": ${schedule}`;
  const scenario = text('scenario');
  const kernel = text('kernel');
  return {
    program,
    stopOnEntry: args.stopOnEntry !== false,
    noDebug: args.noDebug === true,
    history: history * 2 ** 20,
    options: {
      ...(scenario ? { scenario } : {}),
      ...(recorded === undefined || recorded === '' ? {} : { recorded }),
      ...(operation === undefined ? {} : { operation }),
      ...(kernel ? { kernel } : {}),
      with: (args.with as string[] | undefined) ?? [],
      without: (args.without as string[] | undefined) ?? [],
      ...(args.schedule !== undefined && { schedule }),
    },
  };
}

const isTexts = (value: unknown): boolean =>
  Array.isArray(value) && value.every((item) => typeof item === 'string');

/** The schedule in a file: its text alone, or that of the first violation in what `--json` prints. */
export function scheduleIn(text: string): string | undefined {
  const plain = text.trim();
  if (!plain.startsWith('{')) return plain === '' ? undefined : plain;
  let value: unknown;
  try {
    value = JSON.parse(plain);
  } catch {
    return undefined;
  }
  const { violations, schedule } = value as {
    violations?: readonly { schedule?: unknown }[];
    schedule?: unknown;
  };
  const found = violations?.[0]?.schedule ?? schedule;
  return typeof found === 'string' ? found : undefined;
}
