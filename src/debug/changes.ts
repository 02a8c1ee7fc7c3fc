// What a client changes by hand and what it watches: variables, expressions, addresses, all of which are locations. Each
// change is an entry of the schedule, so that a replay makes it too.
import type { DebugProtocol as P } from '@vscode/debugprotocol';
import type { Location } from '../machine/location/location';
import * as errors from './errors';
import type { Looking } from './looking';
import type { Session } from './session';

export class Changes {
  constructor(private readonly looking: Looking) {}

  setVariable(s: Session, args: P.SetVariableArguments): P.SetVariableResponse['body'] {
    const { variablesReference, name, value } = args;
    const { location, shown } = this.looking.variable(s, variablesReference, name);
    if (location === undefined) throw errors.cannotChange(`${name} is not changed by hand`);
    this.change(s, location, value);
    return shown();
  }

  setExpression(s: Session, args: P.SetExpressionArguments): P.SetExpressionResponse['body'] {
    const { expression, value, frameId } = args;
    const { task, frame } = this.looking.frame(s, frameId);
    const location = s.locate(expression, task, frame);
    if (typeof location === 'string') throw errors.cannotChange(location);
    this.change(s, location, value);
    const result = s.evaluate(expression, task, frame);
    if ('error' in result) return { value: location.text() };
    return { value: s.variables.text(result.value) };
  }

  private change(s: Session, location: Location, value: string): void {
    const problem = s.change(location, value);
    if (problem !== undefined) throw errors.cannotChange(problem);
  }

  /** What a data breakpoint can be set on: a variable, an expression, or bytes at an address. */
  dataBreakpointInfo(
    s: Session,
    args: P.DataBreakpointInfoArguments,
  ): P.DataBreakpointInfoResponse['body'] {
    const location = this.watched(s, args);
    if (typeof location === 'string') return { dataId: null, description: location };
    const { id, what } = location;
    return {
      dataId: id,
      description: what,
      accessTypes: ['write', 'read', 'readWrite'],
      canPersist: !id.startsWith('local:'),
    };
  }

  private watched(s: Session, args: P.DataBreakpointInfoArguments): Location | string {
    const { variablesReference, name, bytes, asAddress, frameId } = args;
    if (variablesReference) {
      const { location } = this.looking.variable(s, variablesReference, name);
      return location ?? `${name} is not kept anywhere: it cannot change`;
    }
    const { task, frame } = this.looking.frame(s, frameId);
    if (!asAddress && bytes === undefined) return s.locate(name, task, frame);
    const address = /^\s*(0x[\da-f]+|\d+)\s*$/i.exec(name)?.[1];
    if (address === undefined) return s.locate(bytes ? `${name}:${bytes}` : name, task, frame);
    const space = s.spaceOf(task);
    if (space === undefined) return 'no process has an address space yet';
    const at = Number(address).toString(16);
    return s.debuggee.locations.at(`bytes:${space}:0x${at}:${bytes ?? 1}`);
  }
}
