// From meaning to tasks: every process and thread of a scenario is a routine built from its statements, its variables
// fields of the frame. Loads and stores are instructions of the emulated CPU; expressions only look.
import type { Span } from '../base/text';
import { bindingPoints, pointIndex } from '../hardware/svga/bindings';
import {
  byFace,
  bySubresource,
  GPU_CMD_READ,
  GPU_CMD_WRITE,
  ofBox,
  ofBytes,
  SVGA_3D_CMD_DX_BUFFER_COPY,
  SVGA_3D_CMD_DX_GENMIPS,
  SVGA_3D_CMD_INVALIDATE_GB_SURFACE,
  SVGA_3D_CMD_READBACK_GB_SURFACE,
  SVGA_3D_CMD_UPDATE_GB_SURFACE,
  type SvgaCommand,
  svgaCommand,
} from '../hardware/svga/commands';
import {
  mipLevel,
  SVGA3D_BUFFER,
  sheetBytes,
  subresourceOffset,
  wholeBox,
} from '../hardware/svga/shapes';
import { MAX_SCHEDULE_TIMEOUT } from '../kernel/drivers/dma-buf/dma-fence';
import { CLEAR_REFS_SOFT_DIRTY, clear_refs_write } from '../kernel/fs/proc/task_mmu';
import { EEXIST, EINVAL, errnoName } from '../kernel/include/linux/errno';
import { PROT_READ, PROT_WRITE } from '../kernel/include/linux/mm';
import type { FailurePoint, FaultAttr } from '../kernel/lib/fault-inject';
import { copy_from_user, copy_to_user } from '../kernel/lib/usercopy';
import {
  do_madvise,
  MADV_COLD,
  MADV_DOFORK,
  MADV_DONTFORK,
  MADV_DONTNEED,
  MADV_NORMAL,
  MADV_POPULATE_READ,
  MADV_POPULATE_WRITE,
  MADV_RANDOM,
  MADV_SEQUENTIAL,
} from '../kernel/mm/madvise';
import { do_mprotect_pkey } from '../kernel/mm/mprotect';
import type { Engine } from '../routine/engine';
import { type AnyBuilder, type Node, type Routine, routine } from '../routine/routine';
import { type Field, long } from '../state/layout';
import { queueCommand } from '../user/commandBuffer';
import {
  beginBinding,
  context_create,
  contextOf,
  drawBound,
  endBinding,
  queue_binding,
} from '../user/context';
import {
  memory_abandoned,
  memory_flushed,
  memory_invalidated,
  submit as submitEdge,
  synchronized,
} from '../user/edges';
import {
  layer_collect,
  layer_fork,
  layer_map,
  layer_sigaction,
  layer_touch,
  layer_unmap,
} from '../user/layer';
import { bufferCommands } from '../user/limits';
import {
  cursor_surface,
  evict_surface,
  peek,
  pin_in_vram,
  pin_in_vram_or_gmr,
  pin_surface,
  poke,
  purge_surface,
  resume,
  suspend,
  swap_surface,
  unpin_buffer,
  unpin_surface,
} from '../user/system';
import {
  queue_updates,
  transfer_begin,
  transfer_flush,
  transfer_map,
  transfer_readback,
  transfer_sent,
  transferLock,
} from '../user/transfer';
import {
  attach_fence,
  exit_process,
  export_surface,
  exportedFile,
  fence_event_wait,
  fence_forget,
  fence_poll,
  fence_wait,
  fork,
  gb_surface_create,
  gb_surface_destroy,
  grab_surface,
  map_surface,
  move_surface,
  release_surface,
  submit,
  sync_close,
  sync_poll,
  sync_wait,
  unmap_surface,
  user_copy,
  user_ramp,
  user_read,
  user_write,
} from '../user/winsys';
import { evaluate, type Look } from './evaluate';
import {
  allSteps,
  askedSurfaces,
  bindsIn,
  type Command,
  deviceCommands,
  type Extent,
  exportedFences,
  type Family,
  innerSteps,
  isLocal,
  type Member,
  type ProcessMeaning,
  type Range,
  type ScenarioMeaning,
  type Step,
  type SurfaceCall,
  type SurfaceMeaning,
  submits,
  type Value,
  type Variable,
} from './meaning';
import { creating, familyField, fieldName, mappedFields, type ScenarioState } from './state';
import { roomOf, rootOf } from './surfaces';
import { type AdviceName, errors, type PinPlace, type ProtectionName } from './vocabulary';

/** What is asked of the driver for a surface. */
const surfaceCalls = {
  evict: evict_surface,
  swapout: swap_surface,
  pin: pin_surface,
  unpin: unpin_surface,
} as const;

/** The same, or of the buffer object behind it. */
const surfaceCall = (kind: keyof typeof surfaceCalls, where: PinPlace | undefined) => {
  if (where === undefined) return surfaceCalls[kind];
  if (kind === 'unpin') return unpin_buffer;
  return where === 'vram' ? pin_in_vram : pin_in_vram_or_gmr;
};

const protectionBits: Readonly<Record<ProtectionName, number>> = {
  none: 0,
  readonly: PROT_READ,
  readwrite: PROT_READ | PROT_WRITE,
};

const behaviors: Readonly<Record<AdviceName, number>> = {
  normal: MADV_NORMAL,
  random: MADV_RANDOM,
  sequential: MADV_SEQUENTIAL,
  dontneed: MADV_DONTNEED,
  dontfork: MADV_DONTFORK,
  dofork: MADV_DOFORK,
  cold: MADV_COLD,
  populate_read: MADV_POPULATE_READ,
  populate_write: MADV_POPULATE_WRITE,
};

/** What the statements of a scenario reach through the engine. */
export interface ScenarioParts {
  readonly state: ScenarioState;
  readonly look: Look;
  /** Address of the mm_struct of a process. */
  readonly mm: (process: string) => number;
  /** The number of a thread. */
  readonly task: (process: string, thread: string) => number;
  /** Asks a point to fail. */
  readonly arm: (point: FailurePoint, attr: FaultAttr) => void;
  /** Notes a failed statement. */
  readonly fail: (kind: string, message: string, place: number) => void;
  /** The text of a span of the scenario. */
  readonly textOf: (span: Span) => string;
}

declare module '../routine/engine' {
  interface Parts {
    scenario: ScenarioParts;
  }
}

/** A task of the scenario, with the process it belongs to. */
export interface PlannedTask {
  readonly name: string;
  readonly process: number;
  readonly thread: string | undefined; // undefined: the process's own statements
  readonly cpu: number;
  readonly root: Routine;
  /** The routine of each call in it, by the number of its frame. */
  readonly calls: ReadonlyMap<number, Routine>;
}

/** The tasks of a scenario, in order of declaration. The first process creates the surfaces that are there from the beginning. */
export function planTasks(meaning: ScenarioMeaning): PlannedTask[] {
  const tasks: PlannedTask[] = [];
  // The last task among the processes' own statements, once one of these has waited for a fence or asked for one.
  let knowing: number | undefined;
  meaning.processes.forEach((process, index) => {
    const creates = index === 0 ? fromBeginning(meaning) : [];
    const setup = creates.length > 0 || process.setup.length > 0;
    if (setup) {
      const made = threadRoutine(meaning, process, undefined, { creates, knowing });
      const { name, cpu } = process;
      if (process.forks === undefined && (knowing !== undefined || asksFences(process.setup)))
        knowing = tasks.length;
      tasks.push({ name, process: index, thread: undefined, cpu, ...made });
    }
    for (const thread of process.threads) {
      const made = threadRoutine(meaning, process, thread.name, { creates: [], knowing });
      const { name, cpu } = thread;
      tasks.push({ name, process: index, thread: name, cpu, ...made });
    }
  });
  return tasks;
}

/** The surfaces that are there before anything else. */
const fromBeginning = ({ surfaces }: ScenarioMeaning): readonly SurfaceMeaning[] =>
  surfaces.filter(({ later }) => later === undefined);

/** Whether a task may learn from these steps that a submission is over. */
const asksFences = (steps: readonly Step[]): boolean =>
  steps.some((s) => ['wait', 'poll', 'grab'].includes(s.kind) || asksFences(innerSteps(s)));

