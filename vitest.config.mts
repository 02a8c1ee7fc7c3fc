// Unit, property, conformance, layer and protocol tests: everything that needs no VS Code.
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/suite/**', 'test/ui/**', 'test/host/**'],
    setupFiles: ['test/seed.ts'],
    maxWorkers: '100%',
    testTimeout: 60_000,
  },
});
