// What a scenario's own names stand for among the locations of its machine, and which location an expression is of.
import type { Cells, Names } from '../machine/location/location';
import { pteBit } from '../machine/location/values';
import { isNull } from '../state/layout';
import type { BehindLook, Family, Place, Value, Variable } from './meaning';
import { isLocal } from './meaning';
import { localName } from './plan';
import type { Run } from './run';
import { familyField, fieldName, scenarioStatic } from './state';
import type { Resolvable } from './watch';

const hex = (n: number): string => `0x${n.toString(16)}`;

/** The names of a run. */
export function namesOf(run: Run): Names {
  const { engine, meaning, state, counters, where } = run;
  const surfaces = meaning.surfaces.map(({ name }) => name);
  let fences: readonly string[] | undefined; // made when they are asked for: there may be many
  const fenceNames = () =>
    meaning.fences.flatMap(({ name, size }) =>
      size > 1 ? Array.from({ length: size }, (_, i) => `${name}[${i}]`) : [name],
    );
  return {
    nameOf: (struct, at) => run.nameOf(struct, at),
    known: (kind) => {
      if (kind === 'counter') return counters.names;
      if (kind === 'surface') return surfaces;
      fences ??= fenceNames();
      return fences;
    },
    counter: (name) => counters.cellsOf(name),
    fence: (name) => {
      const member = memberOf(meaning.fences, name);
      if (member === undefined) return undefined;
      const { family, index } = member;
      const cell = state.at(familyField(family), index);
      const handle = engine.store.peek(cell) - 1;
      const at = handle < 0 ? 0 : where.fence(handle).at;
      return { at, on: [[cell, cell + 1], ...handleCells(run, 'fence_handles', handle)] };
    },
    surface: (name) => {
      const surface = meaning.surfaces.find((s) => s.name === name);
      if (surface === undefined) return undefined;
      const { index, bytes, store } = surface;
      const cell = state.at(`surface ${name}`);
      const handle = engine.store.peek(cell) - 1;
      const on: Cells[number][] = [
        [cell, cell + 1],
        ...handleCells(run, 'surface_handles', handle),
      ];
      return { index, bytes, offset: store.offset, object: where.object(surface).at, on };
    },
  };
}

/** The cell of a table of handles that says what a handle, counted from 0, stands for. */
function handleCells({ engine }: Run, table: string, handle: number): Cells {
  if (handle < 0) return [];
  const { at } = engine.the(table, 'vmw_fpriv').objects;
  return [[at + handle, at + handle + 1]];
}

/** A member of a family by its name: `done` or `done[3]`. */
function memberOf(
  families: readonly Family[],
  name: string,
): { family: Family; index: number } | undefined {
  const [, word, number = '0'] = /^(\w+)(?:\[(\d+)\])?$/.exec(name.trim()) ?? [];
  const family = families.find((f) => f.name === word);
  const index = Number(number);
  return family === undefined || index >= family.size ? undefined : { family, index };
}

export type Located = { readonly id: string } | { readonly error: string };

const noLocation: Located = {
  error:
    'this is computed from several things; take one of them, such as pte(p[0]).write, gpu(ring)[0 .. 256], ' +
    'tracker(ring).start, done[0] or faults.write, and put the rest into a condition',
};

/** The location that an expression is of. */
export function locate(run: Run, resolved: Resolvable): Located {
  return 'thing' in resolved ? ofThing(run, resolved.thing) : ofValue(run, resolved.value);
}

function ofThing(run: Run, thing: Extract<Resolvable, { thing: unknown }>['thing']): Located {
  switch (thing.kind) {
    case 'behind':
      return behind(
        run,
        thing.look,
        thing.cpu,
        thing.mapping,
        run.evaluate(thing.offset),
        undefined,
      );
    case 'mapping': {
      const { bytes } = run.look.mapped(thing.mapping);
      return mapped(run, thing.mapping, 0, bytes);
    }
    case 'surface':
      return { id: `object:${thing.surface.name}:0:${thing.surface.bytes}` };
    case 'device':
      return { id: `gpu:${thing.surface.name}:0:${thing.surface.bytes}` };
    case 'tracker':
      return { id: `dirty:${thing.surface.name}` };
    case 'fence': {
      const { family, index, indexed } = thing;
      if (indexed && index === undefined) return noLocation;
      return { id: fenceId(family, index === undefined ? 0 : run.evaluate(index)) };
    }
    default:
      return noLocation;
  }
}

