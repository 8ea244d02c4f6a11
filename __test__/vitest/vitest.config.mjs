import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['*.spec.mjs'],
    // What takes five seconds on a machine that does other things too is no fault.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // Two files at once, so that the addon is loaded twice in the pool of threads.
    minWorkers: 2,
    maxWorkers: 2,
    // What it is for a user: a package, which vitest does not transform.
    server: { deps: { external: [/\/index\.mjs$/, /\/dist\//] } },
  },
})
