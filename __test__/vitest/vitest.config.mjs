import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['*.spec.mjs'],
    // Two files at once, so that the addon is loaded twice in the pool of threads.
    minWorkers: 2,
    maxWorkers: 2,
    // What it is for a user: a package, which vitest does not transform.
    server: { deps: { external: [/\/index\.mjs$/, /\/dist\//] } },
  },
})
