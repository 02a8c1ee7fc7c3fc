// A recorded program as a text to read and to stop in: a line for each operation, as the calls it is made of. Each line
// stands for its operation, like a statement of a scenario.
import type { SourceSpan } from '../routine/routine';
import type { Operation, RecordedProgram } from './format';

/** The text, and where in it each operation stands. */
export interface Listing {
  readonly text: string;
  readonly spans: readonly SourceSpan[];
}

/** The listing of a program. */
export function listingOf(program: RecordedProgram): Listing {
  const { pages, kind, prefault, base } = program;
  let text = `/* ${program.program}: operations recorded on an object of ${pages} pages (${kind}, prefault ${prefault}, from page ${base} of its file on) */\n\n`;
  const spans = program.ops.map((op): SourceSpan => {
    const line = `p${op.p ?? 0}: ${operationText(op, pages)};`;
    text += `/* ${`${op.i}`.padStart(3)} */ `;
    const from = text.length;
    text += line;
    const span = { from, to: text.length };
    const ending = op.err ?? (op.sig === undefined ? undefined : `SIG${op.sig}`);
    text += ending === undefined ? '\n' : ` // ${ending}\n`;
    return span;
  });
  return { text, spans };
}

const prots: Readonly<Record<string, string>> = { r: 'READ', w: 'WRITE', x: 'EXEC' };

/** `PROT_READ | PROT_WRITE` of `rw`. */
const protText = (letters: string): string =>
  letters === 'none'
    ? 'PROT_NONE'
    : [...letters].map((letter) => `PROT_${prots[letter] ?? letter}`).join(' | ');

const shares: Readonly<Record<string, string>> = {
  private: 'MAP_PRIVATE',
  ro: 'MAP_SHARED through a read-only descriptor',
};

/** An operation of an object of `pages` pages as a call. */
export function operationText(op: Operation, pages: number): string {
  const page = op.page ?? 0;
  const m = `m${op.m ?? 0}`;
  const range = `pages ${page} .. ${page + (op.n ?? pages - page)}`;
  const at = `${m}, page ${page}`;
  const touch = (kind: string | undefined) =>
    kind === 'write' ? `store(${at}, ${op.val ?? 0})` : `load(${at})`;
  switch (op.op) {
    case 'mmap':
      return `mmap(${m} at ${op.at ?? 0}, ${range}, ${protText(op.prot ?? 'rw')}, ${shares[op.share ?? ''] ?? 'MAP_SHARED'})`;
    case 'munmap':
      return `munmap(${m}, ${range})`;
    case 'mprotect':
      return `mprotect(${m}, ${range}, ${protText(op.prot ?? 'rw')})`;
    case 'madvise':
      return `madvise(${m}, ${range}, MADV_${(op.advice ?? '').toUpperCase()})`;
    case 'mremap':
      return `mremap(${m}, ${range}, m${op.to ?? 0} at ${op.at ?? 0})`;
    case 'read':
    case 'write':
      return touch(op.op);
    case 'kread':
      return `copy_from_user(${at})`;
    case 'kwrite':
      return `copy_to_user(${at}, ${op.val ?? 0})`;
    case 'fork':
      return `fork() = p${op.child ?? 0}`;
    case 'exit':
      return 'exit()';
    case 'clear_refs':
      return `write("/proc/self/clear_refs", ${op.val ?? 0})`;
    case 'refs_touch':
      return `${touch(op.first)}; write("/proc/self/clear_refs", ${op.val ?? 0}); ${touch(op.then)}`;
    case 'pagemap':
      return `read("/proc/self/pagemap", ${m}, ${range})`;
    case 'wrprotect':
      return `wp_shared_mapping_range(${range})`;
    case 'clean':
      return `clean_record_shared_mapping_range(${range}, bit 0 is page ${op.bit0 ?? 0})`;
    case 'unmap':
      return `unmap_mapping_range(${range}, even_cows ${op.cows ?? 0})`;
    case 'devread':
      return `device_read(page ${page})`;
    case 'devwrite':
      return `device_write(page ${page}, ${op.val ?? 0})`;
    case 'dirty_add':
      return `bo_dirty_add(${op.method ?? 'auto'})`;
    case 'dirty_release':
      return 'bo_dirty_release()';
    case 'scan':
      return 'bo_dirty_scan()';
    case 'dirty_unmap':
      return `bo_dirty_unmap(${range})`;
    case 'transfer':
      return `bo_dirty_transfer_to_res(${range})`;
    case 'clear_res':
      return `bo_dirty_clear_res(${range})`;
    default:
      return `${op.op}()`;
  }
}
