// Puts a run together: the machine for a scenario's meaning, sized by what it declares, with the contract, the counters
// and the scenario's own state beside it.
import { Contract, type ContractLimits } from '../contract/observer';
import { PAGE_SIZE } from '../hardware/pte';
import { deviceParts } from '../hardware/svga/device';
import { driverParts } from '../kernel/drivers/gpu/drm/vmwgfx/vmwgfx_drv';
import { ofHandle } from '../kernel/drivers/gpu/drm/vmwgfx/vmwgfx_fence';
import { task_mmu_statics } from '../kernel/fs/proc/task_mmu';
import { FaultInjection } from '../kernel/lib/fault-inject';
import { HPAGE_PMD_NR } from '../kernel/mm/huge_memory';
import { find_vma } from '../kernel/mm/mmap';
import { type VariantChange, variantSet } from '../kernel/variants';
import {
  agentsOf,
  buildMachine,
  type Limits,
  type MachineSpec,
  type Part,
  type ProcessTask,
  programOf,
} from '../machine/machine';
import { Checker } from '../routine/check';
import type { Engine } from '../routine/engine';
import type { Program } from '../routine/program';
import type { Routine, VariantSet } from '../routine/routine';
import { isNull, NULL } from '../state/layout';
import { contextParts } from '../user/context';
import { layerParts } from '../user/layer';
import { bufferCommands } from '../user/limits';
import { transferParts } from '../user/transfer';
import { Counters } from './counters';
import { MachineLook, type Whereabouts } from './look';
import {
  allSteps,
  createdLate,
  deviceCommands,
  exportedFences,
  innerSteps,
  type ScenarioMeaning,
  type Step,
  type SurfaceMeaning,
  settingVariants,
  submits,
} from './meaning';
import { localName, type PlannedTask, planTasks } from './plan';
import { Run, type RunTask } from './run';
import type { Sources } from './sources';
import { ScenarioState, scenarioStaticSize, scenarioStruct } from './state';
import { roomOf, rootOf, sharesBytes } from './surfaces';

/** Commands of the device's ring: more than one submission with its updates ever has in flight. */
const ringCommands = 4096;

/** Command buffers on their way at a time; who has more to submit waits. */
const commandBuffers = 64;

/** Mappings, or pieces of them, that a statement in loops may leave behind before mmap() finds no memory. */
const mappingsInLoops = 256;

/** The variants of a scenario's machine; what somebody else asks for comes behind what the text says, and wins. */
export function variantsOf({ machine }: ScenarioMeaning, asked: Asked = {}): VariantSet {
  const own = settingVariants(machine);
  const kernel = asked.kernel ?? machine.kernel;
  const { without } = machine;
  return variantSet(kernel as never, { with: [...own, ...machine.with], without }, asked);
}

interface Asked extends VariantChange {
  readonly kernel?: string | undefined;
}

/** The routines of a scenario's machine, without the machine. */
export function composeProgram(meaning: ScenarioMeaning, kernel: VariantSet): Program {
  return programOf(specOf(meaning, kernel).spec);
}

/** How many agents a scenario's machine has: a schedule names them by numbers from 0. */
export function agentCount(meaning: ScenarioMeaning): number {
  return agentsOf(specOf(meaning, variantsOf(meaning)).spec);
}

/** What a scenario's machine is made of. */
function specOf(meaning: ScenarioMeaning, kernel: VariantSet) {
  const tasks = planTasks(meaning);
  const points = failurePointsOf(meaning);
  const variants = { ...kernel, points, uses: usesOf(meaning) };
  const sizes = sizesOf(meaning, tasks, variants);
  const struct = scenarioStruct(meaning);
  const device = deviceParts(sizes.device);
  const driver = driverParts(sizes.driver);
  const library = [
    ...(keepsMemory(meaning, variants) ? [transferParts(meaning.surfaces.length)] : []),
    ...(variants.active.has('memory-layer') ? [layerParts(sizes.layer)] : []),
    ...(sizes.device.contexts > 0 ? [contextParts(tasks.length)] : []),
  ];
  const own: Part = {
    statics: [scenarioStaticSize(struct), ...task_mmu_statics],
    regions: (plan) => {
      Contract.reserve(plan, sizes.contract);
      Counters.reserve(plan);
      if (points.size > 0) FaultInjection.reserve(plan);
    },
    ...(points.size > 0 ? { rules: [FaultInjection.rule] } : {}),
  };
  const spec: MachineSpec = {
    variants,
    cpus: meaning.machine.cpus,
    processes: meaning.processes.length,
    tasks: tasks.map(({ name, cpu, root, process }): ProcessTask => ({ name, cpu, root, process })),
    limits: sizes.machine,
    parts: [device, driver, ...library, own],
    deviceInterrupt: driver.irqHandler as Routine,
  };
  return { spec, tasks, points, sizes, struct };
}

