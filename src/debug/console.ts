// The commands of the debug console: a few words each, beside which everything that is typed there is an expression. One
// that moves the run says where it goes, and the run sets out afterwards.
import { nearest } from '../base/suggest';
import { rawText } from './entries';
import { reportText } from './report';
import { agentsText } from './scheduling';
import type { Session, Stop } from './session';
import type { Motion } from './stepping';
import { filters } from './stops';
import { difference, historyOf, type Survey, toChange, toEvent, toFence } from './travel';

/** What a command answers, and what is to be done then. */
export interface Said {
  readonly text: string;
  /** What gives the answer, where that takes a look back over the run. */
  readonly survey?: Survey;
  readonly go?: Motion;
  readonly stop?: () => Stop | undefined;
}

/** Where it is typed. */
export interface At {
  readonly task: number;
  readonly frame: number | undefined;
}

interface Command {
  readonly form: string;
  readonly does: string;
  readonly pattern: RegExp;
  readonly run: (s: Session, words: readonly string[], at: At) => Said | { readonly error: string };
}

const say = (text: string): Said => ({ text });
const look = (survey: Survey): Said => ({ text: '', survey });
const no = (error: string) => ({ error });

/** Does something with the location of an expression. */
function on(s: Session, expression: string, { task, frame }: At, then: (l: Location) => Said) {
  const location = s.locate(expression, task, frame);
  return typeof location === 'string' ? no(location) : then(location);
}
type Location = Exclude<ReturnType<Session['locate']>, string>;

