// What the arguments of requests must look like, as far as anything here uses them. Clients may leave out more than the
// protocol allows; what is there must be of its type, so that a client's slip is told as one.

/** A type, a list of one shape, or an object; a field whose name ends in `?` may be absent. */
type Shape = 'string' | 'number' | readonly [Shape] | { readonly [field: string]: Shape };

const source = { 'path?': 'string', 'name?': 'string', 'sourceReference?': 'number' } as const;
const wish = {
  'condition?': 'string',
  'hitCondition?': 'string',
  'logMessage?': 'string',
} as const;
const thread = { threadId: 'number' } as const;

const shapes: Readonly<Record<string, Shape>> = {
  setBreakpoints: {
    source,
    'breakpoints?': [{ line: 'number', 'column?': 'number', ...wish }],
    'lines?': ['number'],
  },
  setFunctionBreakpoints: { breakpoints: [{ name: 'string', ...wish }] },
  setExceptionBreakpoints: {
    'filters?': ['string'],
    'filterOptions?': [{ filterId: 'string', ...wish }],
  },
  setDataBreakpoints: { breakpoints: [{ dataId: 'string', 'accessType?': 'string', ...wish }] },
  dataBreakpointInfo: {
    name: 'string',
    'variablesReference?': 'number',
    'frameId?': 'number',
    'bytes?': 'number',
  },
  setVariable: { variablesReference: 'number', name: 'string', value: 'string' },
  setExpression: { expression: 'string', value: 'string', 'frameId?': 'number' },
  setInstructionBreakpoints: {
    breakpoints: [{ instructionReference: 'string', 'offset?': 'number', ...wish }],
  },
  disassemble: {
    memoryReference: 'string',
    'offset?': 'number',
    'instructionOffset?': 'number',
    instructionCount: 'number',
  },
  readMemory: { memoryReference: 'string', 'offset?': 'number', count: 'number' },
  writeMemory: { memoryReference: 'string', 'offset?': 'number', data: 'string' },
  modules: { 'startModule?': 'number', 'moduleCount?': 'number' },
  gotoTargets: { source, line: 'number', 'column?': 'number' },
  goto: { ...thread, targetId: 'number' },
  stepInTargets: { frameId: 'number' },
  restartFrame: { frameId: 'number' },
  'coherence/stepAgent': { agent: 'number', 'branch?': 'number' },
  'coherence/hold': { agents: ['number'] },
  breakpointLocations: { source, line: 'number', 'endLine?': 'number' },
  source: { 'source?': source, 'sourceReference?': 'number' },
  stackTrace: { ...thread, 'startFrame?': 'number', 'levels?': 'number' },
  scopes: { frameId: 'number' },
  variables: { variablesReference: 'number', 'start?': 'number', 'count?': 'number' },
  evaluate: { expression: 'string', 'frameId?': 'number' },
  completions: { text: 'string', column: 'number', 'frameId?': 'number' },
  continue: thread,
  reverseContinue: thread,
  next: thread,
  stepIn: { ...thread, 'targetId?': 'number' },
  stepOut: thread,
  stepBack: thread,
  'coherence/stepBackInto': thread,
  'coherence/stepBackOut': thread,
};

/** What is wrong with the arguments of a request, or undefined. */
export function argumentsProblem(command: string, args: unknown): string | undefined {
  const shape = Object.hasOwn(shapes, command) ? shapes[command] : undefined;
  return shape && problem(args, shape, '');
}

function problem(value: unknown, shape: Shape, name: string): string | undefined {
  const is = (what: string) => `${name === '' ? 'the argument' : `"${name}"`} is ${what}`;
  if (shape === 'string') return typeof value === 'string' ? undefined : is('a text');
  if (shape === 'number') return Number.isInteger(value) ? undefined : is('a whole number');
  if (isList(shape)) {
    if (!Array.isArray(value)) return is('a list');
    return first(value.entries(), ([i, item]) => problem(item, shape[0], `${name}[${i}]`));
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return is('an object');
  return first(Object.entries(shape), ([field, of]) => {
    const key = field.replace('?', '');
    const given = (value as Readonly<Record<string, unknown>>)[key];
    if (key !== field && (given === undefined || given === null)) return undefined;
    return problem(given, of, name === '' ? key : `${name}.${key}`);
  });
}

const isList = (shape: Shape): shape is readonly [Shape] => Array.isArray(shape);

function first<T>(items: Iterable<T>, of: (item: T) => string | undefined): string | undefined {
  for (const item of items) {
    const found = of(item);
    if (found !== undefined) return found;
  }
  return undefined;
}
