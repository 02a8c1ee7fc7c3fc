// Code lenses: what can be done with each scenario, over its first line. Which of the commands there are, the client says.
import type { Span } from '../base/text';
import type { Checked } from '../scenario/diagnostics';

export interface Lens extends Span {
  readonly title: string;
  readonly command: string;
  /** The scenario, by its title. */
  readonly scenario: string;
}

/** Commands that take a document's URI and a scenario's title, in the order in which they are shown. */
export const scenarioCommands: Readonly<Record<string, string>> = {
  'coherence.run': 'Run',
  'coherence.debug': 'Debug',
  'coherence.explore': 'Explore',
  'coherence.outcomes': 'Outcomes',
};

/** The lenses of all scenarios that can be named. */
export function lenses({ parsed }: Checked, available: ReadonlySet<string>): readonly Lens[] {
  return parsed.file.scenarios.flatMap(({ heading: { from, to }, title }) =>
    title === undefined
      ? []
      : Object.entries(scenarioCommands)
          .filter(([command]) => available.has(command))
          .map(([command, shown]) => ({ from, to, title: shown, command, scenario: title.text })),
  );
}
