// `npm test`: everything, on a fresh clone too.

import { setUp, setUpTools } from './setup.mjs'
import { cargo, runSteps, rustTests } from './steps.mjs'
import { nodeTests, testFiles, typeTests } from './suites.mjs'

const storm = '__test__/process/storm.test.mjs'

await runSteps({
  'Set up': () => setUp().then(setUpTools),
  'Rust tests: rules, store, engine, conformance, tidy': rustTests,
  'Rust storm: 300 × kill -9': () =>
    cargo('run --quiet -p tasker-proof --bin storm -- --kills 300'),
  'Rust storm: 300 × kill -9 of three processes that share a file': () =>
    cargo('run --quiet -p tasker-proof --bin storm -- --kills 300 --processes 3'),
  'Type tests': typeTests,
  'Node tests: contract, border, process, package': () =>
    nodeTests(testFiles().filter(file => file !== storm)),
  'Node tests again, where reading __proto__ throws: contract, border': () =>
    nodeTests(
      testFiles().filter(file => /\/(contract|border)\//.test(file)),
      '--disable-proto=throw',
    ),
  'Node storms, of one process and of four: 100 × kill -9 each': () => nodeTests([storm]),
})
