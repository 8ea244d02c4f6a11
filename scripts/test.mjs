// `npm test`: everything, on a fresh clone too.

import { setUp } from './setup.mjs'
import { cargo, runSteps, rustTests } from './steps.mjs'
import { nodeTests, testFiles, typeTests } from './suites.mjs'

const storm = '__test__/process/storm.test.mjs'

await runSteps({
  'Set up': setUp,
  'Rust tests: rules, store, engine, conformance, tidy': rustTests,
  'Rust storm: 300 × kill -9': () =>
    cargo('run --quiet -p tasker-proof --bin storm -- --kills 300'),
  'Type tests': typeTests,
  'Node tests: contract, process, package': () =>
    nodeTests(testFiles().filter(file => file !== storm)),
  'Node storm: 100 × kill -9': () => nodeTests([storm]),
})
