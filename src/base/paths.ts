// Paths of files as the pure layers need them: no disk is asked.

/** The file that `name`, as it stands in the file `from`, means; both are paths, or `from` is a URI. */
export function beside(from: string, name: string): string {
  const isUri = /^[a-z][a-z0-9+.-]+:/i.test(from);
  const parts = from.split(isUri ? '/' : /[\\/]/).slice(0, -1);
  for (const part of (isUri ? encodeURI(name) : name).split('/')) {
    if (part === '..' && parts.length > 0 && parts.at(-1) !== '..') parts.pop();
    else if (part !== '.') parts.push(part);
  }
  return parts.join('/');
}

/** The last part of a path. */
export function fileName(path: string): string {
  return path.split(/[\\/]/).at(-1) ?? path;
}
