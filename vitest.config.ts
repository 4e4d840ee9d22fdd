import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Tests write to real disks and start real processes; the default of 5 s is for neither.
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
});