/** How a task begins. */
interface Beginning {
  /** The surfaces that it creates. */
  readonly creates: readonly SurfaceMeaning[];
  /** The task that ran before it and may know of submissions that are over. */
  readonly knowing: number | undefined;
}

/** The field of the frame that holds a variable. */
export function localName(meaning: ScenarioMeaning, v: Variable): string {
  const twins = meaning.variables.filter(
    (o) =>
      o.name === v.name && o.thread === v.thread && o.process === v.process && o.frame === v.frame,
  );
  return twins.length > 1 ? `${v.name} ${twins.indexOf(v) + 1}` : v.name;
}

// biome-ignore lint/suspicious/noExplicitAny: the frame's fields are the scenario's variables, known at run time only
type F = any;

const look = (k: Engine): Look => k.parts.scenario.look;
const state = (k: Engine): ScenarioState => k.parts.scenario.state;
const now = (value: Value, k: Engine): number => k.store.unobserved(() => evaluate(value, look(k)));

/** The routine of one thread, or of a process's own statements, and those of the calls in it. */
function threadRoutine(
  meaning: ScenarioMeaning,
  process: ProcessMeaning,
  thread: string | undefined,
  beginning: Beginning,
): { root: Routine; calls: ReadonlyMap<number, Routine> } {
  const body =
    thread === undefined ? process.setup : process.threads.find((t) => t.name === thread)!.body;
  const own = (v: Variable) =>
    v.process === process.name && v.thread === thread && v.frame === 0 && isLocal(v);
  const locals = localsOf(meaning, body, own);
  const name = thread ?? process.name;
  const builder = new StatementBuilder(meaning, bindsIn(body));
  const root = routine('scenario', name, { mode: 'user', locals: locals as never }, (b) =>
    builder.thread(b as AnyBuilder, process, thread, beginning, body),
  ) as Routine;
  builder.declare(body);
  return { root, calls: builder.calls };
}

/** The variables of a frame, and what its statements need beside them. */
function localsOf(
  meaning: ScenarioMeaning,
  body: readonly Step[],
  own: (v: Variable) => boolean,
): Record<string, Field<number>> {
  const locals: Record<string, Field<number>> = Object.create(null); // a name may be `__proto__`
  for (const v of meaning.variables.filter(own)) {
    const name = localName(meaning, v);
    locals[name] = long;
    if (v.type === 'mapping') for (const of of Object.values(mappedFields(name))) locals[of] = long;
  }
  const temporaries = ['address', 'length', 'value', 'result', 'index', 'handle', 'first'];
  for (const name of temporaries.map((n) => `(${n})`)) {
    locals[name] = long;
  }
  if (exportedFences(meaning).size > 0) locals['(behind)'] = long;
  if (submits(meaning, 'bind')) locals['(next)'] = long;
  for (const s of controlsIn(body)) locals[temporary(s)] = long;
  return locals;
}

type Control = Step & { kind: 'repeat' | 'if' };

/** The field that holds what a `repeat` or an `if` has computed at its beginning. */
const temporary = (s: Control): string =>
  `(${s.kind === 'if' ? 'condition' : 'count'} at ${s.from})`;

function* controlsIn(steps: readonly Step[]): Generator<Control> {
  for (const s of steps) {
    if (s.kind !== 'repeat' && s.kind !== 'if') continue;
    yield s;
    yield* controlsIn(innerSteps(s));
  }
}

/** A surface that commands use, and whether one of them writes it. */
interface UsedSurface {
  readonly surface: SurfaceMeaning;
  readonly writes: boolean;
}

/** The bytes that an update, a readback or an invalidate of the application is about. */
function rangesOf(
  { verb, target, image }: Command & { verb: 'update' | 'readback' | 'invalidate' },
  k: Engine,
): { surface: number; offset: number; length: number }[] {
  const { surface, start, end } = target;
  const { index, shape, bytes } = surface;
  const buffer = shape.format === SVGA3D_BUFFER;
  if (image === undefined) {
    const whole = verb !== 'update' || !buffer;
    const offset = whole ? 0 : now(start, k);
    const length = (whole || end === undefined ? bytes : now(end, k)) - offset;
    return [{ surface: index, offset, length }];
  }
  // A subresource has a part in every sheet.
  return Array.from({ length: shape.samples }, (_, sample) => ({
    surface: index,
    offset: sample * sheetBytes(shape) + subresourceOffset(shape, image),
    length: mipLevel(shape, image % shape.mips).bytes,
  }));
}

/** The surfaces that commands use, each once; a draw with what is bound uses all that `bound` says. */
function usedSurfaces(
  commands: readonly Command[],
  bound: readonly Binding[],
): readonly UsedSurface[] {
  const used = new Map<SurfaceMeaning, boolean>();
  const use = ({ surface }: Extent, writes: boolean) =>
    used.set(surface, writes || used.get(surface) === true);
  for (const c of commands) {
    switch (c.verb) {
      case 'draw':
        for (const extent of c.reads) use(extent, false);
        for (const { extent } of c.writes) use(extent, true);
        break;
      case 'drawBound':
        for (const { point, extent } of bound) use(extent, bindingPoints[point].written);
        break;
      case 'bind': // what is bound is used by draws
      case 'unbind':
        break;
      default:
        if (c.verb === 'copy') use(c.source, false);
        use(c.target, c.verb === 'copy' || c.verb === 'clear' || c.verb === 'genmips');
    }
  }
  return [...used].map(([surface, writes]) => ({ surface, writes }));
}

/** How a command of the device is made. */
interface DeviceCommand {
  readonly text: string;
  readonly make: (k: Engine) => SvgaCommand;
  /** The same on a device without shader models, where it is another. */
  readonly makeByFace?: (k: Engine) => SvgaCommand;
}

const wholeIds = {
  update: SVGA_3D_CMD_UPDATE_GB_SURFACE,
  readback: SVGA_3D_CMD_READBACK_GB_SURFACE,
  invalidate: SVGA_3D_CMD_INVALIDATE_GB_SURFACE,
} as const;

type Binding = Command & { readonly verb: 'bind' };

class StatementBuilder {
  readonly calls = new Map<number, Routine>();
  /** Numbers of the surfaces whose memory is flushed or invalidated somewhere. */
  private readonly flushed: ReadonlySet<number>;

  private readonly exported: ReadonlySet<string>;
  private readonly asked: ReadonlySet<string>;

  constructor(
    private readonly meaning: ScenarioMeaning,
    /** What the thread binds: then it has a context. */
    private readonly bound: readonly Binding[],
  ) {
    this.exported = exportedFences(meaning);
    this.asked = askedSurfaces(meaning);
    const steps = [...allSteps(meaning)];
    this.flushed = new Set(
      steps.flatMap((s) =>
        s.kind === 'flush' || s.kind === 'invalidate'
          ? [s.target.mapping.mapping!.surface.index]
          : [],
      ),
    );
  }

  /** Makes the routine of each call in these steps: one for each, since each is given other things. */
  declare(steps: readonly Step[]): void {
    for (const s of steps) {
      if (s.kind === 'call') this.calls.set(s.frame, this.called(s));
      this.declare(innerSteps(s));
    }
  }

  private called(s: Step & { kind: 'call' }): Routine {
    const { meaning } = this;
    const names = s.given.map(({ into }) => localName(meaning, into));
    const args = Object.fromEntries(names.map((name) => [name, long]));
    const locals = localsOf(meaning, s.body, (v) => v.frame === s.frame);
    for (const name of names) delete locals[name];
    const spec = { mode: 'user' as const, args, locals: locals as never };
    return routine('scenario', s.procedure, spec, (b) =>
      s.body.map((inner) => this.statement(b as AnyBuilder, inner)),
    ) as Routine;
  }

