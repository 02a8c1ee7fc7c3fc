// What is wrong with a run as text that can be sent to somebody: what was run, how it is run again, what happened, why.
import type { Session } from './session';

/** So many words of a schedule stand on a line. */
const wordsOfLine = 12;

/** The report of the run as it stands. */
export function reportText(s: Session): string {
  const { debuggee, timeline, engine } = s;
  const { lines } = debuggee.verdict();
  const stop = s.stopped;
  const words = timeline.schedule().split(' ');
  const schedule: string[] = [];
  for (let i = 0; i < words.length; i += wordsOfLine)
    schedule.push(`    ${words.slice(i, i + wordsOfLine).join(' ')}`);
  const causes = stop?.causes ?? [];
  return [
    `Subject: ${stop?.filter === undefined ? debuggee.name : stop.title}`,
    '',
    `Scenario: "${debuggee.name}" (${debuggee.path.split(/[\\/]/).at(-1)})`,
    `Kernel: ${[...engine.program.variants.active].join(', ') || 'without variants'}`,
    `Position: step ${timeline.position}, event ${engine.events.length}`,
    '',
    ...(stop === undefined
      ? []
      : [stop.title, ...(stop.text === '' || stop.text === stop.title ? [] : [stop.text]), '']),
    ...(causes.length === 0 ? [] : ['How it came to this:', ...causes.map((c) => `  ${c}`), '']),
    'Judgement:',
    ...lines.map((line) => `  ${line}`),
    '',
    'Stacks:',
    ...debuggee.threads.flatMap(({ task, name }) => [
      `  ${name}${engine.isFinished(task) ? ': finished' : ''}`,
      ...engine
        .stack(task)
        .map(({ code, pc }) => `    ${code.routine.name}: ${code.ops[pc]!.text}`),
    ]),
    '',
    'Schedule (`coherence run --schedule`, or "schedule" of a launch configuration):',
    ...schedule,
  ].join('\n');
}
