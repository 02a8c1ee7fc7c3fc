// The contract against edges made by hand: what is required, what is a race, and what back in time means.
import { expect, test } from 'vitest';
import '../../src/kernel/include/linux/mm_types';
import { Contract, type ContractLimits } from '../../src/contract/observer';
import { Contents, dataPfn, Memory } from '../../src/hardware/memory';
import { Engine } from '../../src/routine/engine';
import { Program } from '../../src/routine/program';
import { type Routine, routine } from '../../src/routine/routine';
import { structNamed } from '../../src/state/layout';

const limits: ContractLimits = {
  surfaceBytes: [8192, 8192],
  plain: true,
  abandons: true,
  mappings: 4,
  tasks: 4,
};
const address = 0x7f00_0000_0000;
const root = 77;

/** Two application threads, one surface of two pages mapped once, a device copy; edges are told by words. */
class Stage {
  readonly engine: Engine;
  readonly contract: Contract;
  private readonly device: Contents;

  constructor() {
    const idle = routine('t.c', 'cpu_idle', {}, ({ wait }) => [
      wait('hlt', () => false),
    ]) as Routine;
    const none = routine('t.c', 'none', { mode: 'interrupt' }, ({ ret }) => [ret()]) as Routine;
    this.engine = new Engine({
      program: new Program([idle, none], { known: new Set(), active: new Set() }),
      cpus: 1,
      tasks: [0, 1].map((n) => ({ name: `thread${n}`, cpu: 0, root: idle, daemon: true })),
      pools: [
        { struct: structNamed('page_table'), count: 1, tail: 1024 },
        { struct: structNamed('page'), count: 2 },
      ],
      statics: [],
      regions: (plan) => {
        Memory.reserve(plan, 2);
        plan.region('device', 'contents', 32);
        Contract.reserve(plan, limits);
      },
      vectors: [none],
      idle,
    });
    this.engine.parts.memory = new Memory(this.engine, 2);
    this.device = new Contents(this.engine.store, this.engine.store.region('device').base, 8192);
    this.contract = new Contract(this.engine, limits, () => this.device);
    this.contract.surfaceName = () => 'ring';
    this.tell(0, 'surface_created', { surface: 0, bytes: 8192, coherent: true });
    this.tell(0, 'surface_mapped', { surface: 0, root, address, length: 8192, offset: 0 });
  }

  tell(task: number, name: string, args: Record<string, unknown>): void {
    const event = this.engine.events.append(name, this.engine.events.length, task, args);
    for (const hear of this.engine.listeners) hear(event);
  }

  store(offset: number, value: number, task = 0, length = 1): void {
    this.frame(offset).fill(offset % 4096, length, { unique: false, value });
    this.tell(task, 'cpu_store', {
      root,
      address: address + offset,
      pfn: pfnOf(offset),
      length,
      value,
    });
  }

  load(offset: number, task = 0): void {
    this.tell(task, 'cpu_load', { root, address: address + offset, pfn: pfnOf(offset), length: 1 });
  }

  submit(submission: number): void {
    this.tell(0, 'submit', { submission });
  }

  upload(offset: number, length = 1): void {
    for (let i = offset; i < offset + length; i++) {
      this.device.fill(i, 1, { unique: false, value: this.frame(i).peek(i % 4096) });
    }
  }

  readback(offset: number, length = 1): void {
    for (let i = offset; i < offset + length; i++) {
      this.frame(i).fill(i % 4096, 1, { unique: false, value: this.device.peek(i) });
    }
  }

  draw(offset: number, submission: number, length = 1): void {
    this.tell(2, 'gpu_read', { surface: 0, sid: 5, offset, length, submission });
  }

  render(offset: number, value: number, submission: number): void {
    this.device.fill(offset, 1, { unique: false, value });
    this.tell(2, 'gpu_write', { surface: 0, sid: 5, offset, length: 1, value, submission });
  }

  wait(submission: number, task = 0): void {
    this.tell(task, 'fence_waited', { submission });
  }

  get said(): string[] {
    return this.contract.findings().map((f) => `${f.kind}: ${this.contract.tell(f).message}`);
  }

  private frame(offset: number): Contents {
    return this.engine.parts.memory.frame(pfnOf(offset));
  }
}

