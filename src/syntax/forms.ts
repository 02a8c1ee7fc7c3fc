// The words of the language and the form of each statement, as people write it. Problems, completion and hover
// show these; what a statement does is told in scenario/.

/** The form of each statement that has a word of its own. */
export const forms = {
  scenario: 'scenario "what it shows"',
  import: 'import "rings.coh"',
  const: 'const section = 32KiB',
  procedure: 'procedure fill(range, value) { … }',
  machine: 'machine { kernel series-v2, cpus 2 }',
  explore: 'explore { states 100000 }',
  schedule: 'schedule "…"',
  surface: 'surface ring: buffer 96KiB coherent',
  process: 'process app { … }',
  thread: 'thread render on cpu0 { … }',
  let: 'let offset = 2 pages',
  repeat: 'repeat 6 as frame { … }',
  if: 'if frame >= 3 { … } else { … }',
  assert: 'assert gpu(ring)[64KiB] == 5',
  always: 'always tracker(ring).method == pagetable',
  never: 'never violation',
  outcomes: 'outcomes (gpu(ring)[0]) { allowed (0), required (1) }',
  finally: 'finally faults.write == 9',
} as const;

export type FormName = keyof typeof forms;

/** Words that begin a statement. */
export const statementWords = Object.keys(forms) as readonly FormName[];

/** Words inside a statement. */
export const innerWords = [
  'on',
  'as',
  'else',
  'reads',
  'writes',
  'to',
  'at',
  'forks',
  'and',
  'or',
  'not',
  'implies',
  'pages',
] as const;

export const constantWords = ['true', 'false'] as const;

/** All words that cannot be names. (`page` is one only behind a number.) */
export const reserved: ReadonlySet<string> = new Set<string>([
  ...statementWords,
  ...innerWords,
  ...constantWords,
]);
