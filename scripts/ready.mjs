// `npm run ready`: what to run before each commit.

import { setUp } from './setup.mjs'
import { cargo, runSteps, rustTests } from './steps.mjs'
import { biome, typeTests } from './suites.mjs'

const clippy =
  'clippy --workspace --all-targets ' +
  '--features task/full,tasker-proof/redis,tasker-redis/tls -- -D warnings'

await runSteps([
  { name: 'Set up', seconds: 1, run: setUp },
  { name: 'cargo fmt', seconds: 2, run: () => cargo('fmt --all --check') },
  { name: 'clippy', seconds: 10, run: () => cargo(clippy) },
  { name: 'biome', seconds: 1, run: () => biome('check', '--error-on-warnings', '.') },
  { name: 'Types', seconds: 5, run: typeTests },
  { name: 'Rust: rules, store, engine, conformance, tidy', seconds: 90, run: rustTests },
])
