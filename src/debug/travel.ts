// Going to a moment that is told by what happens there: the last write of a bit, an event, a signalled fence, a line, the
// beginning of a frame. Breakpoints on the way do not stop it. And looking at moments from where we stand: what changed
// a location, what differs between two.
import type { Location } from '../machine/location/location';
import { blockBytes } from '../state/blocks';
import type { Breakpoint } from './breakpoints';
import type { Session, Stop } from './session';
import { type Motion, moved } from './stepping';
import { Watches, type WatchHit } from './watches';

const nobody: Breakpoint = {
  id: 0,
  kind: 'data',
  what: '',
  condition: undefined,
  hitTest: undefined,
  log: undefined,
  hits: 0,
};

function watching(location: Location): Watches {
  const watches = new Watches();
  watches.set([{ breakpoint: nobody, location, access: 'write' }]);
  return watches;
}

const motion = (
  s: Session,
  backward: boolean,
  done: () => boolean,
  arrive: () => Stop,
  failing: string,
): Motion => ({
  backward,
  task: s.stopped?.task ?? s.next(),
  first: undefined,
  done,
  arrive,
  failing,
});

/** To a position, over what is laid down and was not gone yet. */
export function toPosition(s: Session, position: number): Motion {
  const { timeline } = s;
  const done = () => timeline.position >= position;
  const arrive = () => s.quietStop('step', s.next(), `At step ${timeline.position}`);
  return motion(s, false, done, arrive, 'the run is over');
}

/** To the last change of a location before here, or the next one after it. */
export function toChange(s: Session, location: Location, backward: boolean): Motion {
  const watches = watching(location);
  let hit: WatchHit | undefined;
  const done = () => {
    [hit] = watches.at(s.timeline);
    return hit !== undefined;
  };
  const arrive = () => {
    const { title, text } = s.watchText(hit!);
    return { ...s.quietStop('goto', s.lastTask(), title), text };
  };
  const failing = `${location.what} does not change ${backward ? 'before' : 'after'} this moment`;
  return motion(s, backward, done, arrive, failing);
}

/** To where a fence has just signalled, forwards. */
export function toFence(s: Session, fence: Location): Motion {
  const watches = watching(fence);
  const done = () => watches.at(s.timeline).length > 0 && fence.text() === 'signaled';
  const arrive = () => s.quietStop('goto', s.lastTask(), `${fence.what} has signalled`);
  return motion(s, false, done, arrive, `${fence.what} does not signal any more`);
}

/** To the next event of a tracepoint, or behind event number `n` of the log, counted from 1. */
export function toEvent(s: Session, wanted: string | number): Motion {
  const { engine } = s;
  const found = () =>
    typeof wanted === 'number'
      ? engine.events.length >= wanted
      : s.lastEvents().some((e) => e.name === wanted);
  const arrive = () => {
    const event =
      typeof wanted === 'number'
        ? engine.events.at(wanted - 1)
        : s.lastEvents().findLast((e) => e.name === wanted)!;
    const { title, text } = s.explained(event);
    const stop = s.quietStop('goto', event.task < 0 ? s.next() : event.task, title);
    return { ...stop, text };
  };
  const what = typeof wanted === 'number' ? `event ${wanted}` : `no ${wanted}`;
  const failing = typeof wanted === 'number' ? `there is no ${what}` : `${what} comes any more`;
  return motion(s, false, found, arrive, failing);
}

/** To where one of some operations is come to, before or after here. */
export function toOperation(
  s: Session,
  ops: ReadonlySet<unknown>,
  what: string,
  backward: boolean,
): Motion {
  const done = () => {
    const task = s.lastTask();
    return ops.has(s.engine.opOf(task)) && moved(s.timeline, task);
  };
  const arrive = () => s.quietStop('goto', s.lastTask(), `At ${what}`);
  return motion(
    s,
    backward,
    done,
    arrive,
    `${what} is not come to ${backward ? 'before' : 'after'} this moment`,
  );
}

/** Back to where a frame was entered: its caller has just called it. */
export function toEntry(s: Session, task: number, at: number): Motion {
  const { engine, timeline } = s;
  const frames = engine.stack(task);
  const depth = frames.length - frames.findIndex((f) => f.at === at);
  const name = frames.find((f) => f.at === at)!.code.routine.name;
  const isRoot = depth === 1;
  const done = () => (isRoot ? false : engine.depth(task) < depth);
  const arrive = () => {
    if (!isRoot) timeline.stepForward();
    return s.quietStop('goto', task, `At the beginning of ${name}`);
  };
  return { ...motion(s, true, done, arrive, ''), task };
}