const commands: readonly Command[] = [
  {
    form: 'pte EXPRESSION',
    does: 'the entries of all levels for an address, such as p[0]',
    pattern: /^pte\s+(?!\()(.+)$/,
    run: (s, [place = ''], at) => {
      const lines: string[] = [];
      for (const level of ['pgd', 'pud', 'pmd', 'pte']) {
        const found = s.evaluate(`${level}(${place})`, at.task, at.frame);
        if ('error' in found) {
          if (lines.length === 0) return no(found.error);
          break;
        }
        const text = s.variables.text(found.value);
        const raw = s.rawEntry(found.value);
        lines.push(
          `${level.toUpperCase()} ${text}${raw === undefined ? '' : ` (0x${rawText(raw)})`}`,
        );
      }
      return say(lines.join('\n'));
    },
  },
  {
    form: 'why',
    does: 'why the run stands here, with the causes',
    pattern: /^why\??$/,
    run: (s) => {
      const { title, text, causes } = s.stopped!;
      const chain =
        causes.length === 0 ? [] : ['How it came to this:', ...causes.map((c) => `  ${c}`)];
      return say([title, ...(text === '' || text === title ? [] : [text]), ...chain].join('\n'));
    },
  },
  {
    form: 'who wrote EXPRESSION',
    does: 'the last change of a bit, a byte, a fence, a counter, and who made it',
    pattern: /^who\s+wrote\s+(.+?)\??$/,
    run: (s, [expression = ''], at) =>
      on(s, expression, at, (location) => look(historyOf(s, location, 1))),
  },
  {
    form: 'history EXPRESSION [NUMBER]',
    does: 'its last changes, the latest first',
    pattern: /^history\s+(.+?)(?:\s+(\d{1,4}))?$/,
    run: (s, [expression = '', count], at) =>
      on(s, expression, at, (location) =>
        look(historyOf(s, location, Math.max(1, Number(count ?? 10)))),
      ),
  },
  {
    form: 'back to EXPRESSION',
    does: 'goes back to its last change',
    pattern: /^back\s+to\s+(.+)$/,
    run: (s, [expression = ''], at) =>
      on(s, expression, at, (location) => ({
        text: `Back to the last change of ${location.what} …`,
        go: toChange(s, location, true),
      })),
  },
  {
    form: 'run to change EXPRESSION',
    does: 'runs on to its next change',
    pattern: /^run\s+to\s+change\s+(.+)$/,
    run: (s, [expression = ''], at) =>
      on(s, expression, at, (location) => ({
        text: `On to the next change of ${location.what} …`,
        go: toChange(s, location, false),
      })),
  },
  {
    form: 'run to fence NAME',
    does: 'runs on until a fence has signalled, such as done[0]',
    pattern: /^run\s+to\s+fence\s+(\S+)$/,
    run: (s, [name = ''], at) =>
      on(s, `fence:${name}`, at, (fence) =>
        fence.text() === 'signaled'
          ? say(`${fence.what} has signalled already; \`back to ${name}\` goes to that moment`)
          : { text: `On until ${fence.what} has signalled …`, go: toFence(s, fence) },
      ),
  },
  {
    form: 'run to fault',
    does: 'runs on to the next page fault',
    pattern: /^run\s+to\s+fault$/,
    run: (s) => ({ text: 'On to the next page fault …', go: toEvent(s, 'page_fault') }),
  },
  {
    form: 'run to event NUMBER',
    does: 'goes to where an event of the log was, counted from 1',
    pattern: /^(?:run|go|back)\s+to\s+event\s+(\d{1,9})$/,
    run: (s, [number = '0']) => {
      const n = Number(number);
      if (n < 1) return no('events are counted from 1');
      const { events } = s.engine;
      if (n > events.length) return { text: `On to event ${n} …`, go: toEvent(s, n) };
      const { step } = events.at(n - 1);
      return { text: `Event ${n} was at step ${step}`, stop: () => s.goto(step) };
    },
  },
  {
    form: 'goto STEP or BOOKMARK',
    does: 'goes to a position of the run',
    pattern: /^goto\s+(\S+)$/,
    run: (s, [where = '']) => {
      const position = s.momentOf(where);
      if (position === undefined) return no(`${where} is no step and no bookmark`);
      return { text: `To step ${position}`, stop: () => s.goto(position) };
    },
  },
  {
    form: 'bookmark NAME',
    does: 'gives this moment a name',
    pattern: /^bookmark\s+([A-Za-z_]\w*)$/,
    run: (s, [name = '']) => {
      s.bookmarks.set(name, s.timeline.position);
      return say(`${name} is step ${s.timeline.position}`);
    },
  },
  {
    form: 'bookmarks',
    does: 'the moments with names',
    pattern: /^bookmarks$/,
    run: (s) => {
      const lines = [...s.bookmarks].map(([name, position]) => `${name}: step ${position}`);
      return say(lines.join('\n') || 'there are none; `bookmark NAME` makes one');
    },
  },
  {
    form: 'diff STEP [STEP]',
    does: 'what differs between two moments, steps or bookmarks; the second is this one unless given',
    pattern: /^diff\s+(\S+)(?:\s+(\S+))?$/,
    run: (s, [from = '', to]) => {
      const [a, b] = [s.momentOf(from), to === undefined ? s.timeline.position : s.momentOf(to)];
      if (a === undefined || b === undefined)
        return no(`${a === undefined ? from : to} is no step and no bookmark`);
      const { start, end } = s.timeline;
      for (const at of [a, b])
        if (at < start || at > end)
          return no(`step ${at} is not in the history, which has ${start} to ${end}`);
      return say(difference(s, a, b));
    },
  },
  {
    form: 'agents',
    does: 'who can go next, and why the others cannot',
    pattern: /^agents$/,
    run: (s) => say(agentsText(s)),
  },
  {
    form: 'step AGENT [BRANCH]',
    does: 'one micro-step of an agent, by its number or name',
    pattern: /^step\s+(.+?)(?:\s*\/\s*(\d{1,4}))?$/,
    run: (s, [who = '', branch = '0']) => {
      const agent = s.agentOf(who);
      if (agent === undefined) return no(`there is no agent ${who}; \`agents\` lists them`);
      const problem = s.choiceProblem({ agent, branch: Number(branch) });
      if (problem !== undefined) return no(problem);
      return { text: '', stop: () => s.choose({ agent, branch: Number(branch) }) };
    },
  },
  {
    form: 'hold AGENT …',
    does: 'these do not go until they are released; `hold` alone says who is held',
    pattern: /^hold(?:\s+(.+))?$/,
    run: (s, [who]) => held(s, who, (agent, set) => set.add(agent)),
  },
  {
    form: 'release [AGENT …]',
    does: 'these go again; alone: all',
    pattern: /^release(?:\s+(.+))?$/,
    run: (s, [who]) => {
      if (who === undefined) s.held = new Set();
      return held(s, who, (agent, set) => set.delete(agent));
    },
  },
  {
    form: 'schedule',
    does: 'the schedule up to here as text, to be run again',
    pattern: /^schedule$/,
    run: (s) => say(s.timeline.schedule()),
  },
  {
    form: 'branches',
    does: 'the courses that the run took',
    pattern: /^branches$/,
    run: (s) => {
      const { branches, branch, dropped } = s.timeline;
      const lines = branches.map(({ id, parent, from, end }) => {
        const of = parent === 0 ? 'from the start' : `leaves branch ${parent} at step ${from}`;
        return `${id === branch ? '→' : ' '} branch ${id}: ${of}, up to step ${end}`;
      });
      if (dropped.length > 0)
        lines.push(`  kept no longer: ${dropped.length} more; ${s.boundText}`);
      return say(lines.join('\n'));
    },
  },
  {
    form: 'branch NUMBER',
    does: 'changes to another course, where the two part',
    pattern: /^branch\s+(\d{1,6})$/,
    run: (s, [id = '']) => {
      const problem = s.branchProblem(Number(id));
      if (problem !== undefined) return no(problem);
      return { text: `Branch ${id}`, stop: () => s.changeBranch(Number(id)) };
    },
  },
  {
    form: 'report',
    does: 'what is wrong as text for a mailing list: scenario, kernel, schedule, cause',
    pattern: /^report$/,
    run: (s) => say(reportText(s)),
  },
  {
    form: 'help',
    does: 'this list',
    pattern: /^help$/,
    run: () => say(helpText()),
  },
];

/** How the commands are written. */
export const consoleForms: readonly string[] = commands.map(({ form }) => form);

function held(
  s: Session,
  who: string | undefined,
  change: (agent: number, held: Set<number>) => void,
): Said | { readonly error: string } {
  const now = new Set(s.held);
  for (const name of who?.split(/\s*,\s*/) ?? []) {
    const agent = s.agentOf(name);
    if (agent === undefined) return no(`there is no agent ${name}; \`agents\` lists them`);
    change(agent, now);
  }
  s.held = now;
  const names = [...now].map((agent) => s.engine.agentName(agent)).join(', ');
  return say(names === '' ? 'Nobody is held' : `Held: ${names}`);
}

const helpText = (): string => {
  const width = Math.max(...commands.map(({ form }) => form.length));
  const lines = commands.map(({ form, does }) => `${form.padEnd(width)}  ${does}`);
  const ids = filters.map(({ id }) => id).join(', ');
  return [
    ...lines,
    '',
    'Everything else is an expression of the scenario language.',
    `Exception filters: ${ids}`,
  ].join('\n');
};

/** What a line of the console does; undefined when it is no command. */
export function command(
  s: Session,
  line: string,
  at: At,
): Said | { readonly error: string } | undefined {
  const text = line.trim();
  for (const { pattern, run } of commands) {
    const match = pattern.exec(text);
    if (match !== null) return run(s, match.slice(1), at);
  }
  const [first = ''] = text.split(/\s+/, 1);
  const words = commands.map(({ form }) => form.split(' ')[0]!);
  const meant = words.includes(first)
    ? first
    : text.includes(' ')
      ? nearest(first, words)
      : undefined;
  if (meant === undefined || !/^[a-z]+( [a-z\d]|$)/.test(text)) return undefined;
  const forms = commands.filter(({ form }) => form.split(' ')[0] === meant).map(({ form }) => form);
  return { error: `a command is written ${forms.join(' or ')}; \`help\` lists them all` };
}

/** The commands that begin with what is typed. */
export const commandsFor = (typed: string): readonly string[] =>
  commands
    .map(({ form }) => form.replace(/ [A-Z[].*$/, ''))
    .filter((word) => word.startsWith(typed));
