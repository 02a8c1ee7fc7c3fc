// A moment as trees: what the three views of the Debug side bar list, as plain nodes. Ids name things, not places in
// a list, so that a node is the same one at the next stop (difference.ts compares by them).
import { type Fault, type FaultPart, faultParts, faultText, faultTitle } from './fault';
import {
  type AddressSpace,
  type BufferObject,
  boxText,
  type Cpu,
  type Entry,
  type Fence,
  hex,
  inWords,
  type Level,
  type MappedObject,
  type Mapping,
  pagesText,
  type Resource,
  runPages,
  runsText,
  type Snapshot,
  type Table,
  type Tracker,
} from './snapshot';

export type Icon =
  | 'process'
  | 'mapping'
  | 'table'
  | 'entry'
  | 'cpu'
  | 'object'
  | 'part'
  | 'fence'
  | 'fault'
  | 'on'
  | 'stops'
  | 'grants';

export interface OutlineNode {
  readonly id: string;
  readonly label: string;
  /** What is worth comparing, part by part, and what is said after it. */
  readonly value: readonly string[];
  readonly detail: string;
  /** The whole of it in words; read aloud by screen readers. */
  readonly spoken: string;
  readonly icon: Icon;
  readonly open: boolean; // shown with its children at first
  readonly object?: string; // the buffer object whose grid it leads to
  readonly text?: string; // what is copied of it as text
  readonly event?: true; // happened at one moment: it is not compared with the stop before
  readonly children: readonly OutlineNode[];
}

const leaf = { open: false, children: [], detail: '' } as const;

/** Entries of one table up to which they are listed without groups. */
const ungroupedMax = 64;
const groupSize = 32;

/** Page Tables: the latest faults, address spaces with their mappings and tables, then the TLB of each CPU. */
export function pageTables(snapshot: Snapshot): OutlineNode[] {
  return [
    ...snapshot.faults.map((fault) => faultNode(fault)),
    ...snapshot.spaces.map((space) => spaceNode(space)),
    ...snapshot.cpus.map((cpu) => cpuNode(cpu, snapshot.spaces)),
  ];
}

/** A fault with its parts; while it goes on it is unfolded. */
function faultNode(fault: Fault): OutlineNode {
  const { id, thread, course } = fault;
  const value = [thread, course.end === null ? 'not over yet' : course.end.result];
  return {
    id,
    label: faultTitle(fault),
    value,
    detail: '',
    spoken: `${faultTitle(fault)}, ${value.join(', ')}`,
    icon: 'fault',
    open: course.end === null,
    text: faultText(fault).join('\n'),
    event: true,
    children: faultParts(fault).map((part) => faultPartNode(id, part)),
  };
}

/** The walk is unfolded: it is a picture of the tables, level by level. */
function faultPartNode(
  parent: string,
  { label, value, verdict, children }: FaultPart,
): OutlineNode {
  const id = `${parent}/${label}`;
  return {
    id,
    label,
    value: [value],
    detail: '',
    spoken: `${label}: ${value}`,
    icon: verdict ?? 'part',
    open: children.some((child) => child.verdict !== undefined),
    children: children.map((child, i) => faultPartNode(`${id} ${i}`, child)),
  };
}

function spaceNode(space: AddressSpace): OutlineNode {
  const { id, name, pid, root } = space;
  const value = [`pid ${pid}`, count(space.mappings.length, 'mapping')];
  return {
    id,
    label: name,
    value,
    detail: '',
    spoken: `process ${name}, ${value.join(', ')}`,
    icon: 'process',
    open: true,
    children: [
      ...space.mappings.map((mapping) => mappingNode(mapping)),
      ...(root === null ? [] : [tableNode(`${id}/tables`, root, space)]),
    ],
  };
}

function mappingNode(mapping: Mapping): OutlineNode {
  const range = `${hex(mapping.start)}-${hex(mapping.end)}`;
  return {
    ...leaf,
    id: mapping.id,
    label: mapping.name,
    value: [mapping.flags, range],
    spoken: `mapping ${mapping.name}, ${range}, ${mapping.flags}, from page ${mapping.offset}`,
    icon: 'mapping',
    ...(mapping.object === null ? {} : { object: mapping.object }),
  };
}

function tableNode(id: string, table: Table, space: AddressSpace): OutlineNode {
  const used = count(table.entries.length, 'entry', 'entries');
  return {
    id,
    label: table.level,
    value: [used],
    detail: `frame ${hex(table.pfn)}`,
    spoken: `${table.level} table in frame ${hex(table.pfn)}, ${used}`,
    icon: 'table',
    open: true,
    children: entryNodes(id, table, space),
  };
}

