import { afterEach, expect, test } from 'vitest';
import { Client } from './client';

let client: Client;
afterEach(() => {
  expect(client.wrong).toEqual([]);
  client.close();
});

test('a session: launch, step over, into and out, back, to the end', async () => {
  client = new Client();
  await client.start({ program: '/toys/two.toy' });
  expect(client.transcript()).toBe('');
});
