// `npm run ready`: what to run before each commit.

import { setUp } from './setup.mjs'
import { cargo, runSteps, rustTests } from './steps.mjs'
import { biome, typeTests } from './suites.mjs'

await runSteps({
  'Set up': setUp,
  'cargo fmt': () => cargo('fmt --all --check'),
  clippy: () => cargo('clippy --workspace --all-targets -- -D warnings'),
  biome: () => biome('check', '--error-on-warnings', '.'),
  types: typeTests,
  'Rust tests: rules, store, engine, conformance, tidy': rustTests,
})