/** A look back over the run, made piece by piece so that the client can call it off. The run stands where it stood. */
export interface Survey {
  /** What it looks for, in words. */
  readonly what: string;
  /** The part of its way that it has gone, from 0 to 1. */
  readonly done: number;
  /** Looks at so many more positions at most; what it found, once it is over. */
  readonly advance: (budget: number) => string | undefined;
  /** Ends it where it is; what it found until then. */
  readonly stop: () => string;
}

/** The last changes of a location up to here, the latest first, a line each; to the beginning of what is kept. */
export function historyOf(s: Session, location: Location, most: number): Survey {
  const { timeline } = s;
  const { position: here, start } = timeline;
  const watches = watching(location);
  const lines: string[] = [];
  let at = here;
  const end = (rest: string): string => {
    timeline.seek(here);
    const none =
      lines.length === 0 ? `${location.what} did not change ${rest}` : `(all changes ${rest})`;
    return [...lines, ...(lines.length === most ? [] : [none])].join('\n');
  };
  const advance = (budget: number): string | undefined => {
    timeline.seek(at);
    for (let i = 0; i < budget && at > start && lines.length < most; i++) {
      const [hit] = watches.at(timeline);
      if (hit !== undefined) {
        const { title, text } = s.watchText(hit);
        lines.push(`step ${at}: ${title.slice(location.what.length + 2)}. ${text}`);
      }
      timeline.back();
      at = timeline.position;
    }
    if (at > start && lines.length < most) return undefined;
    const whole =
      start === 0
        ? 'from the beginning of the run'
        : `within the history, which is kept from step ${start} on`;
    return end(whole);
  };
  return {
    what: `changes of ${location.what}`,
    get done() {
      return here === start ? 1 : (here - at) / (here - start);
    },
    advance,
    stop: () => end(`from step ${at} on; the look further back was called off`),
  };
}

/** So many differences are listed. */
const differencesMax = 40;

/** What differs between two positions, a line each. */
export function difference(s: Session, from: number, to: number): string {
  const { timeline, engine } = s;
  const { store, objects } = engine;
  const here = timeline.position;
  const { locations } = s.debuggee;
  const lines: string[] = [];
  const frames = new Map<number, number>();
  let bytes = 0;
  try {
    timeline.seek(from);
    const before = store.cells.slice();
    timeline.seek(to);
    const places: { id: string; was: string; now: string }[] = [];
    let last = '';
    for (let cell = 0; cell < before.length; cell++) {
      if (before[cell] === store.cells[cell]) continue;
      const task = engine.stackOwner(cell);
      if (task >= 0) frames.set(task, (frames.get(task) ?? 0) + 1);
      else if (store.kindOf(cell) === 'contents') bytes += blockBytes;
      else {
        const owner = objects.describe(cell);
        const slot = owner && { field: owner.slot.field, at: owner.object + owner.slot.offset };
        const id = slot && locations.fieldId({ field: partOf(slot.field), at: cell });
        const location = id === undefined || id === last ? undefined : locations.at(id);
        if (location === undefined || typeof location === 'string') continue;
        last = id!;
        if (places.length <= 4 * differencesMax)
          places.push({ id: id!, was: '', now: location.text() });
      }
    }
    timeline.seek(from);
    for (const place of places) {
      const location = locations.at(place.id);
      place.was = typeof location === 'string' ? '?' : location.text();
    }
    const changed = places.filter(({ was, now }) => was !== now);
    lines.push(
      ...changed.slice(0, differencesMax).map(({ id, was, now }) => `${id}: ${was} → ${now}`),
    );
    if (changed.length > differencesMax) lines.push(`… and more`);
  } finally {
    timeline.seek(here);
  }
  for (const task of frames.keys()) lines.push(`the stack of ${s.threadName(task)}`);
  if (bytes > 0) lines.push(`memory: blocks with ${bytes} bytes`);
  const head = `From step ${from} to step ${to}:`;
  return lines.length === 0 ? `${head} nothing differs` : [head, ...lines].join('\n');
}

/** Of an array its element, so that a cell of it is named. */
const partOf = <F extends { readonly element?: F | undefined }>(field: F): F =>
  (field as { element?: F }).element ?? field;