/** The entries of a table; many are put into groups of neighbours, which a tree can fold away. */
function entryNodes(id: string, table: Table, space: AddressSpace): OutlineNode[] {
  const nodes = table.entries.map((entry) => entryNode(id, entry, table, space));
  if (nodes.length <= ungroupedMax) return nodes;
  const groups = new Map<number, OutlineNode[]>();
  table.entries.forEach(({ index }, i) => {
    const group = Math.floor(index / groupSize);
    const members = groups.get(group) ?? [];
    members.push(nodes[i]!);
    groups.set(group, members);
  });
  return [...groups].map(([group, children]) => {
    const range = `${group * groupSize}-${(group + 1) * groupSize - 1}`;
    const used = count(children.length, 'entry', 'entries');
    return {
      id: `${id}/group ${group}`,
      label: `entries ${range}`,
      value: [used],
      detail: '',
      spoken: `entries ${range}, ${used}`,
      icon: 'table',
      open: false,
      children,
    };
  });
}

function entryNode(parent: string, entry: Entry, table: Table, space: AddressSpace): OutlineNode {
  const { index, address, letters, pfn, raw } = entry;
  const id = `${parent}/${index}`;
  const next = entry.table;
  const huge = hugeSizes[table.level];
  const place = placeOf(address, space);
  const leaf = huge === undefined ? place : `huge page of ${huge}, ${place}`;
  const what = next === null ? leaf : `${next.level} table`;
  return {
    id,
    label: `${table.level}[${index}]`,
    value: [letters],
    detail: `frame ${hex(pfn)}, ${what}`,
    spoken: `${table.level} entry ${index}, ${inWords(letters)}, frame ${hex(pfn)}, ${what}, 0x${raw}`,
    icon: 'entry',
    open: table.level !== 'PMD',
    children: next === null ? [] : entryNodes(id, next, space),
  };
}

/** What a leaf maps that is above the last level. */
const hugeSizes: Partial<Record<Level, string>> = { PUD: '1 GiB', PMD: '2 MiB' };

/** What is mapped at an address: `p, page 3`, or the address itself. */
function placeOf(address: number, space: AddressSpace): string {
  const mapping = space.mappings.find(({ start, end }) => address >= start && address < end);
  if (mapping === undefined) return hex(address);
  return `${mapping.name} page ${mapping.offset + (address - mapping.start) / 4096}`;
}

function cpuNode({ cpu, space, tlb }: Cpu, spaces: readonly AddressSpace[]): OutlineNode {
  const owner = spaces.find(({ id }) => id === space);
  const entries = count(tlb.length, 'entry', 'entries');
  const stale = tlb.filter(({ standing }) => standing === 'stale').length;
  const description = [
    owner?.name ?? 'no user space',
    entries,
    ...(stale > 0 ? [`${stale} stale`] : []),
  ];
  return {
    id: `tlb ${cpu}`,
    label: `TLB of cpu${cpu}`,
    value: description,
    detail: '',
    spoken: `TLB of cpu ${cpu}, ${description.join(', ')}`,
    icon: 'cpu',
    open: false,
    children: tlb.map(({ address, letters, pfn, standing }) => {
      const what = owner === undefined ? hex(address) : placeOf(address, owner);
      const note = standing === 'same' ? '' : `, ${standing}`;
      return {
        ...leaf,
        id: `tlb ${cpu}/${hex(address)}`,
        label: what,
        value: [`${letters}${note}`],
        detail: `frame ${hex(pfn)}`,
        spoken: `${what}, ${inWords(letters)}, frame ${hex(pfn)}${note}`,
        icon: 'entry' as const,
      };
    }),
  };
}

/** Buffer Objects: each with its tracker, resources and mappings. */
export function bufferObjects({ objects, absent }: Snapshot): OutlineNode[] {
  return [
    ...objects.map((object) => objectNode(object)),
    ...absent.map((name) => absentNode(name)),
  ];
}

/** A surface that somebody is to make. */
function absentNode(name: string): OutlineNode {
  return {
    ...leaf,
    id: `absent ${name}`,
    label: name,
    value: ['not there'],
    spoken: `surface ${name}, not there until it is created`,
    icon: 'object',
  };
}

