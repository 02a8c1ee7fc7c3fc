// arch/x86/mm/pat.c (pat/memtype.c later): how CPUs cache what a bare frame holds. Linux 5.1 and 6.1. The page attribute
// table is as Linux sets it: write-back 0, write-combining 1 (PWT), uncached but for MTRRs 2 (PCD). Left out: who reserves
// memory types; the pages of a buffer object always have the type that TTM asked for.
import { _PAGE_PCD, _PAGE_PWT } from '../../../../hardware/pte';
import { routine } from '../../../../routine/routine';
import { int } from '../../../../state/layout';

/** No other memory type than what is asked for. */
export const AS_ASKED = -1;

/**
 * The caching bits of an entry for a bare frame: those of the frame's memory type, whatever is asked for. An aperture that
 * nobody has reserved as something else is UC-: vmwgfx asks for cached mappings of VRAM, and reserves nothing.
 */
export const track_pfn_insert = routine(
  'arch/x86/mm/pat.c',
  'track_pfn_insert',
  { args: { pfn: int }, locals: { pcm: int }, returns: int },
  ({ step, ret, variant }) => [
    variant(
      'write-combined',
      [
        step('pcm = lookup_memtype(paddr): the aperture is reserved as write-combining', (f, k) => {
          f.pcm = k.parts.memory.isIo(f.pfn) ? _PAGE_PWT : AS_ASKED;
        }),
      ],
      [
        step('pcm = lookup_memtype(paddr): UC- for io memory', (f, k) => {
          f.pcm = k.parts.memory.isIo(f.pfn) ? _PAGE_PCD : AS_ASKED;
        }),
      ],
    ),
    ret('cachemode2protval(pcm)', (f) => f.pcm),
  ],
);
