// From `surface NAME: …` to what the surface is: a buffer, or a texture with its format, sides, levels, layers and
// samples; and where it lies when it shares the memory of another.
import { inserted, removed, respelled } from '../base/fixes';
import { didYouMean } from '../base/suggest';
import type { Span } from '../base/text';
import {
  bufferShape,
  isValidShape,
  type SurfaceShape,
  SVGA3D_BUFFER,
  shapeBytes,
  surfaceDescs,
} from '../hardware/svga/shapes';
import { PAGE_SIZE, showBytes } from '../syntax/numbers';
import type { Expression, Surface } from '../syntax/tree';
import { resolveTyped } from './expressions';
import { allSteps, createdLate, type ScenarioMeaning, type SurfaceMeaning } from './meaning';
import type { Report, Scope } from './names';
import { SURFACE_BYTES_MAX, surfaceAttributes } from './vocabulary';

const kinds = ['buffer', 'texture', 'cube'];
const formats = [...surfaceDescs.values()]
  .map(({ name }) => name)
  .filter((name) => name !== 'buffer');
const counts = ['mips', 'layers', 'samples'] as const;
type Count = (typeof counts)[number];

/** A side, with where it stands; without a number it was said, but is not known. */
type Side = Span & { readonly size: number | undefined };

/** What was said of a surface, word by word. */
interface Said {
  readonly kind: string;
  readonly sides: Side[];
  format: number | undefined; // 0: said, but there is none such
  readonly counts: Partial<Record<Count, number>>;
  coherent: boolean;
  later: Span | undefined;
  beside: SurfaceMeaning | undefined;
  offset: number | undefined;
}

/** The surface that a statement declares; undefined when it is not known what it is. */
export function resolveSurface(
  statement: Surface,
  index: number,
  scope: Scope,
  report: Report,
): SurfaceMeaning | undefined {
  const { name, attributes } = statement;
  const [kind, ...more] = attributes;
  if (name === undefined || kind === undefined) return undefined;
  if (kind.kind !== 'reference' || !kinds.includes(kind.name)) {
    refuseKind(kind, report);
    return undefined;
  }
  const said = listen(kind.name, more, scope, report);
  const shape = shapeOf(said, kind, report);
  const span = spanOf(said, kind);
  const bytes = shape === undefined ? 0 : checkSize(span, bytesOf(shape), report);
  if (shape !== undefined) scope.notes.sizes.push({ ...span, bytes });
  const { coherent, later, beside, offset = 0 } = said;
  if (said.offset !== undefined && beside === undefined)
    report(name, '`offset` says where in the memory of another surface: add `in NAME`');
  const root = beside && rootOf(beside);
  const store = { root, offset: (beside?.store.offset ?? 0) + offset };
  // Without a size that holds, the name is known all the same, so that its uses are not reported too.
  return {
    from: name.from,
    to: name.to,
    index,
    name: name.text,
    shape: shape ?? bufferShape(bytes),
    bytes,
    coherent,
    later,
    store,
  };
}

/** A buffer of no bytes is one that cannot be, but has its size. */
const bytesOf = (shape: SurfaceShape): number =>
  shape.format === SVGA3D_BUFFER ? shape.width : shapeBytes(shape);

/** Where the size of a surface stands. */
function spanOf({ sides }: Said, { from, to }: Span): Span {
  const [first, last] = [sides[0], sides.at(-1)];
  return { from: first?.from ?? from, to: last?.to ?? to };
}

function refuseKind(kind: Expression, report: Report): void {
  const word = kind.kind === 'reference' ? kind.name : '';
  const guess = didYouMean(word, kinds) || ': `buffer`, `texture` or `cube`';
  const fix = respelled({ ...kind, text: word }, kinds) ?? inserted(kind.from, 'buffer ');
  report(kind, `say first what kind of surface it is${guess}`, 'error', fix);
}