  thread(
    b: AnyBuilder,
    process: ProcessMeaning,
    thread: string | undefined,
    { creates, knowing }: Beginning,
    body: readonly Step[],
  ): Node[] {
    const first = this.firstOf(process, thread);
    const head = process.threads.find((t) => t.name === thread) ?? process;
    const { forks } = process;
    return [
      // Threads start when their process is ready, processes when the surfaces are; a child when it is forked.
      ...(forks !== undefined ? this.begin(b, head, process, thread) : []),
      ...(forks !== undefined || first === 0 ? [] : [this.start(b, head, first, knowing)]),
      ...creates.map((surface) => this.create(b, surface)),
      ...(this.bound.length > 0 ? [this.context(b, head)] : []),
      ...body.map((s) => this.statement(b, s)),
      ...(thread === undefined
        ? [
            b.atomic('the process is ready', (_f: F, k) => {
              if (forks === undefined) state(k).set('ready', state(k).get('ready') + 1);
              else state(k).set(`ready ${process.name}`, k.task + 1);
            }),
          ]
        : []),
    ];
  }

  /** It begins behind the statements of processes, and knows what they have waited for. */
  private start(
    b: AnyBuilder,
    head: Span & { name: string },
    first: number,
    knowing: number | undefined,
  ): Node {
    const ready = (k: Engine) => k.store.peek(state(k).at('ready'));
    return b.statement(head, [
      b.wait(`start of ${head.name}`, (_f: F, k) => ready(k) >= first),
      ...(knowing === undefined
        ? []
        : [b.step('what was waited for', (_f: F, k) => k.emit(synchronized, { from: knowing }))]),
    ]);
  }

  /** A process that is forked begins with the fork, its threads when its own statements have run. */
  private begin(
    b: AnyBuilder,
    head: Span & { name: string },
    { name, setup }: ProcessMeaning,
    thread: string | undefined,
  ): Node[] {
    const cell = thread !== undefined && setup.length > 0 ? `ready ${name}` : `forked ${name}`;
    return [
      b.statement(head, [
        b.wait(`fork of ${name}`, (_f: F, k) => k.store.peek(state(k).at(cell)) !== 0),
        b.step('what was waited for', (_f: F, k) => {
          k.emit(synchronized, { from: state(k).get(cell) - 1 });
        }),
      ]),
    ];
  }

  /** How many processes must be ready before this task begins. */
  private firstOf(process: ProcessMeaning, thread: string | undefined): number {
    const setups = this.meaning.processes.map(
      (p, i) =>
        (i === 0 && fromBeginning(this.meaning).length > 0) ||
        (p.forks === undefined && p.setup.length > 0),
    );
    const before = setups.slice(0, process.index + (thread === undefined ? 0 : 1)).filter(Boolean);
    return before.length;
  }

  /** The thread's context, to bind surfaces to. */
  private context(b: AnyBuilder, head: Span & { name: string }): Node {
    return b.statement(head, [
      b.call(context_create, () => ({}), '(result)'),
      ...this.returned(b, head, 'creating its context', undefined),
    ]);
  }

  /** A surface that is there from the beginning. */
  private create(b: AnyBuilder, surface: SurfaceMeaning): Node {
    return b.statement(surface, [
      ...this.creation(b, surface),
      b.step(`${surface.name} = the handle`, (f: F, k) => {
        state(k).set(`surface ${surface.name}`, f['(result)']);
        if (f['(result)'] < 0)
          fail(k, surface, `creating it failed with ${errnoName(f['(result)'])}`);
      }),
    ]);
  }

  /** In the buffer that surfaces of the same memory are in, or else in one that is made for all of them. */
  private creation(b: AnyBuilder, surface: SurfaceMeaning): Node[] {
    const { surfaces } = this.meaning;
    const beside = surfaces.filter((s) => rootOf(s) === rootOf(surface));
    return [
      b.step('which memory it lies in', (f: F, k) => {
        const handles = beside.map(({ name }) => state(k).get(`surface ${name}`));
        f['(handle)'] = handles.find((handle) => handle > 0) ?? 0;
      }),
      b.call(
        gb_surface_create,
        (f: F) => ({
          surface: surface.index,
          shape: surface.shape,
          coherent: surface.coherent,
          room: roomOf(surface, surfaces),
          buffer: f['(handle)'],
          offset: surface.store.offset,
        }),
        '(result)',
      ),
    ];
  }

  /** One that a thread makes; who makes another of the same memory meanwhile has to find this one. */
  private createLate(b: AnyBuilder, s: Step & { kind: SurfaceCall }): Node[] {
    const { surface } = s;
    const name = `surface ${surface.name}`;
    // Where user space keeps it coherent it has to send what a buffer holds that is in use.
    const begin = (kept: boolean): Node[] => [
      this.lock(b),
      b.call(transfer_begin, (f: F) => ({
        surface: surface.index,
        held: kept && surface.coherent && f['(handle)'] > 0 ? surface.bytes : 0,
      })),
      this.unlock(b),
    ];
    return [
      b.acquire(`mtx_lock(&${creating})`, (_f, k) => state(k).lock(creating)),
      b.step('whether it is there', (f: F, k) => {
        f['(result)'] = state(k).get(name) > 0 ? -EEXIST : 0;
      }),
      b.when('it is not', (f: F) => f['(result)'] === 0, [
        ...this.creation(b, surface),
        b.when('it was made', (f: F) => f['(result)'] > 0, [
          b.variant('memory-explicit', begin(true), [
            b.variant('memory-layer', begin(true), [
              ...(this.flushed.has(surface.index) ? begin(false) : []),
            ]),
          ]),
          b.step(`${surface.name} = the handle`, (f: F, k) => state(k).set(name, f['(result)'])),
        ]),
      ]),
      b.release(`mtx_unlock(&${creating})`, (_f, k) => state(k).lock(creating)),
      ...this.returned(b, s, s.kind, s.error),
    ];
  }

  private statement(b: AnyBuilder, s: Step): Node {
    return s.kind === 'repeat' || s.kind === 'if'
      ? this.control(b, s)
      : b.statement(s, this.simple(b, s));
  }

  private control(b: AnyBuilder, s: Control): Node {
    const computed = temporary(s);
    if (s.kind === 'if') {
      return [
        b.statement(s, [
          b.step('if', (f: F, k) => {
            f[computed] = now(s.condition, k);
          }),
        ]),
        b.when(
          'the condition holds',
          (f: F) => f[computed] !== 0,
          s.then.map((t) => this.statement(b, t)),
          s.otherwise.map((t) => this.statement(b, t)),
        ),
      ];
    }
    const counter = localName(this.meaning, s.counter);
    const set = this.setter(s.counter, counter);
    const get = this.getter(s.counter, counter);
    return [
      b.statement(s, [
        b.step('repeat', (f: F, k) => {
          f[computed] = now(s.count, k);
          set(f, k, 0);
        }),
      ]),
      b.step('first turn', (f: F, k) => {
        f['(index)'] = get(f, k);
      }),
      b.loop('while turns are left', [
        b.when('none is left', (f: F) => f['(index)'] >= f[computed], [b.leave()]),
        ...s.body.map((t) => this.statement(b, t)),
        b.step('next turn', (f: F, k) => {
          set(f, k, get(f, k) + 1);
          f['(index)'] = get(f, k);
        }),
      ]),
    ];
  }

