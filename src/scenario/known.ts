// What the checks know of the emulated kernel: its presets and variants, as data, so that a test can hand in others.
import { groups, presets, variants } from '../kernel/variants';

export interface KnownVariant {
  readonly id: string;
  readonly sentence: string;
}

export interface Known {
  readonly presets: readonly string[];
  readonly variants: readonly KnownVariant[];
}

/** The presets and variants of this build, and the groups of them. */
export const known: Known = {
  presets: Object.keys(presets),
  variants: [...variants, ...groups],
};
