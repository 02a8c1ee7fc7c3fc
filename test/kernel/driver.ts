// A small machine with the driver and the device, for tests that drive it through user-space routines.

import type { SvgaCommand } from '../../src/hardware/svga/commands';
import { svgaCommand } from '../../src/hardware/svga/commands';
import { deviceParts } from '../../src/hardware/svga/device';
import { bufferShape, type SurfaceShape } from '../../src/hardware/svga/shapes';
import { MAX_SCHEDULE_TIMEOUT } from '../../src/kernel/drivers/dma-buf/dma-fence';
import { driverParts } from '../../src/kernel/drivers/gpu/drm/vmwgfx/vmwgfx_drv';
import { vmw_irq_handler } from '../../src/kernel/drivers/gpu/drm/vmwgfx/vmwgfx_irq';
import { type Preset, variantSet } from '../../src/kernel/variants';
import { buildMachine, type Machine, type ProcessTask } from '../../src/machine/machine';
import { Checker } from '../../src/routine/check';
import { type AnyBuilder, type Node, routine } from '../../src/routine/routine';
import { defaultAgent } from '../../src/routine/schedule';
import { type Fields, int, long } from '../../src/state/layout';
import { queueCommand } from '../../src/user/commandBuffer';
import { commandsMax } from '../../src/user/limits';
import * as winsys from '../../src/user/winsys';

export interface DriverOptions {
  readonly preset?: Preset;
  readonly with?: readonly string[];
  readonly without?: readonly string[];
  readonly pages?: number;
  readonly surfaces?: number;
  readonly subresources?: number;
  readonly check?: boolean;
  readonly frames?: number;
  readonly mobPages?: number;
  readonly locals?: Fields; // of the threads, beside those of this file
  readonly commandBuffers?: number;
  readonly ringCommands?: number;
}

/** A machine whose tasks are the bodies given, each a thread of its own process number 0 on CPU 0, 1, ... */
export function driverMachine(
  bodies: readonly ((b: AnyBuilder) => Node[])[],
  options: DriverOptions = {},
): Machine {
  const { preset = 'series-v2', pages = 32, surfaces = 2 } = options;
  const tasks: ProcessTask[] = bodies.map((body, i) => ({
    name: `thread ${i}`,
    process: 0,
    cpu: i,
    root: routine(
      'test',
      `thread ${i}`,
      { mode: 'user', locals: { ...locals, ...options.locals } },
      body,
    ),
  }));
  const machine = buildMachine({
    variants: variantSet(preset, options),
    cpus: Math.max(1, bodies.length),
    processes: 1,
    tasks,
    limits: { frames: options.frames ?? surfaces * pages, tables: 24, vmas: 8, files: 2 },
    parts: [
      driverParts({
        surfaces,
        surfacePages: pages,
        subresources: options.subresources ?? 1,
        fences: 16,
        submitters: bodies.length,
        commands: 16,
        userCommands: tasks.length * commandsMax,
        swap: true,
        destroys: true,
        commandBuffers:
          options.with?.includes('submission-buffers') === true ? (options.commandBuffers ?? 8) : 0,
        ...(options.mobPages === undefined ? {} : { mobPages: options.mobPages }),
      }),
      deviceParts({
        surfaces,
        surfaceBytes: pages * 4096,
        objects: surfaces,
        objectPages: pages,
        ringCommands: options.ringCommands ?? 32,
      }),
    ],
    deviceInterrupt: vmw_irq_handler,
  });
  if (options.check ?? true) machine.engine.checker = new Checker(machine.rules);
  return machine;
}

const locals = { handle: int, other: int, fence: int, result: int, address: long, i: int, n: int };

/** Arguments of a surface in a buffer of its own. */
export const alone = { room: 0, buffer: 0, offset: 0 };

/** Statements over the locals above. */
export const create = (b: AnyBuilder, bytes: number, coherent = true): Node =>
  createShape(b, bufferShape(bytes), coherent);
export const createShape = (b: AnyBuilder, shape: SurfaceShape, coherent = true): Node =>
  b.statement(undefined, [
    b.call(winsys.gb_surface_create, () => ({ surface: 0, shape, coherent, ...alone }), 'handle'),
  ]);
/** A surface at the start of a larger buffer. */
export const createIn = (b: AnyBuilder, bytes: number, room: number): Node =>
  b.statement(undefined, [
    b.call(
      winsys.gb_surface_create,
      () => ({ surface: 0, shape: bufferShape(bytes), coherent: true, ...alone, room }),
      'handle',
    ),
  ]);
