// What the checks know of the emulated kernel: its presets and variants, as data, so that a test can hand in others.
import { alternatives, groups, presets, variants } from '../kernel/variants';

export interface KnownVariant {
  readonly id: string;
  readonly sentence: string;
  /** Of a group: the variants that go by its name. */
  readonly members?: readonly string[];
}

export interface Known {
  /** The variants that each preset has. */
  readonly presets: Readonly<Record<string, readonly string[]>>;
  readonly variants: readonly KnownVariant[];
  /** Of these, one can be on. */
  readonly alternatives: readonly (readonly string[])[];
}

/** The presets and variants of this build, and the groups of them. */
export const known: Known = { presets, variants: [...variants, ...groups], alternatives };