  private simple(b: AnyBuilder, s: Exclude<Step, { kind: 'repeat' | 'if' }>): Node[] {
    switch (s.kind) {
      case 'let':
        return [b.step('let', (f: F, k) => this.setter(s.into)(f, k, now(s.value, k)))];
      case 'assert':
        return [
          b.step('assert', (_f: F, k) => {
            if (now(s.condition, k) === 0)
              fail(k, s, `${textOf(k, s)} does not hold${sides(k, s.condition)}`, 'assertion');
          }),
        ];
      case 'call': {
        const given = s.given.map(
          ({ into, value }) => [localName(this.meaning, into), value] as const,
        );
        return [
          b.call(this.calls.get(s.frame)!, (_f: F, k) =>
            Object.fromEntries(given.map(([name, value]) => [name, now(value, k)])),
          ),
        ];
      }
      case 'map':
        return this.map(b, s);
      case 'unmap':
        return [
          this.bounds(b, s.mapping),
          b.variant('memory-layer', [
            b.call(layer_unmap, (f: F) => ({ address: f['(address)'], length: f['(length)'] })),
          ]),
          b.call(
            unmap_surface,
            (f: F) => ({ address: f['(address)'], length: f['(length)'] }),
            '(result)',
          ),
          ...this.returned(b, s, 'munmap', s.error),
        ];
      case 'protect':
        return [
          this.bounds(b, s.mapping),
          b.call(
            do_mprotect_pkey,
            (f: F) => ({
              start: f['(address)'],
              len: f['(length)'],
              prot: protectionBits[s.access],
            }),
            '(result)',
          ),
          ...this.returned(b, s, 'mprotect', s.error),
        ];
      case 'advise':
        return [
          this.bounds(b, s.mapping),
          b.call(
            do_madvise,
            (f: F) => ({
              start: f['(address)'],
              len: f['(length)'],
              behavior: behaviors[s.advice],
            }),
            '(result)',
          ),
          ...this.returned(b, s, 'madvise', s.error),
        ];
      case 'remap':
        return this.remap(b, s);
      case 'fork':
        return this.fork(b, s);
      case 'create':
        return this.createLate(b, s);
      case 'evict':
      case 'swapout':
      case 'pin':
      case 'unpin':
      case 'destroy':
      case 'purge':
        return [
          b.step('its handle', (f: F, k) => {
            f['(handle)'] = state(k).get(`surface ${s.surface.name}`);
            if (s.kind === 'destroy') state(k).set(`surface ${s.surface.name}`, 0);
          }),
          s.kind === 'destroy' || s.kind === 'purge'
            ? this.givenUp(b, s.kind, s.surface)
            : b.call(
                surfaceCall(s.kind, s.where),
                (f: F) => ({ handle: f['(handle)'] }),
                '(result)',
              ),
          ...this.returned(b, s, s.kind, s.error),
        ];
      case 'cursor':
        return this.cursor(b, s);
      case 'peek':
      case 'poke':
        return this.debugged(b, s);
      case 'suspend':
      case 'resume':
        return [
          b.call(s.kind === 'suspend' ? suspend : resume, () => ({}), '(result)'),
          ...this.returned(b, s, s.kind, s.error),
        ];
      case 'sigaction':
        return [b.call(layer_sigaction, () => ({}))];
      case 'exit':
        return [b.call(exit_process, () => ({})), b.ret()];
      case 'usercopy':
        return this.usercopy(b, s);
      case 'poll':
        return this.poll(b, s);
      case 'fail':
        return [
          b.step('fail', (_f: F, k) => {
            const { point, times, space } = s;
            k.parts.scenario.arm(point, { times, space });
          }),
        ];
      case 'clear_refs':
        return [
          b.call(
            clear_refs_write,
            (_f: F, k) => ({
              mm: k.view('mm_struct', k.parts.scenario.mm(s.process)),
              type: CLEAR_REFS_SOFT_DIRTY,
            }),
            '(result)',
          ),
          ...this.returned(b, s, 'write to clear_refs', s.error),
        ];
      case 'write':
        return [
          this.bounds(b, s.target),
          b.atomic('the value', (f: F, k) => this.valueOf(f, k, s.value)),
          ...this.access(
            b,
            [{ range: s.target, stores: true }],
            s.ramp
              ? b.call(
                  user_ramp,
                  (f: F) => ({
                    address: f['(address)'],
                    length: f['(length)'],
                    first: f['(value)'] % 256,
                  }),
                  '(result)',
                )
              : b.call(
                  user_write,
                  (f: F) => ({
                    address: f['(address)'],
                    length: f['(length)'],
                    unique: s.value === undefined,
                    value: f['(value)'],
                  }),
                  '(result)',
                ),
          ),
          ...this.signal(b, s, s.error),
        ];
      case 'copy':
        return [
          this.bounds(b, s.source),
          b.step('where to', (f: F, k) => {
            f['(value)'] = look(k).variable(s.target.mapping) + now(s.target.start, k);
          }),
          ...this.access(
            b,
            [
              { range: s.source, stores: false },
              { range: s.target, stores: true },
            ],
            b.call(
              user_copy,
              (f: F) => ({ from: f['(address)'], to: f['(value)'], length: f['(length)'] }),
              '(result)',
            ),
          ),
          ...this.signal(b, s, s.error),
        ];
      case 'read':
        return [
          b.step('nothing is loaded yet', (_f: F, k) => {
            state(k).takeLoaded(k.task); // what the kernel loaded, for a private copy
          }),
          this.bounds(b, s.target),
          ...this.access(
            b,
            [{ range: s.target, stores: false }],
            b.call(
              user_read,
              (f: F) => ({ address: f['(address)'], length: f['(length)'] }),
              '(result)',
            ),
          ),
          ...this.signal(b, s, s.error),
          this.loaded(b, s.into),
        ];
      case 'flush':
      case 'invalidate':
        return this.synchronise(b, s);
      case 'submit':
        return this.submit(b, s);
      case 'wait':
        return s.for === 'fence' ? this.waitFence(b, s) : this.waitEvent(b, s.member);
      case 'grab':
      case 'release':
      case 'export':
      case 'attach':
        return this.shared(b, s);
      case 'kill':
        return [
          b.step('kill', (_f: F, k) => k.signal(k.parts.scenario.task(s.process, s.thread), true)),
        ];
      case 'signal':
        return [
          b.step('signal', (_f: F, k) => {
            const { family, index } = s.member;
            state(k).setMember(family, now(index, k), k.task + 1);
          }),
        ];
    }
  }

  private map(b: AnyBuilder, s: Step & { kind: 'map' }): Node[] {
    return [
      b.step('the range', (f: F, k) => {
        f['(address)'] = now(s.start, k);
        f['(length)'] = now(s.end, k) - f['(address)'];
        f['(value)'] = s.at === undefined ? -1 : now(s.at, k);
        f['(handle)'] = state(k).get(`surface ${s.surface.name}`);
      }),
      b.call(
        map_surface,
        (f: F) => ({
          handle: f['(handle)'],
          surface: s.surface.index,
          offset: f['(address)'],
          length: f['(length)'],
          readonly: s.readonly,
          private: s.private,
          at: f['(value)'],
        }),
        '(result)',
      ),
      b.step(`${s.into.name} = the address`, (f: F, k) => {
        this.place(f, k, s.into, {
          address: Math.max(0, f['(result)']),
          start: f['(address)'],
          bytes: f['(result)'] < 0 ? 0 : f['(length)'],
        });
      }),
      ...(s.surface.coherent && !s.private ? [b.variant('memory-layer', this.watch(b, s))] : []),
      ...this.returned(b, s, 'mmap', s.error),
    ];
  }

  /** The layer watches a mapping. */
  private watch(b: AnyBuilder, { surface, readonly }: Step & { kind: 'map' }): Node[] {
    return [
      b.when('it is mapped', (f: F) => f['(result)'] > 0, [
        b.call(layer_map, (f: F) => ({
          surface: surface.index,
          handle: f['(handle)'],
          shape: surface.shape,
          address: f['(result)'],
          length: f['(length)'],
          offset: f['(address)'],
          readonly,
        })),
      ]),
    ];
  }

  /** Where a mapping is from here on, and which bytes of its surface it has. */
  private place(
    f: F,
    k: Engine,
    into: Variable,
    { address, start, bytes }: { address: number; start: number; bytes: number },
  ): void {
    const name = isLocal(into) ? localName(this.meaning, into) : fieldName(into);
    const fields = mappedFields(name);
    const note = (field: string, value: number) => {
      if (isLocal(into)) f[field] = value;
      else state(k).set(field, value);
    };
    note(name, address);
    note(fields.start, start);
    note(fields.bytes, bytes);
  }

  private remap(b: AnyBuilder, s: Step & { kind: 'remap' }): Node[] {
    return [
      this.bounds(b, s.mapping),
      b.step('where to', (f: F, k) => {
        f['(value)'] = now(s.at, k);
        f['(index)'] = look(k).mapped(s.mapping.mapping).start + now(s.mapping.start, k);
      }),
      b.call(
        move_surface,
        (f: F) => ({ address: f['(address)'], length: f['(length)'], to: f['(value)'] }),
        '(result)',
      ),
      b.when('it moved', (f: F) => f['(result)'] === 0, [
        b.step(`${s.into.name} = the new address`, (f: F, k) => {
          this.place(f, k, s.into, {
            address: f['(value)'],
            start: f['(index)'],
            bytes: f['(length)'],
          });
        }),
      ]),
      ...this.returned(b, s, 'mremap', s.error),
    ];
  }