const pfnOf = (offset: number): number => dataPfn + Math.floor(offset / 4096);

test('R1: a store before the submission that never reached the device is a violation that names the byte', () => {
  const s = new Stage();
  s.store(4097, 9);
  s.submit(1);
  s.draw(4096, 1, 4);
  expect(s.said).toEqual([
    'R1: the GPU read 0 instead of 9, which the CPU had stored before: page 1 of ring, from byte 4097 on',
  ]);
  expect(s.contract.violations()[0]?.cause.at(-1)).toContain('the read that got the old byte');
});

test('R1: the same with an upload holds', () => {
  const s = new Stage();
  s.store(4097, 9);
  s.submit(1);
  s.upload(4097);
  s.draw(4096, 1, 4);
  expect(s.said).toEqual([]);
});

test('R2: a load after the fence must see what the GPU stored', () => {
  const s = new Stage();
  s.submit(1);
  s.render(3, 8, 1);
  s.wait(1);
  s.load(3);
  expect(s.said).toEqual([
    'R2: the CPU read 0 instead of 8, which the GPU had stored before: page 0 of ring, from byte 3 on',
  ]);
  const good = new Stage();
  good.submit(1);
  good.render(3, 8, 1);
  good.readback(3);
  good.wait(1);
  good.load(3);
  expect(good.said).toEqual([]);
});

test('R3: a load of what the GPU writes, without waiting, is the race of the application and no violation', () => {
  const s = new Stage();
  s.submit(1);
  s.render(3, 8, 1);
  s.load(3);
  expect(s.contract.violations()).toEqual([]);
  expect(s.said).toEqual([
    'race: the CPU loaded while submission 1 writes it, whose fence was not waited for: page 0 of ring, from byte 3 on',
  ]);
});

test('R3: a store to what a submission in flight reads is a race, before and after the device gets to it', () => {
  const before = new Stage();
  before.submit(1);
  before.store(3, 1);
  before.draw(3, 1);
  expect(before.said).toEqual([
    'race: the CPU stored while submission 1 reads it, without a submission or a fence between: page 0 of ring, from byte 3 on',
  ]);
  const after = new Stage();
  after.submit(1);
  after.draw(3, 1);
  after.store(3, 1);
  expect(after.said).toEqual([
    'race: the CPU stored while submission 1 reads it, whose fence was not waited for: page 0 of ring, from byte 3 on',
  ]);
  const waited = new Stage();
  waited.submit(1);
  waited.draw(3, 1);
  waited.wait(1);
  waited.store(3, 1);
  expect(waited.said).toEqual([]);
});

test('what one thread waited for, another knows after an event between them', () => {
  const s = new Stage();
  s.submit(1);
  s.render(3, 0, 1);
  s.wait(1, 0);
  s.tell(1, 'synchronized', { from: 0 });
  s.load(3, 1);
  expect(s.said).toEqual([]);
});

test('R4: a readback of the whole page that loses a neighbouring store is a violation', () => {
  const s = new Stage();
  s.store(100, 7);
  s.readback(0, 4096);
  s.load(100);
  expect(s.said).toEqual([
    'R4: the CPU read 0 instead of 7, which the CPU had stored before: page 0 of ring, from byte 100 on',
  ]);
});

test('what is wrong of neighbouring pages in the same way is told once', () => {
  const s = new Stage();
  s.store(4095, 9);
  s.store(4096, 9);
  s.submit(1);
  s.draw(4095, 1);
  s.draw(4096, 1);
  expect(s.contract.violations().map((v) => v.message)).toEqual([
    'the GPU read 0 instead of 9, which the CPU had stored before: pages 0 to 1 of ring, from byte 4095 on',
  ]);
});

test('findings and obligations go back in time', () => {
  const s = new Stage();
  const { store } = s.engine;
  const hash = store.hash();
  const mark = store.mark();
  s.store(4097, 9);
  s.submit(1);
  s.draw(4097, 1);
  expect(s.contract.findings()).toHaveLength(1);
  expect(store.hash()).not.toBe(hash);
  store.rollback(mark);
  expect(s.contract.findings()).toEqual([]);
  expect(store.hash()).toBe(hash);
  s.draw(4097, 1);
  expect(s.said).toEqual([]);
});
