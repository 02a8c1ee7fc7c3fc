// Sources and positions at the edge to a client: its spelling of paths, its first line and column, and whether it
// opens kernel listings by URI or by reference. Inside, lines and columns count from 0.
import type { DebugProtocol as P } from '@vscode/debugprotocol';
import type { Edited } from './edited';
import * as errors from './errors';
import type { SourceKey } from './placing';
import type { Session } from './session';

export class Sources {
  /** The client's first line and column. */
  lineBase = 1;
  columnBase = 1;

  /**
   * `listingUri`: the URI under which the client opens a listing; without it listings go by source reference. `edited`:
   * the files that are no longer what the run was loaded from.
   */
  constructor(
    private readonly listingUri: ((file: string) => string) | undefined,
    private readonly edited: Pick<Edited, 'has'>,
  ) {}

  /** What is to be said of places in a source. */
  warning(key: SourceKey): string | undefined {
    if (key.kind === 'listing' || !this.edited.has(key.path)) return undefined;
    return 'the file was edited after this run was loaded: lines are those of the text before';
  }

  /** A source as the client is told of it. */
  of(session: Session, key: SourceKey): P.Source {
    const { path, made } = session.debuggee;
    if (key.kind === 'scenario') {
      if (made !== undefined)
        return this.listing(made, madeReference(session), `recorded in ${path}`);
      const origin = this.warning(key);
      const name = key.path.split(/[\\/]/).at(-1)!;
      return { name, path: key.path, ...(origin !== undefined && { origin }) };
    }
    const { file } = key;
    const { reference } = session.listings.byFile(file)!;
    return this.listing(file, reference, 'listing of the emulated kernel');
  }

  /** A source that is no file. */
  private listing(name: string, sourceReference: number, origin: string): P.Source {
    const path = this.listingUri?.(name);
    return path === undefined ? { name, sourceReference, origin } : { name, path, origin };
  }

  /** Which source the client means; undefined when it takes no part in the run. */
  keyOf(session: Session, source: P.Source): SourceKey | undefined {
    const { listings, debuggee } = session;
    const { made } = debuggee;
    if (made !== undefined && source.sourceReference === madeReference(session))
      return { kind: 'scenario', path: debuggee.path };
    const byReference = source.sourceReference
      ? listings.byReference(source.sourceReference)
      : undefined;
    if (byReference !== undefined) return { kind: 'listing', file: byReference.file };
    const { path } = source;
    if (path === undefined) return undefined;
    if (made !== undefined && path === this.listingUri?.(made))
      return { kind: 'scenario', path: debuggee.path };
    const own = debuggee.files.find((file) => plainPath(file.path) === plainPath(path));
    if (own !== undefined) return { kind: 'scenario', path: own.path };
    const listing = listings.all.find(({ file }) => this.listingUri?.(file) === path);
    return listing && { kind: 'listing', file: listing.file };
  }

  /** One spelling of a source, whether or not anything is loaded. */
  idOf({ path, name, sourceReference }: P.Source): string {
    return path === undefined ? `${name} ${sourceReference}` : plainPath(path);
  }

  /** The text of a source. */
  content(
    session: Session,
    { source, sourceReference }: P.SourceArguments,
  ): P.SourceResponse['body'] {
    const at = this.keyOf(session, { sourceReference, ...source });
    if (at?.kind === 'scenario') {
      const { files, made } = session.debuggee;
      const { text = '' } = files.find(({ path }) => path === at.path) ?? {};
      return { content: text, ...(made === undefined ? {} : { mimeType: 'text/x-c' }) };
    }
    const listing = at && session.listings.byFile(at.file);
    if (listing === undefined) throw errors.noSuchSource(source?.path ?? `${sourceReference}`);
    return { content: listing.text, mimeType: 'text/x-c' };
  }

  /** Every source of a run. */
  all(session: Session): P.LoadedSourcesResponse['body'] {
    const listings = session.listings.all.map(({ file }) =>
      this.of(session, { kind: 'listing', file }),
    );
    const own = session.debuggee.files.map(({ path }) =>
      this.of(session, { kind: 'scenario', path }),
    );
    return { sources: [...own, ...listings] };
  }
}

/** Clients spell a path in more than one way: as a URI, with a drive letter in either case, with backslashes. */
function plainPath(path: string): string {
  const decoded = path.startsWith('file://')
    ? unescaped(path.replace(/^file:\/\/(\/(?=[A-Za-z]:))?/, ''))
    : path;
  return decoded.replace(/\\/g, '/').replace(/^[A-Za-z]:/, (drive) => drive.toLowerCase());
}

/** What is no URI after all stays as it is. */
function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The reference of a text that was made from a file: behind those of the listings. */
const madeReference = ({ listings }: Session): number => listings.all.length + 1;
