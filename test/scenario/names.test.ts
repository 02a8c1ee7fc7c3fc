// Names of scenarios: none is in the way of what the emulator itself calls something.
import { expect, test } from 'vitest';
import { outcome } from './outcome';

const taken = ['store', 'stores', 'submissions', 'loaded', 'ready', 'constructor', '__proto__'];

test.each(taken)('`%s` can be the name of anything', (name) => {
  const text = `scenario "fence and event"
surface s: buffer 1 page coherent
process app {
  let p = map s
  thread one on cpu0 {
    submit { draw reads s } as ${name}
    wait ${name}
    assert ${name}.signaled
  }
}
scenario "event"
process app {
  thread one on cpu0 { signal ${name} }
  thread two on cpu1 { wait ${name} }
}
scenario "values and parameters"
procedure add(${name}) {
  let more = ${name} + 1
  assert more == 2
}
process app {
  thread one on cpu0 {
    let ${name} = 1
    assert ${name} == 1
    add(${name})
  }
}
scenario "things"
surface ${name}: buffer 1 page coherent
process app {
  let p = map ${name}
  thread one on cpu0 { write p }
}
scenario "threads"
process app {
  thread ${name} on cpu0 { let a = 1 }
}
`;
  const titles = ['fence and event', 'event', 'values and parameters', 'things', 'threads'];
  for (const scenario of titles) expect(outcome(text, { scenario }).problems).toEqual([]);
});