function listen(kind: string, more: readonly Expression[], scope: Scope, report: Report): Said {
  const said: Said = {
    kind,
    sides: [],
    format: undefined,
    counts: {},
    coherent: false,
    later: undefined,
    beside: undefined,
    offset: undefined,
  };
  const words = [...more];
  for (let word = words.shift(); word !== undefined; word = words.shift()) {
    const text = word.kind === 'reference' ? word.name : '';
    const count = counts.find((c) => c === text);
    const format = [...surfaceDescs].find(([, desc]) => desc.name === text)?.[0];
    if (text === 'coherent') said.coherent = true;
    else if (text === 'later') said.later = { from: word.from, to: word.to };
    else if (count !== undefined && kind !== 'buffer')
      said.counts[count] = known(words.shift(), word, scope, report) ?? 0;
    else if (format !== undefined && kind !== 'buffer') said.format = format;
    else if (text === 'in') said.beside = other(words.shift(), word, scope, report);
    else if (text === 'offset') said.offset = known(words.shift(), word, scope, report);
    else if (text === 'by' && said.sides.length > 0)
      said.sides.push(side(words.shift(), word, scope, report));
    else if (text !== '' && scope.find(text) === undefined) {
      refuseWord(word, kind, text, report);
      said.format ??= 0;
    } else if (said.sides.length > 0)
      report(word, kind === 'buffer' ? 'a buffer has one size' : 'put `by` between two sides');
    else said.sides.push(side(word, word, scope, report));
  }
  return said;
}

function side(value: Expression | undefined, of: Span, scope: Scope, report: Report): Side {
  const { from, to } = value ?? of;
  return { from, to, size: known(value, of, scope, report) };
}

/** A number that is known before the run. */
function known(
  value: Expression | undefined,
  of: Span,
  scope: Scope,
  report: Report,
): number | undefined {
  if (value === undefined) {
    report(of, 'a number is missing here');
    return undefined;
  }
  const size = resolveTyped(value, 'number', 'a size', scope, report);
  if (size === undefined || size.kind === 'number') return size?.value;
  report(size, 'the size must be known before the run');
  return undefined;
}

/** The surface whose memory is shared. */
function other(
  value: Expression | undefined,
  of: Span,
  scope: Scope,
  report: Report,
): SurfaceMeaning | undefined {
  const name = value?.kind === 'reference' ? value.name : '';
  const entity = name === '' ? undefined : scope.find(name);
  if (entity?.kind === 'surface' && value !== undefined) {
    scope.use({ from: value.from, to: value.to, text: name });
    return entity.surface;
  }
  if (entity?.kind !== 'broken')
    report(value ?? of, '`in` needs the name of a surface that is declared before this one');
  return undefined;
}

function refuseWord(word: Expression, kind: string, text: string, report: Report): void {
  const possible = kind === 'buffer' ? ['coherent', 'in', 'offset', 'later'] : possibleWords;
  const guess = didYouMean(text, possible);
  const help =
    guess || (kind === 'buffer' ? '; it can be `coherent`' : `; formats are ${listed(formats)}`);
  const fix = respelled({ ...word, text }, possible);
  report(word, `a surface cannot be \`${text}\`${help}`, 'error', fix);
}

const possibleWords = [
  ...Object.keys(surfaceAttributes).filter((word) => !kinds.includes(word)),
  ...formats,
];

const listed = (words: readonly string[]): string => words.map((word) => `\`${word}\``).join(', ');

/** The shape that was said; undefined when it cannot be. */
function shapeOf(said: Said, kind: Span, report: Report): SurfaceShape | undefined {
  const sizes = said.sides.map(({ size }) => size);
  const [width, height = 1, depth = 1] = sizes;
  const form = surfaceAttributes[said.kind as 'buffer' | 'texture' | 'cube'].form;
  if (said.sides.length === 0) {
    const fix = said.kind === 'buffer' ? inserted(kind.to, ' 96KiB') : undefined;
    report(kind, `say how large it is: \`${form}\``, 'error', fix);
    return undefined;
  }
  if (width === undefined || sizes.includes(undefined)) return undefined;
  if (said.kind === 'buffer') return bufferShape(width);
  if (said.format === 0) return undefined;
  if (said.format === undefined) {
    report(kind, `say its format: ${listed(formats)}`, 'error', inserted(kind.to, ' rgba8'));
    return undefined;
  }
  const cube = said.kind === 'cube';
  const { mips = 1, layers = cube ? 6 : 1, samples = 1 } = said.counts;
  const sides = cube ? { width, height: width, depth: 1 } : { width, height, depth };
  const shape = { format: said.format, ...sides, mips, layers, samples, cube };
  if (!isValidShape(shape)) {
    const most = 1 + Math.floor(Math.log2(Math.max(1, width, height, depth)));
    report(
      kind,
      `there is no such ${said.kind}: sides, levels, layers and samples are 1 or more, it can have ${most} ` +
        `level${most === 1 ? '' : 's'} (\`mips\`), and a cube has 6 layers and one side`,
    );
    return undefined;
  }
  return shape;
}