  /** The child gets the mappings and the names; then it begins. */
  private fork(b: AnyBuilder, s: Step & { kind: 'fork' }): Node[] {
    const names = this.meaning.processes.find((p) => p.name === s.child)?.forks?.names ?? [];
    return [
      b.call(
        fork,
        (_f: F, k) => ({ mm: k.view('mm_struct', k.parts.scenario.mm(s.child)) }),
        '(result)',
      ),
      b.when('there is a child', (f: F) => f['(result)'] === 0, [
        b.step('it knows the names', (f: F, k) => {
          for (const { of, own } of names) {
            if (of.type !== 'mapping') {
              this.setter(own)(f, k, look(k).variable(of));
              continue;
            }
            const address = look(k).variable(of);
            this.place(f, k, own, { address, ...look(k).mapped(of) });
          }
        }),
        b.variant('memory-layer', [
          b.call(layer_fork, (_f: F, k) => ({ mm: k.parts.scenario.mm(s.child) })),
        ]),
        b.step('it begins', (_f: F, k) => state(k).set(`forked ${s.child}`, k.task + 1)),
      ]),
      ...this.returned(b, s, 'fork', s.error),
    ];
  }

  /** What a call has returned: its error has a name, or is reported. */
  private returned(b: AnyBuilder, s: Span, call: string, error: Variable | undefined): Node[] {
    if (error === undefined)
      return [
        b.when(`${call} failed`, (f: F) => f['(result)'] < 0, [
          b.step('nobody asks why', (f: F, k) =>
            fail(k, s, `${call} failed with ${errnoName(f['(result)'])}`),
          ),
        ]),
      ];
    const set = this.setter(error);
    return [
      b.step(`${error.name} = why ${call} failed, or 0`, (f: F, k) =>
        set(f, k, Math.max(0, -f['(result)'])),
      ),
    ];
  }

  /** An access to mappings, with what user space does around it where it keeps the memory coherent itself. */
  private access(
    b: AnyBuilder,
    touched: readonly { readonly range: Range; readonly stores: boolean }[],
    access: Node,
  ): Node[] {
    const kept = touched.filter(({ range }) => {
      const { mapping } = range.mapping;
      return mapping?.surface.coherent === true && !mapping.private;
    });
    const surfaceOf = (range: Range) => range.mapping.mapping!.surface;
    const map = kept.map(({ range }) => this.withHandle(b, surfaceOf(range), transfer_map));
    const flush = kept
      .filter(({ stores }) => stores)
      .map(({ range }) =>
        b.call(transfer_flush, (f: F, k) => {
          const start = look(k).mapped(range.mapping).start + now(range.start, k);
          const { index: surface, bytes } = surfaceOf(range);
          return { surface, start, end: Math.min(bytes, start + f['(length)']) };
        }),
      );
    const all = [this.lock(b), ...map, access, ...flush, this.unlock(b)];
    return [b.variant('memory-explicit', kept.length > 0 ? all : [access], [access])];
  }

  private lock(b: AnyBuilder): Node {
    return b.acquire('mtx_lock(&screen->transfer_lock)', (_f, k) => transferLock(k));
  }

  private unlock(b: AnyBuilder): Node {
    return b.release('mtx_unlock(&screen->transfer_lock)', (_f, k) => transferLock(k));
  }

  /** A call of the user-space driver for a surface. */
  private withHandle(
    b: AnyBuilder,
    { index: surface, name, shape }: SurfaceMeaning,
    routine: typeof transfer_map,
  ): Node {
    return [
      b.step('its handle', (f: F, k) => {
        f['(handle)'] = state(k).get(`surface ${name}`);
      }),
      b.call(routine, (f: F) => ({ surface, handle: f['(handle)'], shape }), '(result)'),
    ];
  }

  /** `flush` and `invalidate` of memory that is not coherent; a range is rounded out to whole atoms. */
  private synchronise(b: AnyBuilder, s: Step & { kind: 'flush' | 'invalidate' }): Node[] {
    const { target } = s;
    const { surface } = target.mapping.mapping!;
    const { atom } = this.meaning.machine;
    const bounds = b.step('the range, in whole atoms', (f: F, k) => {
      const mapped = look(k).mapped(target.mapping);
      const end = target.end === undefined ? mapped.bytes : now(target.end, k);
      const from = mapped.start + now(target.start, k);
      f['(address)'] = Math.floor(from / atom) * atom;
      f['(length)'] =
        Math.min(surface.bytes, Math.ceil((mapped.start + end) / atom) * atom) - f['(address)'];
    });
    const range = (f: F) => ({ offset: f['(address)'], length: f['(length)'] });
    const { index } = surface;
    return s.kind === 'flush'
      ? [
          bounds,
          this.lock(b),
          b.step('what was stored is for the GPU', (f: F, k) => {
            const from = k.store.peek(state(k).at('submissions')) + 1;
            k.emit(memory_flushed, { surface: index, ...range(f), from });
          }),
          b.call(transfer_flush, (f: F) => ({
            surface: index,
            start: f['(address)'],
            end: f['(address)'] + f['(length)'],
          })),
          this.unlock(b),
        ]
      : [
          bounds,
          this.lock(b),
          this.withHandle(b, surface, transfer_readback),
          b.step('what the GPU wrote is for the CPU', (f: F, k) => {
            k.emit(memory_invalidated, { surface: index, ...range(f), submission: -1 });
          }),
          this.unlock(b),
          ...this.returned(b, s, 'the readback', undefined),
        ];
  }

  private submit(b: AnyBuilder, s: Step & { kind: 'submit' }): Node[] {
    const used = usedSurfaces(s.commands, this.bound);
    const flushed = used.filter(({ surface }) => this.flushed.has(surface.index));
    const kept = used.filter(
      ({ surface }) => surface.coherent || flushed.some((u) => u.surface === surface),
    );
    return [
      ...(s.behind === undefined ? [] : this.sourceOf(b, s.behind)),
      b.variant('memory-explicit', this.submission(b, s, kept), [
        b.variant(
          'memory-layer',
          this.submission(b, s, kept, true),
          this.submission(b, s, flushed),
        ),
      ]),
      ...(s.commands.some(({ verb }) => verb === 'bind' || verb === 'unbind')
        ? [
            b.when('it was submitted', (f: F) => f['(result)'] >= 0, [
              b.step('what is bound', (_f: F, k) => endBinding(k)),
            ]),
          ]
        : []),
      ...this.used(b, s),
      ...this.returned(b, s, 'execbuf', s.error),
      ...(s.fence === undefined
        ? []
        : [
            b.when(
              'it has a fence',
              (f: F) => f['(result)'] >= 0,
              this.name(b, s.fence, s.exported ? (_f, k) => exportedFile(k) : undefined),
            ),
          ]),
    ];
  }

