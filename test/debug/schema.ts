// Checks every message between a client and the adapter against a JSON schema made from the types of
// @vscode/debugprotocol: the request, response or event type of its own name, no properties beside those. Making the
// schema takes seconds, so it is made once for each version of these types and of what makes it.
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { DebugProtocol as P } from '@vscode/debugprotocol';
import { Ajv, type AnySchema, type ValidateFunction } from 'ajv';
import { createGenerator, type SchemaGenerator } from 'ts-json-schema-generator';

const own = /^coherence\//; // requests and events of ours are checked as plain ones

/** Returns a function that says what is wrong with a message, or undefined. */
export function messageChecker(): (
  message: P.ProtocolMessage,
  command?: string,
) => string | undefined {
  const schema = schemaOfTypes();
  const definitions = schema.definitions!;
  // A launch brings the debug type's own arguments with it.
  for (const request of ['Launch', 'Attach']) {
    const definition = definitions[`DebugProtocol.${request}RequestArguments`];
    (definition as { additionalProperties: unknown }).additionalProperties = true;
  }
  const ajv = new Ajv({ allErrors: true, strict: false });
  ajv.addSchema(schema as AnySchema, 'dap');
  const compiled = new Map<string, ValidateFunction>();
  const validator = (type: string): ValidateFunction => {
    const name = `DebugProtocol.${type}`;
    if (definitions[name] === undefined) throw new Error(`the protocol has no ${type}`);
    let made = compiled.get(name);
    if (made === undefined) {
      made = ajv.compile({ $ref: `dap#/definitions/${encodeURIComponent(name)}` });
      compiled.set(name, made);
    }
    return made;
  };
  return (message, command = '') => {
    const type = typeOf(message, command);
    const validate = validator(type);
    if (validate(message)) return undefined;
    return `${type}: ${ajv.errorsText(validate.errors)} in ${JSON.stringify(message)}`;
  };
}

function schemaOfTypes(): ReturnType<SchemaGenerator['createSchema']> {
  const version = (name: string): string =>
    JSON.parse(readFileSync(`node_modules/${name}/package.json`, 'utf8')).version;
  const versions = ['@vscode/debugprotocol', 'ts-json-schema-generator'].map(version).join('-');
  const folder = '.vscode-test/schemas';
  const file = `${folder}/dap-${versions}.json`;
  if (existsSync(file)) return JSON.parse(readFileSync(file, 'utf8'));
  const schema = createGenerator({
    path: 'node_modules/@vscode/debugprotocol/lib/debugProtocol.d.ts',
    type: '*',
    skipTypeCheck: true,
    additionalProperties: false,
  }).createSchema('*');
  mkdirSync(folder, { recursive: true });
  const made = `${file}.${process.pid}`; // whole before it has its name: others may be reading
  writeFileSync(made, JSON.stringify(schema));
  renameSync(made, file);
  return schema;
}

function typeOf(message: P.ProtocolMessage, command: string): string {
  const camel = (name: string) => name[0]!.toUpperCase() + name.slice(1);
  if (message.type === 'event') {
    const { event } = message as P.Event;
    return own.test(event) ? 'Event' : `${camel(event)}Event`;
  }
  if (message.type === 'request') return own.test(command) ? 'Request' : `${camel(command)}Request`;
  const { success } = message as P.Response;
  if (!success) return 'ErrorResponse';
  return own.test(command) ? 'Response' : `${camel(command)}Response`;
}