function checkSize(span: Span, bytes: number, report: Report): number {
  if (bytes >= 1 && bytes <= SURFACE_BYTES_MAX) return bytes;
  report(
    span,
    `a surface has from 1 byte to ${showBytes(SURFACE_BYTES_MAX)} (${SURFACE_BYTES_MAX / PAGE_SIZE} pages)`,
  );
  return 0;
}

/** The surface in whose memory one lies, with all others of that memory: its own name, if it is that one. */
export const rootOf = (surface: SurfaceMeaning): SurfaceMeaning => surface.store.root ?? surface;

/** Whether two surfaces begin at the same byte of memory: then they share all that both have. */
export const sharesBytes = (a: SurfaceMeaning, b: SurfaceMeaning): boolean =>
  rootOf(a) === rootOf(b) && a.store.offset === b.store.offset;

/**
 * Surfaces that share memory begin with a page, and lie apart from each other or begin at the same one, as those that an
 * application of this driver can make in the memory of another.
 */
export function checkStores(surfaces: readonly SurfaceMeaning[], report: Report): void {
  surfaces.forEach((surface, i) => {
    const { offset, root } = surface.store;
    if (root === undefined) return;
    if (offset % PAGE_SIZE !== 0)
      report(surface, 'a surface begins at a page of the memory it shares: `offset 4 pages`');
    const clash = surfaces
      .slice(0, i)
      .find(
        (s) =>
          rootOf(s) === root &&
          s.store.offset !== offset &&
          s.store.offset < offset + surface.bytes &&
          offset < s.store.offset + s.bytes,
      );
    if (clash === undefined) return;
    const { name } = clash;
    const free = Math.ceil((clash.store.offset + clash.bytes) / PAGE_SIZE);
    report(
      surface,
      `\`${surface.name}\` would lie on a part of \`${name}\`; there is room from \`offset ${free} pages\` on, or let it ` +
        `begin where \`${name}\` does, and share its pages`,
    );
  });
}

/** Bytes of the memory that a surface lies in: up to the end of the last one there. */
export const roomOf = (surface: SurfaceMeaning, all: readonly SurfaceMeaning[]): number =>
  Math.max(
    ...all.filter((s) => rootOf(s) === rootOf(surface)).map((s) => s.store.offset + s.bytes),
  );

/** Whether somebody makes each surface that is not there from the beginning, and none that is. */
export function checkCreated(meaning: ScenarioMeaning, report: Report): void {
  const steps = [...allSteps(meaning)];
  const made = createdLate(meaning);
  const destroyed = new Set(steps.flatMap((s) => (s.kind === 'destroy' ? [s.surface] : [])));
  for (const surface of meaning.surfaces) {
    const { name, later } = surface;
    if (later === undefined || made.has(surface)) continue;
    const says = `nobody makes \`${name}\`; say \`create ${name}\` in a thread, or leave \`later\` out`;
    report(surface, says, 'error', removed(later, '`later`'));
  }
  for (const step of steps) {
    if (step.kind !== 'create') continue;
    const { name, later } = step.surface;
    if (later !== undefined || destroyed.has(step.surface)) continue;
    report(
      step,
      `\`${name}\` is there from the beginning; declare it \`later\`, or \`destroy ${name}\` first`,
      'error',
      removed(step, 'this `create`'),
    );
  }
}
