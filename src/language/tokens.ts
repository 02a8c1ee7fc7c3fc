// Semantic colours: what each word is, told from the names that resolving noted and from the tree. Words, texts, numbers
// and comments that the TextMate grammar colours right by itself are left to it.
import type { Span } from '../base/text';
import type { Checked } from '../scenario/diagnostics';
import type { Entity } from '../scenario/names';
import {
  commands,
  counters,
  looks,
  methods,
  occurrences,
  operations,
} from '../scenario/vocabulary';

/** The kinds of tokens, in the order of the legend. */
export const tokenTypes = [
  'namespace',
  'type',
  'function',
  'variable',
  'parameter',
  'property',
  'event',
  'enumMember',
] as const;

/** Bits of a token's modifiers, in the order of the legend. */
export const tokenModifiers = ['declaration', 'readonly', 'defaultLibrary'] as const;

export interface Token extends Span {
  readonly type: (typeof tokenTypes)[number];
  readonly modifiers: readonly (typeof tokenModifiers)[number][];
}

const has = (table: object, word: string): boolean => Object.hasOwn(table, word);
const families = new Set(Object.keys(counters).map((name) => name.replace(/\..*/, '')));

/** The tokens in a part of the text, in order. */
export function tokens({ parsed, scenarios }: Checked, { from, to }: Span): readonly Token[] {
  const { text, syntax } = parsed;
  const found = new Map<number, Token>();
  syntax.iterate({
    from,
    to,
    enter: (node) => {
      const type = builtin(node.name, text.slice(node.from, Math.min(node.to, node.from + 40)));
      if (type === undefined) return;
      found.set(node.from, { from: node.from, to: node.to, type, modifiers: ['defaultLibrary'] });
    },
  });
  for (const { notes } of scenarios)
    for (const use of notes.uses) {
      if (use.to < from || to < use.from) continue;
      const token = named(use.entity, use);
      if (token !== undefined) found.set(use.from, token);
    }
  return [...found.values()]
    .filter((token) => token.from < token.to)
    .sort((a, b) => a.from - b.from);
}

/** A word that the language knows by itself. */
function builtin(node: string, word: string): Token['type'] | undefined {
  switch (node) {
    case 'Verb':
      return has(operations, word) || has(commands, word) ? 'function' : undefined;
    case 'MemberName':
      return 'property';
    case 'Reference':
      if (has(looks, word)) return 'function';
      if (has(methods, word)) return 'enumMember';
      return families.has(word) || has(occurrences, word) ? 'property' : undefined;
    default:
      return undefined;
  }
}

function named(entity: Entity, { from, to }: Span): Token | undefined {
  const type = typeOf(entity);
  if (type === undefined) return undefined;
  const declared = from === entity.declared.from;
  const modifiers: Token['modifiers'][number][] = declared ? ['declaration'] : [];
  if (entity.kind === 'constant') modifiers.push('readonly');
  return { from, to, type, modifiers };
}

function typeOf({ kind }: Entity): Token['type'] | undefined {
  switch (kind) {
    case 'process':
      return 'namespace';
    case 'thread':
    case 'procedure':
      return 'function';
    case 'parameter':
      return 'parameter';
    case 'surface':
      return 'type';
    case 'fence':
    case 'event':
      return 'event';
    case 'constant':
    case 'variable':
      return 'variable';
    default:
      return undefined;
  }
}
