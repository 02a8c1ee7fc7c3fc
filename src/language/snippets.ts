// Statements as snippets: made from the forms of the language, so that what can be typed is what is shown. The words of
// a form stay, names and values become places to fill in.
import { surfaceAttributes } from '../scenario/vocabulary';
import { reserved } from '../syntax/forms';

const fixed: ReadonlySet<string> = new Set([...reserved, ...Object.keys(surfaceAttributes)]);

/** A form in the notation of snippets: `unmap ${1:p}`. A block is opened over three lines. */
export function snippetOf(form: string, verb: string): string {
  let place = 0;
  const parts = /\{ … \}|\{ [^}]* \}|"[^"]*"|\S+\[[^\]]*\]\S*|[^\s{}[\]]+|\s+|./g;
  return form.replace(parts, (part) => {
    if (part === '{ … }') return `{\n\t\${${++place}}\n}`;
    if (part.startsWith('{ ')) return `{ \${${++place}:${part.slice(2, -2)}} }`;
    if (part.startsWith('"')) return `"\${${++place}:${part.slice(1, -1)}}"`;
    const [, word = part, colon = ''] = /^(\w+)(:)$/.exec(part) ?? [];
    if (!/\w/.test(part) || fixed.has(part) || part === verb) return part;
    return `\${${++place}:${word.replace(/[$}\\]/g, '\\$&')}}${colon}`;
  });
}

/** A procedure with what it is given: `fill(${1:range}, ${2:value})`. */
export function callSnippet(form: string): string {
  let place = 0;
  return form.replace(/(?<=[(,]\s*)\w+/g, (name) => `\${${++place}:${name}}`);
}

/** A file to begin with, as a snippet: a scenario that runs and holds as it stands. */
export const scenarioTemplate = `scenario "\${1:what it shows}"

machine { kernel \${2|series-v2,linux-6.1|}, cpus 2 }

surface \${3:ring}: buffer \${4:96KiB} coherent

process \${5:app} {
  let p = map \${3:ring}

  thread \${6:render} on cpu0 {
    write p[0 .. 4KiB] = \${7:7}
    submit { draw reads \${3:ring}[0 .. 4KiB] } as done
    wait done
    assert gpu(\${3:ring})[0] == \${7:7}
    $0
  }
}

never violation
`;
