// The storm's judge finds each kind of fault: a storm that could not fail would prove nothing.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Ledger } from './storm/ledger.mjs'
import { judge } from './storm/marks.mjs'

const task = { uuid: 'a', data: { n: 1 }, status: 'done', attempt: 1, attempts: [{ runId: 'r' }] }
const run = { uuid: 'a', runId: 'r', attempt: 1 }
const told = [
  ['try', 1],
  ['ack', 1, 'a'],
  ['end', 'a', 'done'],
  ['image', 'a', task],
]

/** The violations of a history against a store and its runs. */
function violations({ lines = told, tasks = [task], runs = [run] }) {
  const ledger = new Ledger()
  ledger.read(lines.map(line => `${JSON.stringify(line)}\n`).join(''))
  ledger.check(tasks, runs)
  return ledger.violations.map(text => text.split(':')[0])
}

test('a true history passes', () => {
  assert.deepEqual(violations({}), [])
})

const faults = {
  'acknowledged and lost (I-1)': { tasks: [], runs: [] },
  'tasks stored twice (I-2)': { tasks: [task, { ...task, uuid: 'b' }] },
  'stored but never added (I-2)': { lines: [] },
  'not ended (I-12)': { tasks: [{ ...task, status: 'running' }], lines: [['try', 1]] },
  'told as failed, stored as done (I-1, I-3)': { lines: [...told, ['end', 'a', 'failed']] },
  'an ended task changed': { tasks: [{ ...task, result: 7 }] },
  'its abort was acknowledged and lost (I-1)': {
    lines: [
      ['try', 1],
      ['abort', 'a'],
    ],
    tasks: [{ ...task, attempt: 0 }],
  },
  'ran without being counted (I-10)': { tasks: [{ ...task, attempts: [] }], lines: [['try', 1]] },
  'is not called as it was added (I-1)': { tasks: [{ ...task, id: 7 }], lines: [['try', 1]] },
  'a run is not called as its task (I-1)': { runs: [{ ...run, tags: ['x'] }] },
  'has not failed as often as its retry says (I-10)': {
    lines: [['try', 1]],
    tasks: [
      {
        ...task,
        status: 'failed',
        cause: 'error',
        attempts: [{ runId: 'r', outcome: 'failed', cause: 'error' }],
      },
    ],
  },
  'its queueTimeout has ended it too early': {
    lines: [['try', 3]],
    tasks: [
      {
        ...task,
        data: { n: 3 },
        id: { n: 3 },
        label: 'no. 3',
        tags: ['storm', '3'],
        status: 'aborted',
        cause: 'queue-timeout',
        attempts: [],
        createdAt: new Date(1),
        endedAt: new Date(8),
      },
    ],
    runs: [],
  },
  'runs noted twice (I-4)': { runs: [run, run] },
}

for (const [fault, history] of Object.entries(faults)) {
  test(`it sees: ${fault}`, () => assert.deepEqual(violations(history), [fault]))
}

test('a line that the kill cut off counts as not told', () => {
  const ledger = new Ledger()
  ledger.read('["try",1]\n["ack",1,"a"')
  assert.equal(ledger.acked.size, 0)
})

test('runs that follow one another are not live at once', () => {
  const lines = ['+ 1 a limited', '- 1 a limited', '+ 2 a limited', 'x 2', '+ 3 a limited', '']
  const found = judge(lines.join('\n'))
  assert.deepEqual(found, { runs: 3, twice: [], limitedMax: 1 })
})

test('it sees a task that is live twice, and how many of an operation are live', () => {
  const lines = ['+ 1 a limited', '+ 1 b limited', '+ 1 c quick', '+ 2 a limited', '']
  assert.deepEqual(judge(lines.join('\n')), { runs: 4, twice: ['a'], limitedMax: 2 })
})

test('what a process notes after its death is marked counts for nothing', () => {
  const lines = ['+ 1 a limited', 'x 1', '- 1 a limited', '+ 1 b limited', '']
  assert.deepEqual(judge(lines.join('\n')), { runs: 1, twice: [], limitedMax: 1 })
})