const fenceId = (family: Family, index: number): string =>
  family.size > 1 ? `fence:${family.name}[${index}]` : `fence:${family.name}`;

function ofValue(run: Run, value: Value): Located {
  switch (value.kind) {
    case 'counter':
      return { id: `counter:${value.counter}` };
    case 'bytes':
      return bytes(run, value.place);
    case 'behind':
      return behind(
        run,
        value.look,
        value.cpu,
        value.mapping,
        run.evaluate(value.offset),
        value.field,
      );
    case 'fence':
      return { id: fenceId(value.member.family, run.evaluate(value.member.index)) };
    case 'tracker': {
      const { surface, field, offset } = value;
      const { name } = surface;
      if (field === 'dirtyPages') return { id: `dirty:${name}` };
      if (field === 'dirty') {
        const at = offset === undefined ? 0 : run.evaluate(offset);
        return { id: `dirty:${name}:${Math.floor((surface.store.offset + at) / 4096)}` };
      }
      return trackerField(run, value);
    }
    case 'variable':
      return variable(run, value.variable);
    default:
      return noLocation;
  }
}

function trackerField(run: Run, { surface, field }: Value & { kind: 'tracker' }): Located {
  const bo = run.where.object(surface);
  if (isNull(bo) || isNull(bo.dirty)) return { error: `${surface.name} is not tracked yet` };
  const path = field === 'votes' ? 'change_count' : field;
  return { id: `field:vmw_bo_dirty#${run.engine.objects.indexOf(bo.dirty.at)}.${path}` };
}

function variable(run: Run, v: Variable): Located {
  if (!isLocal(v)) return { id: `field:${scenarioStatic}.${fieldName(v)}` };
  const { task, routine } = run.where.local(v);
  const stack = run.engine.stack(task);
  const depth = stack.findIndex((f) => f.code.routine === routine);
  if (depth < 0) return { error: `${v.name} is in a frame that is not there now` };
  return { id: `local:${task}:${stack.length - 1 - depth}.${localName(run.meaning, v)}` };
}

function behind(
  run: Run,
  look: BehindLook,
  cpu: number,
  mapping: Variable,
  offset: number,
  field: string | undefined,
): Located {
  const start = run.look.variable(mapping);
  if (start === 0) return { error: `${mapping.name} is not mapped yet` };
  const address = hex(start + offset);
  if (look === 'tlb') return { id: `tlb:${cpu}:${address}` };
  if (look === 'vma') {
    const vma = run.where.vma(mapping, offset);
    if (vma === undefined) return { error: 'nothing is mapped there' };
    const path = field === 'start' ? 'vm_start' : field === 'end' ? 'vm_end' : 'vm_flags';
    return { id: `field:vm_area_struct#${run.engine.objects.indexOf(vma.at)}.${path}` };
  }
  if (look === 'pagemap') return behind(run, 'pte', cpu, mapping, offset, undefined);
  const bit = field === undefined ? undefined : pteBit(field);
  return { id: `${look}:${mapping.process}:${address}${bit === undefined ? '' : `:${bit}`}` };
}

function bytes(run: Run, place: Place): Located {
  const start = run.evaluate(place.start);
  const end = place.end === undefined ? undefined : run.evaluate(place.end);
  if (place.of === 'mapping')
    return mapped(run, place.mapping, start, (end ?? run.look.mapped(place.mapping).bytes) - start);
  const kind = place.of === 'memory' ? 'object' : 'gpu';
  const length = (end ?? place.surface.bytes) - start;
  return { id: `${kind}:${place.surface.name}:${start}:${length}` };
}

function mapped(run: Run, mapping: Variable, offset: number, length: number): Located {
  const start = run.look.variable(mapping);
  if (start === 0) return { error: `${mapping.name} is not mapped yet` };
  return { id: `bytes:${mapping.process}:${hex(start + offset)}:${length}` };
}
