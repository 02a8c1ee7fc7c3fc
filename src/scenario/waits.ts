// What a task waits for, in words: which lock, of what, who has it, and the tickets of the two.
import type { Engine } from '../routine/engine';

/** The scenario's name of an object of the kernel's, if it has one. */
export type NameOf = (struct: string, at: number) => string | undefined;

/** A lock by its class and by what it is part of: `dma_resv of ring`. */
export function lockName(k: Engine, at: number, nameOf: NameOf): string {
  const place = k.objects.describe(at);
  const owner = place === undefined ? undefined : nameOf(place.struct.name, place.object);
  return owner === undefined ? k.lockClass(at) : `${k.lockClass(at)} of ${owner}`;
}

/** ` under ticket 3`, where a lock is held or waited for so. */
export const underTicket = (ticket: number): string =>
  ticket === 0 ? '' : ` under ticket ${ticket}`;