/** A run that stands before its first step. With `checked`, every access is held to the rules of routines. */
export function composeRun(
  meaning: ScenarioMeaning,
  sources: Sources,
  kernel: VariantSet,
  checked = false,
): Run {
  const { spec, tasks, points, sizes, struct } = specOf(meaning, kernel);
  const machine = buildMachine(spec);
  const { engine } = machine;
  const contract = new Contract(engine, sizes.contract, (surface, sid) =>
    engine.parts.svga.copyNamed(surface, sid),
  );
  contract.surfaceName = (surface) => meaning.surfaces[surface]?.name ?? `surface ${surface}`;
  contract.submissionName = (submission) => {
    const name = fenceOf(meaning, state, submission);
    return `submission ${submission}${name === undefined ? '' : ` (fence ${name})`}`;
  };
  const faults = points.size > 0 ? new FaultInjection(engine) : undefined;
  if (faults !== undefined) engine.parts.faults = faults;
  for (const { point, ...attr } of meaning.failures) faults?.arm(point, attr);
  const counters = new Counters(engine);
  const state = new ScenarioState(engine, struct);
  const where = whereabouts(engine, meaning, tasks, machine.mms, state);
  const look = new MachineLook(engine, meaning, state, where, contract, counters);
  const runTasks: RunTask[] = tasks.map((t, task) => ({
    task,
    process: meaning.processes[t.process]?.name,
  }));
  // The device's engine, and the worker of delayed destruction if there is one.
  for (let task = tasks.length; task < engine.taskCount - engine.cpus; task++) {
    runTasks.push({ task, process: undefined });
  }
  const parts = {
    meaning,
    sources,
    engine,
    contract,
    counters,
    state,
    look,
    where,
    tasks: runTasks,
  };
  const run = new Run(parts);
  engine.parts.scenario = {
    state,
    look,
    mm: where.mm,
    task: (process, thread) =>
      tasks.findIndex((t) => t.thread === thread && meaning.processes[t.process]?.name === process),
    arm: (point, attr) => faults?.arm(point, attr),
    fail: (kind, message, place) => run.fail(kind, message, place),
    textOf: (span) => run.textOf(span),
  };
  if (checked) engine.checker = new Checker(machine.rules);
  engine.store.settle();
  return run;
}

/** Whether user space has to do something for the memory of a surface. */
function keepsMemory(meaning: ScenarioMeaning, { active }: VariantSet): boolean {
  const asks = ({ kind }: Step) => kind === 'flush' || kind === 'invalidate';
  return (
    active.has('memory-explicit') || active.has('memory-layer') || [...allSteps(meaning)].some(asks)
  );
}

/** What a scenario uses that leaves operations in its machine. */
function usesOf(meaning: ScenarioMeaning): ReadonlySet<string> {
  const uses = new Set<string>();
  if (has(meaning, 'kill')) uses.add('signals');
  if (exportedFences(meaning).size > 0) uses.add('sync files');
  if (submits(meaning, 'bind')) uses.add('contexts');
  if (usesVram(meaning)) uses.add('vram').add('bare objects');
  if (has(meaning, 'purge')) uses.add('bare objects');
  if (has(meaning, 'cursor')) uses.add('kernel maps');
  return uses;
}

const has = (meaning: ScenarioMeaning, ...kinds: readonly Step['kind'][]): boolean =>
  [...allSteps(meaning)].some(({ kind }) => kinds.includes(kind));

/** Whether a buffer object leaves system pages, or is known to the device by another name than that of a MOB. */
const usesVram = (meaning: ScenarioMeaning): boolean =>
  [...allSteps(meaning)].some((s) => s.kind === 'pin' && s.where !== undefined);

