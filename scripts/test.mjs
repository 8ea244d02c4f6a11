// `npm test`: everything that needs no more than Node.js, Rust and a C compiler, on a fresh clone
// too. What is quick comes first and the storms last, so that most faults show early.

import { setUp, setUpTools } from './setup.mjs'
import { runSteps, rustFaults, rustProgram, rustTests, sideBySide } from './steps.mjs'
import { nodeTests, systems, testFiles, typeTests } from './suites.mjs'

const files = testFiles()
const isStorm = file => /\/storm[\w-]*\.test\.mjs$/.test(file)
const within = folders => files.filter(file => !isStorm(file) && folders.test(file))
const [calls, programs] = [/\/(contract|border)\//, /\/(process|package)\//]

/** They wait for the disk and for each other more than they compute. */
async function storms() {
  const storm = await rustProgram('storm')
  await sideBySide([
    [storm, '--kills', '300'],
    [storm, '--kills', '300', '--processes', '3'],
    ...files.filter(isStorm).map(file => [process.execPath, '--test', file]),
  ])
}

const steps = [
  { name: 'Set up', seconds: 1, run: () => setUp().then(setUpTools) },
  { name: 'Types', seconds: 5, run: typeTests },
  { name: 'Node: contract, border', seconds: 25, run: () => nodeTests(within(calls)) },
  {
    name: 'Node again, where reading __proto__ throws: contract, border',
    seconds: 25,
    run: () => nodeTests(within(calls), '--disable-proto=throw'),
  },
  { name: 'Rust: rules, store, engine, conformance, tidy', seconds: 90, run: rustTests },
  { name: 'Rust: deliberate faults of the queue are noticed', seconds: 45, run: rustFaults },
  { name: 'Node: process, package', seconds: 45, run: () => nodeTests(within(programs)) },
  {
    name: 'Storms: 600 × kill -9 of engines, 320 of Node.js, alone and several on one file',
    seconds: 90,
    run: storms,
  },
]

const left = systems.map(({ what }) => what).join('; ')
await runSteps(steps, { last: `left out: ${left}. \`npm run test:systems\` runs it` })
