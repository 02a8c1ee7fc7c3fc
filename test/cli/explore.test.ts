// `coherence explore` as the shell sees it: what it prints, its exit codes, and that `run` follows its schedules.
import { expect, test } from 'vitest';
import { commandLine } from './coherence';

const cli = commandLine();

const waits = `scenario "each waits for the other"
process app {
  thread one on cpu0 {
    wait y
    signal x
  }
  thread two on cpu1 {
    wait x
    signal y
  }
}
`;

const races = `scenario "only some orders race"
surface a: buffer 1 page coherent
process app {
  let p = map a
  thread writer on cpu0 {
    write p[0] = 7
  }
  thread drawer on cpu1 {
    submit { draw reads a[0 .. 1] } as drawn
    wait drawn
  }
}
never race
`;

test('a scenario that holds in every order', () => {
  const file = cli.file('holds.coh', waits.replace('wait x', 'let x1 = 0'));
  const { code, out } = cli.run('explore', file);
  expect(out).toMatch(
    /searched \d+ states in \d+ micro-steps, \d+ ends\n {2}looked at every order\nholds\n$/,
  );
  expect(code).toBe(0);
});

test('a violation comes with a schedule that run follows to it', () => {
  const file = cli.file('races.coh', races);
  const json = JSON.parse(cli.run('explore', file, '--json').out);
  expect(json.verdict).toBe('violated');
  const [{ kind, message, schedule }] = json.violations;
  expect(kind).toBe('race');
  const ran = cli.run('run', file, '--schedule', schedule, '--json');
  expect(JSON.parse(ran.out).violations[0].message).toBe(message);
  expect(ran.code).toBe(1);
  const { out, code } = cli.run('explore', file);
  expect(out).toContain(`schedule: ${schedule}\nviolated\n`);
  expect(code).toBe(1);
});

test('a limit of states before a verdict has an exit code of its own', () => {
  const { code, out } = cli.run('explore', cli.file('races.coh', races), '--max-states', '20');
  expect(out).toMatch(/stopped at the limit of 20 states[^]*incomplete\n$/);
  expect(code).toBe(3);
});

test('what is no number, and more workers, are refused in a sentence', () => {
  const file = cli.file('waits.coh', waits);
  expect(cli.run('explore', file, '--bound', 'two')).toMatchObject({ code: 2 });
  const { code, err } = cli.run('explore', file, '--workers', '4');
  expect(err).toContain('The search has one worker for now; leave the option out.');
  expect(code).toBe(2);
});

test('a schedule that does not fit is refused', () => {
  const { code, err } = cli.run('explore', cli.file('waits.coh', waits), '--schedule', '99');
  expect(err).toContain('there is no agent 99');
  expect(code).toBe(2);
});