  /** The commands go to the kernel, with updates in front of what user space has to send of the surfaces that it keeps. */
  private submission(
    b: AnyBuilder,
    s: Step & { kind: 'submit' },
    kept: readonly UsedSurface[],
    layered = false,
  ): Node[] {
    const room = deviceCommands(s.commands);
    const keeps = kept.length > 0;
    const first = keeps ? bufferCommands - room : 0;
    // How many commands binding takes depends on what is bound already.
    const binds = s.commands.some(({ verb }) => verb === 'bind' || verb === 'unbind');
    const end = (f: F): number => (binds ? f['(next)'] : first + room);
    const execbuf = b.call(
      submit,
      (f: F, k) => ({
        first: f['(first)'],
        count: end(f) - f['(first)'],
        submission: f['(index)'],
        forget: s.fence === undefined,
        exported: s.exported,
        behind: s.behind === undefined ? 0 : f['(behind)'],
        context: this.bound.length > 0 ? contextOf(k) : 0,
      }),
      '(result)',
    );
    return [
      ...(keeps ? [this.lock(b)] : []),
      ...(binds ? this.queueBinding(b, s.commands, first) : this.queue(b, s.commands, first)),
      b.atomic('number of the submission', (f: F, k) => {
        state(k).set('submissions', state(k).get('submissions') + 1);
        f['(index)'] = state(k).get('submissions');
        f['(first)'] = first;
        k.emit(submitEdge, { submission: f['(index)'] }); // here, so that edges come in the order of numbers
        this.emitOwn(k, s.commands, f['(index)']);
      }),
      ...kept.map(({ surface: { index, name, shape, coherent }, writes }) =>
        b.when('all is well', (f: F) => f['(first)'] >= 0, [
          ...(layered && coherent
            ? [b.call(layer_collect, () => ({ surface: index, writes }), '(result)')]
            : []),
          ...(layered && coherent
            ? [
                b.when('the layer failed', (f: F) => f['(result)'] < 0, [
                  b.step('with its error', (f: F) => {
                    f['(first)'] = f['(result)'];
                  }),
                ]),
              ]
            : []),
          b.when('it is to be sent', (f: F) => f['(first)'] >= 0, [
            b.step('its handle', (f: F, k) => {
              f['(handle)'] = state(k).get(`surface ${name}`);
            }),
            b.call(
              queue_updates,
              (f: F) => ({
                surface: index,
                handle: f['(handle)'],
                shape,
                first: f['(first)'],
                end: first,
                submission: f['(index)'],
              }),
              '(first)',
            ),
          ]),
        ]),
      ),
      ...(keeps
        ? [
            b.when(
              'the updates are queued',
              (f: F) => f['(first)'] >= 0,
              [execbuf],
              [
                b.step('they are not', (f: F) => {
                  f['(result)'] = f['(first)'];
                }),
              ],
            ),
            b.when(
              'it was submitted',
              (f: F) => f['(result)'] >= 0,
              kept.map(({ surface, writes }) =>
                b.call(transfer_sent, () => ({ surface: surface.index, writes })),
              ),
            ),
            this.unlock(b),
          ]
        : [execbuf]),
    ];
  }

  /** Commands go into the command buffer, from place `first` on. */
  private queue(b: AnyBuilder, commands: readonly Command[], first: number): Node[] {
    const parts = commands.flatMap((c) => this.commands(c));
    return parts.map((part, i) =>
      this.queueOne(b, part, `command ${i + 1}`, (_f, k, made) => {
        queueCommand(k, first + i, made);
      }),
    );
  }

  private queueOne(
    b: AnyBuilder,
    { text, make, makeByFace }: DeviceCommand,
    name: string,
    put: (f: F, k: Engine, made: SvgaCommand) => void,
  ): Node {
    const queue = (made: typeof make) =>
      b.step(`${name}: ${text}`, (f: F, k) => put(f, k, made(k)));
    if (makeByFace === undefined) return queue(make);
    return b.variant('device-gb', [queue(makeByFace)], [queue(make)]);
  }

  /** The same where some of them bind: where the next one goes is known when the one before has been queued. */
  private queueBinding(b: AnyBuilder, commands: readonly Command[], first: number): Node[] {
    return [
      b.step('what is bound', (f: F, k) => {
        f['(next)'] = first;
        beginBinding(k);
      }),
      ...commands.flatMap((c) => {
        if (c.verb === 'bind' || c.verb === 'unbind') return this.binding(b, c);
        return this.commands(c).map((part) =>
          this.queueOne(b, part, 'command', (f, k, made) => {
            queueCommand(k, f['(next)'], made);
            f['(next)']++;
          }),
        );
      }),
    ];
  }

  private binding(b: AnyBuilder, c: Command & { verb: 'bind' | 'unbind' }): Node[] {
    const extent = c.verb === 'bind' ? c.extent : undefined;
    return [
      b.step('the range', (f: F, k) => {
        f['(handle)'] = extent === undefined ? 0 : state(k).get(`surface ${extent.surface.name}`);
        f['(address)'] = extent === undefined ? 0 : now(extent.start, k);
        const end = extent?.end === undefined ? (extent?.surface.bytes ?? 0) : now(extent.end, k);
        f['(length)'] = Math.max(0, end - f['(address)']);
        if (extent !== undefined && f['(length)'] === 0)
          fail(k, extent, `${textOf(k, extent)} is empty`);
      }),
      b.call(
        queue_binding,
        (f: F) => ({
          point: pointIndex(c.point),
          slot: c.slot,
          handle: f['(handle)'],
          offset: f['(address)'],
          length: f['(length)'],
          next: f['(next)'],
        }),
        '(next)',
      ),
    ];
  }

  /** What an application says of its memory by updates, readbacks and invalidates of its own. */
  private emitOwn(k: Engine, commands: readonly Command[], submission: number): void {
    commands.forEach((c, i) => {
      if (c.verb !== 'update' && c.verb !== 'readback' && c.verb !== 'invalidate') return;
      const uses = (of: readonly Command[], writing: boolean) =>
        usedSurfaces(of, this.bound).some(
          (u) => u.surface === c.target.surface && (u.writes || !writing),
        );
      for (const range of rangesOf(c, k)) {
        // Commands go in their order: an update does nothing for those in front of it, nor a readback for those behind.
        if (c.verb === 'update') {
          const late = uses(
            commands.slice(0, i).filter(({ verb }) => verb !== 'update'),
            false,
          );
          k.emit(memory_flushed, { ...range, from: submission + Number(late) });
        } else if (c.verb === 'invalidate') {
          k.emit(memory_abandoned, { ...range, submission });
        } else if (!uses(commands.slice(i + 1), true)) {
          k.emit(memory_invalidated, { ...range, submission });
        }
      }
    });
  }

  /** Where somebody asks surfaces themselves: the last submission that has used each of these. */
  private used(b: AnyBuilder, s: Step & { kind: 'submit' }): Node[] {
    const surfaces = usedSurfaces(s.commands, this.bound)
      .map(({ surface }) => surface)
      .filter(({ name }) => this.asked.has(name));
    if (surfaces.length === 0) return [];
    return [
      b.when('it was submitted', (f: F) => f['(result)'] >= 0, [
        ...surfaces.map(({ name }) =>
          b.atomic(`what has used ${name}`, (f: F, k) => {
            const before = state(k).get(`used ${name}`);
            state(k).set(`used ${name}`, Math.max(before, f['(index)']));
          }),
        ),
      ]),
    ];
  }

  /** What is asked of the memory of a surface, which others may share. */
  private shared(
    b: AnyBuilder,
    s: Step & { kind: 'grab' | 'release' | 'export' | 'attach' },
  ): Node[] {
    const { name } = s.surface;
    const handle = b.step('its handle', (f: F, k) => {
      f['(handle)'] = state(k).get(`surface ${name}`);
    });
    const used = b.step('what has used it', (f: F, k) => {
      f['(index)'] = state(k).get(`used ${name}`);
    });
    const result = this.returned(b, s, s.kind, s.error);
    switch (s.kind) {
      case 'grab':
        return [
          handle,
          used,
          b.call(
            grab_surface,
            (f: F) => ({
              handle: f['(handle)'],
              submission: f['(index)'],
              shared: s.shared,
              nowait: s.nowait,
            }),
            '(result)',
          ),
          ...result,
        ];
      case 'release':
        return [
          handle,
          b.call(release_surface, (f: F) => ({ handle: f['(handle)'] }), '(result)'),
          ...result,
        ];
      case 'export':
        return [
          handle,
          used,
          b.call(export_surface, (f: F) => ({ handle: f['(handle)'] }), '(result)'),
          ...result,
          b.when('there is one', (f: F) => f['(result)'] >= 0, [
            b.step('a number for it', (f: F) => {
              f['(value)'] = f['(result)'];
              f['(index)'] = f['(index)'] || -1; // nothing has used it
              f['(result)'] = 0; // it has no handle
            }),
            ...this.name(b, s.fence, (f) => f['(value)']),
          ]),
        ];
      case 'attach':
        return [
          handle,
          b.step('its sync file', (f: F, k) => {
            const { family, index } = s.member;
            f['(address)'] = state(k).peekMember(family, now(index, k), ' file') - 1;
          }),
          b.call(
            attach_fence,
            (f: F) => ({ handle: f['(handle)'], fd: f['(address)'] }),
            '(result)',
          ),
          ...result,
        ];
    }
  }

