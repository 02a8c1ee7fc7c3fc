// Changes of a text that make a message about it go. Who reports a message hands in its fix, where one is known.
import { nearest } from './suggest';
import type { Edit, Span } from './text';

export interface Fix {
  /** What it does, as a menu says it. */
  readonly title: string;
  readonly edits: readonly Edit[];
}

/** Puts `text` in the place of what stands there. */
export function replaced({ from, to }: Span, text: string): Fix {
  return { title: `Change to \`${text.trim()}\``, edits: [{ from, to, text }] };
}

export function removed({ from, to }: Span, what: string): Fix {
  return { title: `Remove ${what}`, edits: [{ from, to, text: '' }] };
}

export function inserted(at: number, text: string): Fix {
  return { title: `Add \`${text.trim()}\``, edits: [{ from: at, to: at, text }] };
}

/** Puts the known word there that was probably meant: the fix of a "did you mean". */
export function respelled(
  name: Span & { readonly text: string },
  known: Iterable<string>,
): Fix | undefined {
  const meant = nearest(name.text, known);
  return meant === undefined ? undefined : replaced(name, meant);
}