/** The points that a scenario makes fail: all others are left out of its machine. */
function failurePointsOf(meaning: ScenarioMeaning): ReadonlySet<string> {
  const found = new Set<string>(meaning.failures.map(({ point }) => point));
  for (const step of allSteps(meaning)) if (step.kind === 'fail') found.add(step.point);
  return found;
}

/** The scenario's name for the fence of a submission, if it has one. */
function fenceOf(
  meaning: ScenarioMeaning,
  state: ScenarioState,
  submission: number,
): string | undefined {
  for (const family of meaning.fences) {
    for (let i = 0; i < family.size; i++) {
      if (state.peekMember(family, i, ' submission') !== submission) continue;
      return family.size > 1 ? `${family.name}[${i}]` : family.name;
    }
  }
  return undefined;
}

/** Rooms for everything a scenario can have at a time. */
function sizesOf(meaning: ScenarioMeaning, tasks: readonly PlannedTask[], variants: VariantSet) {
  const { surfaces, processes } = meaning;
  const pagesOf = (bytes: number) => Math.ceil(bytes / PAGE_SIZE);
  const pages = surfaces.map((s) =>
    s.store.root === undefined ? pagesOf(roomOf(s, surfaces)) : 0,
  );
  const most = Math.max(1, ...pages);
  const all = pages.reduce((sum, n) => sum + n, 0);
  const maps = count(meaning, (s) => Number(s.kind === 'map'));
  const splits = count(meaning, (s) =>
    Number(['unmap', 'protect', 'advise', 'remap'].includes(s.kind)),
  );
  // Where the author chose an address, each mapping may need tables of its own at every level.
  const tablesFor = (pages: number) => 3 + Math.ceil(pages / 512) + 1;
  const tables = count(meaning, (s) => {
    if (s.kind === 'map') return tablesFor(pagesOf(s.surface.bytes));
    return s.kind === 'remap' ? tablesFor(most) : 0;
  });
  const commands = keepsMemory(meaning, variants) ? bufferCommands : mostCommands(meaning);
  const submissions = meaning.fences.reduce((sum, f) => sum + f.size, 0) + 64;
  // What is made again may be there beside what it was before, which lives as long as it is mapped or used.
  const again = (weight: (s: SurfaceMeaning) => number) =>
    Math.max(
      0,
      count(meaning, (s) => (s.kind === 'create' ? weight(s.surface) : 0)) -
        surfaces.reduce((sum, s) => sum + (s.later === undefined ? 0 : weight(s)), 0),
    );
  const objects = Math.max(1, surfaces.length + again(() => 1));
  const pagesAgain = again((s) => pagesOf(roomOf(s, surfaces)));
  // Room to align the frames of large surfaces to huge pages.
  const aligned = variants.active.has('huge-faults') ? HPAGE_PMD_NR * (surfaces.length + 1) : 0;
  const watched = variants.active.has('memory-layer') ? Math.min(4096, most) : 0;
  const contexts = variants.uses?.has('contexts') === true ? tasks.length : 0; // one each
  const vram = usesVram(meaning);
  const late = createdLate(meaning).size > 0;
  const machine: Limits = {
    frames: all + pagesAgain + 64 + processes.length * privatePages(meaning, pagesOf) + aligned,
    tables: processes.length * (4 + tables),
    vmas: 8 + processes.length * (maps * (4 + watched) + splits * 2),
    files: 8,
    ...(vram ? { vram: meaning.machine.vramPages } : {}),
    heldLocks: 16 + surfaces.length, // a submission reserves the objects of all
  };
  const contract: ContractLimits = {
    surfaceBytes: surfaces.map((s) => s.bytes),
    sharedWith: surfaces.map((s) => surfaces.findIndex((other) => sharesBytes(s, other))),
    plain: variants.active.has('memory-noncoherent') || surfaces.some((s) => !s.coherent),
    abandons: late || has(meaning, 'purge') || submits(meaning, 'invalidate'),
    ...(late ? { storedWith: surfaces.map((s) => rootOf(s).index) } : {}),
    mappings: machine.vmas,
    tasks: tasks.length + 1 + meaning.machine.cpus,
  };
  return {
    machine,
    contract,
    // A layer protects pages one by one: each may need a VMA of its own.
    layer: { surfaces: objects, pages: most, mappings: machine.vmas },
    device: {
      surfaces: objects,
      surfaceBytes: most * PAGE_SIZE,
      objects,
      objectPages: most,
      ringCommands,
      contexts,
      gmrs: vram,
      lastSeqno: meaning.machine.lastSeqno,
    },
    driver: {
      surfaces: objects,
      surfacePages: most,
      subresources: Math.max(1, ...surfaces.map(({ shape }) => shape.mips * shape.layers)),
      fences: submissions,
      submitters: tasks.length,
      commands,
      userCommands: bufferCommands * tasks.length,
      mobPages: meaning.machine.mobPages,
      commandBuffers: variants.active.has('submission-buffers') ? commandBuffers : 0,
      ...(vram ? { vramPages: meaning.machine.vramPages } : {}),
      destroys: has(meaning, 'destroy'),
      lastSeqno: meaning.machine.lastSeqno,
      syncFiles: exportedFences(meaning).size > 0 ? submissions : 0,
      events: [...allSteps(meaning)].some((s) => s.kind === 'wait' && s.how === 'event')
        ? tasks.length
        : 0,
      contexts,
      debugged: has(meaning, 'peek', 'poke'),
      swap: has(meaning, 'swapout', 'suspend'),
    },
  };
}

