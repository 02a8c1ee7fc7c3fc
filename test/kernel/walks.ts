// Machines for walks over many entries: an object of bare frames, mapped wherever a test says, its tables written
// beforehand, and a thread that then calls one of the dirty helpers. Used by tests and benches of bursts.
import {
  driverStatics,
  KIND_PFN,
  METHOD_PAGETABLE,
  object,
  or_clean,
  wrprotect,
} from '../../src/conform/driver';
import { dataPfn } from '../../src/hardware/memory';
import { levelIndex, PAGE_SIZE, pfn_pte, pte_pfn } from '../../src/hardware/pte';
import { _PAGE_TABLE } from '../../src/kernel/arch/x86/include/asm/pgtable';
import {
  FMODE_READ,
  FMODE_WRITE,
  MAP_FIXED_NOREPLACE,
  MAP_SHARED,
  PROT_READ,
  PROT_WRITE,
} from '../../src/kernel/include/linux/mm';
import { vm_mmap_pgoff } from '../../src/kernel/mm/mmap';
import { type Preset, variantSet } from '../../src/kernel/variants';
import { buildMachine, cpu_idle } from '../../src/machine/machine';
import type { Engine } from '../../src/routine/engine';
import { type AnyBuilder, type Node, type Routine, routine } from '../../src/routine/routine';
import { int, long } from '../../src/state/layout';

/** Pages [page, page + pages) of the object, mapped by a process at an address. */
export interface Mapped {
  readonly process: number;
  readonly address: number;
  readonly page: number;
  readonly pages: number;
}

/** Pages [first, first + nr) of the object, write-protected or cleaned. */
export interface Walk {
  readonly helper: 'wrprotect' | 'clean';
  readonly first: number;
  readonly nr: number;
}

export interface WalksOptions {
  readonly preset: Preset;
  /** Of the object. */
  readonly pages: number;
  readonly tables: number;
  readonly mappings: readonly Mapped[];
  readonly walk: Walk;
  /** What the threads of other processes do once the mappings are made; each has a CPU of its own. */
  readonly others?: (b: AnyBuilder) => Node[];
}

const base = 0x1_0000; // page offset of the object's first page

/** A machine whose process 0 is about to walk; all threads have made their mappings. */
export class Walks {
  readonly k: Engine;
  private readonly mms: readonly number[];
  private readonly options: WalksOptions;

  constructor(options: WalksOptions) {
    const { preset, pages, tables, mappings, others } = options;
    const processes = 1 + Math.max(...mappings.map((m) => m.process));
    const { engine, mms } = buildMachine({
      variants: variantSet(preset),
      cpus: processes,
      processes,
      tasks: Array.from({ length: processes }, (_, process) => ({
        name: `t${process}`,
        cpu: process,
        process,
        root: thread(process, options),
      })),
      limits: {
        frames: others === undefined ? 1 : pages,
        tables: processes + tables,
        vmas: mappings.length + 1,
        files: 1,
      },
      parts: [{ statics: driverStatics(pages) }],
      deviceInterrupt: cpu_idle as Routine,
    });
    this.k = engine;
    this.mms = mms;
    this.options = options;
    const obj = object(engine);
    obj.kind = KIND_PFN;
    obj.method = METHOD_PAGETABLE;
    obj.pages = pages;
    obj.prefault = 1;
    obj.base = base;
    obj.pfn = dataPfn;
    const file = engine.alloc('file');
    file.f_mapping = obj.mapping;
    file.f_op = engine.the('or_fops', 'file_operations');
    file.f_mode = FMODE_READ | FMODE_WRITE;
    const scratch = engine.the('or_scratch', 'or_scratch');
    scratch.start = pages;
    for (let task = 0; task < processes; task++) {
      while (engine.opOf(task)?.text !== 'ready') engine.step(engine.agentOfTask(task));
    }
  }

  /** The agent of the thread that walks. */
  get agent(): number {
    return this.k.agentOfTask(0);
  }

  /** The walking thread has come back from the helper. */
  get isDone(): boolean {
    return this.k.opOf(0)?.text === 'done';
  }

  /** Writes the entry of a page in mapping `m`: its low word beside the frame. `level` 2 is the PMD entry. */
  set(m: number, page: number, lo: number, level: 2 | 3 = 3): void {
    const { k } = this;
    const entry = k.view('pte_t', this.entry(m, page, level));
    entry.val = lo === 0 ? { lo: 0, hi: 0 } : pfn_pte(dataPfn + page, { lo, hi: 0 });
  }

  /** Where the entry of a page is in the store; makes the tables on the way. */
  entry(m: number, page: number, level: 2 | 3 = 3): number {
    const { k } = this;
    const { process, address, page: first } = this.options.mappings[m]!;
    const at = address + (page - first) * PAGE_SIZE;
    let table = this.root(process);
    for (let above = 0; above < level; above++) {
      const upper = k.view('pte_t', k.parts.memory.entryAt(table, levelIndex(at, above)));
      if (upper.val.lo === 0) {
        const below = k.alloc('page_table');
        below.level = above + 1;
        upper.val = pfn_pte(k.parts.memory.pfnOfTable(below.at), _PAGE_TABLE);
      }
      table = pte_pfn(upper.val);
    }
    return k.parts.memory.entryAt(table, levelIndex(at, level));
  }

  /** The frame of the root table of a process. */
  root(process: number): number {
    return this.k.view('mm_struct', this.mms[process]!).pgd;
  }
}

function thread(process: number, { mappings, walk, others }: WalksOptions): Routine {
  const locals = { ret: int, at: long };
  return routine('test.c', 'thread', { mode: 'user', locals }, (b) => [
    mappings
      .filter((m) => m.process === process)
      .map(({ address, page, pages }) =>
        b.call(
          vm_mmap_pgoff,
          (_f, k) => ({
            file: k.view('file', [...k.objects.all('file')][0]!),
            addr: address,
            len: pages * PAGE_SIZE,
            prot: PROT_READ | PROT_WRITE,
            flags: MAP_SHARED | MAP_FIXED_NOREPLACE,
            pgoff: base + page,
          }),
          'at',
        ),
      ),
    b.step('ready', () => {}),
    process === 0 ? walking(b, walk) : (others?.(b) ?? []),
    b.step('done', () => {}),
  ]) as Routine;
}

function walking(b: AnyBuilder, { helper, first, nr }: Walk): Node {
  if (helper === 'clean') return b.call(or_clean, () => ({ first, nr, bit0: 0 }), 'ret');
  const range = (_f: unknown, k: Engine) => ({
    mapping: object(k).mapping,
    first_index: base + first,
    nr,
  });
  return wrprotect(b, range, 'ret');
}