function objectNode(object: BufferObject): OutlineNode {
  const { tracker } = object;
  const description = [
    count(object.pages, 'page'),
    object.placement,
    tracker === null ? 'not tracked' : `${runPages(tracker.dirty)} dirty`,
  ];
  const parts = [
    ...(tracker === null ? [] : [trackerNode(object, tracker)]),
    ...object.resources.map((resource) => resourceNode(object, resource)),
    ...object.mappings.map((mapping) => mappedNode(object, mapping)),
    reservationNode(object),
  ];
  return {
    id: object.id,
    label: object.name,
    value: description,
    detail: '',
    spoken: `buffer object ${object.name}, ${description.join(', ')}`,
    icon: 'object',
    open: true,
    object: object.id,
    children: parts.map((part) => ({ ...part, object: object.id })),
  };
}

function part(
  id: string,
  label: string,
  value: readonly string[],
  children: OutlineNode[] = [],
): OutlineNode {
  return {
    id,
    label,
    value,
    detail: '',
    spoken: `${label} ${value.join(', ')}`,
    icon: 'part',
    open: false,
    children,
  };
}

function trackerNode({ id, pages }: BufferObject, tracker: Tracker): OutlineNode {
  const { method, start, end, changeCount, users, dirty } = tracker;
  const hull = start < end ? pagesText(start, end) : 'empty';
  const method_ =
    method === 'PAGETABLE' ? 'dirty bits of the PTEs' : 'write-protection and mkwrite';
  return part(
    `${id}/tracker`,
    'tracker',
    [method, `dirty ${runsText(dirty)}`],
    [
      part(`${id}/tracker/method`, 'method', [`${method}: ${method_}`]),
      part(`${id}/tracker/dirty`, 'bitmap', [`${runsText(dirty)} of ${pages}`]),
      part(`${id}/tracker/hull`, 'start..end', [hull]),
      part(`${id}/tracker/votes`, 'change_count', [`${changeCount}`]),
      part(`${id}/tracker/users`, 'users', [`${users}`]),
    ],
  );
}

function resourceNode(object: BufferObject, resource: Resource): OutlineNode {
  const id = `${object.id}/${resource.id}`;
  const { name, sid, offset, size, boxes } = resource;
  const flags = [
    sid < 0 ? 'not on the device' : `sid ${sid}`,
    resource.attached ? 'attached' : 'not attached',
    ...(resource.resDirty ? ['res_dirty'] : []),
    ...(resource.backupDirty ? ['backup_dirty'] : []),
    ...(boxes.length > 0 ? [`to update: ${boxes.map(boxText).join('; ')}`] : []),
  ];
  return part(id, `resource ${name}`, flags, [
    part(`${id}/place`, 'bytes', [`${offset}-${offset + size - 1}`]),
    part(`${id}/coherent`, 'coherent', [resource.coherent ? 'yes' : 'no']),
    part(`${id}/res_dirty`, 'res_dirty', [resource.resDirty ? 'yes, the GPU wrote' : 'no']),
    part(`${id}/backup_dirty`, 'backup_dirty', [
      resource.backupDirty ? 'yes, all to update' : 'no',
    ]),
    part(`${id}/boxes`, 'boxes', boxes.length === 0 ? ['none'] : boxes.map(boxText)),
  ]);
}

function mappedNode(object: BufferObject, mapped: MappedObject): OutlineNode {
  const having = (letter: string) =>
    mapped.ptes.filter((pte) => pte.letters.includes(letter)).length;
  const stale = mapped.ptes.filter(({ tlb }) => tlb.some((t) => t.standing === 'stale')).length;
  return part(`${object.id}/${mapped.mapping}`, `mapping ${mapped.name}`, [
    `P ${having('P')}`,
    `W ${having('W')}`,
    `D ${having('D')}`,
    ...(stale > 0 ? [`TLB stale ${stale}`] : []),
    `pages ${pagesText(mapped.first, mapped.first + mapped.count)}`,
  ]);
}

function reservationNode({ id, fences, reservedBy }: BufferObject): OutlineNode {
  const holder = reservedBy === null ? 'free' : `held by ${reservedBy}`;
  const guards = fences.map((seqno) => `fence ${seqno}`);
  return part(`${id}/resv`, 'reservation', [holder, ...guards]);
}

/** Fences, in the order of their sequence numbers. */
export function fences(snapshot: Snapshot): OutlineNode[] {
  return snapshot.fences.map((fence) => fenceNode(fence));
}

function fenceNode({ id, seqno, context, state, waiters }: Fence): OutlineNode {
  const value = [state, ...waiters.map((waiter) => `awaited by ${waiter}`)];
  return {
    ...leaf,
    id,
    label: `fence ${seqno}`,
    value,
    spoken: `fence ${seqno} of context ${context}, ${value.join(', ')}`,
    icon: 'fence',
  };
}

const count = (n: number, one: string, many = `${one}s`): string => `${n} ${n === 1 ? one : many}`;