/**
 * What the steps weigh that there can be: what those of a loop leave behind may all stay, as far as that can be meant.
 * So many mappings there can be at a time.
 */
function count(meaning: ScenarioMeaning, weight: (step: Step) => number): number {
  const within = (steps: readonly Step[], turns: number): number =>
    steps.reduce((sum, s) => {
      const own = sum + turns * weight(s);
      if (s.kind !== 'repeat') return own + within(innerSteps(s), turns);
      const wanted = s.count.kind === 'number' ? s.count.value : mappingsInLoops;
      return own + within(s.body, Math.min(turns * wanted, Math.max(mappingsInLoops, turns)));
    }, 0);
  return meaning.processes.reduce(
    (sum, p) => sum + within(p.setup, 1) + p.threads.reduce((n, t) => n + within(t.body, 1), 0),
    0,
  );
}

/** The most device commands that one submission has. */
function mostCommands(meaning: ScenarioMeaning): number {
  const counts = [...allSteps(meaning)].map((s) =>
    s.kind === 'submit' ? deviceCommands(s.commands) : 0,
  );
  return Math.max(1, ...counts);
}

/** Pages that private mappings may copy. */
function privatePages(meaning: ScenarioMeaning, pagesOf: (bytes: number) => number): number {
  return [...allSteps(meaning)].reduce(
    (sum, s) => sum + (s.kind === 'map' && s.private ? pagesOf(s.surface.bytes) : 0),
    0,
  );
}

function whereabouts(
  k: Engine,
  meaning: ScenarioMeaning,
  tasks: readonly PlannedTask[],
  mms: readonly number[],
  state: ScenarioState,
): Whereabouts {
  const resource: Whereabouts['resource'] = (surface) => {
    const handle = state.get(`surface ${surface.name}`);
    const at = handle <= 0 ? 0 : ofHandle(k.the('surface_handles', 'vmw_fpriv'), handle);
    return at === 0 ? NULL : k.view('vmw_resource', at);
  };
  const mm = (process: string): number => {
    const index = meaning.processes.findIndex((p) => p.name === process);
    return mms[index] ?? 0;
  };
  return {
    mm,
    root: (process) => k.view('mm_struct', mm(process)).pgd,
    local: (variable) => {
      const task = tasks.findIndex(
        (t) =>
          t.thread === variable.thread && meaning.processes[t.process]?.name === variable.process,
      );
      const { root, calls } = tasks[task]!;
      const routine = variable.frame === 0 ? root : calls.get(variable.frame);
      return { task, routine, field: localName(meaning, variable) };
    },
    resource,
    vma: (mapping, offset) => {
      const base = k.parts.scenario.look.variable(mapping);
      const vma = find_vma(k.view('mm_struct', mm(mapping.process)), base + offset);
      return base === 0 || isNull(vma) || vma.vm_start > base + offset ? undefined : vma;
    },
    object: (surface) => {
      const found = resource(surface);
      return isNull(found) ? NULL : found.backup;
    },
    fence: (handle) => k.view('dma_fence', ofHandle(k.the('fence_handles', 'vmw_fpriv'), handle)),
  };
}