  /** The fence gets its name; the handle of another one that had it goes back to the driver. */
  private name(
    b: AnyBuilder,
    { family, index }: Member,
    fileOf: ((f: F, k: Engine) => number) | undefined,
  ): Node[] {
    return [
      // First the handle, then the submission; who waits looks for the submission first, and never claims too much.
      ...(this.exported.has(family.name)
        ? [
            b.atomic('its sync file', (f: F, k) => {
              f['(address)'] = state(k).peekMember(family, now(index, k), ' file') - 1;
              const file = fileOf === undefined ? 0 : fileOf(f, k) + 1;
              state(k).setMember(family, now(index, k), file, ' file');
            }),
            b.when('another sync file had the name', (f: F) => f['(address)'] > 0, [
              b.call(sync_close, (f: F) => ({ fd: f['(address)'] }), '(length)'),
            ]),
          ]
        : []),
      b.atomic('the fence', (f: F, k) => {
        f['(handle)'] = state(k).peekMember(family, now(index, k)) - 1;
        state(k).setMember(family, now(index, k), f['(result)'] + 1);
      }),
      b.step('its submission', (f: F, k) => {
        state(k).setMember(family, now(index, k), f['(index)'], ' submission');
      }),
      b.when('another fence had the name', (f: F) => f['(handle)'] > 0, [
        b.call(fence_forget, (f: F) => ({ handle: f['(handle)'] }), '(result)'),
      ]),
    ];
  }

  /** The device's commands for one command of a scenario. */
  private commands(c: Command): DeviceCommand[] {
    const on = (id: number, extent: Extent, text: string, value?: Value) => ({
      text: `${text} ${extent.surface.name}`,
      make: (k: Engine): SvgaCommand => {
        const offset = now(extent.start, k);
        const end = extent.end === undefined ? extent.surface.bytes : now(extent.end, k);
        const sid = state(k).get(`surface ${extent.surface.name}`);
        const byte = value === undefined ? 0 : now(value, k);
        if (end <= offset) fail(k, extent, `${textOf(k, extent)} is empty`);
        return svgaCommand({ id, sid, ...ofBytes(offset, Math.max(0, end - offset)), value: byte });
      },
    });
    switch (c.verb) {
      case 'draw':
        return [
          ...c.reads.map((r) => on(GPU_CMD_READ, r, 'read')),
          ...c.writes.map((w) => on(GPU_CMD_WRITE, w.extent, 'write', w.value)),
        ];
      case 'drawBound':
        return [
          {
            text: 'draw',
            make: (k) => drawBound(c.value === undefined ? 0 : now(c.value, k)),
          },
        ];
      case 'bind':
      case 'unbind':
        return []; // see queueBinding
      case 'clear':
        return [on(GPU_CMD_WRITE, c.target, 'clear', c.value)];
      case 'copy':
        return [
          {
            text: `copy ${c.source.surface.name} to ${c.target.surface.name}`,
            make: (k) => ({
              ...on(SVGA_3D_CMD_DX_BUFFER_COPY, c.source, 'copy', c.target.start).make(k),
              arg: state(k).get(`surface ${c.target.surface.name}`),
            }),
          },
        ];
      case 'update':
      case 'readback':
      case 'invalidate':
        return [this.ownCommand(c)];
      case 'genmips':
        return [on(SVGA_3D_CMD_DX_GENMIPS, c.target, 'generate the levels of')];
      case 'present':
        return [on(GPU_CMD_READ, c.target, 'show')];
    }
  }

  /** The command of an update, a readback or an invalidate of the application: of the surface, or of a subresource of it. */
  private ownCommand(c: Command & { verb: 'update' | 'readback' | 'invalidate' }): DeviceCommand {
    const { verb, target, image } = c;
    const { name, shape } = target.surface;
    const box = image === undefined ? undefined : wholeBox(shape, image);
    const part = verb === 'update' && shape.format === SVGA3D_BUFFER;
    const fields = (k: Engine): Partial<SvgaCommand> => {
      const { offset, length } = rangesOf(c, k)[0]!;
      if (length <= 0) fail(k, target, `${textOf(k, target)} is empty`);
      const bounds = box === undefined ? ofBytes(offset, Math.max(0, length)) : ofBox(box);
      return { sid: state(k).get(`surface ${name}`), ...bounds };
    };
    const subresource = image ?? (part ? 0 : undefined);
    const whole = (k: Engine) => svgaCommand({ ...fields(k), id: wholeIds[verb] });
    if (subresource === undefined) return { text: `${verb} ${name}`, make: whole };
    return {
      text: `${verb} ${name}`,
      make: (k) => svgaCommand({ ...fields(k), ...bySubresource(verb, subresource) }),
      // Without shader models the device knows subresources as levels of faces.
      makeByFace: (k) => svgaCommand({ ...fields(k), ...byFace(verb, subresource, shape.mips) }),
    };
  }

  /** Gives back a surface, or what it holds. */
  private givenUp(b: AnyBuilder, kind: 'destroy' | 'purge', { index, bytes }: SurfaceMeaning) {
    return kind === 'destroy'
      ? b.call(
          gb_surface_destroy,
          (f: F) => ({ handle: f['(handle)'], surface: index }),
          '(result)',
        )
      : b.call(
          purge_surface,
          (f: F) => ({ handle: f['(handle)'], surface: index, bytes }),
          '(result)',
        );
  }

  /** The image that a display takes for its cursor; no other was shown before. */
  private cursor(b: AnyBuilder, s: Step & { kind: 'cursor' }): Node[] {
    const set = s.into && this.setter(s.into);
    return [
      b.step('its handle', (f: F, k) => {
        f['(handle)'] = state(k).get(`surface ${s.surface.name}`);
      }),
      b.call(cursor_surface, (f: F) => ({ handle: f['(handle)'], shown: -1 }), '(result)'),
      set !== undefined
        ? b.when('there is an image', (f: F) => f['(result)'] >= 0, [
            b.step(`${s.into?.name} = its first byte`, (f: F, k) => set(f, k, f['(result)'])),
          ])
        : [],
      b.step('no error', (f: F) => {
        f['(result)'] = Math.min(f['(result)'], 0);
      }),
      ...this.returned(b, s, 'cursor', s.error),
    ];
  }

  /** What a debugger does to a range of a mapping. */
  private debugged(b: AnyBuilder, s: Step & { kind: 'peek' | 'poke' }): Node[] {
    const range = (f: F) => ({ address: f['(address)'], length: f['(length)'] });
    if (s.kind === 'poke') {
      const { value } = s;
      return [
        this.bounds(b, s.target),
        b.atomic('the value', (f: F, k) => this.valueOf(f, k, value)),
        b.call(
          poke,
          (f: F) => ({ ...range(f), unique: value === undefined, value: f['(value)'] }),
          '(result)',
        ),
        ...this.returned(b, s, 'poke', s.error),
      ];
    }
    return [
      b.step('nothing is loaded yet', (_f: F, k) => {
        state(k).takeLoaded(k.task);
      }),
      this.bounds(b, s.target),
      b.call(peek, range, '(result)'),
      ...this.returned(b, s, 'peek', s.error),
      b.when('it was read', (f: F) => f['(result)'] === 0, [this.loaded(b, s.into)]),
    ];
  }

  private usercopy(b: AnyBuilder, s: Step & { kind: 'usercopy' }): Node[] {
    const { value, left } = s;
    const range = (f: F) => ({ to: f['(address)'], n: f['(length)'] });
    const set = left && this.setter(left);
    const write = value !== 'load';
    return [
      this.bounds(b, s.target),
      b.variant('memory-layer', [
        b.call(layer_touch, (f: F) => ({
          address: f['(address)'],
          length: f['(length)'],
          write,
        })),
      ]),
      ...(value === 'load'
        ? this.access(
            b,
            [{ range: s.target, stores: false }],
            b.call(copy_from_user, range, '(result)'),
          )
        : [
            b.atomic('the value', (f: F, k) => this.valueOf(f, k, value)),
            ...this.access(
              b,
              [{ range: s.target, stores: true }],
              b.call(
                copy_to_user,
                (f: F) => ({ ...range(f), unique: value === undefined, value: f['(value)'] }),
                '(result)',
              ),
            ),
          ]),
      set !== undefined
        ? b.step(`${left?.name} = the bytes that were not copied`, (f: F, k) =>
            set(f, k, f['(result)']),
          )
        : b.when('not all was copied', (f: F) => f['(result)'] > 0, [
            b.step('nobody asks', (f: F, k) =>
              fail(k, s, `${f['(result)']} bytes were not copied: -EFAULT`),
            ),
          ]),
    ];
  }

