// Files that are edited while a run of them is looked at. The run goes on with the texts it was loaded with, and so do its
// lines and breakpoints; that it does is said.
import type { Debuggee } from './debuggee';

export class Edited {
  private readonly known = new Set<string>();

  constructor(private readonly read: (path: string) => Promise<string>) {}

  /** Another run: its files are as they were read. */
  forget(): void {
    this.known.clear();
  }

  /** Whether a file of the run is another now than the one it was loaded from. */
  has(path: string): boolean {
    return this.known.has(path);
  }

  /** Reads the files of a run again. Those that have become different since the last look, or the same again. */
  async look({ files, made }: Debuggee): Promise<string[]> {
    if (made !== undefined) return []; // a recording: its text is made, and no line of it stands in the file
    const turned: string[] = [];
    for (const { path, text } of files) {
      // A file that is gone, or cannot be read now, is different too.
      const now = await this.read(path).catch(() => undefined);
      if ((now !== text) === this.known.has(path)) continue;
      if (now === text) this.known.delete(path);
      else this.known.add(path);
      turned.push(path);
    }
    return turned;
  }
}

/** What is said of a file that has turned. */
export const editedText = (path: string, isEdited: boolean): string => {
  const name = path.split(/[\\/]/).at(-1);
  return isEdited
    ? `${name} was edited after this run was loaded. The run, its lines and its breakpoints are those of the text before; restart to debug the new one.`
    : `${name} is again as this run has it.`;
};