/** Another surface in the buffer of the first; its handle is `other`. */
export const createBeside = (b: AnyBuilder, bytes: number, offset: number): Node =>
  b.statement(undefined, [
    b.call(
      winsys.gb_surface_create,
      (f) => ({
        surface: 1,
        shape: bufferShape(bytes),
        coherent: true,
        room: 0,
        buffer: f.handle,
        offset,
      }),
      'other',
    ),
  ]);
export const map = (b: AnyBuilder, bytes: number): Node =>
  b.statement(undefined, [
    b.call(
      winsys.map_surface,
      (f) => ({
        handle: f.handle,
        surface: 0,
        offset: 0,
        length: bytes,
        at: -1,
        readonly: false,
        private: false,
      }),
      'address',
    ),
  ]);
export const write = (b: AnyBuilder, offset: number, length: number, value: number): Node =>
  b.statement(undefined, [
    b.call(
      winsys.user_write,
      (f) => ({ address: f.address + offset, length, unique: false, value }),
      'result',
    ),
  ]);
export const read = (b: AnyBuilder, offset: number, length: number): Node =>
  b.statement(undefined, [
    b.call(winsys.user_read, (f) => ({ address: f.address + offset, length }), 'result'),
  ]);
export const submit = (
  b: AnyBuilder,
  submission: number,
  commands: readonly Partial<SvgaCommand>[],
  handle: 'handle' | 'other' | 'nothing' = 'handle',
): Node =>
  b.statement(undefined, [
    ...commands.map((c, i) =>
      b.step(`queue ${i}`, (f, k) =>
        queueCommand(k, i, svgaCommand({ ...c, sid: handle === 'nothing' ? 99 : f[handle] })),
      ),
    ),
    b.call(
      winsys.submit,
      () => ({
        first: 0,
        count: commands.length,
        submission,
        forget: false,
        exported: false,
        behind: 0,
        context: 0,
      }),
      'fence',
    ),
  ]);
export const wait = (b: AnyBuilder, submission: number): Node =>
  b.statement(undefined, [
    b.call(
      winsys.fence_wait,
      (f) => ({ handle: f.fence, submission, timeout: MAX_SCHEDULE_TIMEOUT }),
      'result',
    ),
  ]);

export const forget = (b: AnyBuilder): Node =>
  b.statement(undefined, [b.call(winsys.fence_forget, (f) => ({ handle: f.fence }), 'result')]);
export const unmap = (b: AnyBuilder, length: number): Node =>
  b.statement(undefined, [
    b.call(winsys.unmap_surface, (f) => ({ address: f.address, length }), 'result'),
  ]);
export const destroy = (b: AnyBuilder): Node =>
  b.statement(undefined, [
    b.call(winsys.gb_surface_destroy, (f) => ({ handle: f.handle, surface: 0 }), 'result'),
  ]);

/** Runs with the next agent drawn by chance; the device goes on until it has nothing left to do. */
export function runShuffled(machine: Machine, seed: number, stepsMax = 2_000_000): void {
  const { engine } = machine;
  let state = seed * 2654435761;
  const draw = (n: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return (state >>> 8) % n;
  };
  for (;;) {
    const agents: number[] = [];
    for (let a = 0; a < engine.agents; a++) if (engine.runnable(a)) agents.push(a);
    if (agents.length === 0) break;
    if (engine.steps > stepsMax) throw new Error(`no end after ${stepsMax} steps`);
    engine.step(agents[draw(agents.length)]!);
  }
  finish(machine);
}

/** Runs under the default schedule; fails on a rule broken or when nobody can go on. */
export function run(machine: Machine, stepsMax = 2_000_000): void {
  const { engine } = machine;
  for (let agent = defaultAgent(engine); agent >= 0; agent = defaultAgent(engine)) {
    if (engine.steps > stepsMax) throw new Error(`no end after ${stepsMax} steps`);
    engine.step(agent);
  }
  finish(machine);
}

function finish({ engine }: Machine): void {
  const stuck = Array.from({ length: engine.taskCount }, (_, t) => t)
    .filter((t) => !engine.isDaemon(t) && !engine.isFinished(t))
    .map((t) => `${engine.taskName(t)}: ${engine.stack(t).map((s) => s.code.routine.name)}`);
  if (stuck.length > 0) throw new Error(`stuck: ${stuck.join('; ')}`);
  const broken = engine.checker?.broken ?? [];
  if (broken.length > 0) throw new Error(broken.map((x) => x.message).join('\n'));
}

/** Events as lines: `name key=value ...`, with the arguments asked for. */
export function events({ engine }: Machine, wanted: Record<string, string>): string[] {
  return engine.events
    .slice()
    .filter((e) => e.name in wanted)
    .map((e) => {
      const keys = wanted[e.name]!.split(' ').filter((w) => w !== '');
      return [e.name, ...keys.map((key) => `${key}=${e.args[key]}`)].join(' ');
    });
}