  /** What a store writes: a value, or a word that no other store writes. */
  private valueOf(f: F, k: Engine, value: Value | undefined): void {
    if (value !== undefined) f['(value)'] = now(value, k);
    else {
      state(k).set('stores', state(k).get('stores') + 1);
      f['(value)'] = state(k).get('stores');
    }
  }

  private poll(b: AnyBuilder, { member, into }: Step & { kind: 'poll' }): Node[] {
    const { family, index } = member;
    const set = this.setter(into);
    return [
      b.step('its submission', (f: F, k) => {
        f['(index)'] = now(index, k);
        f['(value)'] = state(k).peekMember(family, f['(index)'], ' submission');
        f['(result)'] = 0;
      }),
      b.when('it was submitted', (f: F) => f['(value)'] !== 0, [
        b.step('its handle', (f: F, k) => {
          f['(handle)'] = k.store.read(state(k).at(familyField(family), f['(index)'])) - 1;
        }),
        ...this.bySyncFile(
          b,
          family,
          b.call(
            sync_poll,
            (f: F) => ({ fd: f['(address)'], submission: f['(value)'] }),
            '(result)',
          ),
          b.call(
            fence_poll,
            (f: F) => ({ handle: f['(handle)'], submission: f['(value)'] }),
            '(result)',
          ),
        ),
      ]),
      b.step(`${into.name} = whether it is over`, (f: F, k) =>
        set(f, k, Number(f['(result)'] === 1)),
      ),
    ];
  }

  /** Asks the sync file of a fence where it has one, in a family some of which do; else the fence. */
  private bySyncFile(b: AnyBuilder, family: Family, file: Node, fence: Node): Node[] {
    if (!this.exported.has(family.name)) return [fence];
    return [
      b.step('its sync file', (f: F, k) => {
        f['(address)'] = k.store.read(state(k).at(`${familyField(family)} file`, f['(index)'])) - 1;
      }),
      b.when('it has one', (f: F) => f['(address)'] >= 0, [file], [fence]),
    ];
  }

  /** The sync file that a submission gets, when the other one has been made. */
  private sourceOf(b: AnyBuilder, { family, index }: Member): Node[] {
    return [
      b.step('which sync file', (f: F, k) => {
        f['(index)'] = now(index, k);
      }),
      b.wait(
        'until it was submitted',
        (f: F, k) => state(k).peekMember(family, f['(index)'], ' submission') !== 0,
      ),
      b.step('its descriptor', (f: F, k) => {
        f['(behind)'] = state(k).peekMember(family, f['(index)'], ' file') - 1;
      }),
    ];
  }

  private waitFence(
    b: AnyBuilder,
    { member: { family, index }, how, error, ...span }: Step & { kind: 'wait' },
  ): Node[] {
    const args = (f: F) => ({ handle: f['(handle)'], submission: f['(value)'] });
    const timeout = { event: 0, nowait: 0, timeout: 1, none: MAX_SCHEDULE_TIMEOUT }[how ?? 'none'];
    const ask = b.call(fence_wait, (f: F) => ({ ...args(f), timeout }), '(result)');
    const waits =
      how === 'event'
        ? [b.call(fence_event_wait, args, '(result)')]
        : how !== undefined
          ? [ask]
          : this.bySyncFile(
              b,
              family,
              b.call(
                sync_wait,
                (f: F) => ({ fd: f['(address)'], submission: f['(value)'] }),
                '(result)',
              ),
              ask,
            );
    return [
      b.step('which fence', (f: F, k) => {
        f['(index)'] = now(index, k);
      }),
      b.wait(
        'until it was submitted',
        (f: F, k) => state(k).peekMember(family, f['(index)'], ' submission') !== 0,
      ),
      // When another submission takes the name meanwhile, the handle may be gone: then for the fence of that one.
      b.loop('until a handle was good', [
        b.step('its submission', (f: F, k) => {
          f['(value)'] = k.store.read(
            state(k).at(`${familyField(family)} submission`, f['(index)']),
          );
        }),
        b.step('its handle', (f: F, k) => {
          f['(handle)'] = k.store.read(state(k).at(familyField(family), f['(index)'])) - 1;
        }),
        ...waits,
        b.when('it was', (f: F) => f['(result)'] !== -EINVAL, [b.leave()]),
      ]),
      ...(how === undefined && error === undefined ? [] : this.returned(b, span, 'wait', error)),
    ];
  }

  private waitEvent(b: AnyBuilder, { family, index }: Member): Node[] {
    return [
      b.step('which event', (f: F, k) => {
        f['(index)'] = now(index, k);
      }),
      b.wait('until it is signaled', (f: F, k) => state(k).peekMember(family, f['(index)']) !== 0),
      b.step('go on', (f: F, k) => {
        const from = k.store.read(state(k).at(familyField(family), f['(index)'])) - 1;
        k.emit(synchronized, { from });
      }),
    ];
  }

  /** Address and length of a range of a mapping. */
  private bounds(b: AnyBuilder, range: Range): Node {
    return b.step('the range', (f: F, k) => {
      const base = look(k).variable(range.mapping);
      const start = now(range.start, k);
      const end = range.end === undefined ? look(k).mapped(range.mapping).bytes : now(range.end, k);
      f['(address)'] = base + start;
      f['(length)'] = end - start;
    });
  }

  /** The signal that an access ended with has a name, or is reported. */
  private signal(b: AnyBuilder, s: Span, error: Variable | undefined): Node[] {
    const signal = (f: F) => f['(result)'] & 255;
    if (error !== undefined) {
      const set = this.setter(error);
      return [b.step(`${error.name} = the signal, or 0`, (f: F, k) => set(f, k, signal(f)))];
    }
    return [
      b.when('a signal', (f: F) => f['(result)'] !== 0, [
        b.step('the access ends with a signal', (f: F, k) => {
          const name = Object.entries(errors).find(
            ([name, { value }]) => name.startsWith('SIG') && value === signal(f),
          )?.[0];
          const at = f['(address)'].toString(16);
          fail(k, s, `the access at ${at} ends with ${name ?? `signal ${signal(f)}`}`, 'signal');
        }),
      ]),
    ];
  }

  /** The first byte that the loads of this statement saw. */
  private loaded(b: AnyBuilder, into: Variable | undefined): Node {
    const set = into && this.setter(into);
    return b.step(into === undefined ? 'the byte' : `${into.name} = the byte`, (f: F, k) => {
      const byte = state(k).takeLoaded(k.task);
      if (byte >= 0) set?.(f, k, byte);
    });
  }

  private setter(
    v: Variable,
    local = localName(this.meaning, v),
  ): (f: F, k: Engine, value: number) => void {
    if (isLocal(v)) {
      return (f, _k, value) => {
        f[local] = value;
      };
    }
    return (_f, k, value) => state(k).set(fieldName(v), value);
  }

  private getter(v: Variable, local: string): (f: F, k: Engine) => number {
    return isLocal(v) ? (f) => f[local] : (_f, k) => state(k).get(fieldName(v));
  }
}

function fail(k: Engine, span: Span, message: string, kind = 'error'): void {
  k.parts.scenario.fail(kind, message, span.from);
}

const textOf = (k: Engine, span: Span): string => k.parts.scenario.textOf(span);

/** What the two sides of a comparison are, for the message. */
function sides(k: Engine, condition: Value): string {
  if (condition.kind !== 'binary') return '';
  const side = (v: Value) => (v.kind === 'number' ? [] : [`${textOf(k, v)} is ${now(v, k)}`]);
  const parts = [...side(condition.left), ...side(condition.right)];
  return parts.length === 0 ? '' : `: ${parts.join(', ')}`;
}
